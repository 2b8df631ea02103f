"""Every request has an id and an address, which change sets and events carry; what was refused is noted."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from axes.helpers import get_client_ip_address
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from admin_ext.audit.access_log import NotNoted, note_quietly
from admin_ext.audit.context import Origin, origin
from admin_ext.audit.models import Access

ONCE_IN = 60


class ActMiddleware:
    """Makes the origin of a request known to `change_set()` and answers with the request's id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        here = Origin(request_id=uuid.uuid4(), address=get_client_ip_address(request) or None)
        token = origin.set(here)
        try:
            response = self.get_response(request)
        finally:
            origin.reset(token)
        response.headers["X-Request-ID"] = str(here.request_id)
        return response


class AccessMiddleware:
    """Notes whom a page was refused to, or who asked for a row that is not there for them; each page once a minute.

    A row out of somebody's scope and a row that was never made are noted alike, as they are answered alike: people see
    their own events, and nobody learns from them what exists.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if _is_refusal(request, response) and request.user.is_authenticated:
            status = {"method": request.method, "status": response.status_code}
            note_quietly(Access.DENIED, actor=request.user, subject=request.path, detail=status, once_in=ONCE_IN)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, NotNoted):
            return render(request, "admin_ext/not_noted.html", {"why": str(exception)}, status=503)
        return None


def mark_missed(request: HttpRequest) -> None:
    """Say that the request asked for a row that is not there for the person, where the answer's status does not."""
    request._opsadmin_missed = True  # type: ignore[attr-defined]


def _is_refusal(request: HttpRequest, response: HttpResponse) -> bool:
    if response.status_code == 404:
        # Addresses that lead nowhere, such as the icons that browsers try, are nobody's secret.
        return bool(request.resolver_match and request.resolver_match.url_name)
    return response.status_code == 403 or getattr(request, "_opsadmin_missed", False)
