"""On the form of a record: who else has it open, and whether somebody saved it meanwhile."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from admin_ext.admin.choices import is_key
from admin_ext.audit.context import origin
from admin_ext.audit.past import instant_looked_at
from admin_ext.models import Record
from admin_ext.notices.presence import SECONDS, note_open, told_names


class PresenceMixin:
    """For ModelAdmins: `<key>/presence/`, which an open form asks every so often."""

    model: type[models.Model]
    opts: Any
    admin_site: Any

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_presence"
        view = self.admin_site.admin_view(require_POST(self.presence_view))
        return [path("<path:object_id>/presence/", view, name=name), *super().get_urls()]

    def presence_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Notes that the person has the form open; tells who else has, and who saved it since."""
        row = self.get_object(request, object_id)
        if row is None or not isinstance(row, Record):
            raise Http404
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        _leave_session_alone(request)
        others = told_names(note_open(user=request.user, record=row), reader=request.user)
        opened = request.POST.get("record_version", "")
        moved = is_key(opened) and int(opened) != row.version
        context = {
            **self.presence_context(request, row),
            "others": " and ".join([", ".join(others[:-1]), others[-1]] if len(others) > 1 else others),
            "several": len(others) > 1 or any(each[0].isdigit() for each in others),
            "saved_by": self._saved_by(row) if moved else "",
        }
        return TemplateResponse(request, "admin_ext/presence.html", context)

    def presence_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """What the form's page needs to ask; nothing where nobody can change the record here and now."""
        here = origin.get()
        if (
            not isinstance(row, Record)
            or instant_looked_at() is not None
            or (here is not None and here.impersonator is not None)
            or not self.has_change_permission(request, row)
        ):
            return {}
        name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_presence"
        return {"presence_url": reverse(name, args=[row.pk]), "presence_seconds": SECONDS}

    def _saved_by(self, row: Any) -> str:
        latest = row.history.select_related("change_set__actor").first()
        actor = latest.change_set.actor if latest and latest.change_set else None
        return str(actor or "Somebody")


def _leave_session_alone(request: HttpRequest) -> None:
    """A page that asks by itself is nobody at work: it must not keep a session from ending."""
    session: Any = request.session
    session.save = lambda *args, **kwargs: None
