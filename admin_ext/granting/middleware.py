"""Who is behind a request: somebody who looks as another, or whose session is elevated. Both are told on every page."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse

from admin_ext.audit.access_log import NotNoted, note_quietly
from admin_ext.audit.context import LookingOnly
from admin_ext.audit.middleware import ONCE_IN
from admin_ext.audit.models import Access
from admin_ext.granting import elevating, impersonating

SAFE = ("GET", "HEAD", "OPTIONS")
# The tag may hold ">" in its attributes.
_BODY = re.compile(rb"""<body(?:[^>"']|"[^"]*"|'[^']*')*>""")


class StandingInMiddleware:
    """Puts the impersonated person in the place of the one behind, or lends an elevated session its role.

    Comes after the session, the user and the origin of the request are known, and before what notes refusals.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        session: Any = request.session
        if impersonating.KEY in session and request.user.is_authenticated:
            return self._impersonating(request)
        if elevating.KEY in session and request.user.is_authenticated:
            return self._elevated(request)
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return _refused(request, exception) if isinstance(exception, LookingOnly) else None

    def _impersonating(self, request: HttpRequest) -> HttpResponse:
        behind = _fresh(request.user)
        found = impersonating.current_impersonation(actor=behind, session=request.session)
        if request.path == reverse("admin:access_impersonate_end"):
            return self.get_response(request)
        if found is None:
            # What was sent from a page of the other's is not done as oneself.
            over = LookingOnly(
                "You no longer look at the product as somebody else. Nothing was done; open the page again."
            )
            return self.get_response(request) if request.method in SAFE else _refused(request, over)
        impersonating.look_as(behind, found.person)
        request.user = found.person
        if request.method not in SAFE:
            status = {"method": request.method, "status": 403}
            note_quietly(Access.DENIED, actor=found.person, subject=request.path, detail=status, once_in=ONCE_IN)
            refusal = LookingOnly(f"You look at the product as {found.person}: nothing can be changed or taken out.")
            return _with_banner(request, _refused(request, refusal), "admin_ext/looking_as.html", found)
        return _with_banner(request, self.get_response(request), "admin_ext/looking_as.html", found)

    def _elevated(self, request: HttpRequest) -> HttpResponse:
        # A user object of its own, and not the lazy one: the role is lent to it alone.
        request.user = _fresh(request.user)
        try:
            found = elevating.resume_elevation(
                actor=request.user, session=request.session, method=request.method or "", path=request.path
            )
        except NotNoted as error:
            return render(request, "admin_ext/not_noted.html", {"why": str(error)}, status=503)
        response = self.get_response(request)
        if found is None or elevating.KEY not in request.session:
            return response
        return _with_banner(request, response, "admin_ext/elevated.html", found)


def _fresh(user: Any) -> Any:
    return get_user_model()._default_manager.get(pk=user.pk)


def _refused(request: HttpRequest, why: Exception) -> HttpResponse:
    return render(request, "403.html", {"why": str(why)}, status=403)


def _with_banner(request: HttpRequest, response: Any, template: str, found: Any) -> HttpResponse:
    """Put a line above everything else of the page, whichever page it is."""
    kind = response.headers.get("Content-Type", "")
    if response.streaming or not kind.startswith("text/html"):
        return response
    banner = render_to_string(template, {"found": found}, request=request).encode()
    response.content = _BODY.sub(lambda tag: tag.group() + banner, response.content, count=1)
    return response
