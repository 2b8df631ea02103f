"""Which answer the declared rights ask for, worked out from facts alone: nothing here asks `admin_ext.access`.

A page of a list or a row is one line in LISTS or ROWS, by the end of its address's name (`orders_order_change` is a
`change`); an address of its own is one line in OWN. An address that is in none of them fails the matrix.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db import models

from admin_ext.admin.options import ReadOnlyModelAdmin
from admin_ext.models import Record
from admin_ext.plans.reverting import is_revertible
from admin_ext.transfers.resources import has_resource
from apps.accounts.models import Team, User
from tests.contracts.matrix.people import EVERYWHERE, Person
from tests.contracts.matrix.rows import Row

# How an answer looks.
OK = "ok"  # a page, a file, or on to another page of the product
LOGIN = "login"  # on to the login page
REFUSED = "refused"  # 403
NOT_THERE = "not there"  # 404, or back to the start with the words that there is no such row
NO_SUCH_METHOD = "no such method"  # 405
SAFE = ("GET", "HEAD")

Model = type[models.Model]


# -- what the rights say ---------------------------------------------------------------------------


def holds(person: Person, action: str, model: Model) -> bool:
    """Does a role give the action?"""
    return person.is_superuser or f"{model._meta.app_label}.{action}_{model._meta.model_name}" in person.rights


def holds_any(person: Person, action: str, model: Model) -> bool:
    """Is there any row to which the person may do it?"""
    if holds(person, action, model) or (getattr(model, "owner_field", "") and action in ("view", "change")):
        return True
    return any((model, action) == (each, verb) for each, verb, _ in person.grants)


def may(person: Person, action: str, row: Row) -> bool:
    """To this row? A row that is not there is nobody's."""
    if row.state == "missing" or row.deleted:
        return False
    if person.is_superuser or (row.model, action, row.key) in person.grants:
        return True
    if row.owner is not None and row.owner == person.pk:
        return True
    return holds(person, action, row.model) and is_inside(person, row)


def may_deleted(person: Person, action: str, row: Row) -> bool:
    """To this row that was deleted? Grants went with it."""
    if not row.deleted:
        return False
    own_dimension = getattr(row.model, "dimension", "")
    if own_dimension and not person.is_superuser and person.places.get(own_dimension, set()) is not EVERYWHERE:
        return False  # the place itself is gone, and with it who was let into it
    return person.is_superuser or (holds(person, action, row.model) and is_inside(person, row))


def is_inside(person: Person, row: Row) -> bool:
    """Do all of the row's places let the person in? A row without a place is seen by who works everywhere."""
    for dimension, place in row.places.items():
        places = person.places.get(dimension, set())
        if places is not EVERYWHERE and place not in places:
            return False
    return True


def may_know(person: Person, row: Row) -> bool:
    """May a canary of the row reach the person?"""
    if not person.enters:
        return False
    return may(person, "view", row) or may_deleted(person, "view", row)


# -- what a page asks for --------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Case:
    """One request. `row` is the one that the address names, `chosen` what else is needed to expect the answer."""

    name: str
    url: str
    method: str
    person: Person
    model_admin: Any = None
    row: Row | None = None
    chosen: Any = None
    data: dict[str, Any] | None = None

    def of(self, person: Person) -> Case:
        """The same request by somebody else."""
        return dataclasses.replace(self, person=person)


def expected(case: Case, rule: Callable[[Case], str]) -> str:
    """Whoever does not work here is led to the login, whatever they asked for."""
    if not case.person.enters and rule not in PUBLIC:
        return LOGIN
    return rule(case)


def _list(action: str, *, also: Callable[[Any], bool] = lambda model_admin: True) -> Callable[[Case], str]:
    def rule(case: Case) -> str:
        return OK if holds_any(case.person, action, case.model_admin.model) and also(case.model_admin) else REFUSED

    return rule


def _changelist(case: Case) -> str:
    model = case.model_admin.model
    return OK if any(holds_any(case.person, action, model) for action in _actions(case, "view", "change")) else REFUSED


def _actions(case: Case, *actions: str) -> list[str]:
    """Those of `actions` that the admin does at all."""
    model = case.model_admin.model
    actions = tuple(each for each in actions if (model._meta.label, each) not in NEVER)
    if isinstance(case.model_admin, ReadOnlyModelAdmin) or (
        model._meta.label in WITH_GRANT and not holds(case.person, "grant", model)
    ):
        return [each for each in actions if each == "view"]
    return list(actions)


# Not done to anybody: the record names people for ever. An account is closed instead.
# Views are made where they are looked at, and have no page to add one.
# So are export definitions, and schedules where what they repeat is.
NEVER = (
    ("accounts.User", "delete"),
    ("filtering.SavedView", "add"),
    ("jobs.Schedule", "add"),
    ("transfers.ExportDefinition", "add"),
)
# Whoever writes these gives and takes sight: for that the right to grant is asked as well.
WITH_GRANT = ("access.FieldPolicy",)


def _add(case: Case) -> str:
    if _is_screen(case):
        return _screen_without_row(case)
    return OK if _actions(case, "add") and holds_any(case.person, "add", case.model_admin.model) else REFUSED


def _change(case: Case) -> str:
    if _is_screen(case):
        if case.method in SAFE and may(case.person, "view", _of(case)):
            return OK
        return _screen_without_row(case)
    return _page_of_row(case, "change") if case.method == "POST" else _page_of_row(case, "view", "change")


def _page_of_row(case: Case, *actions: str) -> str:
    """Django's order: a row that the person does not see is not there, unless they may do that to no row at all."""
    actions = tuple(_actions(case, *actions))
    if may(case.person, "view", _of(case)):
        return OK if any(may(case.person, action, _of(case)) for action in actions) else REFUSED
    model = case.model_admin.model
    return NOT_THERE if any(holds_any(case.person, action, model) for action in actions) else REFUSED


def _is_screen(case: Case) -> bool:
    """Rows of the platform have a page of their own instead of a form."""
    return case.model_admin.model._meta.label in SCREENS


SCREENS = (
    "audit.AccessEvent",
    "audit.ChangeSet",
    "granting.AccessReview",
    "jobs.Job",
    "notices.Notice",
    "plans.Plan",
)


def _screen_without_row(case: Case) -> str:
    if case.method not in SAFE:
        return REFUSED
    return NOT_THERE if holds_any(case.person, "view", case.model_admin.model) else REFUSED


def _delete(case: Case) -> str:
    return _page_of_row(case, "delete")


def _history(case: Case) -> str:
    return OK if hasattr(case.model_admin.model, "history") and may(case.person, "view", _of(case)) else NOT_THERE


def _compare(case: Case) -> str:
    return OK if case.model_admin.has_past and may(case.person, "view", _of(case)) else NOT_THERE


def _changes(case: Case) -> str:
    if not holds_any(case.person, "view", case.model_admin.model):
        return REFUSED
    return OK if case.model_admin.has_past else NOT_THERE


def _paste(case: Case) -> str:
    """For who may see rows, in lists that have filters and whose rows have a reference that the person may read."""
    model = case.model_admin.model
    names = (*getattr(model, "natural_key_fields", ())[:1], *getattr(model, "search_references", ()))
    told = [name for name in names if "__" not in name and (model, name) not in case.person.unread]
    named = case.model_admin.get_filterset_class() is not None and told
    return OK if named and holds_any(case.person, "view", model) and _changelist(case) == OK else REFUSED


def _grid(case: Case) -> str:
    """For who may change rows, in lists that have columns for it of which the person may write one."""
    model = case.model_admin.model
    names = set(case.model_admin.grid_fields or case.model_admin.bulk_edit_fields)
    names -= {*getattr(model, "controlled_fields", ()), *(name for each, name in case.person.unread if each is model)}
    editable = names and _actions(case, "change") and holds_any(case.person, "change", model)
    return OK if editable else REFUSED


def _note(case: Case) -> str:
    if case.method != "POST":
        return NO_SUCH_METHOD
    if not issubclass(case.model_admin.model, Record) or not may(case.person, "view", _of(case)):
        return NOT_THERE
    return OK if _actions(case, "change") and may(case.person, "change", _of(case)) else REFUSED


def _attachment(case: Case) -> str:
    return OK if case.chosen == "its own" and may(case.person, "view", _of(case)) else NOT_THERE


def _do(case: Case) -> str:
    verb, row = case.chosen, _of(case)
    if verb is None or not may(case.person, "view", row):
        return NOT_THERE
    if verb.service.possible is not None and not verb.service.possible(row.instance):
        return REFUSED
    if verb.given:
        return OK if holds_any(case.person, verb.right, apps.get_model(verb.service.model)) else REFUSED
    return OK if may(case.person, verb.right, row) else REFUSED


def _bulk(case: Case) -> str:
    """The address carries a selection that somebody signed; which rows it comes to is asked under the person's rights."""
    if case.chosen == "unsigned":
        return NOT_THERE
    verb = case.chosen
    if verb == "edit" and _joins(case):
        return OK
    right = "change" if verb == "edit" else verb.right if verb else None
    offered = verb != "edit" or case.model_admin.bulk_edit_fields
    return OK if right and offered and holds_any(case.person, right, case.model_admin.model) else REFUSED


def _joins(case: Case) -> bool:
    """Whether the person may add to a team, or take from one: the only relation whose pairs a bulk edit writes."""
    if case.model_admin.model not in (Team, User):
        return False
    return all(holds_any(case.person, *each) for each in (("change", Team), ("view", Team), ("view", User)))


def _document(case: Case) -> str:
    return OK if may(case.person, "view", _of(case)) and case.chosen.is_offered(_of(case).instance) else NOT_THERE


def _deleted(case: Case) -> str:
    model = case.model_admin.model
    return OK if is_revertible(model) and holds_any(case.person, "view", model) else REFUSED


def _deleted_row(case: Case) -> str:
    return OK if is_revertible(case.model_admin.model) and may_deleted(case.person, "view", _of(case)) else NOT_THERE


def _restore(case: Case) -> str:
    if _deleted_row(case) == NOT_THERE:
        return NOT_THERE
    return OK if _actions(case, "add") and holds_any(case.person, "add", case.model_admin.model) else REFUSED


def _of_the_past(case: Case) -> str:
    if not may(case.person, "view", _of(case)):
        return NOT_THERE
    editable = is_revertible(case.model_admin.model) and _actions(case, "change")
    if not editable or not may(case.person, "change", _of(case)):
        return REFUSED
    return OK if case.chosen == "its own" else NOT_THERE


def _forward(case: Case) -> str:
    """Django's old address of a row leads to today's, whatever the key."""
    return OK


def _row_only(method: str = "") -> Callable[[Case], str]:
    def rule(case: Case) -> str:
        if method and case.method != method:
            return NO_SUCH_METHOD
        return OK if may(case.person, "view", _of(case)) else NOT_THERE

    return rule


def _row_with(action: str) -> Callable[[Case], str]:
    """A page of a row that asks for one more right on it than to see it."""

    def rule(case: Case) -> str:
        if not may(case.person, "view", _of(case)):
            return NOT_THERE
        return OK if may(case.person, action, _of(case)) else REFUSED

    return rule


def _look_as(case: Case) -> str:
    """Looking as somebody asks for no right beside its own; of who may neither, that there is somebody is kept."""
    if may(case.person, "impersonate", _of(case)):
        return OK
    return REFUSED if may(case.person, "view", _of(case)) else NOT_THERE


def _act_on(action: str) -> Callable[[Case], str]:
    """A button of the page of a row, so for who sees it; one that is not there is refused as another's is."""

    def rule(case: Case) -> str:
        if case.method != "POST":
            return NO_SUCH_METHOD
        seen = may(case.person, "view", _of(case))
        return OK if seen and may(case.person, action, _of(case)) else REFUSED

    return rule


def _reveal(case: Case) -> str:
    """`chosen` is the field that the address names. What is not masked for the person needs no revealing."""
    if not may(case.person, "view", _of(case)) or (_of(case).model, case.chosen) not in case.person.masked:
        return NOT_THERE
    return OK if may(case.person, "reveal", _of(case)) else REFUSED


def _assign(case: Case) -> str:
    """What was not signed, or signed on another list, is no selection of people."""
    if not holds_any(case.person, "grant", case.model_admin.model):
        return REFUSED
    return NOT_THERE if case.chosen in ("unsigned", "another list's") else OK


def _ask(case: Case) -> str:
    """`chosen` says whose reference the address carries. A reference is for who was refused, and nobody else."""
    if case.chosen == "unsigned":
        return NOT_THERE
    return OK if case.chosen == "its own" and case.method in (*SAFE, "POST") else REFUSED


def _of_model(action: str, label: str, *methods: str) -> Callable[[Case], str]:
    """A page of its own that asks for a right on any row of a model."""

    def rule(case: Case) -> str:
        if methods and case.method not in methods:
            return REFUSED
        return OK if holds_any(case.person, action, apps.get_model(label)) else REFUSED

    return rule


def _owners(case: Case) -> str:
    """A file goes to who had it made, and to nobody above them."""
    return OK if _of(case).owner == case.person.pk and _of(case).state == "own" else NOT_THERE


def _right(right: str, then: str = OK, *, methods: tuple[str, ...] = ()) -> Callable[[Case], str]:
    def rule(case: Case) -> str:
        if methods and case.method not in methods:
            return REFUSED
        return then if case.person.is_superuser or right in case.person.rights else REFUSED

    return rule


def _everybodys(*methods: str, otherwise: str = NO_SUCH_METHOD) -> Callable[[Case], str]:
    def rule(case: Case) -> str:
        return OK if not methods or case.method in methods else otherwise

    return rule


def _evidence(case: Case) -> str:
    """What is asked about is in the query: an act or the life of a record."""
    if case.chosen == "nothing":
        return NOT_THERE
    if not (case.person.is_superuser or "desk.take_evidence" in case.person.rights):
        return REFUSED
    row = _of(case)
    everywhere = case.chosen == "life" and _sees_all(case.person, row.model)
    return OK if everywhere or may(case.person, "view", row) else REFUSED


def _sees_all(person: Person, model: Model) -> bool:
    """A record that is gone is seen by those whom no scope limits; for them one that never was has no life either."""
    dimensions = getattr(model, "scopes", {})
    everywhere = all(person.places.get(each, set()) is EVERYWHERE for each in dimensions)
    return person.is_superuser or (holds(person, "view", model) and everywhere)


def _app_list(case: Case) -> str:
    for model_admin in admin.site._registry.values():
        if model_admin.opts.app_label == case.chosen and holds_any(case.person, "view", model_admin.model):
            return OK
    return NOT_THERE


def _autocomplete(case: Case) -> str:
    """`chosen` is the model whose rows are offered."""
    if case.method not in (*SAFE, "OPTIONS"):
        return NO_SUCH_METHOD
    if case.method == "OPTIONS":
        return OK
    return OK if case.chosen and holds_any(case.person, "view", case.chosen) else REFUSED


def _save_view(case: Case) -> str:
    """`chosen` is the model whose list is to be saved. It asks for no right beside that to see rows of it."""
    return OK if case.chosen and holds_any(case.person, "view", case.chosen) else NOT_THERE


def _queue(then: str = OK) -> Callable[[Case], str]:
    """A button of a view that is worked through: for who sees the view, and rows of its list."""

    def rule(case: Case) -> str:
        if case.method != "POST":
            return NO_SUCH_METHOD
        if not may(case.person, "view", _of(case)):
            return NOT_THERE
        listed = apps.get_model(_of(case).instance.model)
        return then if holds_any(case.person, "view", listed) else REFUSED

    return rule


def _public(case: Case) -> str:
    return "public"


def _of(case: Case) -> Row:
    assert case.row is not None
    return case.row


PUBLIC = (_public,)

LISTS: dict[str, Callable[[Case], str]] = {
    "changelist": _changelist,
    "count": _changelist,
    "facets": _changelist,
    "add": _add,
    "import": _list("import", also=lambda each: has_resource(each.model)),
    "export": _list("export", also=lambda each: has_resource(each.model)),
    "changes": _changes,
    "paste": _paste,
    "deleted": _deleted,
    "grid": _grid,
    "grid_choices": _grid,
}
ROWS: dict[str, Callable[[Case], str]] = {
    "change": _change,
    "delete": _delete,
    "history": _history,
    "compare": _compare,
    "note": _note,
    "presence": _note,
    "attach": _note,
    "attachment": _attachment,
    "do": _do,
    "bulk": _bulk,
    "import_map": lambda case: NOT_THERE,
    "deleted_row": _deleted_row,
    "restore": _restore,
    "restore_part": _of_the_past,
    "revert": _of_the_past,
    "forward": _forward,
    "document": _document,
    "entries": _row_with("grant"),
    "places": _row_with("grant"),
    "rights": _row_with("grant"),
    "reveal": _reveal,
}
# By the whole name of the address.
OWN: dict[str, Callable[[Case], str]] = {
    "healthz": _public,
    "readyz": _public,
    "metrics": _public,
    "login": _public,
    "logout": _public,
    "index": _everybodys(),
    "search": _everybodys(),
    "password_change": _everybodys("GET", "HEAD", "POST", "PUT", "OPTIONS"),
    "password_change_done": _everybodys("GET", "HEAD", "OPTIONS"),
    "jsi18n": _everybodys("GET", "HEAD", "OPTIONS"),
    "autocomplete": _autocomplete,
    "view_on_site": _row_only(),
    "app_list": _app_list,
    "anything else": lambda case: NOT_THERE,
    "jobs_job_progress": _row_only(),
    "jobs_job_cancel": _row_only("POST"),
    "jobs_job_retry": _row_only("POST"),
    "jobs_jobfile_download": _owners,
    "notices_read": _everybodys("POST"),
    "filtering_savedview_save": _save_view,
    "filtering_savedview_counts": _everybodys(*SAFE),
    "filtering_savedview_queue_take": _queue(),
    "filtering_savedview_queue_release": _queue(),
    # Without a row that is meant.
    "filtering_savedview_queue_skip": _queue(NOT_THERE),
    "filtering_savedview_queue_longer": _queue(NOT_THERE),
    "plans_plan_apply": _row_only("POST"),
    "plans_plan_discard": _row_only("POST"),
    "plans_plan_failed": _owners,
    "plans_plan_corrected": _owners,
    "plans_plan_rows": _row_only("POST"),
    "plans_plan_mapping": _row_only("POST"),
    "plans_plan_row": lambda case: NOT_THERE,
    "audit_accessevent_which_file": _everybodys("GET", "HEAD", "POST"),
    "audit_changeset_timeline": _everybodys(*SAFE, otherwise=REFUSED),
    "audit_changeset_sample": _everybodys(*SAFE, otherwise=REFUSED),
    "audit_changeset_evidence": _evidence,
    "audit_changeset_undo": _row_only(),
    "desk_review_open": _right("desk.view_review", methods=SAFE),
    "desk_review_sign": _right("desk.add_review"),
    "desk_review_verify": _right("desk.verify_record"),
    "desk_review_checkpoint": _right("desk.verify_record", NOT_THERE),
    "desk_review_public_key": _right("desk.verify_record", NOT_THERE),
    "desk_review_report": _right("desk.verify_record", NOT_THERE),
    "access_explain": _right("accounts.grant_user", methods=SAFE),
    "access_ask": _ask,
    "access_impersonate": _look_as,
    "access_impersonate_end": _everybodys("POST"),
    "access_glass": _right("granting.break_glass"),
    "access_glass_end": _everybodys("POST"),
    "accounts_user_assign": _assign,
    "accounts_role_file": _of_model("grant", "accounts.Role"),
    # It is noted as a file that was taken away, so it is not had by asking for its head.
    "accounts_role_file_fetch": _of_model("grant", "accounts.Role", "GET"),
    "granting_accessreview_open": _right("granting.add_accessreview"),
    "granting_accessreview_decide": _act_on("change"),
    "granting_accessreview_close": _act_on("change"),
    "granting_accessreview_evidence": _act_on("export"),
    "granting_elevation_roles": _right("granting.grant_emergencyrole"),
}

# Who explains rights is told whether there is a row with a number, and who may see it, wherever it is; of what it says,
# nothing (docs/administrators.md). With the right that it takes; to everybody else the two are alike.
TELL_WHAT_IS_THERE = {"access_explain": "accounts.grant_user"}

# Actions of lists that lead to a page of their own instead of to a plan, with the right that each asks for.
LIST_ACTIONS: dict[str, dict[str, str]] = {"accounts.User": {"assign": "grant"}}
