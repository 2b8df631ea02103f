"""Refusal pages: what somebody was kept from, as a reference that they can pass on to who gives rights."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core import signing
from django.core.exceptions import PermissionDenied, RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import Resolver404, resolve, reverse
from django.utils.html import format_html

from admin_ext.access.facts import Facts
from admin_ext.access.rights import permission
from admin_ext.admin.looks import styled
from admin_ext.audit.middleware import mark_missed
from admin_ext.notices.models import Notice, notify

SALT = "opsadmin.refusal"
KEPT_DAYS = 30
LONGEST = 120

# What a page of a record asks for, by the end of its name; a verb's page asks for the verb's right.
ASKS = {
    "changelist": "view", "add": "add", "change": "view", "delete": "delete", "history": "view",
    "import": "import", "export": "export", "deleted": "view", "compare": "view", "changes": "view",
    "restore": "add", "revert": "change", "note": "change", "attach": "change",
}  # fmt: skip


# A form of our own never has as many fields, nor as much text beside its files.
TOO_MUCH = (TooManyFieldsSent, TooManyFilesSent, RequestDataTooBig)


class ReferenceNotUsable(Exception):
    """A reference was changed, is too old, or was never one of ours."""


class AskForm(forms.Form):
    """What to tell the administrators besides."""

    why = forms.CharField(
        max_length=120, required=False, label="What you need it for", help_text="One line, for whoever decides."
    )


def make_reference(request: HttpRequest) -> str:
    """Who was refused what, signed: it names a person and an address, and is worth nothing to who gives no rights."""
    said = {"u": request.user.pk, "p": request.path[:LONGEST], "m": request.method}
    return signing.dumps(said, salt=SALT, compress=True)


def read_reference(reference: str) -> dict[str, Any]:
    """`user`, `path`, and as far as the path tells `model`, `row` and `action`. Raises ReferenceNotUsable."""
    try:
        said = signing.loads(reference, salt=SALT, max_age=KEPT_DAYS * 24 * 3600)
    except signing.BadSignature as error:
        raise ReferenceNotUsable(
            "This reference is not one of ours, or older than 30 days. Ask for a new one, or choose below."
        ) from error
    return {"user": said["u"], "path": said["p"], **what_is_asked(said["p"], said["m"])}


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page of every refusal: why, as far as it was said, and the way to who can change it."""
    context = {"why": str(exception), "ask": _ask_address(request) if request.user.is_authenticated else ""}
    return render(request, "403.html", context, status=403)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page of what could not be read at all: too many fields, too much of it, or nothing a browser sends."""
    return render(request, "400.html", {"too_many": isinstance(exception, TOO_MUCH)}, status=400)


def told_missing(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Tell beside “is not there” who can help, alike for a row out of reach and for none; returns the response."""
    mark_missed(request)
    hint = 'If you expected to see it, <a class="underline" href="{}">ask your administrator</a>.'
    messages.info(request, format_html(hint, _ask_address(request)))
    return response


def ask_view(request: HttpRequest) -> HttpResponse:
    """Shows what would be asked, with an address to pass on; a post rings the bell of those who give rights."""
    reference = request.GET.get("reference", "")
    try:
        asked = read_reference(reference)
    except ReferenceNotUsable as error:
        raise Http404(str(error)) from error
    if request.method not in ("GET", "HEAD", "POST") or asked["user"] != request.user.pk:
        raise PermissionDenied
    address = f"{reverse('admin:access_explain')}?refusal={reference}"
    form = AskForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        rung = _ring(request.user, asked["path"], address, form.cleaned_data["why"])
        who = "1 administrator was" if rung == 1 else f"{rung} administrators were"
        messages.success(request, f"{who} told. They see which right is missing.")
        return HttpResponseRedirect(reverse("admin:index"))
    context = {
        **admin.site.each_context(request),
        "title": "Ask your administrator",
        "path": asked["path"],
        "address": request.build_absolute_uri(address),
        "form": styled(form),
    }
    return TemplateResponse(request, "admin_ext/ask.html", context)


def _ask_address(request: HttpRequest) -> str:
    return f"{reverse('admin:access_ask')}?reference={make_reference(request)}"


def _ring(person: Any, path: str, address: str, why: str) -> int:
    """Tell everybody who gives people their rights, once for each thing that somebody was kept from."""
    facts = Facts()
    granting = facts.holders(facts.roles_giving(permission(get_user_model(), "grant")))
    people = get_user_model()._default_manager.filter(pk__in=facts.active(set().union(*granting.values())))
    asks = f"{person} may not open {path} and asks why."
    for each in people:
        if not Notice.objects.filter(recipient=each, text__startswith=asks, read_at=None).exists():
            notify(each, f"{asks} “{why}”" if why else asks, level=Notice.Level.WARNING, url=address)
    return len(people)


def what_is_asked(path: str, method: str) -> dict[str, Any]:
    """The kind of record, the row and the action that an address asks for; empty where it belongs to none."""
    try:
        match = resolve(path)
    except Resolver404:
        return {}
    name = match.url_name or ""
    for model, model_admin in admin.site._registry.items():
        start = f"{model._meta.app_label}_{model._meta.model_name}_"
        if not name.startswith(start):
            continue
        what = name.removeprefix(start)
        action = ASKS.get(what, "view")
        if what == "do":
            verbs = {verb.name: verb.right for verb in getattr(model_admin, "verbs", ())}
            action = verbs.get(match.kwargs.get("verb", ""), "change")
        elif what == "change" and method == "POST":
            action = "change"
        key = str(match.kwargs.get("object_id", ""))
        return {"model": model._meta.label, "row": int(key) if key.isdecimal() else None, "action": action}
    return {}
