"""Pages on people and roles: which roles and places somebody has, given and taken by ticks, looked at before it is done."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import Group
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from unfold.widgets import CHECKBOX_CLASSES

from admin_ext.access.rights import NotPermitted, can, restrict
from admin_ext.admin.bulk import SALT, ask_on_page
from admin_ext.admin.looks import styled
from admin_ext.admin.ticks import Ticks, place_ticks, role_ticks, why_not
from admin_ext.admin.verbs import ReasonForm, RecordField
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Door
from admin_ext.filtering.selection import Selection
from admin_ext.filtering.telling import names
from admin_ext.granting.assigning import Outcome, assign, copy_rights, set_places, set_roles
from admin_ext.granting.people import memberships
from admin_ext.granting.previewing import Preview, preview
from admin_ext.services import Refused, told_why

# More people than this are a matter for a file of roles.
MOST_PEOPLE = 200


class CopyForm(ReasonForm):
    """Why, and whose rights to copy as well."""

    field_order = ["source", "reason"]

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The table of memberships is known when all apps are.
        source = RecordField(
            memberships().model._meta.label,
            "user",
            required=False,
            label="As a colleague",
            help_text="Gives their roles, places and single rows as well, as far as you may hand them on.",
        )
        source.offer(user)
        self.fields["source"] = source
        self.order_fields(self.field_order)


class PlacesViewMixin:
    """For ModelAdmins of people and of roles: `places/` of one of them. People get roles there, too."""

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_places"
        places = path("<path:object_id>/places/", self.admin_site.admin_view(self.places_view), name=name)
        return [places, *super().get_urls()]

    def _verb_buttons(self, request: HttpRequest, row: Any) -> list[dict[str, Any]]:
        buttons = super()._verb_buttons(request, row)
        if row is None or not can(request.user, "grant", row):
            return buttons
        label = "Places" if isinstance(row, Group) else "Roles and places"
        address = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_places", args=[row.pk])
        return [{"label": label, "icon": "key_vertical", "danger": False, "url": address}, *buttons]

    def places_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ticks for roles and places; shows what a change would do, and does it."""
        holder = self.get_object(request, object_id)
        if holder is None:
            raise Http404
        if not can(request.user, "grant", holder):
            raise PermissionDenied
        is_role = isinstance(holder, Group)
        roles = None if is_role else role_ticks(request.user, holder)
        places = place_ticks(request.user, holder)
        posted = request.POST if request.method == "POST" else None
        form = ReasonForm(posted) if is_role else CopyForm(posted, user=request.user)
        closed = why_not(request.user, holder)
        page = {"holder": holder, "roles": roles, "places": places, "form": styled(form), "closed": closed}
        if request.method == "POST" and not closed:
            for ticks in _all(roles, places):
                ticks.read(request)

            def act() -> list[Outcome]:
                return _act(request.user, holder, roles, places, form.cleaned_data)

            touched, verb = _touched(holder), f"{self.opts.app_label}.set_access"
            if answer := answer_to(request, form, page, act, touched, verb=verb, then=self._change_url(holder)):
                return answer
        title = f"{'Places' if is_role else 'Roles and places'}: {holder}"
        return self._access_page(request, page, title, back=self._change_url(holder), original=holder)

    def _access_page(self, request: HttpRequest, page: dict[str, Any], title: str, **extra: Any) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": title, **page, **extra}
        context["checkbox_classes"] = " ".join(CHECKBOX_CLASSES)
        return TemplateResponse(request, "admin_ext/access_form.html", context)


class AssignViewMixin(PlacesViewMixin):
    """For the ModelAdmin of people: roles and places for several of them at once, chosen in the list."""

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_assign"
        return [path("assign/", self.admin_site.admin_view(self.assign_view), name=name), *super().get_urls()]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        if can(request.user, "grant", self.model):
            name = f"admin:{self.opts.app_label}_{self.opts.model_name}_assign"
            actions["assign"] = (ask_on_page(name), "assign", "Give roles and places …")
        return actions

    def assign_view(self, request: HttpRequest) -> HttpResponse:
        """Ticks what everybody of a selection shall have; an answer for each person and thing."""
        if not can(request.user, "grant", self.model):
            raise PermissionDenied
        signed = request.POST.get("selection") or request.GET.get("selection", "")
        try:
            selection = Selection.from_json(signing.loads(signed, salt=SALT))
        except signing.BadSignature:
            raise Http404 from None
        if selection.model != self.opts.label:
            # Signed on another list: its rows are no people.
            raise Http404
        chosen = restrict(selection.resolve(actor=request.user, action="view"), request.user, "grant")
        people = list(chosen.order_by("pk")[: MOST_PEOPLE + 1])
        roles, places = role_ticks(request.user), place_ticks(request.user)
        form = styled(ReasonForm(request.POST if request.method == "POST" and "_ticked" in request.POST else None))
        many = f"More than {MOST_PEOPLE} people are chosen. Narrow them down, or use a file of roles."
        closed = many if len(people) > MOST_PEOPLE else "" if people else "You may give rights to none of them."
        page = {"people": people, "roles": roles, "places": places, "form": form, "closed": closed}
        back = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        if form.is_bound and not closed:
            for ticks in _all(roles, places):
                ticks.read(request)
            if not any(ticks.chosen for ticks in _all(roles, places)):
                form.add_error(None, "Tick a role or a place.")

            def act() -> list[Outcome]:
                given = [place for ticks in places for place in ticks.chosen]
                reason = form.cleaned_data["reason"]
                return assign(actor=request.user, people=people, roles=roles.chosen, places=given, reason=reason)

            touched, verb = [user.pk for user in people], f"{self.opts.app_label}.assign"
            if answer := answer_to(request, form, page, act, touched, verb=verb):
                return answer
        title = f"Give roles and places: {len(people)} people"
        return self._access_page(request, page, title, back=back, selection=signed)


def _all(roles: Ticks | None, places: list[Ticks]) -> list[Ticks]:
    return [*([roles] if roles else []), *places]


def _touched(holder: Any) -> list[int]:
    """The people whom a change of this holder touches."""
    if isinstance(holder, Group):
        return list(memberships().filter(group_id=holder.pk).values_list("user_id", flat=True))
    return [holder.pk]


def _act(actor: Any, holder: Any, roles: Ticks | None, places: list[Ticks], data: dict[str, Any]) -> list[Outcome]:
    """What the ticks say, in the one act that the page opened. Raises what the services raise."""
    reason, outcomes = data["reason"], []
    if roles is not None:
        outcomes += set_roles(actor=actor, user=holder, roles=roles.chosen, among=roles.moved, reason=reason)
    wanted = [place for ticks in places for place in ticks.chosen]
    moved = [place for ticks in places for place in ticks.moved]
    outcomes += set_places(actor=actor, holder=holder, places=wanted, among=moved, reason=reason)
    if source := data.get("source"):
        outcomes += copy_rights(actor=actor, user=holder, source=source, reason=reason)
    return outcomes


def answer_to(
    request: HttpRequest,
    form: Any,
    page: dict[str, Any],
    act: Callable[[], list[Outcome]],
    touched: list[int],
    *,
    verb: str,
    then: str = "",
) -> HttpResponse | None:
    """Show what `act` would do, or do it and go on to `then`; None where the page is to be shown (again)."""
    form.fields["reason"].required = "_preview" not in request.POST
    if not form.is_valid():
        return None
    if "_preview" in request.POST:
        form.cleaned_data["reason"] = form.cleaned_data["reason"] or "Preview"
    try:
        if "_preview" in request.POST:
            page["preview"] = named(preview(actor=request.user, act=act, people=touched), request.user)
            return None
        with told_why(), change_set(actor=request.user, door=Door.FORM, verb=verb, reason=form.cleaned_data["reason"]):
            outcomes = act()
    except (Refused, NotPermitted) as error:
        form.add_error(None, str(error))
        return None
    page["outcomes"] = outcomes
    if not then:
        return None
    tell(request, outcomes)
    return HttpResponseRedirect(then)


def named(found: Preview, reader: Any) -> Preview:
    """The same with names for the samples: where a name tells of other rows, as far as the reader may see those."""

    def called(rows: list[Any]) -> list[Any]:
        return list(names(rows, reader=reader).values())

    people = []
    for person in found.people:
        told = [
            dataclasses.replace(
                each, gained_samples=called(each.gained_samples), lost_samples=called(each.lost_samples)
            )
            for each in person.differences
        ]
        people.append(dataclasses.replace(person, differences=told))
    return dataclasses.replace(found, people=people)


def tell(request: HttpRequest, outcomes: list[Outcome]) -> None:
    """Say what was done, and what was not and why."""
    done = [f"{each.what} {each.state}" for each in outcomes if each.state in ("given", "taken")]
    refused = [each for each in outcomes if each.state == "refused"]
    if done:
        messages.success(request, format_html("Saved: {}.", ", ".join(done)))
    for each in refused:
        messages.warning(request, format_html("{} was not given. {}", each.what.capitalize(), each.why))
    if not done and not refused:
        messages.info(request, "Nothing was changed: it was like that already.")
