"""What changed in a view between two instants: every row that differs, nothing else, with its fields."""

from __future__ import annotations

import csv
import random
from urllib.parse import urlencode

import pytest
from django.urls import reverse
from python_calamine import CalamineWorkbook

from admin_ext.admin.instants import written
from admin_ext.audit.context import change_set
from admin_ext.filtering import changes as module
from admin_ext.filtering.changes import changes_between
from admin_ext.filtering.selection import Selection
from admin_ext.jobs.models import Job
from admin_ext.jobs.running import run_job
from apps.customers.models import Customer
from apps.orders.models import Order
from tests.apps.orders.factories import OrderFactory
from tests.contracts.world import person_for
from tests.factories import CustomerFactory, RegionFactory, UserFactory, give_role, grant
from tests.moments import moment

pytestmark = pytest.mark.django_db
PAGE = reverse("admin:customers_customer_changes")


def changed(row, **values):
    with change_set(actor=None, door="shell", reason="Agreed"):
        type(row)._base_manager.filter(pk=row.pk).update(**values)


def deleted(row):
    with change_set(actor=None, door="shell"):
        row.delete()


@pytest.fixture
def analyst():
    return give_role(person_for(Customer), "customers.view_region")


def found(actor, since, until=None, model=Customer, **selection):
    changes = changes_between(
        Selection(model=model._meta.label, **selection), actor=actor, since=since, until=until or moment()
    )
    return {kind: list(keys) for kind, keys in changes}


class TestChangesBetween:
    def test_tells_what_came_what_left_and_what_is_another(self, analyst):
        same, other, gone = (CustomerFactory() for _ in range(3))
        goes = gone.pk
        since = moment()
        new = CustomerFactory()
        changed(other, name="Another")
        deleted(gone)
        until = moment()
        changed(same, name="Later")
        assert found(analyst, since, until) == {"added": [new.pk], "left": [goes], "changed": [other.pk]}

    def test_a_row_that_came_and_went_between_or_came_back_to_what_it_was(self, analyst):
        customer = CustomerFactory(city="Lund")
        since = moment()
        deleted(CustomerFactory())
        changed(customer, city="Oslo")
        changed(customer, city="Lund")
        # It was changed, twice; that it says the same again shows as no field.
        assert found(analyst, since) == {"added": [], "left": [], "changed": [customer.pk]}

    def test_the_view_is_asked_at_both_instants(self, analyst):
        comes, goes, stays = CustomerFactory(city="Oslo"), CustomerFactory(city="Lund"), CustomerFactory(city="Lund")
        outside = CustomerFactory(city="Oslo")
        since = moment()
        changed(comes, city="Lund")
        changed(goes, city="Oslo")
        changed(stays, name="Another")
        changed(outside, name="Another")
        changes = found(analyst, since, filters={"city": ["Lund"]})
        assert changes == {"added": [comes.pk], "left": [goes.pk], "changed": [stays.pk]}

    def test_a_view_along_a_relation_moves_with_the_related_row(self):
        person = person_for(Order)
        north, south = RegionFactory(), RegionFactory()
        order = OrderFactory(customer=CustomerFactory(region=north))
        person = give_role(person, "customers.view_region")
        since = moment()
        changed(order.customer, region=south)
        assert found(person, since, model=Order, filters={"customer__region": [str(north.pk)]})["left"] == [order.pk]
        assert found(person, since, model=Order, filters={"customer__region": [str(south.pk)]})["added"] == [order.pk]

    def test_a_filter_that_names_what_was_not_there_yet_finds_everything_new(self, analyst):
        since = moment()
        customer = CustomerFactory()
        changes = found(analyst, since, filters={"region": [str(customer.region_id)]})
        assert changes == {"added": [customer.pk], "left": [], "changed": []}

    def test_who_is_limited_by_scope_sees_changes_of_what_they_may_see_now(self):
        mine = RegionFactory()
        person = grant(give_role(UserFactory(), "customers.view_customer"), "access_region", mine)
        moved, stays, foreign = CustomerFactory(region=mine), CustomerFactory(region=mine), CustomerFactory()
        since = moment()
        for customer in (moved, stays, foreign):
            changed(customer, name="Another")
        changed(moved, region=RegionFactory())
        assert found(person, since) == {"added": [], "left": [], "changed": [stays.pk]}

    def test_looking_only_at_touched_rows_finds_the_same_as_looking_at_all(self, analyst, monkeypatch):
        chance = random.Random(7)
        rows = [CustomerFactory(city=chance.choice(["Lund", "Oslo"])) for _ in range(30)]
        since = moment()
        for _ in range(60):
            row = chance.choice(rows)
            if chance.random() < 0.1:
                deleted(row)
                rows[rows.index(row)] = CustomerFactory(city="Lund")
            else:
                changed(row, city=chance.choice(["Lund", "Oslo"]), credit_limit=chance.randrange(99))
        until = moment()
        views = [{}, {"filters": {"city": ["Lund"]}}, {"filters": {"credit_limit_min": ["50"]}}, {"search": "C"}]
        quick = [found(analyst, since, until, **view) for view in views]
        monkeypatch.setattr(module, "_looks_at_itself", lambda selection: False)
        assert quick == [found(analyst, since, until, **view) for view in views]
        assert all(sum(map(len, each.values())) for each in quick)


class TestThePage:
    def get(self, client, person, **parameters):
        client.force_login(person)
        return client.get(f"{PAGE}?{urlencode(parameters)}")

    def test_asks_for_two_instants_before_it_compares(self, client, analyst):
        page = self.get(client, analyst, city="Lund")
        assert page.status_code == 200 and "counts" not in page.context
        assert 'name="city" value="Lund"' in page.text

    def test_shows_counts_and_fields_old_and_new(self, client, analyst):
        customer = CustomerFactory(name="Before", region=RegionFactory(name="Here"))
        since = moment()
        changed(customer, name="After", region=RegionFactory(name="There"))
        page = self.get(client, analyst, _since=written(since))
        assert {each["name"]: each["number"] for each in page.context["counts"]} == {
            "added": 0, "left": 0, "changed": 1,
        }  # fmt: skip
        (row,) = page.context["rows"]
        assert [(f["label"], f["before"], f["after"]) for f in row["fields"]] == [
            ("Name", "Before", "After"),
            ("Region", "Here", "There"),
        ]

    def test_does_not_name_what_the_reader_may_not_see(self, client):
        person = person_for(Customer)
        customer = CustomerFactory(region=RegionFactory(name="Secret one"))
        since = moment()
        changed(customer, region=RegionFactory(name="Secret two"))
        page = self.get(client, person, _since=written(since))
        assert "Secret" not in page.text and "not visible to you" in page.text

    def test_pages_through_many(self, client, analyst):
        since = written(moment())
        for _ in range(53):
            CustomerFactory()
        first = self.get(client, analyst, _since=since)
        second = self.get(client, analyst, _since=since, p=1)
        assert (len(first.context["rows"]), len(second.context["rows"])) == (50, 3)
        assert first.context["next"] and not second.context["next"] and second.context["previous"]

    @pytest.mark.parametrize(
        ("parameters", "said"),
        [
            ({"_since": "nonsense"}, "is no instant"),
            ({"_since": "2026-01-02T00:00", "_until": "2026-01-01T00:00"}, "must come before"),
            ({"_since": "2999-01-02T00:00"}, "future"),
            ({"_since": "2026-01-01T00:00", "bogus": "1"}, "no filter bogus"),
        ],
    )
    def test_says_what_it_does_not_understand(self, client, analyst, parameters, said):
        page = self.get(client, analyst, **parameters)
        assert page.status_code == 200 and said in page.text and "counts" not in page.context

    def test_is_offered_by_the_list_with_its_filters(self, client, analyst):
        client.force_login(analyst)
        page = client.get(reverse("admin:customers_customer_changelist") + "?city=Lund")
        assert f"{PAGE}?city=Lund" in page.text


class TestTheFile:
    def written(self, client, person, format, **parameters):
        client.force_login(person)
        response = client.post(f"{PAGE}?{urlencode(parameters)}", {"format": format})
        if response.status_code != 302:
            return response
        job = Job.objects.latest("id")
        run_job(job.pk)
        job.refresh_from_db()
        return job

    def test_has_a_line_for_each_field_that_the_page_shows(self, client, analyst):
        customer, gone = CustomerFactory(code="A", name="Before", city="Lund"), CustomerFactory(code="B", city="Lund")
        since = written(moment())
        changed(customer, name="=After", credit_limit=250)
        deleted(gone)
        job = self.written(client, analyst, "csv", _since=since, city="Lund")
        assert (job.state, job.counts) == ("succeeded", {"added": 0, "left": 1, "changed": 1}), job.error
        with job.files.get().file.open("r") as handle:
            rows = list(csv.DictReader(handle))
        lines = [(r["record"], r["field"], r["before"], r["after"]) for r in rows if r["change"] == "changed"]
        assert lines == [("A =After", "name", "Before", "'=After"), ("A =After", "credit_limit", "0.00", "250.00")]
        assert {r["record"] for r in rows if r["change"] == "left"} == {str(gone)}
        assert "city=Lund" in job.title and job.files.get().rows == len(rows)

    def test_keeps_numbers_as_numbers_in_a_workbook(self, client, analyst):
        customer = CustomerFactory()
        since = written(moment())
        changed(customer, credit_limit=250)
        job = self.written(client, analyst, "xlsx", _since=since)
        with job.files.get().file.open("rb") as handle:
            rows = CalamineWorkbook.from_filelike(handle).get_sheet_by_index(0).to_python()
        assert rows[1][3:] == ["credit_limit", 0.0, 250.0]

    def test_needs_the_right_to_export_when_asked_when_run_and_when_fetched(self, client, analyst):
        CustomerFactory()
        since = written(moment())
        reader = give_role(UserFactory(), "customers.view_customer", "customers.access_all_region")
        assert self.written(client, reader, "csv", _since=since).status_code == 403
        job = self.written(client, analyst, "csv", _since=since)
        address = reverse("admin:jobs_jobfile_download", args=[job.files.get().pk])
        assert client.get(address).getvalue()
        with change_set(actor=None, door="shell"):
            type(analyst).groups.through.objects.filter(user=analyst).delete()
        assert client.get(address).status_code == 403
        late = Job.objects.create(
            kind="transfers.changes", title="late", arguments=job.arguments, requested_by=analyst, door="task"
        )
        run_job(late.pk)
        late.refresh_from_db()
        assert late.state == "failed" and "no right to export" in late.error
