"""Field policies: how the holders of a role meet one field of one model."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from admin_ext.access.naming import why_not_policed
from admin_ext.audit.history import History


class FieldPolicy(models.Model):
    """One field of one model is hidden from, masked for or not written by the holders of one role."""

    about = ("role",)
    review_required: ClassVar[bool] = True
    reason_required: ClassVar[bool] = True

    class Kind(models.TextChoices):
        READ_ONLY = "read_only", "Read only"
        MASKED = "masked", "Masked"
        HIDDEN = "hidden", "Hidden"

    role = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="field_policies")
    model = models.CharField(max_length=100, help_text="The model, e.g. customers.Customer.")
    field = models.CharField(max_length=100, help_text="The name of its field, e.g. tax_number.")
    kind = models.CharField(
        "treatment",
        max_length=10,
        choices=Kind.choices,
        help_text="Read only: seen, not written. Masked: shown as dots. Hidden: not there at all.",
    )

    history = History()

    class Meta:
        verbose_name = "field policy"
        verbose_name_plural = "field policies"
        ordering = ["role", "model", "field"]
        default_permissions = ("view", "add", "change", "delete", "grant")
        constraints = [
            models.UniqueConstraint(fields=["role", "model", "field"], name="a_role_has_one_policy_for_a_field"),
            models.CheckConstraint(
                condition=Q(kind__in=["read_only", "masked", "hidden"]), name="a_field_policy_is_of_a_known_kind"
            ),
            models.CheckConstraint(
                condition=Q(model__regex=r"^[a-z_]+\.[A-Za-z0-9]+$") & Q(field__regex=r"^[a-z][a-z0-9_]*$"),
                name="a_field_policy_names_a_field",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model}.{self.field}"

    def clean(self) -> None:
        if refusal := why_not_policed(self.model, self.field, self.kind):
            raise ValidationError(refusal)
