"""The form of a record: it knows the version it was opened on, and refuses to overwrite a newer one.

A stale save is refused field by field: what others changed meanwhile is put into the fields that the person did not
touch; where both changed a field, the message tells both values and the person chooses between them. Saving again is
then an informed decision.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Value
from django.db.models.expressions import DatabaseDefault
from django.db.models.functions import Now
from django.forms.models import ModelChoiceField
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from admin_ext.access.hidden import NOT_VISIBLE
from admin_ext.admin.choices import is_key
from admin_ext.models import Record

# Names the fields in which the person takes what others wrote.
THEIRS = "_theirs"


class RecordForm(forms.ModelForm):
    """A ModelForm with the version of the row it was opened on."""

    record_version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    # Errors found only after saving (a row out of scope, a rule of the database); see ModelAdmin.changeform_view.
    late_error = ""
    # What a new row needs and the person may not write.
    lacking: ClassVar[list[str]] = []
    # The fields of the row that the person may not read.
    unread: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self._keeps_versions():
            self.initial["record_version"] = self.instance.version
            self._take_theirs()
        if self.instance.pk:
            self._close_invisible_choices()
        else:
            self._show_database_defaults()

    def has_changed(self) -> bool:
        """Did the person change anything? Compared with what they saw, not with what others made of it since."""
        if self._keeps_versions() and (opened := self._opened_on_older_version()):
            return bool(self._own_changes(opened))
        return bool(set(self.changed_data) - {"record_version"})

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.late_error:
            raise ValidationError(self.late_error)
        if self.lacking and not self.instance.pk and self.has_changed():
            raise ValidationError(
                f"A new {self._meta.model._meta.verbose_name} needs {' and '.join(self.lacking)}, which is not yours to "
                "write. Ask somebody who may."
            )
        if self._keeps_versions() and self.changed_data:
            self._refuse_stale_save()
        return cleaned

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        self._veil_errors()

    def _veil_errors(self) -> None:
        """A rule of the model may name a value in its refusal; of one that the person may not read it is not told."""
        values = {str(getattr(self.instance, self._column(name), "")) for name in self.unread & self._model_fields()}
        if not (secret := "|".join(rf"(?<!\w){re.escape(value)}(?!\w)" for value in values - {"", "None"})):
            return
        for name, errors in self.errors.items():
            if any(re.search(secret, str(message)) for message in errors):
                self.errors[name] = self.error_class(["It does not go with a value that you may not read."])

    def _show_database_defaults(self) -> None:
        """A new row shows what the database would put in, as far as that is a value or today."""
        for field in self._meta.model._meta.concrete_fields:
            default = self.instance.__dict__.get(field.attname)
            if not isinstance(default, DatabaseDefault):
                continue
            shown = None
            if isinstance(default.expression, Value):
                shown = default.expression.value
                setattr(self.instance, field.attname, shown)
            elif isinstance(default.expression, Now):
                shown = timezone.now() if isinstance(field, models.DateTimeField) else timezone.localdate()
            if isinstance(self.initial.get(field.name), DatabaseDefault):
                self.initial[field.name] = shown

    def _keeps_versions(self) -> bool:
        return bool(self.instance.pk) and isinstance(self.instance, Record)

    def _close_invisible_choices(self) -> None:
        """A reference to a row that the person may not see stays as it is and shows no name."""
        for name, field in self.fields.items():
            if not isinstance(field, ModelChoiceField) or not hasattr(self.instance, f"{name}_id"):
                continue
            key = getattr(self.instance, f"{name}_id")
            if key is None or field.queryset.filter(pk=key).exists():
                continue
            field.queryset = field.queryset.model._default_manager.filter(pk=key)
            field.label_from_instance = lambda obj: NOT_VISIBLE  # type: ignore[method-assign]
            field.disabled = True
            field.widget = forms.Select(choices=[(key, NOT_VISIBLE)])

    def _opened_on_older_version(self) -> Any:
        """The row as the person saw it, when it has moved since; None when it has not, or is not known."""
        posted = self.data.get(self.add_prefix("record_version"), "")
        if not is_key(posted) or int(posted) == self.instance.version:
            return None
        return self._as_of(int(posted))

    def _as_of(self, version: int) -> Any:
        history = type(self.instance).history.filter(id=self.instance.pk, version=version)
        return history.order_by("history_id").first()

    def _own_changes(self, opened: Any) -> list[str]:
        return [
            name
            for name, field in self.fields.items()
            if name != "record_version"
            and not field.disabled
            and hasattr(opened, self._column(name))
            and field.has_changed(
                self._as_initial(field, getattr(opened, self._column(name))), self._posted(name, field)
            )
        ]

    def _refuse_stale_save(self) -> None:
        model = type(self.instance)
        now = model._default_manager.select_for_update(of=("self",)).filter(pk=self.instance.pk).first()
        opened_on = self.cleaned_data.get("record_version")
        if now is None:
            raise ValidationError("Somebody deleted this record while you were editing it.")
        if now.version == opened_on:
            return
        opened = self._as_of(opened_on) if opened_on else None
        if opened is None:
            raise ValidationError("This form is too old to be saved. Open the record again.")
        if self._own_changes(opened):
            raise ValidationError(self._merge(opened, now))
        # Nothing of the person's own: what others did stays.
        for name in self.cleaned_data.keys() & self._model_fields():
            self.cleaned_data[name] = getattr(now, name)

    def _take_theirs(self) -> None:
        """Put in what others wrote, where the person was told of it and chose it."""
        posted: Any = getattr(self.data, "getlist", lambda name: [])
        chosen = [name for name in posted(self.add_prefix(THEIRS)) if name in self.fields and name != "record_version"]
        told_of = self.data.get(self.add_prefix("record_version"), "") if chosen else ""
        if not is_key(told_of):
            return
        told = self.instance if int(told_of) == self.instance.version else self._as_of(int(told_of))
        self.data = self.data.copy()
        for name in chosen if told is not None else ():
            if hasattr(told, self._column(name)) and not self.fields[name].disabled:
                self.put(name, getattr(told, self._column(name)))

    def _merge(self, opened: Any, now: models.Model) -> str:
        """Take over what others changed, keep what the person typed; returns the account of both, with the choice."""
        self.data = self.data.copy()
        self.data[self.add_prefix("record_version")] = str(now.version)  # type: ignore[index]
        lines: list[tuple[Any, Any, Any]] = []
        for name, field in self.fields.items():
            if name == "record_version" or not hasattr(opened, self._column(name)):
                continue
            before, theirs = getattr(opened, self._column(name)), getattr(now, self._column(name))
            if before == theirs:
                continue
            if field.has_changed(self._as_initial(field, before), self._posted(name, field)):
                choice = format_html(
                    'yours is kept: “{}” <label class="ops-theirs"><input type="checkbox" name="{}" value="{}"> '
                    "Take theirs instead</label>",
                    self._told_mine(name),
                    self.add_prefix(THEIRS),
                    name,
                )
                lines.append((field.label or name, self._told(name, now), choice))
            else:
                lines.append((field.label or name, self._told(name, now), "taken over into the form"))
                self.put(name, theirs)
        who = self._last_change(now)
        account = format_html_join("", "<li>{}: theirs is “{}”, {}</li>", lines)
        return format_html(
            "{} while you were editing. Nothing was saved yet. <ul>{}</ul> Look at the values and save again.",
            who,
            account,
        )

    def _told_mine(self, name: str) -> Any:
        """What the person typed, in words."""
        mine = self.cleaned_data.get(name)
        if mine is None or isinstance(mine, models.Model):
            return mine or ""
        return dict(getattr(self.fields[name], "choices", ()) or ()).get(mine, mine)

    def _column(self, name: str) -> str:
        return self._meta.model._meta.get_field(name).attname if name in self._model_fields() else name

    def _model_fields(self) -> set[str]:
        return {field.name for field in self._meta.model._meta.fields}

    def _as_initial(self, field: forms.Field, value: Any) -> Any:
        return field.prepare_value(value)

    def _posted(self, name: str, field: forms.Field) -> Any:
        return field.widget.value_from_datadict(self.data, self.files, self.add_prefix(name))  # type: ignore[arg-type]

    def put(self, name: str, value: Any) -> None:
        """Write a value into the posted data, which must be a mutable copy, as its widget would have sent it."""
        key, field = self.add_prefix(name), self.fields[name]
        if isinstance(field.widget, forms.MultiWidget):
            parts: Any = field.widget.decompress(value)
            for suffix, part in zip(field.widget.widgets_names, parts, strict=True):
                self.data[f"{key}{suffix}"] = "" if part is None else str(part)  # type: ignore[index]
        elif isinstance(field, forms.BooleanField):
            if value:
                self.data[key] = "on"  # type: ignore[index]
            else:
                self.data.pop(key, None)
        else:
            self.data[key] = "" if value is None else str(field.prepare_value(value))  # type: ignore[index]

    def _told(self, name: str, now: models.Model) -> Any:
        """The other's value in words; a choice by its label, a row that the person may not see without its name."""
        field = self.fields[name]
        if isinstance(field, ModelChoiceField):
            row = field.queryset.filter(pk=getattr(now, f"{name}_id")).first()
            return row if row else NOT_VISIBLE
        display = getattr(now, f"get_{name}_display", None)
        return display() if display else getattr(now, name)

    def _last_change(self, now: Any) -> str:
        latest = now.history.select_related("change_set__actor").first()
        actor = latest.change_set.actor if latest and latest.change_set else None
        return f"{actor or 'Somebody'} changed this record"
