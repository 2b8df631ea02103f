"""What every request passes through that belongs to no room of the platform."""

from __future__ import annotations

import time
import zoneinfo
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

GetResponse = Callable[[HttpRequest], HttpResponse]


class TimeZoneMiddleware:
    """Shows instants in the person's own zone."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = getattr(request.user, "time_zone", "") if request.user.is_authenticated else ""
        with timezone.override(zoneinfo.ZoneInfo(name) if name else None):
            return self.get_response(request)


class PermissionsPolicyMiddleware:
    """Switches off what a back office never needs of a browser; keeps downloads and pages out of other origins."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
        response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return response


class IdleSessionMiddleware:
    """Moves the end of a session on while its person works: once a minute at most, not with every page.

    A page would else write a row of its own, and pages that are asked for together would wait for each other.
    """

    KEPT = "kept_at"

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.seconds = min(60, settings.SESSION_COOKIE_AGE // 30)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        session, now = request.session, int(time.time())
        if session.accessed and not session.is_empty() and now - session.get(self.KEPT, 0) >= self.seconds:
            session[self.KEPT] = now
        return response
