"""Import profiles: how the columns of somebody's file become our fields, saved under a name."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models

from admin_ext.models import Record
from admin_ext.transfers.mapping import Mapping, MappingNotUsable


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
            Mapping.from_json(self.mapping, resource=self.resource)
        except MappingNotUsable as error:
            raise ValidationError({"mapping": str(error)}) from error
