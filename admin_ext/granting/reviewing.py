"""Reviews of access: what people hold, listed with its last use, to be kept or revoked by somebody else until a day.

Revoking goes through the services that take rights, under the reviewer's own right to do so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models import Max
from django.utils import timezone

from admin_ext.access.rights import NotPermitted, can
from admin_ext.audit.models import Access, AccessEvent, ChangeSet
from admin_ext.granting.giving import take_place, take_role, take_row
from admin_ext.granting.models import AccessReview, AccessReviewItem
from admin_ext.granting.people import action_of, as_role, grantable_models, memberships
from admin_ext.services import Refused, registry, service

Kind, Decision, Use = AccessReviewItem.Kind, AccessReviewItem.Decision, AccessReviewItem.Use


class ReviewOfOneself(Refused):
    """Nobody reviews their own rights."""


class ReviewIsClosed(Refused):
    """A closed review stays as it is."""


class NotAllDecided(Refused):
    """A review is closed when everything in it is decided."""


class DueInThePast(Refused):
    """A review is due on a day to come."""


class NothingToReview(Refused):
    """Nobody holds anything of what was asked for."""


@service("granting.open_review", right="add", model="granting.AccessReview")
def open_review(*, actor: Any, title: str, due_on: date, role: Group | None = None) -> AccessReview:
    """List what everybody with an open account holds, or what the holders of one role do.

    Raises DueInThePast, NothingToReview.
    """
    if due_on < timezone.localdate():
        raise DueInThePast("Choose a day to come, so that there is time to decide.")
    people = get_user_model()._default_manager.filter(is_active=True)
    if role is not None:
        people = people.filter(pk__in=memberships().filter(group_id=role.pk).values("user_id"))
    known = people.order_by("pk").in_bulk()
    review = AccessReview.objects.create(title=title.strip(), due_on=due_on, opened_by=actor)
    items = list(_items(review, known))
    if not items:
        raise NothingToReview("Nobody holds anything of this, so there is nothing to review.")
    AccessReviewItem.objects.bulk_create(items, batch_size=1000)
    return review


@service("granting.decide_item", right="change")
def decide_item(*, actor: Any, item: AccessReviewItem, decision: str, note: str = "") -> AccessReviewItem:
    """Keep or revoke; what is revoked is taken at once, and what was gone already is no error.

    Raises ReviewOfOneself, ReviewIsClosed, NotPermitted, and what the services that take rights raise.
    """
    if item.person_id == actor.pk:
        raise ReviewOfOneself("These are your own rights; somebody else has to review them.")
    if item.review.closed_at is not None:
        raise ReviewIsClosed(f"“{item.review}” was closed; open a new review.")
    if decision == Decision.REVOKE:
        _take(actor, item, f"Access review “{item.review}”" + (f": {note.strip()}" if note.strip() else ""))
    item.decision, item.note = decision, note.strip()
    item.decided_by, item.decided_at = actor, timezone.now()
    item.save(update_fields=["decision", "note", "decided_by", "decided_at"])
    return item


@service("granting.close_review", right="change")
def close_review(*, actor: Any, review: AccessReview) -> AccessReview:
    """Close it for good. Raises NotAllDecided, ReviewIsClosed."""
    if review.closed_at is not None:
        raise ReviewIsClosed(f"“{review}” is closed already.")
    if waiting := review.items.filter(decision="").count():
        raise NotAllDecided(f"{waiting} of {review.items.count()} items are not decided yet.")
    review.closed_by, review.closed_at = actor, timezone.now()
    review.save(update_fields=["closed_by", "closed_at"])
    return review


def row_of(item: AccessReviewItem) -> Any:
    """The place or row that an item is about; None when it is gone."""
    try:
        return apps.get_model(item.model)._default_manager.filter(pk=item.object_id).first()
    except LookupError:
        return None


def _take(actor: Any, item: AccessReviewItem, reason: str) -> None:
    if item.kind == Kind.ROLE:
        if (group := Group.objects.filter(pk=item.role_id).first()) is not None:
            take_role(actor=actor, user=item.person, role=as_role(group), reason=reason)
        return
    row = row_of(item)
    if row is None:
        return
    if item.kind == Kind.PLACE:
        take_place(actor=actor, holder=item.person, place=row, reason=reason)
    elif not can(actor, "grant", row):
        raise NotPermitted(f"You have no right to decide who was granted {row._meta.verbose_name} #{row.pk}.")
    else:
        verb = action_of(item.codename, type(row))
        take_row(actor=actor, row=row, holder=item.person, verbs=[verb], reason=reason)


def _items(review: AccessReview, people: dict[int, Any]) -> Iterator[AccessReviewItem]:
    """What the people hold: roles, then places, then single rows."""
    names = dict(Group.objects.values_list("pk", "name"))
    rights = _rights_of_roles()
    used = {key: _Used(person) for key, person in people.items()}
    held = memberships().filter(user_id__in=people).order_by("user_id", "group_id")
    for person, role in held.values_list("user_id", "group_id"):
        at, how = used[person].of_rights(rights.get(role, set()))
        yield _item(review, people[person], Kind.ROLE, at, how, role_id=role, role_name=names[role])
    for model in grantable_models():
        entry = f"access_{getattr(model, 'dimension', '')}"
        grants = model.user_grants_model._base_manager.filter(user_id__in=people).order_by("user_id", "pk")
        for person, key, codename in grants.values_list("user_id", "content_object_id", "permission__codename"):
            place = codename == entry
            # Whether somebody used a place is not known: what is kept is which rows were changed, not where they lay.
            at, how = (None, Use.UNKNOWN) if place else used[person].of_row(model, key)
            kind = Kind.PLACE if place else Kind.ROW
            about = {"model": model._meta.label, "object_id": key, "codename": codename}
            yield _item(review, people[person], kind, at, how, **about)


def _item(review: AccessReview, person: Any, kind: str, at: Any, how: str, **about: Any) -> AccessReviewItem:
    return AccessReviewItem(
        review=review, person=person, kind=kind, used_at=at, use=how, last_login=person.last_login, **about
    )


def _rights_of_roles() -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    rights = Group.permissions.through._default_manager.values_list(
        "group_id", "permission__content_type__app_label", "permission__codename"
    )
    for role, app, codename in rights:
        found.setdefault(role, set()).add(f"{app}.{codename}")
    return found


class _Used:
    """When a person was last seen to use a right, as far as the record tells."""

    def __init__(self, person: Any) -> None:
        self.person = person
        acts = ChangeSet.objects.filter(actor=person.pk).order_by().values_list("verb").annotate(Max("started_at"))
        self.acts: dict[str, datetime] = dict(acts)
        reads = AccessEvent.objects.filter(actor=person.pk, kind__in=[Access.VIEW, Access.EXPORT]).exclude(model="")
        self.reads = list(reads.order_by().values_list("kind", "model").annotate(Max("at")))

    def of_rights(self, rights: set[str]) -> tuple[datetime | None, str]:
        """Acts whose verb one of the rights allows; then exports, and reads of what is watched."""
        acts = [at for verb, at in self.acts.items() if any(_allows(right, verb) for right in rights)]
        if acts:
            return max(acts), Use.ACT
        reads = [at for kind, model, at in self.reads if _right_to(kind, model) in rights]
        return (max(reads), Use.READ) if reads else (None, Use.UNKNOWN)

    def of_row(self, model: Any, key: int) -> tuple[datetime | None, str]:
        """What the person changed of the row, or opened of it where that is kept."""
        history = model.history.filter(id=key, history_user_id=self.person.pk)
        if at := history.aggregate(at=Max("history_date"))["at"]:
            return at, Use.ACT
        events = AccessEvent.objects.filter(model=model._meta.label, object_id=key, actor=self.person.pk)
        at = events.aggregate(at=Max("at"))["at"]
        return (at, Use.READ) if at else (None, Use.UNKNOWN)


def _allows(right: str, verb: str) -> bool:
    """Does a right ("orders.ship_order") allow what is stored under a verb's name ("orders.ship")?"""
    app, _, codename = right.partition(".")
    if known := registry.get(verb):
        return verb.partition(".")[0] == app and codename.startswith(f"{known.right}_")
    return verb == right


def _right_to(kind: str, model: str) -> str:
    app, _, name = model.partition(".")
    return f"{app}.{'export' if kind == Access.EXPORT else 'view'}_{name.lower()}"


def evidence_rows(review: AccessReview, items: Iterable[AccessReviewItem]) -> Iterator[tuple[Any, ...]]:
    """The lines of the evidence, without names of rows: what was held, since when unused, and who decided what when."""
    for item in items:
        yield (
            item.pk, item.person.get_username(), item.person_id, item.get_kind_display(), item.role_name,
            item.model, item.object_id, item.codename, item.used_at, item.get_use_display(), item.last_login,
            item.get_decision_display() if item.decision else "", item.note,
            item.decided_by.get_username() if item.decided_by else "", item.decided_at,
        )  # fmt: skip


EVIDENCE = (
    "item", "person", "person number", "kind", "role", "model", "number", "right", "last used", "known because",
    "last login", "decision", "note", "decided by", "decided at",
)  # fmt: skip
