"""Revert and restore on the pages of a record: what can be reverted is offered where its history is told, what was
deleted is listed and found again. Each ends in a plan to review.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from admin_ext.access.deleted import can_deleted, restrict_deleted
from admin_ext.access.fields import fields as field_rights
from admin_ext.access.fields import told, treatment_of
from admin_ext.access.rights import NotPermitted, can
from admin_ext.admin.looks import styled
from admin_ext.admin.related import shown
from admin_ext.admin.values import in_words, names_of
from admin_ext.admin.verbs import ReasonForm
from admin_ext.audit.access_log import note_view
from admin_ext.audit.triggers import FOLLOWING_COLUMNS
from admin_ext.desk.lives import Entry, life_of, who_did
from admin_ext.desk.records import Recorded
from admin_ext.plans.names import names_then
from admin_ext.plans.past import Past, deletion_of, deletions
from admin_ext.plans.reverting import is_revertible, restore_row, revert_row
from admin_ext.services import Refused

PAGE = 50
MOMENTS = {"before": "before this change", "after": "after this change"}


class RevertForm(ReasonForm):
    """Which columns go back, and why."""

    fields_back = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple, label="What goes back", help_text="As it is now → as it was then."
    )
    field_order = ["fields_back", "reason"]

    def __init__(self, choices: list[tuple[str, str]], chosen: list[str], data: Any = None) -> None:
        super().__init__(data, initial={"fields_back": chosen})
        self.fields["fields_back"].choices = choices


class RevertViewsMixin:
    """For ModelAdmins of records: `revert/` and `restore/` of a row and its parts, and the list of `deleted/` rows."""

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        wrap = self.admin_site.admin_view
        row = "<path:object_id>"
        return [
            path("deleted/", wrap(self.deleted_view), name=f"{name}_deleted"),
            path("deleted/<int:key>/", wrap(self.deleted_row_view), name=f"{name}_deleted_row"),
            path("deleted/<int:key>/restore/", wrap(self.restore_view), name=f"{name}_restore"),
            path(f"{row}/restore/<str:part>/<int:key>/", wrap(self.restore_part_view), name=f"{name}_restore_part"),
            path(f"{row}/revert/<str:part>/<int:history_id>/", wrap(self.revert_view), name=f"{name}_revert"),
            *super().get_urls(),
        ]

    # -- what is offered ---------------------------------------------------------------------------

    def deleted_buttons(self, request: HttpRequest) -> list[dict[str, str]]:
        """What the list offers."""
        if not is_revertible(self.model) or not can(request.user, "view", self.model):
            return []
        return [{"label": "Deleted rows", "icon": "restore_from_trash", "url": self._address("deleted")}]

    def offer_reverts(self, request: HttpRequest, record: Any, entries: Iterable[Entry]) -> None:
        """Write onto each change of a record's life what can be done about it."""
        editable = self._editable_models(request, record)
        changes = [change for entry in entries for change in entry.rows if change.recorded.model in editable]
        gone = _gone([change.recorded for change in changes])
        met: set[tuple[Any, int]] = set()
        shows_newest = not request.GET.get("before") and not request.GET.get("field")
        for change in changes:
            told = change.recorded
            is_newest = shows_newest and (told.model, told.key) not in met
            met.add((told.model, told.key))
            part = told.model._meta.model_name
            if told.kind == "-":
                if (told.model, told.history_id) in gone and told.model is not self.model:
                    url = self._address("restore_part", record.pk, part, told.key)
                    change.ways.append({"label": "Restore …", "url": url})
                continue
            url = self._address("revert", record.pk, part, told.history_id)
            if told.kind == "~":
                change.ways.append({"label": "Revert to before this …", "url": f"{url}?to=before"})
                for field in change.fields:
                    if field.name in editable[told.model]:
                        field.way = f"{url}?to=before&field={field.name}"
            if not is_newest:
                change.ways.append({"label": "Revert to after this …", "url": f"{url}?to=after"})

    def _editable_models(self, request: HttpRequest, record: Any) -> dict[Any, set[str]]:
        """The record's model and those of its parts that this person may edit here, each with the columns of its form."""
        editable: dict[Any, set[str]] = {}
        if not is_revertible(self.model) or not self.has_change_permission(request, record):
            return editable
        editable[self.model] = set(self.get_form(request, record, change=True).base_fields)
        for inline in self.get_inline_instances(request, record):
            part: Any = inline.model
            if is_revertible(part) and part.part_of and inline.has_change_permission(request, record):
                editable[part] = set(inline.get_formset(request, record).form.base_fields)
        return editable

    # -- revert ------------------------------------------------------------------------------------

    def revert_view(self, request: HttpRequest, object_id: str, part: str, history_id: int) -> HttpResponse:
        """Asks which columns go back to before or after a change, and why; makes the plan."""
        record, model, editable = self._asked(request, object_id, part)
        change = model.history.filter(pk=history_id).first()
        row = model._default_manager.filter(pk=change.id).first() if change else None
        if row is None or record.pk != (row.pk if model is self.model else getattr(row, f"{model.part_of}_id")):
            raise Http404
        note_view(row, actor=request.user, page="revert")
        moment = request.GET.get("to", "before")
        earlier = model.history.filter(id=row.pk, history_id__lt=change.pk).order_by("-history_id")
        to = change if moment == "after" else earlier.first()
        if to is None or moment not in MOMENTS:
            raise Http404
        then, kept = Past(to), Past(to).kept(row, request.user)
        moved = then.moved_until(row)
        back = [field for field in moved if field.name in editable and field.name not in kept]
        only = request.GET.get("field", "")
        chosen = [field.name for field in back if only in ("", field.name)]
        form = styled(
            RevertForm(self._told(back, row, to, request.user), chosen, request.POST if "_go" in request.POST else None)
        )
        if request.method == "POST" and form.is_valid():
            wanted = list(form.cleaned_data["fields_back"])
            if set(wanted) == {field.name for field in back}:
                # All of it: the plan tells what stays, too.
                wanted += [field.name for field in moved if kept.get(field.name)]
            reason = form.cleaned_data["reason"]
            return self._planned(
                request, form, lambda: revert_row(actor=request.user, row=row, to=to, fields=wanted, reason=reason)
            ) or self._ask(request, record, form, f"Revert {shown(row, request.user)} to {MOMENTS[moment]}")
        notes = [kept[field.name] for field in moved if kept.get(field.name)]
        notes += [] if back else ["Nothing that you could revert is different from what it was then."]
        title = f"Revert {model._meta.verbose_name} {shown(row, request.user)} to {MOMENTS[moment]}"
        return self._ask(request, record, form, title, notes=notes, possible=bool(back))

    def _told(self, back: list[Any], row: Any, to: Any, user: Any) -> list[tuple[str, str]]:
        """The columns that would go back, as choices in words: now → then."""
        pairs = [(field, getattr(each, field.attname)) for field in back for each in (row, to)]
        names = names_of(pairs, user)
        return [
            (
                field.name,
                f"{str(field.verbose_name).capitalize()}: {in_words(field, getattr(row, field.attname), names) or 'empty'}"
                f" → {in_words(field, getattr(to, field.attname), names) or 'empty'}",
            )
            for field in back
        ]

    # -- what was deleted --------------------------------------------------------------------------

    def deleted_view(self, request: HttpRequest) -> HttpResponse:
        """The rows that are gone, newest deletion first, as far as the person could see them where they last were."""
        if not is_revertible(self.model) or not self.has_view_permission(request):
            raise PermissionDenied
        asked, before = request.GET.get("q", "").strip(), request.GET.get("before", "")
        rows = restrict_deleted(deletions(self.model), request.user, "view").filter(
            _named(self.model, asked, request.user)
        )
        if before.isdigit():
            rows = rows.filter(history_id__lt=int(before))
        page = list(rows.select_related("change_set__actor", "change_set__acting_as")[: PAGE + 1])
        names = names_then(page[:PAGE], self.model, request.user)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Deleted {self.opts.verbose_name_plural}",
            "asked": asked,
            "rows": [
                {
                    "name": names[row.id],
                    "at": row.history_date,
                    "who": who_did(row.change_set, row.db_user),
                    "reason": row.change_set.reason if row.change_set else "",
                    "url": self._address("deleted_row", row.id),
                }
                for row in page[:PAGE]
            ],
            "next": page[PAGE - 1].pk if len(page) > PAGE else None,
            "back": self._address("changelist"),
        }
        return TemplateResponse(request, "admin_ext/deleted.html", context)

    def deleted_row_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """A row that is gone: what it was last, and its life. A row that is there again is shown on its own page."""
        deletion = self._deletion(request, key)
        note_view(self.model(pk=key), actor=request.user, page="deleted")
        entries, more = life_of(self.model, key, user=request.user, before=request.GET.get("before", ""))
        rights = field_rights(request.user, "view", self.model)
        shown = [
            field
            for field in self.model._meta.fields
            if field.name in rights.visible and not field.primary_key and field.name not in FOLLOWING_COLUMNS
        ]
        names = names_of([(field, getattr(deletion, field.attname, None)) for field in shown], request.user)
        values = [
            (
                str(field.verbose_name).capitalize(),
                told(in_words(field, getattr(deletion, field.attname, None), names), field.name, rights),
            )
            for field in shown
        ]
        may_restore = self.has_add_permission(request) and can_deleted(request.user, "add", deletion)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Deleted: {names_then([deletion], self.model, request.user)[key]}",
            "values": [(label, value) for label, value in values if value],
            "entries": entries,
            "more": more,
            "restore_url": self._address("restore", key) if may_restore else "",
            "back": self._address("deleted"),
        }
        return TemplateResponse(request, "admin_ext/deleted_row.html", context)

    def restore_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Asks why, and makes the plan that restores a deleted row with its parts."""
        deletion = self._deletion(request, key)
        if not self.has_add_permission(request):
            raise PermissionDenied
        return self._restore(request, None, deletion, back=self._address("deleted_row", key))

    def restore_part_view(self, request: HttpRequest, object_id: str, part: str, key: int) -> HttpResponse:
        """The same for a part of a record that is there."""
        record, model, _ = self._asked(request, object_id, part)
        deletion = deletion_of(model, key)
        if deletion is None or model is self.model or getattr(deletion, f"{model.part_of}_id") != record.pk:
            raise Http404
        return self._restore(request, record, deletion, back=self._address("history", record.pk))

    def _restore(self, request: HttpRequest, record: Any, deletion: Any, *, back: str) -> HttpResponse:
        model = deletion.instance_type
        form: Any = styled(ReasonForm(request.POST if "_go" in request.POST else None))
        if request.method == "POST" and form.is_valid():
            reason = form.cleaned_data["reason"]
            planned = self._planned(
                request, form, lambda: restore_row(actor=request.user, model=model, key=deletion.id, reason=reason)
            )
            if planned:
                return planned
        name = names_then([deletion], model, request.user)[deletion.id]
        return self._ask(request, record, form, f"Restore {model._meta.verbose_name} {name}", back=back)

    # -- shared ------------------------------------------------------------------------------------

    def _asked(self, request: HttpRequest, object_id: str, part: str) -> tuple[Any, Any, set[str]]:
        """The record of the page, the model that is meant, and the columns that the person may write of it."""
        record = self.get_object(request, object_id)
        if record is None:
            raise Http404
        editable = self._editable_models(request, record)
        for model, names in editable.items():
            if model._meta.model_name == part:
                return record, model, names
        raise PermissionDenied

    def _deletion(self, request: HttpRequest, key: int) -> Any:
        deletion = deletion_of(self.model, key) if is_revertible(self.model) else None
        if deletion is None or not can_deleted(request.user, "view", deletion):
            raise Http404
        return deletion

    def _planned(self, request: HttpRequest, form: Any, make: Any) -> HttpResponse | None:
        """On to the plan; or None, and the form says why there is none."""
        try:
            plan = make()
        except (Refused, NotPermitted) as error:
            form.add_error(None, str(error))
            return None
        return HttpResponseRedirect(reverse("admin:plans_plan_change", args=[plan.pk]))

    def _ask(
        self,
        request: HttpRequest,
        record: Any,
        form: Any,
        title: str,
        *,
        back: str = "",
        notes: list[str] | None = None,
        possible: bool = True,
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": record and shown(record, request.user),
            "title": title,
            "form": form,
            "notes": notes,
            "possible": possible,
            "button": "Show me what would change",
            "back": back or self._address("history", record.pk),
        }
        return TemplateResponse(request, "admin_ext/revert.html", context)

    def _address(self, name: str, *args: Any) -> str:
        return reverse(f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_{name}", args=args)


def _gone(told: Iterable[Recorded]) -> set[tuple[Any, int]]:
    """The deletions among rows of the record after which nothing came: model and key of the history row."""
    asked: dict[Any, list[int]] = {}
    for row in told:
        if row.kind == "-":
            asked.setdefault(row.model, []).append(row.history_id)
    return {
        (model, key)
        for model, keys in asked.items()
        for key in deletions(model).filter(pk__in=keys).values_list("pk", flat=True)
    }


def _named(model: type[models.Model], asked: str, user: Any) -> Q:
    """Rows whose reference begins with what was asked, or whose words have it in them; nothing that is not read."""
    if not asked:
        return Q()
    own = [
        name
        for name in (*model.natural_key_fields, *model.search_references)
        if "__" not in name and not treatment_of(user, model, name)
    ]
    columns = [name for name in own if not isinstance(model._meta.get_field(name), models.ForeignKey)]
    found = Q(id=int(asked)) if asked.isdigit() else Q(pk__in=[])
    for name in columns:
        found |= Q(**{f"{name}__istartswith": asked})
    for name in model.search_words:
        if not treatment_of(user, model, name):
            found |= Q(**{f"{name}__icontains": asked})
    return found
