"""What nobody's browser sends: every form and list of the product, mutated, leaves no effect outside the sender's rights.

What a request did is read off the record, which misses no row (`test_history_is_kept`), and off the tables that are not
on it; every twentieth time the whole database is compared as well. Each request is undone.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.contrib import admin
from django.core import signing
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, models, transaction
from django.test import Client
from django.urls import reverse

from admin_ext.admin.bulk import SALT
from admin_ext.admin.verbs import RecordField
from admin_ext.audit.history import tracked_models
from admin_ext.filtering.selection import Selection
from tests.contracts.matrix.expectations import holds, is_inside, may
from tests.contracts.matrix.rows import CANARY, MISSING, Row, World, _places_of, _row_of
from tests.contracts.matrix.test_get_is_safe import checksums
from tests.contracts.world import ids, page, registered

SENDERS = ("manager", "operator", "viewer")
NOT_ON_RECORD = (
    "auth_group_permissions",
    "accounts_user",
    "desk_review",
    "transfers_profile",
    "jobs_job",
    "jobs_jobfile",
    "plans_plan",
    "notices_notice",
    "django_content_type",
    "auth_permission",
)
BAD = (
    "\x00",
    "-1",
    "x",
    str(2**63),
    "9" * 400,
    "%",
    "'; DROP TABLE x; --",
    "\u202e" + "a" * 5,
    "1e9",
    "NaN",
    "<b>",
    "",
)
# Stands for a body that is no form.
JSON = "(JSON)"
Sent = tuple[str, dict[str, Any]]


class _Undone(Exception):
    """Takes a request back, or ends the world."""


# -- what a browser would send ---------------------------------------------------------------------


def filled(client: Client, url: str) -> dict[str, Any]:
    """A form as it stands on its page."""
    response = client.get(url)
    if response.status_code != 200 or not response.context or "adminform" not in response.context:
        return {}
    forms = [response.context["adminform"].form]
    data: dict[str, Any] = {}
    for each in response.context["inline_admin_formsets"]:
        forms += [each.formset.management_form, *each.formset.initial_forms]
    for form in forms:
        for name in form.fields:
            value = form[name].value()
            if value is None or value == "" or value is False:
                continue
            data[form.add_prefix(name)] = getattr(value, "pk", value)
    return data


def mutations(world: World, model_admin: Any, client: Client) -> Iterator[Sent]:
    """Everything forged that can be sent to the pages of one admin."""
    model = model_admin.model
    own, foreign = world.row(model, "own", world.people["manager"]), world.rows.get((model, "foreign"))
    assert own is not None
    change, add, changelist = (
        page(model_admin, "change", own.key),
        page(model_admin, "add"),
        page(model_admin, "changelist"),
    )
    elsewhere = page(model_admin, "change", foreign.key) if foreign else change
    data = filled(client, change)
    yield change, data
    yield elsewhere, data
    yield add, data
    for url in (change, add):
        yield from _of_fields(world, model_admin, url, data)
        yield from _of_counters(url, data)
        yield from _of_addresses(world, url, data, foreign)
    yield from _of_inlines(world, model_admin, change, data)
    # As many forms as a page can have take long to show: asked once for each admin.
    yield change, {**data, **{name: str(10**30) for name in data if name.endswith("-TOTAL_FORMS")}}
    yield from _of_lists(world, model_admin, changelist, own, foreign)
    yield from _of_verbs(world, model_admin, own, foreign)
    yield from _of_other_pages(world, model_admin, own, foreign)


def _of_fields(world: World, model_admin: Any, url: str, data: dict[str, Any]) -> Iterator[Sent]:
    for field in model_admin.model._meta.get_fields():
        name = field.name
        related = getattr(field, "related_model", None)
        row = world.rows.get((related, "foreign")) if related else None
        if row:
            yield url, {**data, name: row.key}
            yield url, {**data, f"{name}_id": row.key}
        if field.concrete and not field.is_relation:
            for value in {field.name: True, "planted": "planted"}.values():
                yield url, {**data, name: value}
        yield url, {**data, name: MISSING}
        yield url, {**data, name: BAD[len(name) % len(BAD)]}
    for name in [*data, "_reason"]:
        if "-" not in name:
            for value in (BAD[0], BAD[4], BAD[7], "a" * 100_000):
                yield url, {**data, name: value}
            yield url, {key: value for key, value in data.items() if key != name}
    for name in (
        "id",
        "pk",
        "version",
        "record_version",
        "created_at",
        "history",
        "is_superuser",
        "groups",
        "password",
    ):
        for value in ("1", str(MISSING), *BAD[:4]):
            yield url, {**data, name: value}


def _of_counters(url: str, data: dict[str, Any]) -> Iterator[Sent]:
    prefixes = {name.partition("-")[0] for name in data if name.endswith("-TOTAL_FORMS")} or {"form"}
    for prefix in sorted(prefixes):
        for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS"):
            for value in ("", "-1", "x", "2", "\x00", "1.5"):
                yield url, {**data, f"{prefix}-{name}": value}
            yield url, {key: value for key, value in data.items() if key != f"{prefix}-{name}"}
        both = {f"{prefix}-TOTAL_FORMS": "3", f"{prefix}-INITIAL_FORMS": "3"}
        yield url, {**data, **both}


def _of_addresses(world: World, url: str, data: dict[str, Any], foreign: Row | None) -> Iterator[Sent]:
    key = foreign.key if foreign else MISSING
    for asked in (
        {"_to_field": "id"},
        {"_to_field": "password"},
        {"_to_field": "user__password"},
        {"_popup": "1"},
        {"_popup": "1", "_to_field": "code"},
        {"_changelist_filters": f"id={key}&q=%00"},
        {"_asof": "2026-01-01T00:00"},
        {"_popup": "1", "_source_model": "auth.user"},
    ):
        yield f"{url}?{urlencode(asked)}", data
        yield url, {**data, **asked}
    for name in ("_saveasnew", "_addanother", "_continue", "_save"):
        yield url, {**data, name: "1"}
        yield url, {**data, name: "1", "id": key, "pk": key}


def _of_inlines(world: World, model_admin: Any, url: str, data: dict[str, Any]) -> Iterator[Sent]:
    """Lines of other parents, there and elsewhere."""
    for inline in model_admin.inlines:
        part = inline.model
        column = next(
            f for f in part._meta.fields if getattr(f, "related_model", None) in _with_proxies(model_admin.model)
        )
        prefix = column.remote_field.get_accessor_name()
        for line in part._base_manager.order_by("pk")[:6]:
            values = {f"{prefix}-0-{f.name}": f.value_from_object(line) for f in part._meta.concrete_fields}
            values = {name: value for name, value in values.items() if value is not None}
            one = {f"{prefix}-TOTAL_FORMS": "1", f"{prefix}-INITIAL_FORMS": "1", f"{prefix}-0-id": line.pk}
            new = {**one, f"{prefix}-INITIAL_FORMS": "0"}
            for more in ({}, {f"{prefix}-0-DELETE": "on"}, {f"{prefix}-0-record_version": "1"}):
                yield url, {**data, **values, **one, **more}
                yield url, {**data, **values, **new, **more}
            for row in world.rows.values():
                if row.model is model_admin.model:
                    yield url, {**data, **values, **new, f"{prefix}-0-{column.name}": row.key}
            for field in part._meta.fields:
                target = world.rows.get((getattr(field, "related_model", None), "foreign"))
                if target:
                    yield url, {**data, **values, **new, f"{prefix}-0-{field.name}": target.key, f"{prefix}-0-id": ""}
        for value in BAD:
            counters = {f"{prefix}-TOTAL_FORMS": "1", f"{prefix}-INITIAL_FORMS": "1"}
            yield url, {**data, **counters, f"{prefix}-0-id": value}


def _with_proxies(model: Any) -> set[Any]:
    return {model, model._meta.concrete_model, *model._meta.concrete_model.__subclasses__()}


def _of_lists(world: World, model_admin: Any, url: str, own: Row, foreign: Row | None) -> Iterator[Sent]:
    keys: list[Any] = [own.key, foreign.key if foreign else MISSING, MISSING, *BAD]
    actions = [
        *(verb.name for verb in model_admin.verbs),
        "edit",
        "delete_selected",
        "export_admin_action",
        "no-such",
        "\x00",
        "",
    ]
    for action in actions:
        for across in ("0", "1", "x"):
            yield url, {"action": action, "_selected_action": keys, "select_across": across, "index": "0"}
        yield url, {"action": action, "_selected_action": [keys[1]], "index": "99", "post": "yes"}
    for lie in ({"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1"}, {"form-TOTAL_FORMS": "x"}, {}):
        for key in keys[:4]:
            names = {f"form-0-{field.name}": "1" for field in model_admin.model._meta.concrete_fields}
            yield url, {**names, **lie, "form-0-id": key, "_save": "Save"}
    yield f"{url}?{urlencode({'o': '1.-2.99.x', 'p': '-1', 'q': chr(0), 'all': ''})}", {"_save": "1"}


def _of_verbs(world: World, model_admin: Any, own: Row, foreign: Row | None) -> Iterator[Sent]:
    for verb in model_admin.verbs:
        fields = getattr(verb.form, "base_fields", {})
        good = dict.fromkeys(fields, "1") | {"reason": "Forged"}
        for row in filter(None, (own, foreign)):
            url = page(model_admin, "do", row.key, verb.name)
            yield url, good
            yield (
                url,
                {**good, "actor": world.people["superuser"].pk, "order": MISSING, "user": MISSING, "row": MISSING},
            )
            for name, field in fields.items():
                for value in BAD[:6]:
                    yield url, {**good, name: value}
                for target in world.rows.values():
                    if isinstance(field, RecordField) and target.state == "foreign":
                        yield url, {**good, name: target.key}
        for token in _selections(world, model_admin, own, foreign):
            if verb.bulk:
                yield page(model_admin, "bulk", verb.name), {**good, "selection": token, "_go": "1"}
    for token in _selections(world, model_admin, own, foreign):
        for name in (*model_admin.bulk_edit_fields, "id", "version", "status", "is_superuser"):
            change = {f"do-{name}": "set", f"value-{name}": "1", "reason": "Forged", "_go": "1"}
            yield page(model_admin, "bulk", "edit"), {**change, "selection": token}
        for name in ("groups", "user_set", "members", "teams"):
            for key in (own.key, MISSING, *BAD[:6]):
                join = {f"do-{name}": "add", f"rows-{name}": [key], "reason": "Forged", "_go": "1"}
                yield page(model_admin, "bulk", "edit"), {**join, "selection": token}


def _selections(world: World, model_admin: Any, own: Row, foreign: Row | None) -> list[str]:
    """Signed ones of these rows, of rows elsewhere and of another list; and one that nobody signed."""
    picked = Selection.picked(model_admin.model, [own.key, foreign.key if foreign else MISSING])
    other = next(each.model for each in registered() if each.model is not model_admin.model)
    signed = [signing.dumps(each.to_json(), salt=SALT) for each in (picked, Selection.picked(other, [own.key]))]
    return [*signed, signing.dumps(picked.to_json(), salt="other"), signed[0][:-2] + "xx", "x"]


def _of_other_pages(world: World, model_admin: Any, own: Row, foreign: Row | None) -> Iterator[Sent]:
    for row in filter(None, (own, foreign)):
        plant = {
            "content_type": "1",
            "content_type_id": "1",
            "object_id": MISSING,
            "record": MISSING,
            "author": MISSING,
        }
        for text in ("Forged", *BAD):
            yield page(model_admin, "note", row.key), {**plant, "text": text}
        for name in ("x.txt", "../../x", "a" * 300, "\u202etxt.exe", "x\x00.txt"):
            yield page(model_admin, "attach", row.key), {**plant, "file": SimpleUploadedFile("x", b"x"), "name": name}
        yield page(model_admin, "delete", row.key), {"post": "yes", "_reason": "Forged"}
        for key in (row.first_history, MISSING):
            url = page(model_admin, "revert", row.key, model_admin.opts.model_name, key)
            names = [field.name for field in model_admin.model._meta.concrete_fields]
            yield f"{url}?to=after", {"_go": "1", "fields_back": names, "reason": "Forged"}
            yield f"{url}?to={quote('; x')}&field=password", {"_go": "1", "fields_back": ["password"], "reason": "x"}
    for state in ("deleted", "deleted-foreign"):
        if gone := world.rows.get((model_admin.model, state)):
            yield page(model_admin, "restore", gone.key), {"_go": "1", "reason": "Forged"}
    for columns in (["password"], ["id"], ["pk"], [BAD[0]], [], "x"):
        yield page(model_admin, "export"), {"format": "csv", "columns": columns}
        yield page(model_admin, "export") + "?id__in=1&x=\x00", {"format": "exe", "columns": columns}
    for name in ("", "no-such", BAD[0], f"{CANARY}"):
        yield page(model_admin, "import"), {"file": SimpleUploadedFile("x.csv", b"id\n1\n"), "profile": name}
    yield from _of_grids(model_admin, own, foreign)
    for row in filter(None, (own, foreign)):
        for version in ("1", *BAD):
            yield page(model_admin, "presence", row.key), {"record_version": version, "user": MISSING, "model": "x"}
    yield page(model_admin, "changes"), {"format": "csv"}
    yield page(model_admin, "changes") + "?_since=2026-01-01T00:00&_until=x", {"format": "\x00"}


def _of_grids(model_admin: Any, own: Row, foreign: Row | None) -> Iterator[Sent]:
    """Cells of rows elsewhere, of columns that are no grid's, of versions that never were; sent as JSON."""
    url = page(model_admin, "grid")
    names = [field.name for field in model_admin.model._meta.concrete_fields]
    for key in (own.key, foreign.key if foreign else MISSING, MISSING):
        for name in (*names, "no_such", "\x00", "pk"):
            sent = {"key": key, "version": 1, "cells": {name: str(foreign.key if foreign else 1)}}
            yield url, {JSON: {"rows": [sent], "reason": "Forged"}}
        for number, value in enumerate(BAD):
            cells = dict.fromkeys(names[number::3], value)
            yield url, {JSON: {"rows": [{"key": key, "version": 1, "cells": cells}], "reason": value}}
    for odd in (
        None,
        [],
        {"rows": None},
        {"rows": [{"key": BAD[4]}]},
        {"rows": [{"key": 2**70, "version": 1, "cells": {}}]},
    ):
        yield url, {JSON: odd}


# -- what it did -----------------------------------------------------------------------------------


class Watcher:
    """Knows the database before a request, and tells what a request did to it."""

    def __init__(self, world: World) -> None:
        self.world = world
        tables = {model: model.history.model._meta.db_table for model in tracked_models()}
        self.tables = tables
        with connection.cursor() as cursor:
            cursor.execute(
                " UNION ALL ".join(f'SELECT coalesce(max(history_id), 0) FROM "{t}"' for t in tables.values())
            )
            self.last = dict(zip(tables, (row[0] for row in cursor.fetchall()), strict=True))
        self.whole = checksums()
        self.beside = self._beside()

    def touched(self) -> list[tuple[Any, int, str, list[str]]]:
        """Rows of the record written since: model, key, kind, changed columns."""
        numbered = list(self.tables.items())
        sql = " UNION ALL ".join(
            f'SELECT {n}, id, history_type, changed FROM "{table}" WHERE history_id > {self.last[model]}'
            for n, (model, table) in enumerate(numbered)
        )
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return [(numbered[n][0], key, kind, changed or []) for n, key, kind, changed in cursor.fetchall()]

    def _beside(self) -> list[Any]:
        """People's rights and flags, and whose jobs and plans there are."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT (SELECT count(*) FROM auth_group_permissions), "
                "(SELECT md5(string_agg(id || is_superuser::text || is_staff || is_active || password, ',' ORDER BY id)) "
                "FROM accounts_user WHERE username LIKE 'matrix-%'), (SELECT count(*) FROM accounts_membership)"
            )
            return list(cursor.fetchone())


def wrong_effects(watcher: Watcher, sender: Any, model_admin: Any, url: str) -> Iterator[str]:
    """Effects that the sender has no right to."""
    world = watcher.world
    for model, key, kind, changed in watcher.touched():
        label = f"{model._meta.label} #{key}"
        row = next((each for each in world.rows.values() if each.model is model and each.key == key), None)
        if sender.name == "viewer":
            yield f"{kind} {label} by somebody who may only look"
        elif kind == "+":
            instance = model._base_manager.filter(pk=key).first()
            whole = _row_of(world, instance) if instance is not None else None
            places = _places_of(instance) if instance is not None and getattr(model, "scopes", None) else {}
            new = whole or Row(model, key, "new", places)
            # A new place is below nothing yet: whoever may hand over may put it there.
            root = getattr(model, "dimension", "") and holds(sender, "handover", model)
            if not is_inside(sender, new) and not root:
                yield f"{kind} {label} in a place where the sender does not work"
        elif row is not None and not may(sender, "view", row):
            yield f"{kind} {label}, a row elsewhere"
        elif row is None:
            part = _row_of(world, model._base_manager.filter(pk=key).first()) if kind == "~" else None
            if part is not None and not is_inside(sender, part):
                yield f"{kind} {label}, below a row elsewhere"
        if kind == "~" and model is model_admin.model and "/do/" not in url and "/bulk/" not in url:
            controlled = {model._meta.get_field(name).column for name in getattr(model, "controlled_fields", ())}
            if controlled & set(changed):
                yield f"{kind} {label}: {sorted(controlled & set(changed))} are written by services alone"
    if watcher.beside != watcher._beside() and sender.name == "viewer":
        yield "somebody's rights or password"


def send(client: Client, url: str, data: dict[str, Any]) -> Any:
    files = {name: value for name, value in data.items() if hasattr(value, "read")}
    if files:
        return client.post(url, data)
    if JSON in data:
        return client.post(url, json.dumps(data[JSON]), content_type="application/json")
    return client.post(url, urlencode(data, doseq=True), content_type="application/x-www-form-urlencoded")


def deviations(
    watcher: Watcher, model_admin: Any, sender: Any, client: Client, sent: Sent, *, whole: bool
) -> list[str]:
    url, data = sent
    odd = {name: str(value)[:40] for name, value in data.items() if not isinstance(value, int)}
    told = f"{sender} {url[:90]} {str(odd)[-300:]}"
    wrong: list[str] = []
    try:
        with transaction.atomic():
            cookies = client.cookies.copy()
            response = send(client, url, data)
            if response.status_code >= 500:
                wrong.append(f"{told}: {response.status_code}")
            wrong += [f"{told}: {effect}" for effect in wrong_effects(watcher, sender, model_admin, url)]
            if whole and sender.name == "viewer":
                now = checksums()
                changed = {table for table in now if now[table] != watcher.whole[table]}
                # Whoever looks may take back their own jobs and read their own notices.
                wrong += [f"{told}: {table} changed" for table in changed - {"jobs_job", "jobs_jobevent", "plans_plan"}]
            raise _Undone
    except _Undone:
        pass
    except Exception as error:  # a fault of the product; all are told at once
        wrong.append(f"{told}: {type(error).__name__}: {str(error)[:200]}")
    client.cookies = cookies
    return wrong


@pytest.fixture(scope="module")
def watcher(world: World) -> Watcher:
    return Watcher(world)


def _clients(world: World) -> dict[str, Client]:
    clients = {}
    for name in SENDERS:
        clients[name] = Client()
        clients[name].force_login(world.people[name].user)
    return clients


@pytest.mark.rights
@pytest.mark.parametrize("model_admin", registered(), ids=ids)
def test_no_forged_post_has_an_effect_outside_rights(watcher, model_admin):
    clients = _clients(watcher.world)
    wrong: list[str] = []
    sent = list(mutations(watcher.world, model_admin, clients["manager"]))
    for number, each in enumerate(sent):
        name = SENDERS[number % len(SENDERS)]
        sender = watcher.world.people[name]
        wrong += deviations(watcher, model_admin, sender, clients[name], each, whole=number % 20 == 2)
    assert not wrong, f"{len(wrong)} of {len(sent)}:\n" + "\n".join(wrong[:25])
    assert len(sent) >= 90
    print(f"forged: {len(sent):,} mutations, no effect outside rights")


def test_a_sample_has_no_effect_outside_rights(watcher):
    lots, wrong, clients = random.Random(4), [], _clients(watcher.world)
    for model_admin in registered():
        sent = list(mutations(watcher.world, model_admin, clients["manager"]))
        small = [each for each in sent if str(10**30) not in each[1].values()]
        for each in lots.sample(small, 3):
            name = lots.choice(SENDERS)
            sender = watcher.world.people[name]
            wrong += deviations(watcher, model_admin, sender, clients[name], each, whole=False)
    assert not wrong, "\n".join(wrong)


class TestTheWatcher:
    """The judge sees what it is to see."""

    def test_sees_a_write_to_a_row_elsewhere(self, watcher):
        world = watcher.world
        model = next(each.model for each in registered() if each.opts.label == "customers.Customer")
        row = world.rows[model, "foreign"]
        with transaction.atomic():
            from admin_ext.audit.context import change_set

            with change_set(actor=None, door="shell", verb="tests.arrange"):
                model.objects.filter(pk=row.key).update(city="Elsewhere")
            told = list(wrong_effects(watcher, world.people["manager"], admin.site._registry[model], "/"))
            transaction.set_rollback(True)
        assert told == [f"~ customers.Customer #{row.key}, a row elsewhere"]

    def test_sees_a_controlled_column_move(self, watcher):
        world = watcher.world
        model = next(each.model for each in registered() if each.opts.label == "customers.Customer")
        row = world.rows[model, "own"]
        with transaction.atomic():
            from admin_ext.audit.context import change_set

            with change_set(actor=None, door="shell", verb="tests.arrange"):
                model.objects.filter(pk=row.key).update(status="closed")
            told = list(wrong_effects(watcher, world.people["manager"], admin.site._registry[model], "/"))
            transaction.set_rollback(True)
        assert len(told) == 1 and "written by services alone" in told[0]

    def test_there_are_enough_mutations(self, watcher):
        client = _clients(watcher.world)["manager"]
        total = sum(sum(1 for _ in mutations(watcher.world, each, client)) for each in registered())
        print(f"forged: {total:,} mutations")
        assert total >= 2_000
        assert reverse("admin:index") == "/"
        assert models
