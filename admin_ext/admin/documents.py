"""Documents: pages about a record that are made to be printed. Amounts in them are rounded half up, as on paper."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from admin_ext.access.fields import treatment_of
from admin_ext.admin.related import hide_related
from admin_ext.audit.access_log import note_view
from admin_ext.audit.past import instant_looked_at


@dataclasses.dataclass(frozen=True)
class Document:
    """A printable page of a record. `content` gives the template's words; rows in lists among them are shown within
    rights. `possible` tells for which records it makes sense. `derived` names the words, and the attributes of rows,
    that are worked out from a column: {"weight": "lines__order_line__product__weight"}.
    """

    name: str
    label: str
    template: str
    content: Callable[[Any], dict[str, Any]]
    possible: Callable[[Any], bool] | None = None
    icon: str = "print"
    derived: dict[str, str] = dataclasses.field(default_factory=dict)

    def is_offered(self, row: models.Model) -> bool:
        return self.possible is None or self.possible(row)


class DocumentsMixin:
    """For ModelAdmins: `<object_id>/<name>/` for each of `documents`, for whoever may see the record."""

    documents: tuple[Document, ...] = ()

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        pages = [
            path(f"<path:object_id>/{each.name}/", wrap(self.document_view), {"name": each.name}, self._page(each))
            for each in self.documents
        ]
        return [*pages, *super().get_urls()]

    def document_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        document = next(each for each in self.documents if each.name == name)
        row = self.get_object(request, object_id)
        if row is None or not document.is_offered(row):
            raise Http404
        note_view(row, actor=request.user, page=name)
        content = document.content(row)
        for rows in ([row], *content.values()):
            if isinstance(rows, list):
                hide_related(rows, request.user, loaded=False)
        for name, path_to in document.derived.items():
            if treatment_of(request.user, self.model, path_to):
                _drop(content, name)
        context = {"row": row, "document": document, "printed_at": timezone.now(), "printed_by": request.user}
        return TemplateResponse(request, document.template, {**context, **content})

    def document_buttons(self, row: models.Model) -> list[dict[str, Any]]:
        """The ways to the documents that make sense now; a document of the past is not printed anew."""
        if instant_looked_at():
            return []
        site = self.admin_site.name
        return [
            {"label": each.label, "icon": each.icon, "url": reverse(f"{site}:{self._page(each)}", args=[row.pk])}
            for each in self.documents
            if each.is_offered(row)
        ]

    def _page(self, document: Document) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{document.name}"


def _drop(content: dict[str, Any], name: str) -> None:
    """Take what is worked out from a value that the person may not read."""
    if name in content:
        content[name] = None
    for rows in content.values():
        for row in rows if isinstance(rows, list) else ():
            if name in row.__dict__:
                row.__dict__[name] = None
