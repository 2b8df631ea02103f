"""Jobs: what is at work, how far it is, what came of it."""

from __future__ import annotations

import contextlib
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.decorators import display

from admin_ext.access.rights import NotPermitted, restrict
from admin_ext.admin.options import ReadOnlyModelAdmin
from admin_ext.admin.screens.undoing import undo_url
from admin_ext.jobs.models import Job, JobFile
from admin_ext.jobs.services import cancel_job, retry_job
from admin_ext.services import Refused
from admin_ext.transfers.outputs import FileGone, download

STATE_COLOURS = {
    "queued": "info",
    "running": "info",
    "succeeded": "success",
    "failed": "danger",
    "cancelled": "warning",
}


class JobAdmin(ReadOnlyModelAdmin):
    list_display = ["id", "title", "shown_state", "shown_progress", "requested_by", "queued_at", "finished_at"]
    list_display_links = ["id", "title"]
    list_select_related = ["requested_by"]
    search_fields = ["title"]
    change_form_template = None

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:key>/progress/", wrap(self.progress_view), name="jobs_job_progress"),
            path("<int:key>/cancel/", wrap(require_POST(self.cancel_view)), name="jobs_job_cancel"),
            path("<int:key>/retry/", wrap(require_POST(self.retry_view)), name="jobs_job_retry"),
            path("files/<int:key>/", wrap(self.file_view), name="jobs_jobfile_download"),
            *super().get_urls(),
        ]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return (queryset.filter(title__icontains=search_term) if search_term else queryset), False

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        job = self.get_object(request, object_id) if object_id else None
        if job is None:
            if not self.has_view_permission(request):
                raise PermissionDenied
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id or "")
        return TemplateResponse(request, "admin_ext/job.html", self._context(request, job))

    def progress_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """The part of the page that moves, asked for again while the job is at work."""
        job = self.get_object(request, str(key))
        if job is None:
            raise Http404
        response = TemplateResponse(request, "admin_ext/job_progress.html", self._context(request, job))
        if job.has_ended:
            response["HX-Refresh"] = "true"
        return response

    def cancel_view(self, request: HttpRequest, key: int) -> HttpResponse:
        return self._do(request, key, cancel_job, "It will stop before its next chunk.")

    def retry_view(self, request: HttpRequest, key: int) -> HttpResponse:
        return self._do(request, key, retry_job, "It is queued again.")

    def file_view(self, request: HttpRequest, key: int) -> FileResponse:
        """A download: the rights of now, not those of when the file was made."""
        file = JobFile.objects.select_related("job").filter(pk=key, owner=request.user).first()
        if file is None:
            raise Http404
        try:
            with contextlib.ExitStack() as closing:
                handle = closing.enter_context(file.file.open("rb"))
                download(actor=request.user, file=file)
                closing.pop_all()  # it is closed when it was sent
        except NotPermitted as error:
            raise PermissionDenied(str(error)) from error
        except (FileGone, FileNotFoundError) as error:
            raise Http404(str(error)) from error
        response = FileResponse(handle, as_attachment=True, filename=file.name, content_type="application/octet-stream")
        response["Content-Security-Policy"] = "sandbox"
        return response

    @display(description="state", ordering="state", label=STATE_COLOURS)
    def shown_state(self, job: Job) -> tuple[str, str]:
        return job.state, job.get_state_display()

    @display(description="progress")
    def shown_progress(self, job: Job) -> str:
        total = f" of {job.rows_total:,}" if job.rows_total else ""
        return f"{job.percent} % · {job.rows_done:,}{total}"

    def _do(self, request: HttpRequest, key: int, service: Any, said: str) -> HttpResponse:
        job = self.get_object(request, str(key))
        if job is None:
            raise Http404
        try:
            service(actor=request.user, job=job)
            messages.success(request, said)
        except (Refused, NotPermitted) as error:
            messages.error(request, str(error))
        return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[key]))

    def _context(self, request: HttpRequest, job: Job) -> dict[str, Any]:
        from admin_ext.plans.models import Plan

        plans = restrict(Plan.objects.filter(making=job) | Plan.objects.filter(applying=job), request.user, "view")
        mine = job.requested_by_id == request.user.pk
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": job,
            "job": job,
            "title": job.title,
            "colour": STATE_COLOURS[job.state],
            "events": job.events.all(),
            "files": job.files.all() if mine else [],
            "plans": plans,
            "undo_url": undo_url(request.user, job.change_set) if job.has_ended else "",
            "may_steer": mine or request.user.has_perm("jobs.change_job"),
        }
