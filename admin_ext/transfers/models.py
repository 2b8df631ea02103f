"""Import profiles: how the columns of somebody's file become our fields; export definitions: what a file is made of."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from admin_ext.models import Record, Shared
from admin_ext.transfers.entities import check_mapping
from admin_ext.transfers.mapping import MappingNotUsable


class Profile(Record):
    """A mapping with a name, for the next file of the same kind."""

    natural_key_fields = ("name",)

    name = models.CharField(
        max_length=100,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9-]*$", "Use small letters, digits and hyphens.")],
    )
    title = models.CharField(max_length=200, blank=True)
    resource = models.CharField(max_length=100, help_text="The model that it fills, e.g. customers.Customer.")
    mapping = models.JSONField(default=dict)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="profiles"
    )

    class Meta(Record.Meta):
        verbose_name = "import profile"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.title or self.name

    def clean(self) -> None:
        from django.core.exceptions import ValidationError

        try:
            check_mapping(self.mapping, resource=self.resource)
        except MappingNotUsable as error:
            raise ValidationError({"mapping": str(error)}) from error


class ExportDefinition(Shared):
    """Which rows, which columns under which names, and in which format: an export under a name.

    It holds a question, never rows: whoever has it written gets the rows and columns that they may have themselves.
    """

    natural_key_fields = ("name",)
    has_past = False

    name = models.CharField(
        max_length=100,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9-]*$", "Use small letters, digits and hyphens.")],
    )
    resource = models.CharField(max_length=100, help_text="Whose rows it writes, e.g. customers.Customer.")
    filters = models.JSONField(default=dict, blank=True, help_text="As in the list's address: names and their values.")
    search = models.CharField("search term", max_length=200, blank=True)
    ordering = models.JSONField("order", default=list, blank=True, help_text="Paths to sort by, - for downwards.")
    columns = models.JSONField(
        default=list,
        blank=True,
        help_text="In their order: a field or a path to a related one, and its name in the file.",
    )
    format = models.CharField(max_length=20, default="csv")
    packing = models.CharField("packed as", max_length=5, blank=True)

    class Meta(Record.Meta):
        verbose_name = "export definition"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="an_export_definition_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name


# Sharing a question hands on no row: the auditors' desk need not look at each.
ExportDefinition.user_grants_model.review_required = False
ExportDefinition.group_grants_model.review_required = False
