"""simple-history's tables and vocabulary, filled by triggers instead of signals.

`History()` on a model makes its `Historical…` table with our columns and registers the triggers that write it.
History columns are all nullable, without defaults or uniqueness: they must take any value the row ever had, and a
migration that tightens the row's column must never touch old history.
"""

from __future__ import annotations

from typing import Any

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.fields.files import FileField
from simple_history.models import HistoricalRecords

from admin_ext.audit.exempt import EXEMPT_COLUMNS
from admin_ext.audit.triggers import VersionTrigger, append_only_triggers, capture_triggers


class History(HistoricalRecords):
    """`HistoricalRecords` whose rows are written by the database."""

    def __init__(self, *, excluded_fields: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(
            excluded_fields=[*excluded_fields, *EXEMPT_COLUMNS],
            history_id_field=models.BigAutoField(),
            history_user_id_field=models.BigIntegerField(null=True),
            **kwargs,
        )

    def finalize(self, sender: type[models.Model], **kwargs: Any) -> None:
        if self.cls is not sender and not (self.inherit and issubclass(sender, self.cls)):
            return
        # A proxy shares its parent's table, unless it was registered to give a table of somebody else a history.
        if sender._meta.abstract or (sender._meta.proxy and self.cls is not sender):
            return
        super().finalize(sender, **kwargs)
        history_model = sender.history.model
        excluded = tuple(field.name for field in sender._meta.fields if field.name in self.excluded_fields)
        pgtrigger.register(*capture_triggers(history_table=history_model._meta.db_table, excluded=excluded))(sender)
        pgtrigger.register(*append_only_triggers())(history_model)
        if any(field.name == "version" for field in sender._meta.fields):
            pgtrigger.register(VersionTrigger())(sender)

    def copy_fields(self, model: type[models.Model]) -> dict[str, models.Field]:
        return {name: _loosened(field) for name, field in super().copy_fields(model).items()}

    def get_extra_fields(self, model: type[models.Model], fields: dict[str, models.Field]) -> dict[str, Any]:
        extra = super().get_extra_fields(model, fields)
        for name in ("history_change_reason", "revert_url", "get_default_history_user"):
            del extra[name]
        extra["history_date"] = models.DateTimeField()
        extra["history_change_reason"] = property(lambda row: row.change_set.reason if row.change_set else "")
        extra["change_set"] = models.ForeignKey(
            "audit.ChangeSet",
            on_delete=models.DO_NOTHING,
            db_constraint=False,
            db_index=False,
            null=True,
            related_name="+",
        )
        extra["xid"] = models.BigIntegerField(null=True, help_text="The transaction that wrote it.")
        extra["db_user"] = models.CharField(max_length=63, null=True, help_text="The database login that wrote it.")
        extra["changed"] = ArrayField(models.TextField(), null=True, help_text="The columns that an update changed.")
        return extra

    def get_meta_options(self, model: type[models.Model]) -> dict[str, Any]:
        options = super().get_meta_options(model)
        options["ordering"] = ("-history_id",)
        options["get_latest_by"] = ("history_date", "history_id")
        options["default_permissions"] = ()
        options["indexes"] = [
            models.Index(fields=[model._meta.pk.name, "-history_id"]),
            models.Index(fields=["change_set"]),
        ]
        return options

    # simple-history's own writers: the triggers write.
    def post_save(self, *args: Any, **kwargs: Any) -> None:
        pass

    def post_delete(self, *args: Any, **kwargs: Any) -> None:
        pass

    def pre_delete(self, *args: Any, **kwargs: Any) -> None:
        pass

    def m2m_changed(self, *args: Any, **kwargs: Any) -> None:
        pass


def _loosened(field: models.Field) -> models.Field:
    """The field as a history column: nullable, without default, choices, uniqueness, index or validators."""
    if isinstance(field, models.GeneratedField):
        plain = field.output_field.clone()
        plain.set_attributes_from_name(field.name)
        field = plain
    if isinstance(field, FileField):
        field.__class__ = models.TextField  # type: ignore[assignment]
    field.null = True
    field.blank = True
    field.default = models.NOT_PROVIDED
    field.db_default = models.NOT_PROVIDED
    field.choices = None
    field._validators = []
    field._unique = False
    field.db_index = False
    field.primary_key = False
    return field


def tracked_models() -> list[type[models.Model]]:
    """Every model whose changes are on the record."""
    from django.apps import apps

    return [model for model in apps.get_models() if hasattr(model._meta, "simple_history_manager_attribute")]
