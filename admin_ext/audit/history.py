"""simple-history's tables and vocabulary, filled by triggers instead of signals.

`History()` on a model makes its `Historical…` table with our columns and registers the triggers that write it.
History columns are all nullable, without defaults or uniqueness: they must take any value the row ever had, and a
migration that tightens the row's column must never touch old history.
"""

from __future__ import annotations

from typing import Any

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.fields.files import FileField
from simple_history.models import HistoricalRecords

from admin_ext.audit.exempt import EXEMPT_COLUMNS
from admin_ext.audit.triggers import VersionTrigger, append_only_triggers, capture_triggers


class History(HistoricalRecords):
    """`HistoricalRecords` whose rows are written by the database.

    `retired` keeps the columns of fields that the model no longer has, by name: what was sealed with them stays readable
    and verifiable, so history columns are never dropped (a contract test refuses the migration).
    """

    def __init__(
        self,
        *,
        excluded_fields: tuple[str, ...] = (),
        retired: dict[str, models.Field] | None = None,
        **kwargs: Any,
    ) -> None:
        self.retired = retired or {}
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
        fields = {name: _loosened(field) for name, field in super().copy_fields(model).items()}
        for name, field in self.retired.items():
            retired = field.clone()
            retired.set_attributes_from_name(name)
            fields[name] = _loosened(retired)
        return fields

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
            models.Index(fields=["change_set", "history_id"]),
            BrinIndex(fields=["xid"], autosummarize=True),
            # The life of a record is told with that of its parts and of what is about it.
            *(models.Index(fields=[*name, "-history_id"]) for name in subjects_of(model)),
            *_deletions(model),
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


def subjects_of(model: type[models.Model]) -> list[tuple[str, ...]]:
    """The columns that say which records a row tells something about: its whole (`part_of`), or each of `about`."""
    names = [part_of] if (part_of := getattr(model, "part_of", "")) else list(getattr(model, "about", ()))
    return [("content_type", "object_id") if name == "record" else (name,) for name in names]


def _deletions(model: type[models.Model]) -> list[models.Index]:
    """What was deleted is listed model by model, newest first; a part is found through its whole."""
    if subjects_of(model):
        return []
    name = f"{model._meta.app_label}_{model._meta.model_name}"[:22] + "_deleted"
    return [models.Index(fields=["-history_id"], condition=models.Q(history_type="-"), name=name)]


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
