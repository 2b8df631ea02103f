"""Long inlines: shown a page at a time and searched; what is saved are the lines that were shown, and no others."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from functools import reduce
from typing import Any

from django.db import models
from django.db.models import Q
from django.forms.formsets import DELETION_FIELD_NAME
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.http import urlencode

from admin_ext.access.fields import treatment_of
from admin_ext.access.rights import restrict
from admin_ext.admin.choices import is_key
from admin_ext.admin.related import has_rights

NOT_ITS_LINE = "This line is none of this record. Open the record again."
REMOVED = (
    "Somebody removed this line while you were editing it. Mark it for deletion to leave it out, or add a line anew."
)


class PagedFormSet(BaseInlineFormSet):
    """The lines of one page of the whole. Bound, those whose keys were posted, as far as they are its own."""

    model: Any
    page_size = 50
    may_change = True
    asked: HttpRequest
    searched: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_long, self.count, self.number, self.pages = False, 0, 1, 1
        self.term = self.asked.GET.get(self.term_key, "").replace("\x00", "").strip()[:200]
        if self.instance.pk is None:
            return
        rows = BaseInlineFormSet.get_queryset(self)
        self._queryset = self._posted_rows(rows) if self.is_bound else self._page_of(rows)
        if self.is_bound and (self.term or self.page_key in self.asked.GET or len(self._queryset) >= self.page_size):
            self._page_of(rows)  # which page it is, should it be shown again

    @property
    def page_key(self) -> str:
        return f"{self.prefix}-page"

    @property
    def term_key(self) -> str:
        return f"{self.prefix}-q"

    @property
    def kept(self) -> list[tuple[str, str]]:
        """What the address says beside the search and page of these lines."""
        return [
            (name, value)
            for name, values in self.asked.GET.lists()
            for value in values
            if name not in (self.page_key, self.term_key)
        ]

    @property
    def ways(self) -> list[dict[str, Any]]:
        """The other pages: first, before, after, last."""
        numbers = {"First": 1, "Before": self.number - 1, "Next": self.number + 1, "Last": self.pages}
        return [{"label": label, "url": self._address(n)} for label, n in numbers.items() if self._leads(n)]

    @property
    def first(self) -> int:
        return (self.number - 1) * self.page_size + 1

    @property
    def last(self) -> int:
        return min(self.number * self.page_size, self.count)

    def _existing_object(self, key: Any) -> Any:
        return next((row for row in self._queryset if row is not None and row.pk == key), None)

    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        form = super()._construct_form(i, **kwargs)
        is_known = self.is_bound and i < self.initial_form_count()
        if is_known and self.may_change and form.instance._state.adding:
            form.why_not_here = self._why_not_here(form)
            # There is no row to hold it against; `clean` says what there is to say.
            form.empty_permitted, form.has_changed = True, lambda: False
        return form

    def clean(self) -> None:
        super().clean()
        for form in self.initial_forms:
            why = getattr(form, "why_not_here", "")
            if why and not form.data.get(form.add_prefix(DELETION_FIELD_NAME)):
                form.add_error(None, why)

    def _why_not_here(self, form: Any) -> str:
        """Of a line that is not among those of the whole; "" where nothing is lost by leaving it out."""
        if form.instance.pk is None:
            return NOT_ITS_LINE
        return REMOVED if form._own_changes(form.instance) else ""

    def _posted_rows(self, rows: models.QuerySet) -> list[Any]:
        """For each line that was posted, in that order: its row, as it was where somebody removed it, or None."""
        count = min(self.initial_form_count(), self.total_form_count())
        posted = [self.data.get(f"{self.add_prefix(n)}-{self.model._meta.pk.name}", "") for n in range(count)]
        keys = [int(key) if is_key(key) else None for key in posted]
        found = {row.pk: row for row in rows.filter(pk__in=[key for key in keys if key is not None])}
        return [found.get(key) or self._removed(n, key) for n, key in enumerate(keys)]

    def _removed(self, n: int, key: int | None) -> Any:
        """A line of this whole that is gone, as the person saw it; None for one that never was, or is another's."""
        version = self.data.get(f"{self.add_prefix(n)}-record_version", "")
        is_kept = hasattr(self.model, "history") and hasattr(self.model, "version")
        if key is None or not is_key(version) or not is_kept:
            return None
        whole = {self.fk.attname: self.instance.pk}
        past = self.model.history.filter(id=key, version=int(version), **whole).order_by("history_id").first()
        if past is None or self.model._default_manager.filter(pk=key).exists():
            return None
        row = self.model()
        for field in self.model._meta.concrete_fields:
            if hasattr(past, field.attname):
                setattr(row, field.attname, getattr(past, field.attname))
        return row

    def _page_of(self, rows: models.QuerySet) -> list[Any]:
        """The rows of the page that the address asks for; counted only where there is more than one."""
        if not self.term:
            few = list(rows[: self.page_size + 1])
            if len(few) <= self.page_size:
                return few
        self.is_long = True
        found = rows.filter(self._matching()) if self.term else rows
        self.count = found.count()
        self.pages = max(1, -(-self.count // self.page_size))
        asked = self.asked.GET.get(self.page_key, "")
        self.number = min(max(1, int(asked)), self.pages) if is_key(asked) else 1
        return list(found[self.first - 1 : self.number * self.page_size])

    def _matching(self) -> Q:
        """Lines of which a text has the term in it, or that refer to a row that the person may see and that has it."""
        user, conditions, model = self.asked.user, [Q(pk__in=[])], self.model
        assert model is not None
        for name in self.searched:
            field: Any = model._meta.get_field(name)
            if treatment_of(user, model, name):
                continue
            if isinstance(field, models.ForeignKey):
                conditions += self._related(field, user)
            elif isinstance(field, models.CharField | models.TextField) and not field.choices:
                conditions.append(Q(**{f"{name}__icontains": self.term}))
            elif isinstance(field, models.IntegerField) and is_key(self.term):
                conditions.append(Q(**{name: int(self.term)}))
        return reduce(operator.or_, conditions)

    def _related(self, field: Any, user: Any) -> Iterable[Q]:
        related: Any = field.related_model
        names = (*getattr(related, "natural_key_fields", ())[:1], *getattr(related, "search_words", ()))
        told = [name for name in names if "__" not in name and not treatment_of(user, related, name)]
        if told and has_rights(related):
            matching = reduce(operator.or_, (Q(**{f"{name}__icontains": self.term}) for name in told))
            # Only the rows that these lines refer to are looked at.
            used = self.model._default_manager.filter(**{self.fk.name: self.instance}).values(field.attname)
            rows = related._default_manager.filter(matching, pk__in=used)
            yield Q(**{f"{field.name}__in": restrict(rows, user, "view").values("pk")})

    def _leads(self, number: int) -> bool:
        return 1 <= number <= self.pages and number != self.number

    def _address(self, number: int) -> str:
        asked = [*self.kept, *([(self.term_key, self.term)] if self.term else []), (self.page_key, str(number))]
        return f"?{urlencode(asked)}#{self.prefix}"


class PagesMixin:
    """For inlines: no more than `page_size` lines on a page, and a box to search the others."""

    page_size = 50
    search_columns: tuple[str, ...] = ()
    """The columns in which its box searches: texts, whole numbers, references; without any, those of `fields`."""

    formset = PagedFormSet
    template_before = "admin_ext/inline_pages.html"
    model: type[models.Model]
    fields: Any

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)
        formset.asked, formset.page_size = request, self.page_size
        formset.may_change = self.has_change_permission(request, obj)
        known = {field.name for field in self.model._meta.concrete_fields}
        formset.searched = tuple(name for name in self.search_columns or self.fields or () if name in known)
        return formset


def asked_pages(request: HttpRequest) -> str:
    """The pages of inlines that an address asks for, to be carried on."""
    return urlencode({name: request.GET[name] for name in request.GET if name.endswith(("-page", "-q"))})
