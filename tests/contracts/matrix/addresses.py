"""Every address that the resolver knows, and the requests that are made of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core import signing
from django.db import models
from django.urls import URLPattern, URLResolver, get_resolver
from django.views.generic import RedirectView

from admin_ext.admin.bulk import EDIT, SALT
from admin_ext.admin.screens.refusals import SALT as REFUSAL
from admin_ext.filtering.selection import Selection
from tests.contracts.matrix.expectations import LISTS, OWN, ROWS, Case
from tests.contracts.matrix.people import Person
from tests.contracts.matrix.rows import MISSING, Row, World, content_type_of

RARE = ("HEAD", "PUT", "DELETE", "OPTIONS")


class NoExpectation(AssertionError):
    """The resolver knows an address that no line in `expectations.py` is about."""


@dataclasses.dataclass(frozen=True)
class Address:
    """One pattern of the resolver: its route, what it is called, and the admin whose page it is."""

    route: str
    name: str
    kind: str
    model_admin: Any
    callback: Any
    arguments: tuple[str, ...]

    @property
    def rule(self) -> Callable[[Case], str]:
        return LISTS.get(self.kind) or ROWS.get(self.kind) or OWN[self.name]

    def url(self, **values: Any) -> str:
        found = self.route
        for argument in self.arguments:
            before, _, rest = found.partition("<")
            _, _, after = rest.partition(">")
            found = f"{before}{values[argument]}{after}"
        return f"/{found}"


def addresses() -> list[Address]:
    """All that have an expectation; the others are told by `without_expectation`."""
    return [each for each in _sorted_out() if isinstance(each, Address)]


def without_expectation() -> list[str]:
    """What to add for the others."""
    return [str(each) for each in _sorted_out() if isinstance(each, NoExpectation)]


def _sorted_out() -> Iterator[Address | NoExpectation]:
    for route, pattern in _walk(get_resolver(), ""):
        try:
            yield expectation_of(route, pattern)
        except NoExpectation as unknown:
            yield unknown


def _walk(resolver: Any, before: str) -> Iterator[tuple[str, URLPattern]]:
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            yield from _walk(each, before + str(each.pattern))
        else:
            yield before + str(each.pattern), each


def expectation_of(route: str, pattern: URLPattern) -> Address:
    """The address with the line that is about it. Raises NoExpectation."""
    name, arguments = pattern.name or "", tuple(pattern.pattern.converters)
    model_admin = _owner(route)
    if route == "(?P<url>.*)$":
        return Address("<url>", "anything else", "", None, pattern.callback, ("url",))
    if name == "app_list":
        return Address("<app_label>/", name, "", None, pattern.callback, ("app_label",))
    if name in OWN:
        return Address(route, name, "", model_admin, pattern.callback, arguments)
    if model_admin is not None:
        kind = (
            name.removeprefix(f"{model_admin.opts.app_label}_{model_admin.opts.model_name}_")
            if name
            else _kind(pattern)
        )
        if kind in (each.name for each in model_admin.documents):
            return Address(route, name, "document", model_admin, pattern.callback, arguments)
        if kind in LISTS or kind in ROWS:
            return Address(route, name, kind, model_admin, pattern.callback, arguments)
    raise NoExpectation(
        f"No expectation for /{route} (name {name or 'none'}). Say in tests/contracts/matrix/expectations.py what it "
        f"asks for: a line in OWN for “{name}”, or in LISTS or ROWS if every admin has such a page. If its arguments "
        "have new names, say in addresses.py what to fill in."
    )


def _kind(pattern: URLPattern) -> str:
    """Of an address without a name: Django's old ones of rows lead on, and no other is known."""
    return "forward" if getattr(pattern.callback, "view_class", None) is RedirectView else ""


def _owner(route: str) -> Any:
    """The admin below whose list the route lies."""
    for model_admin in admin.site._registry.values():
        if route.startswith(f"{model_admin.opts.app_label}/{model_admin.opts.model_name}/"):
            return model_admin
    return None


# -- requests --------------------------------------------------------------------------------------


# Pages that only show: there a POST is one of the rarer methods.
SHOWING = ("history", "compare", "attachment", "deleted_row", "forward", "document")
SHOWING_OWN = ("view_on_site", "audit_changeset_evidence", "app_list", "search", "autocomplete", "access_explain")


def cases(address: Address, world: World) -> Iterator[Case]:
    """Every person and row by GET, and by POST where that could change something; of the other methods each person
    makes one, in turns, all together all.
    """
    turn = 0
    shows = address.kind in SHOWING or address.name in SHOWING_OWN
    rare = ("POST", *RARE) if shows else RARE
    for person in world.people.values():
        for url, row, chosen, data in _targets(address, world, person):
            state = row.state if row else "own"
            methods = [] if state == "deleted-foreign" and address.kind not in ("deleted_row", "restore") else ["GET"]
            if state in ("own", "foreign", "missing") or address.kind == "restore":
                methods += [] if shows else ["POST"]
            if state == "own":
                methods.append(rare[turn % len(rare)])
            if not person.enters and state != "own":
                methods = []
            turn += 1
            for method in methods:
                yield Case(address.name or address.kind, url, method, person, address.model_admin, row, chosen, data)


Target = tuple[str, Row | None, Any, dict[str, Any] | None]


def _targets(address: Address, world: World, person: Person) -> Iterator[Target]:
    if address.name in QUERIES:
        yield from QUERIES[address.name](address, world, person)
    elif not address.arguments:
        yield address.url(), None, None, None
    else:
        model = address.model_admin.model
        for state in world.states(model):
            row = world.row(model, state, person)
            if row is None:
                continue
            fill = FILLED.get(address.name) or FILLED.get(address.kind) or _key_alone
            yield from fill(address, row, world, person)


def _key_alone(address: Address, row: Row, world: World, person: Person) -> Iterator[Target]:
    yield address.url(**{address.arguments[0]: row.key}), row, None, None


def _verbs(address: Address, row: Row, world: World, person: Person) -> Iterator[Target]:
    for verb in address.model_admin.verbs:
        yield address.url(object_id=row.key, verb=verb.name), row, verb, None
    if not address.model_admin.verbs or row.state == "own":
        yield address.url(object_id=row.key, verb="no-such-verb"), row, None, None


def _bulk_verbs(address: Address, row: Row, world: World, person: Person) -> Iterator[Target]:
    """With a selection of the row alone: nobody's page may tell of it who may not see it."""
    selection = signing.dumps(Selection.picked(row.model, [row.key]).to_json(), salt=SALT)
    query = urlencode({"selection": selection})
    for verb in address.model_admin.verbs:
        if verb.bulk:
            yield f"{address.url(verb=verb.name)}?{query}", row, verb, {"selection": selection}
    yield f"{address.url(verb=EDIT)}?{query}", row, EDIT, {"selection": selection}
    if row.state == "own":
        yield f"{address.url(verb='no-such-verb')}?{query}", row, None, {"selection": selection}
        yield address.url(verb=EDIT), row, "unsigned", None


def _attachments(address: Address, row: Row, world: World, person: Person) -> Iterator[Target]:
    yield address.url(object_id=row.key, key=row.attachment), row, _its(row.attachment), None
    foreign = world.rows.get((row.model, "foreign"))
    if row.state == "own" and foreign and foreign is not row:
        yield address.url(object_id=row.key, key=foreign.attachment), row, "another's", None


def _history_rows(address: Address, row: Row, world: World, person: Person) -> Iterator[Target]:
    part = row.model._meta.model_name
    known = {"object_id": row.key, "part": part}
    url = address.url(**known, history_id=row.first_history)
    yield f"{url}?to=after", row, _its(row.first_history), None
    foreign = world.rows.get((row.model, "foreign"))
    if row.state == "own" and foreign and foreign is not row:
        yield address.url(**known, history_id=foreign.first_history) + "?to=after", row, "another's", None


def _parts(address: Address, row: Row, world: World, person: Person) -> Iterator[Target]:
    yield address.url(object_id=row.key, part=row.model._meta.model_name, key=row.key), row, "another's", None


def _its(key: int) -> str:
    return "another's" if key == MISSING else "its own"


def _documents(address: Address, row: Row, world: World, person: Person) -> Iterator[Target]:
    name = address.name.rpartition("_")[2]
    document = next(each for each in address.model_admin.documents if each.name == name)
    yield address.url(object_id=row.key), row, document, None


def _files(address: Address, row: Row, world: World, person: Person) -> Iterator[Target]:
    yield address.url(key=row.file), row, None, None


def _plans(address: Address, row: Row, world: World, person: Person) -> Iterator[Target]:
    yield address.url(key=row.key), row, None, {"mode": "keep_good"}


def _looks(address: Address, row: Row, world: World, person: Person) -> Iterator[Target]:
    """Nobody of the world had a file looked at, and a job of another kind is none."""
    yield address.url(job=MISSING), row, None, None


def _plan_rows(address: Address, row: Row, world: World, person: Person) -> Iterator[Target]:
    """The plans of the world have no rows: a row of one is not there, whoever asks."""
    yield address.url(key=row.key, number=1), row, None, None


def _reports(address: Address, row: Row, world: World, person: Person) -> Iterator[Target]:
    if row.state == "missing":
        yield address.url(key=row.key), row, None, None


def _reveals(address: Address, row: Row, world: World, person: Person) -> Iterator[Target]:
    """Of every column that anybody meets as dots; and of the own row one that is told, and another's value."""
    masked = sorted({name for each in world.people.values() for model, name in each.masked if model is row.model})
    part = row.model._meta.model_name
    for name in masked or ["id"]:
        yield address.url(object_id=row.key, part=part, key=row.key, field=name), row, name, None
    if row.state == "own":
        yield address.url(object_id=row.key, part=part, key=row.key, field="id"), row, "id", None
        for name in masked:
            url = address.url(object_id=row.key, part=part, key=MISSING, field=name)
            yield url, row, "of another row", None


def _decisions(address: Address, row: Row, world: World, person: Person) -> Iterator[Target]:
    yield address.url(key=row.key, item=row.item), row, None, {"decision": "keep"}


FILLED: dict[str, Callable[..., Iterator[Target]]] = {
    "do": _verbs,
    "bulk": _bulk_verbs,
    "attachment": _attachments,
    "revert": _history_rows,
    "restore_part": _parts,
    "document": _documents,
    "jobs_jobfile_download": _files,
    "plans_plan_apply": _plans,
    "plans_plan_row": _plan_rows,
    "import_map": _looks,
    "desk_review_report": _reports,
    "reveal": _reveals,
    "granting_accessreview_decide": _decisions,
}


# -- addresses whose rows are in the query, or that are about all models ---------------------------


def _shortcuts(address: Address, world: World, person: Person) -> Iterator[Target]:
    for model in _models(world):
        for state in world.states(model):
            if row := world.row(model, state, person):
                url = address.url(content_type_id=content_type_of(model), object_id=row.key)
                yield url, row, None, None


def _apps(address: Address, world: World, person: Person) -> Iterator[Target]:
    for label in sorted({model._meta.app_label for model in _models(world)}):
        yield address.url(app_label=label), None, label, None


def _anything(address: Address, world: World, person: Person) -> Iterator[Target]:
    yield "/no/such/page/", None, None, None


def _searches(address: Address, world: World, person: Person) -> Iterator[Target]:
    for term in ("QZX", "a", "%", "1"):
        yield f"{address.url()}?{urlencode({'s': term, 'extended': 1})}", None, None, None
    for (row, _), canary in zip(world.canaries.values(), world.canaries, strict=True):
        if row.state == "foreign" and int(canary[3:]) % 5 == 0:
            # What was sought is not repeated by the page: lower case is no canary.
            yield f"{address.url()}?{urlencode({'s': canary[:-1].lower(), 'extended': 1})}", None, None, None


def _autocompletes(address: Address, world: World, person: Person) -> Iterator[Target]:
    for model in _models(world):
        for field in model._meta.fields:
            if not isinstance(field, models.ForeignKey):
                continue
            query = {
                "app_label": model._meta.app_label,
                "model_name": model._meta.model_name,
                "field_name": field.name,
                "term": "QZX",
            }
            registered = field.related_model in admin.site._registry
            offered = field.related_model if registered else None
            yield f"{address.url()}?{urlencode(query)}", None, offered, None
    yield f"{address.url()}?app_label=no&model_name=such&field_name=thing", None, None, None


def _evidence(address: Address, world: World, person: Person) -> Iterator[Target]:
    act = next(model for model in _models(world) if model._meta.label == "audit.ChangeSet")
    for state in world.states(act):
        if row := world.row(act, state, person):
            yield f"{address.url()}?of=act&act={row.key}", row, "act", None
    for model in _models(world):
        if not getattr(model, "history", None) or model._meta.label == "desk.Review":
            continue
        for state in world.states(model):
            if row := world.row(model, state, person):
                yield f"{address.url()}?of=life&model={model._meta.label}&key={row.key}", row, "life", None
    yield address.url(), None, "nothing", None


def _explanations(address: Address, world: World, person: Person) -> Iterator[Target]:
    """Why somebody may see a row, and who may at all."""
    asked = world.people["operator"].pk
    for model in _models(world):
        for state in ("own", "foreign", "missing"):
            if row := world.row(model, state, person):
                query = {"model": model._meta.label, "row": row.key, "action": "view"}
                yield f"{address.url()}?{urlencode(query)}", row, "who", None
                yield f"{address.url()}?{urlencode({'user': asked, **query})}", row, "why", None
    yield address.url(), None, None, None


def _references(address: Address, world: World, person: Person) -> Iterator[Target]:
    for key, whose in ((person.pk, "its own"), (world.people["superuser"].pk, "another's")):
        if whose == "its own" or key != person.pk:
            reference = signing.dumps({"u": key, "p": f"/orders/order/{MISSING}/change/", "m": "GET"}, salt=REFUSAL)
            yield f"{address.url()}?{urlencode({'reference': reference})}", None, whose, None
    yield address.url(), None, "unsigned", None


def _people(address: Address, world: World, person: Person) -> Iterator[Target]:
    model = get_user_model()
    for state in world.states(model):
        if row := world.row(model, state, person):
            yield address.url(key=row.key), row, None, None


def _chosen_people(address: Address, world: World, person: Person) -> Iterator[Target]:
    model = get_user_model()
    for state in world.states(model):
        if row := world.row(model, state, person):
            selection = signing.dumps(Selection.picked(model, [row.key]).to_json(), salt=SALT)
            yield f"{address.url()}?{urlencode({'selection': selection})}", row, None, {"selection": selection}
    yield address.url(), None, "unsigned", None
    another = next(each for each in _models(world) if each._meta.label == "customers.Customer")
    chosen = Selection.picked(another, [world.rows[another, "own"].key]).to_json()
    query = urlencode({"selection": signing.dumps(chosen, salt=SALT)})
    yield f"{address.url()}?{query}", None, "another list's", None


def _lists_to_save(address: Address, world: World, person: Person) -> Iterator[Target]:
    """Every list, and one that there is not; over no view, and over somebody else's."""
    for model in _models(world):
        said = {"list": model._meta.label, "_state": "_columns=", "name": f"View of {person.name}"}
        yield f"{address.url()}?{urlencode(said)}", None, model, said
    yield f"{address.url()}?list=no.Such", None, None, {"list": "no.Such"}
    view = next(each for each in _models(world) if each._meta.label == "filtering.SavedView")
    foreign = world.rows[view, "foreign"]
    if not (person.is_superuser or "filtering.view_savedview" in person.rights):
        over = {"list": foreign.instance.model, "view": str(foreign.key), "name": "x"}
        yield f"{address.url()}?{urlencode(over)}", None, None, over


def _models(world: World) -> list[Any]:
    return sorted({model for model, _ in world.rows}, key=lambda model: model._meta.label)


QUERIES: dict[str, Callable[..., Iterator[Target]]] = {
    "view_on_site": _shortcuts,
    "app_list": _apps,
    "anything else": _anything,
    "search": _searches,
    "autocomplete": _autocompletes,
    "audit_changeset_evidence": _evidence,
    "access_explain": _explanations,
    "access_ask": _references,
    "access_impersonate": _people,
    "accounts_user_assign": _chosen_people,
    "filtering_savedview_save": _lists_to_save,
}
