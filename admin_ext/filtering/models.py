"""Saved views: what a list is narrowed to and how it is shown, kept under a name; and the views lists open with."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q

from admin_ext.audit.history import History
from admin_ext.models import Record, Shared


class SavedView(Shared):
    """Filters, search, columns, order, page size and density of one list, under a name.

    It holds a question, never rows: whoever opens it sees the rows and columns that they may see themselves.
    """

    natural_key_fields = ("name",)
    # A list of the past is looked at with the views of now.
    has_past = False

    class Density(models.TextChoices):
        COMFORTABLE = "comfortable", "Comfortable"
        COMPACT = "compact", "Compact"

    name = models.CharField(max_length=100)
    model = models.CharField("list", max_length=100, help_text="Whose rows it shows, e.g. customers.Customer.")
    filters = models.JSONField(default=dict, blank=True, help_text="As in the list's address: names and their values.")
    search = models.CharField("search term", max_length=200, blank=True)
    columns = models.JSONField(default=list, blank=True, help_text="In their order, with widths in pixels.")
    ordering = models.JSONField("order", default=list, blank=True, help_text="Paths to sort by, - for downwards.")
    page_size = models.PositiveSmallIntegerField("rows per page", null=True, blank=True)
    density = models.CharField(max_length=11, choices=Density.choices, default=Density.COMFORTABLE)

    class Meta(Record.Meta):
        verbose_name = "saved view"
        ordering = ["model", "name", "id"]
        indexes = [models.Index(fields=["owner", "model"], name="saved_view_of_owner")]
        constraints = [
            models.UniqueConstraint(fields=["owner", "model", "name"], name="a_person_names_a_view_of_a_list_once"),
            models.CheckConstraint(condition=~Q(name=""), name="a_saved_view_has_a_name"),
            models.CheckConstraint(
                condition=Q(model__regex=r"^[a-z_]+\.[A-Za-z0-9]+$"), name="a_saved_view_is_of_a_list"
            ),
        ]

    def __str__(self) -> str:
        return self.name


# Sharing a question hands on no row: the auditors' desk need not look at each.
SavedView.user_grants_model.review_required = False
SavedView.group_grants_model.review_required = False


class DefaultView(models.Model):
    """The view with which a list opens: for one person, or for whoever holds a role."""

    about = ("view",)

    view = models.ForeignKey(SavedView, on_delete=models.CASCADE, related_name="defaults")
    model = models.CharField(max_length=100, help_text="That of the view.")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+")
    role = models.ForeignKey(Group, on_delete=models.CASCADE, null=True, related_name="+")

    history = History()

    class Meta:
        verbose_name = "default view"
        ordering = ["id"]
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(person=None, role__isnull=False) | Q(person__isnull=False, role=None),
                name="a_default_view_is_a_persons_or_a_roles",
            ),
            models.UniqueConstraint(fields=["person", "model"], name="a_person_has_one_default_view_of_a_list"),
            models.UniqueConstraint(fields=["role", "model"], name="a_role_has_one_default_view_of_a_list"),
        ]

    def __str__(self) -> str:
        return f"{self.view} for {self.person or self.role}"


class QueueLease(models.Model):
    """A row of a view that somebody is working on, until an instant."""

    view = models.ForeignKey(SavedView, on_delete=models.CASCADE, related_name="leases")
    row = models.BigIntegerField(help_text="The key of the row.")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    until = models.DateTimeField()

    class Meta:
        verbose_name = "row taken from a queue"
        verbose_name_plural = "rows taken from queues"
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["view", "row"], name="a_row_of_a_queue_is_taken_by_one_person"),
            models.UniqueConstraint(fields=["person", "view"], name="a_person_has_one_row_of_a_queue"),
        ]

    def __str__(self) -> str:
        return f"{self.row} of {self.view}"


class QueueSkip(models.Model):
    """Somebody passed over a row of a view, and said why."""

    about = ("view",)

    view = models.ForeignKey(SavedView, on_delete=models.CASCADE, related_name="skips")
    row = models.BigIntegerField(help_text="The key of the row.")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=500)
    skipped_at = models.DateTimeField()

    history = History()

    class Meta:
        verbose_name = "row passed over"
        verbose_name_plural = "rows passed over"
        ordering = ["-id"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["person", "view", "row"], name="a_person_passes_over_a_row_once"),
            models.CheckConstraint(condition=~Q(reason=""), name="who_passes_over_a_row_says_why"),
        ]

    def __str__(self) -> str:
        return f"{self.row} of {self.view}"
