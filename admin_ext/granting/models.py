"""Reviews of who holds what, and elevated sessions with the roles that are there for them."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from admin_ext.audit.history import History


class AccessReview(models.Model):
    """A campaign: what people held when it was opened, to be kept or revoked item by item until a day."""

    title = models.CharField(max_length=200)
    due_on = models.DateField(help_text="By when everything is decided.")
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    opened_at = models.DateTimeField(db_default=Now(), editable=False)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    closed_at = models.DateTimeField(null=True, blank=True)

    history = History()

    class Meta:
        verbose_name = "access review"
        ordering = ["-id"]
        default_permissions = ("view", "add", "change", "export")
        constraints = [
            models.CheckConstraint(
                condition=Q(closed_by=None, closed_at=None) | Q(closed_by__isnull=False, closed_at__isnull=False),
                name="a_closed_access_review_says_by_whom_and_when",
            )
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_overdue(self) -> bool:
        return self.closed_at is None and self.due_on < timezone.localdate()


class AccessReviewItem(models.Model):
    """One thing that one person holds: a role, a place, or a right on a single row."""

    class Kind(models.TextChoices):
        ROLE = "role", "Role"
        PLACE = "place", "Place"
        ROW = "row", "Single row"

    class Decision(models.TextChoices):
        KEEP = "keep", "Keep"
        REVOKE = "revoke", "Revoke"

    class Use(models.TextChoices):
        """How the last use is known. Lists and pages are noted for watched records only, so it often is not."""

        ACT = "act", "changed something with it"
        READ = "read", "read with it"
        UNKNOWN = "", "not known"

    part_of: ClassVar[str] = "review"

    review = models.ForeignKey(AccessReview, on_delete=models.CASCADE, related_name="items")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=5, choices=Kind.choices)
    role = models.ForeignKey(
        Group, on_delete=models.DO_NOTHING, db_constraint=False, null=True, related_name="+", db_index=False
    )
    role_name = models.CharField(max_length=150, blank=True, help_text="What the role was called.")
    model = models.CharField(max_length=100, blank=True, help_text="Of a place or a row: its model.")
    object_id = models.BigIntegerField(null=True, blank=True)
    codename = models.CharField(max_length=100, blank=True, help_text="The permission on the place or row.")
    used_at = models.DateTimeField(null=True, blank=True, help_text="When it was last seen to be used.")
    use = models.CharField(max_length=4, choices=Use.choices, blank=True)
    last_login = models.DateTimeField(null=True, blank=True, help_text="When the person last logged in.")
    decision = models.CharField(max_length=6, choices=Decision.choices, blank=True)
    note = models.TextField(blank=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)

    history = History()

    class Meta:
        verbose_name = "item of an access review"
        verbose_name_plural = "items of an access review"
        ordering = ["id"]
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(decision="", decided_by=None, decided_at=None)
                | Q(decision__in=["keep", "revoke"], decided_by__isnull=False, decided_at__isnull=False),
                name="a_decision_on_access_says_by_whom_and_when",
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None) | ~Q(decided_by=F("person")), name="nobody_reviews_their_own_rights"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.get_kind_display()} {self.role_name or self.codename}"


class EmergencyRole(models.Model):
    """A role that an elevated session may take on."""

    about = ("role",)
    review_required: ClassVar[bool] = True
    reason_required: ClassVar[bool] = True

    role = models.OneToOneField(Group, on_delete=models.CASCADE, related_name="emergency")

    history = History()

    class Meta:
        verbose_name = "emergency role"
        ordering = ["role__name"]
        default_permissions = ("view", "grant")

    def __str__(self) -> str:
        return self.role.name


class Elevation(models.Model):
    """Somebody broke the glass: for a while, in one session, they hold one more role. Asks for a review at the desk."""

    about = ("person", "role")
    owner_field = "person"
    review_required: ClassVar[bool] = True

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="elevations")
    role = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField()
    started_at = models.DateTimeField()
    ends_at = models.DateTimeField(help_text="When it ends by itself.")
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When it was ended before that.")

    history = History()

    class Meta:
        verbose_name = "elevated session"
        ordering = ["-id"]
        default_permissions = ("view",)
        permissions = [("break_glass", "Can break the glass in an emergency")]
        indexes = [models.Index(fields=["person", "-id"], name="elevation_of_person")]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("started_at")), name="an_elevated_session_takes_time"),
            models.CheckConstraint(condition=~Q(reason=""), name="an_elevated_session_has_a_reason"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.person} as {self.role}"

    @property
    def is_live(self) -> bool:
        return self.ended_at is None and self.ends_at > timezone.now()
