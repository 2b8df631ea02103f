"""Saved views: kept, found within rights, shared, and made the one that a list opens with."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from types import SimpleNamespace
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from admin_ext.access.rights import NotPermitted, access_of, can, check_inside, restrict
from admin_ext.access.roles import roles_held
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Door
from admin_ext.filtering.filterset import as_querydict, filterset_for
from admin_ext.filtering.list_state import ListState
from admin_ext.filtering.models import DefaultView, SavedView
from admin_ext.granting.people import role_model
from admin_ext.services import Refused, service

LONGEST_KEY = 18
MOST_LISTED = 200


class ViewNotThere(LookupError):
    """There is no such view, or none that the person may see."""


class ViewNotUsable(Refused):
    """A view has no name, one that is taken, or asks for what its list does not have."""


def find_view(key: Any, *, user: Any, model: str = "") -> SavedView:
    """The view of this number, or of this name among the person's own and those shared with them. Raises ViewNotThere."""
    views, text = restrict(SavedView.objects.all(), user, "view"), str(key)
    if model:
        views = views.filter(model=model)
    if text.isascii() and text.isdecimal() and len(text) <= LONGEST_KEY and (found := views.filter(pk=text).first()):
        return found
    named = list(_at_hand(views, user).filter(name=text.replace("\0", ""))[:MOST_LISTED])
    own = [view for view in named if view.owner_id == user.pk]
    if len(own or named) != 1:
        more = "more than one view" if named else "no view"
        raise ViewNotThere(f"There is {more} “{text}” that you may see.")
    return (own or named)[0]


def views_at_hand(user: Any) -> list[SavedView]:
    """The person's own views and those shared with them, of all lists, by list and name. Asked once for a user object."""
    known = getattr(user, "_opsadmin_views", None)
    if known is None:
        views = _at_hand(restrict(SavedView.objects.all(), user, "view"), user).select_related("owner")
        known = user._opsadmin_views = list(views.order_by("model", "name", "pk")[:MOST_LISTED])
    return known


def _at_hand(views: models.QuerySet[SavedView], user: Any) -> models.QuerySet[SavedView]:
    """Those that are theirs or were shared with them; a role that sees everybody's views does not have them at hand."""
    near = Q(owner=user.pk)
    for rows in access_of(user).granted(SavedView, "view"):
        near |= Q(pk__in=rows)
    return views.filter(near)


def save_view(
    *,
    actor: Any,
    model: type[models.Model],
    state: ListState,
    columns: Collection[str],
    sortable: Collection[str],
    name: str,
    view: SavedView | None = None,
) -> SavedView:
    """Keep what a list shows under a name: as a view of the actor's own, or in the place of what `view` says.

    `columns` and `sortable` are what the list offers the actor. Raises ViewNotUsable, NotPermitted.
    """
    if not can(actor, "view", model):
        raise NotPermitted(f"You have no right to see {model._meta.verbose_name_plural}.")
    _check(state, model, actor, columns, sortable)
    with change_set(actor=actor, door=Door.FORM, verb="filtering.save_view"):
        if view is None:
            view = SavedView(owner=actor, model=model._meta.label)
        elif not can(actor, "change", view):
            raise NotPermitted(f"The view {view} is not yours to change. Save it under a name of your own.")
        view.name = " ".join(name.replace("\0", "").split())
        state.put_into(view)
        try:
            view.full_clean()
        except ValidationError as error:
            taken = "__all__" in error.message_dict
            told = f"You have a view “{view.name}” of this list." if taken else " ".join(error.messages)
            raise ViewNotUsable(f"{told} Choose another name." if taken else told) from error
        view.save()
        if view.owner_id != actor.pk:
            check_inside(actor, SavedView, [view.pk], "change")
    actor.__dict__.pop("_opsadmin_views", None)
    return view


def _check(
    state: ListState, model: type[models.Model], actor: Any, columns: Collection[str], sortable: Collection[str]
) -> None:
    """Raise ViewNotUsable for what the list does not have, or not for this person."""
    filterset_class = filterset_for(model)
    known = filterset_class.parameters(actor) if filterset_class else set()
    missing = [
        *(f"filter {name}" for name in state.filters if name not in known),
        *(f"column {name}" for name, _ in state.columns if name not in columns),
        *(f"order by {path.removeprefix('-')}" for path in state.ordering if path.removeprefix("-") not in sortable),
    ]
    if missing:
        raise ViewNotUsable(f"The list has no {', no '.join(missing)}, so the view was not saved.")
    if "\0" in state.search:
        raise ViewNotUsable("Nothing can be searched for by that, so the view was not saved.")
    if filterset_class is None:
        return
    filterset = filterset_class(as_querydict(dict(state.filters)), request=SimpleNamespace(user=actor, GET={}))
    if not filterset.is_valid():
        errors = "; ".join(f"{name}: {' '.join(told)}" for name, told in filterset.errors.items())
        raise ViewNotUsable(f"A filter was not understood, so the view was not saved: {errors}")


# -- sharing -------------------------------------------------------------------------------------------


@service("filtering.share_view", right="grant")
def share_view(*, actor: Any, view: SavedView, people: Iterable[Any] = (), roles: Iterable[Any] = ()) -> SavedView:
    """Let exactly these people and the holders of these roles see a view, beside its owner.

    It hands on no row and no column: whoever opens the view sees what they may see.
    """
    right = Permission.objects.get(content_type__app_label=view._meta.app_label, codename="view_savedview")
    wanted = {
        (SavedView.user_grants_model, "user_id"): {person.pk for person in people} - {view.owner_id},
        (SavedView.group_grants_model, "group_id"): {role.pk for role in roles},
    }
    for (table, holder), keys in wanted.items():
        given = table.objects.filter(content_object=view, permission=right)
        held = set(given.values_list(holder, flat=True))
        given.filter(**{f"{holder}__in": held - keys}).delete()
        for key in sorted(keys - held):
            table.objects.create(content_object=view, permission=right, **{holder: key})
    return view


def shared_with(view: SavedView) -> tuple[list[Any], list[Group]]:
    """The people and the roles that a view is shared with, by name."""
    people = SavedView.user_grants_model.objects.filter(content_object=view, permission__codename="view_savedview")
    roles = SavedView.group_grants_model.objects.filter(content_object=view, permission__codename="view_savedview")
    users = type(view)._meta.get_field("owner").related_model
    return (
        list(users.objects.filter(pk__in=people.values("user")).order_by("username")),
        list(Group.objects.filter(pk__in=roles.values("group")).order_by("name")),
    )


# -- the view that a list opens with ---------------------------------------------------------------------


def default_view(user: Any, model: type[models.Model]) -> SavedView | None:
    """The view that the person's list opens with: their own choice, else that of a role of theirs, by its name."""
    if user.is_anonymous:
        return None
    chosen = DefaultView.objects.filter(model=model._meta.label).filter(
        Q(person=user.pk) | Q(role__in=roles_held(user))
    )
    for each in chosen.order_by(models.F("person").asc(nulls_last=True), "role__name").values_list("view", flat=True):
        if view := restrict(SavedView.objects.filter(pk=each), user, "view").first():
            return view
    return None


@service("filtering.open_with", right="view")
def open_with(*, actor: Any, view: SavedView, mine: bool, roles: Iterable[Any] | None = None) -> SavedView:
    """Have the actor's own list open with a view, or not any more; and for the holders of exactly `roles`, unless None.

    Only who may give rights over a role decides this for it, and for views that they may share. Raises NotPermitted.
    """
    if mine:
        DefaultView.objects.update_or_create(person=actor, model=view.model, defaults={"view": view})
    else:
        DefaultView.objects.filter(person=actor, view=view).delete()
    if roles is not None:
        _open_for(actor, view, {role.pk for role in roles})
    return view


def _open_for(actor: Any, view: SavedView, wanted: set[int]) -> None:
    held = set(DefaultView.objects.filter(view=view, role__isnull=False).values_list("role", flat=True))
    decided = restrict(role_model()._default_manager.filter(pk__in=wanted ^ held), actor, "grant")
    if decided.count() < len(wanted ^ held):
        raise NotPermitted("Only who administers a role decides what its lists open with.")
    DefaultView.objects.filter(view=view, role__in=held - wanted).delete()
    for key in sorted(wanted - held):
        DefaultView.objects.update_or_create(role_id=key, model=view.model, defaults={"view": view})
    people, groups = shared_with(view)
    if unshared := wanted - {group.pk for group in groups}:
        share_view(actor=actor, view=view, people=people, roles=[*groups, *Group.objects.filter(pk__in=unshared)])


def opens_for(view: SavedView, actor: Any) -> tuple[bool, list[int]]:
    """Whether the actor's list opens with it, and the roles whose lists do."""
    chosen = DefaultView.objects.filter(view=view)
    return chosen.filter(person=actor).exists(), list(chosen.exclude(role=None).values_list("role", flat=True))


def model_of(view: SavedView) -> type[models.Model] | None:
    """The model whose list it is; None where there is none of that name any more."""
    try:
        return apps.get_model(view.model)
    except (LookupError, ValueError):
        return None
