"""Every request has an id and an address; change sets carry both."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from axes.helpers import get_client_ip_address
from django.http import HttpRequest, HttpResponse

from admin_ext.audit.context import Origin, origin


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
