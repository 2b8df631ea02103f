"""Looking changes nothing, and nothing that can be asked tells a row elsewhere from one that never was."""

from __future__ import annotations

import itertools
import re
from typing import Any
from urllib.parse import unquote

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist
from django.db import ProgrammingError, connection, models, transaction
from django.test import Client

from tests.contracts.matrix.addresses import addresses, cases
from tests.contracts.matrix.rows import World
from tests.contracts.world import ids, page, registered

# What looking writes, each with the reason.
WRITTEN_BY_LOOKING = {
    "django_session": "who is logged in, until when",
    "audit_accessevent": "the ledger of reads",
    "axes_accesslog": "logins",
    "axes_accessattempt": "logins",
    "axes_accessfailurelog": "logins",
    "jobs_jobfile.downloads": "how often a file was fetched",
    "accounts_user.last_login": "logins",
}
LINK = re.compile(r'(?:href|hx-get|action)="(/[^"#]*)')


def checksums() -> dict[str, str]:
    """What stands in every table, without the columns that looking may write."""
    found = {}
    for table in connection.introspection.table_names():
        if table in WRITTEN_BY_LOOKING:
            continue
        left_out = [name.partition(".")[2] for name in WRITTEN_BY_LOOKING if name.startswith(f"{table}.")]
        columns = f"to_jsonb(t) - '{{{','.join(left_out)}}}'::text[]"
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(
                    f"SELECT md5(coalesce(string_agg(x, '|' ORDER BY x), '')) FROM (SELECT ({columns})::text AS x FROM \"{table}\" t) s"
                )
                found[table] = cursor.fetchone()[0]
        except ProgrammingError:
            continue  # what the runtime role may not read it may not write either
    return found


def links(text: str) -> list[str]:
    return [each.replace("&amp;", "&") for each in LINK.findall(text)]


class TestLooking:
    @pytest.mark.rights
    @pytest.mark.parametrize("name", ["superuser", "manager"])
    def test_changes_no_row(self, world, name):
        """Every address by GET, HEAD and OPTIONS, and the pages that they lead to, two links deep."""
        assert self._crawl(world, name, deep=2) > 300

    def test_changes_no_row_on_the_way(self, world):
        """A sample: every fifth address."""
        assert self._crawl(world, "superuser", deep=0, every=15) > 20

    def _crawl(self, world: World, name: str, *, deep: int, every: int = 1) -> int:
        """Looks around as somebody; how many pages were looked at."""
        client, asked = Client(), set()
        client.force_login(world.people[name].user)
        before = checksums()
        assert len(before) > 60
        waiting: list[tuple[str, int]] = []
        for address in addresses():
            for each in cases(address, world):
                if each.person.name == name and (each.row is None or each.row.state == "own"):
                    waiting.append((each.url, 0))
        waiting = waiting[::every]
        while waiting:
            url, depth = waiting.pop(0)
            shape = re.sub(r"\d+", "N", url) if depth else url
            if shape in asked or url.startswith(("/static/", "/logout")):
                continue
            asked.add(shape)
            for method in ("HEAD", "OPTIONS", "GET") if not depth else ("GET",):
                response = client.generic(method, url)
                assert response.status_code < 500 or url == "/readyz", (method, url)
                for close in response._resource_closers if method != "GET" else ():
                    close()  # of a HEAD nobody reads the file
            body = b"" if response.streaming else response.content
            if response.streaming:
                b"".join(response.streaming_content)
            if depth < deep and response.status_code == 200:
                waiting += [(link, depth + 1) for link in links(body.decode("utf-8", "replace"))]
        changed = {table for table, now in checksums().items() if now != before[table]}
        assert not changed
        return len(asked)

    def test_would_be_noticed_if_it_did(self, world):
        """The checksums see a change of one column of one row."""
        before = checksums()
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("UPDATE jobs_job SET phase = 'looked at' WHERE id = (SELECT max(id) FROM jobs_job)")
            assert {t for t, now in checksums().items() if now != before[t]} == {"jobs_job"}
            transaction.set_rollback(True)


# -- oracles ---------------------------------------------------------------------------------------


def _bare(text: str, *values: object) -> str:
    """A page without the value that was asked for, and without what differs each time."""
    text = unquote(text)
    for value in sorted(map(str, values), key=len, reverse=True):
        text = re.sub(rf"(?<![\w]){re.escape(value)}(?![\w])", "VALUE", text)
    text = re.sub(r'csrfmiddlewaretoken" value="[^"]*"|nonce="[^"]*"', "", text)
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?|\d\d:\d\d(:\d\d)?", "", text)


def _answer(client: Client, url: str, *values: object) -> list[str]:
    response = client.get(url)
    told = [str(response.status_code), response.headers.get("Location", ""), *response.text.splitlines()]
    return [_bare(line, *values).strip() for line in told]


def _told_apart(one: list[str], other: list[str]) -> list[tuple[str, str]]:
    """The lines by which two answers can be told apart."""
    pairs = [(a[:300], b[:300]) for a, b in itertools.zip_longest(one, other, fillvalue="") if a != b]
    return pairs[:3]


scoped = [each for each in registered() if getattr(each.model, "scopes", None)]


SAMPLE = ("customers.Customer", "orders.Order")


@pytest.mark.parametrize(
    "model_admin",
    [pytest.param(each, marks=() if each.opts.label in SAMPLE else pytest.mark.rights) for each in scoped],
    ids=ids,
)
class TestNobodyLearnsOfRowsElsewhere:
    """For somebody with every right at home: each question once about a row elsewhere, once about none."""

    @pytest.fixture
    def client(self, world):
        client = Client()
        client.force_login(world.people["manager"].user)
        return client

    def test_by_filters(self, world, model_admin, client):
        """A related row elsewhere and one that never was are refused in the same words."""
        asked = 0
        filterset = model_admin.get_filterset_class()
        for name, each in filterset.base_filters.items():
            *_, column = _path(model_admin.model, each.field_name)
            if not isinstance(column, models.ForeignKey) or (column.related_model, "foreign") not in world.rows:
                continue
            row = world.rows[column.related_model, "foreign"]
            if not row.places:
                continue
            url = page(model_admin, "changelist") + f"?{name}="
            keys = row.key, 99999977
            there, never = (_answer(client, f"{url}{key}", *keys) for key in keys)
            assert not _told_apart(there, never), name
            asked += 1
        assert asked or not any(
            isinstance(field, models.ForeignKey) and getattr(field.related_model, "scopes", None)
            for field in model_admin.model._meta.fields
            if field.name in filterset.base_filters
        )

    def test_by_lookups_that_no_filter_declares(self, world, model_admin, client):
        """`?name__startswith=` and the like find nothing, whether there is such a row or not."""
        canaries = {
            column: canary
            for canary, (row, column) in world.canaries.items()
            if row is world.rows[model_admin.model, "foreign"]
        }
        url = page(model_admin, "changelist")
        hops = [field.name for field in model_admin.model._meta.fields if isinstance(field, models.ForeignKey)]
        questions = [(f"{column}__startswith", canary[:-1], "ZZZ9999") for column, canary in canaries.items()]
        questions += [(f"{hop}__pk__gt", "0", "99999977") for hop in hops]
        questions += [
            ("id__in", str(world.rows[model_admin.model, "foreign"].key), "99999977"),
            ("pk", "1", "99999977"),
        ]
        for lookup, true, false in questions:
            answers = [_answer(client, f"{url}?{lookup}={value}", true, false) for value in (true, false)]
            assert not _told_apart(*answers), lookup
            assert "no rows are shown" in client.get(f"{url}?{lookup}={true}").text, lookup

    def test_by_searching(self, world, model_admin, client):
        for canary, (row, column) in list(world.canaries.items()):
            if row is not world.rows[model_admin.model, "foreign"] or column in ("note", "attachment"):
                continue
            url = page(model_admin, "changelist")
            there, never = (_answer(client, f"{url}?q={word}", canary, "ZZX99999") for word in (canary, "ZZX99999"))
            assert not _told_apart(there, never), column

    def test_by_ordering(self, world, model_admin, client):
        """However the list is ordered, the same own rows are on it."""
        pages = set()
        pattern = re.compile(re.escape(page(model_admin, "change", 0)).replace("0", r"(\d+)"))
        columns = range(1, len(model_admin.list_display) + 1)
        for order in [None, *columns, *(-each for each in columns), 99, "x"]:
            text = client.get(page(model_admin, "changelist") + (f"?o={order}" if order else "")).text
            pages.add(frozenset(pattern.findall(text)))
        assert len(pages) == 1

    def test_by_references_of_a_form(self, world, model_admin, client):
        """A foreign key to a row elsewhere is refused in the words for one that never was."""
        asked = 0
        if not model_admin.has_add_permission(_request(world)):
            pytest.skip("nobody adds any")
        for field in model_admin.model._meta.fields:
            related = getattr(field, "related_model", None)
            if not field.editable or not related or (related, "foreign") not in world.rows:
                continue
            row = world.rows[related, "foreign"]
            if not row.places:
                continue
            empty = _management_forms(client, model_admin)
            told = []
            for key in (row.key, 99999977):
                response = client.post(page(model_admin, "add"), {**empty, field.name: key})
                told.append(dict(response.context["adminform"].form.errors))
            assert told[0] == told[1], field.name
            assert field.name in told[0] or field.name not in response.context["adminform"].form.fields
            asked += 1
        assert asked


def _request(world: World) -> Any:
    return type("Request", (), {"user": world.people["manager"].user})()


def _management_forms(client: Client, model_admin: Any) -> dict[str, Any]:
    response = client.get(page(model_admin, "add"))
    formsets = [each.formset for each in response.context["inline_admin_formsets"]]
    return {
        f"{formset.prefix}-{name}": 0
        for formset in formsets
        for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")
    }


def _path(model: Any, path: str) -> list[models.Field]:
    found = []
    for hop in path.split("__"):
        try:
            field = model._meta.get_field(hop)
        except FieldDoesNotExist:  # a filter with a method of its own
            return [models.Field()]
        found.append(field)
        model = getattr(field, "related_model", None)
    return found


def test_every_table_that_looking_may_write_is_there():
    """An exemption for a table that is gone is taken from the list."""
    tables = {model._meta.db_table for model in apps.get_models()}
    assert {name.partition(".")[0] for name in WRITTEN_BY_LOOKING} <= tables
    assert admin.site._registry
