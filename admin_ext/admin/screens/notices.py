"""The bell: what a person should hear of."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST
from unfold.decorators import display

from admin_ext.admin.options import ReadOnlyModelAdmin
from admin_ext.notices.models import Notice


class NoticeAdmin(ReadOnlyModelAdmin):
    list_display = ["text", "shown_level", "made_at", "is_read"]
    search_fields = ["text"]
    change_form_template = None

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("read/", wrap(require_POST(self.read_view)), name="notices_read"),
            *super().get_urls(),
        ]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return (queryset.filter(text__icontains=search_term) if search_term else queryset), False

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        notice = self.get_object(request, object_id) if object_id else None
        if notice is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id or "")
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": str(notice), "original": notice}
        return TemplateResponse(request, "admin_ext/notice.html", context)

    def read_view(self, request: HttpRequest) -> HttpResponse:
        Notice.objects.filter(recipient=request.user, read_at=None).update(read_at=timezone.now())
        return HttpResponseRedirect(reverse("admin:notices_notice_changelist"))

    @display(
        description="level", label={"success": "success", "warning": "warning", "danger": "danger", "info": "info"}
    )
    def shown_level(self, notice: Notice) -> tuple[str, str]:
        return notice.level, notice.get_level_display()

    @display(description="read", boolean=True)
    def is_read(self, notice: Notice) -> bool:
        return notice.read_at is not None
