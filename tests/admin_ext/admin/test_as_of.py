"""Pages of the past: reached, recognised, carried on, left; and exported as they were seen."""

from __future__ import annotations

import csv
from datetime import timedelta
from io import StringIO
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from admin_ext.admin.instants import written
from admin_ext.audit.context import change_set
from admin_ext.filtering.instants import InstantNotUsable, parse_instant
from admin_ext.filtering.selection import Selection
from admin_ext.jobs.models import Job
from admin_ext.jobs.running import run_job
from admin_ext.services import add_note
from apps.customers.models import Contact, Customer
from tests.contracts.world import person_for
from tests.factories import ContactFactory, CustomerFactory, RegionFactory, UserFactory, give_role, grant
from tests.moments import moment

pytestmark = pytest.mark.django_db
LIST = reverse("admin:customers_customer_changelist")


def changed(row, **values):
    with change_set(actor=None, door="shell"):
        type(row)._base_manager.filter(pk=row.pk).update(**values)


def record(row):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def shown(response):
    return [str(row) for row in response.context["cl"].result_list]


@pytest.fixture
def analyst():
    return give_role(person_for(Customer), "customers.view_region")


@pytest.fixture
def browse(client, analyst):
    client.force_login(analyst)

    def get(address, **parameters):
        return client.get(f"{address}{'&' if '?' in address else '?'}{urlencode(parameters)}")

    return get


class TestAskingForAnInstant:
    @pytest.mark.parametrize("text", ["yesterday", "2026-02-30T10:00", "31.3.2026", "12:00", "9" * 40])
    def test_what_is_no_instant_is_refused_in_words(self, browse, text):
        CustomerFactory(code="NOW")
        response = browse(LIST, _asof=text, city="Lund")
        assert response.status_code == 302 and response.url == f"{LIST}?city=Lund"
        assert "is no instant. Write day and time" in browse(response.url).text

    def test_the_future_and_the_time_before_everything_too(self):
        with pytest.raises(InstantNotUsable, match="future"):
            parse_instant((timezone.now() + timedelta(minutes=2)).isoformat())
        with pytest.raises(InstantNotUsable, match="1850"):
            parse_instant("1850-01-01T00:00")

    def test_it_is_read_in_the_persons_zone(self, client, analyst):
        changed(analyst, time_zone="Asia/Tokyo")
        client.force_login(type(analyst).objects.get(pk=analyst.pk))
        response = client.get(LIST, {"_asof": "2026-03-31T12:00"})
        assert response.context["past"]["instant"].isoformat() == "2026-03-31T12:00:00+09:00"
        assert "31 March 2026, 12:00" in response.text and "Asia/Tokyo" in response.text

    def test_before_the_record_begins_the_page_says_so(self, browse):
        CustomerFactory()
        assert "The record begins on" in browse(LIST, _asof="2001-01-01T00:00").text


class TestTheList:
    def test_shows_rows_values_and_totals_of_then(self, browse):
        stays, moves, goes = (CustomerFactory(code=code, city="Lund") for code in ("A", "B", "C"))
        then = written(moment())
        changed(moves, city="Oslo")
        with change_set(actor=None, door="shell"):
            goes.delete()
        CustomerFactory(code="D", city="Lund")
        assert shown(browse(LIST, city="Lund")) == [f"A {stays.name}", "D " + Customer.objects.get(code="D").name]
        past = browse(LIST, city="Lund", _asof=then)
        assert [name[0] for name in shown(past)] == ["A", "B", "C"]
        assert past.context["cl"].result_count == 3
        assert [name[0] for name in shown(browse(LIST, q="B", _asof=then))] == ["B"]

    def test_carries_the_instant_through_filters_order_pages_and_rows(self, browse):
        for _ in range(60):
            CustomerFactory(city="Lund")
        then = written(moment())
        page = browse(LIST, city="Lund", _asof=then)
        asof = urlencode({"_asof": then})
        changelist = page.context["cl"]
        assert asof in changelist.get_query_string({"p": 2}) and asof in changelist.get_query_string({"o": "1"})
        assert f'name="_asof" value="{then}"' in page.text
        first = changelist.result_list[0]
        link = page.text.split(f'href="{record(first)}?')[1].split('"')[0].replace("&amp;", "&")
        assert asof in link
        opened = browse(f"{record(first)}?{link}")
        assert "As of " in opened.text
        assert asof in opened.text.split(f'href="{LIST}?')[1].split('"')[0]
        assert all("_asof" in chip["without"] for chip in changelist.chips)

    def test_the_way_back_keeps_the_filters(self, browse):
        page = browse(LIST, city="Lund", _asof=written(moment()))
        assert page.context["past"]["now"] == f"{LIST}?city=Lund"

    def test_takes_no_action(self, client, analyst):
        customer = CustomerFactory()
        client.force_login(analyst)
        address = f"{LIST}?{urlencode({'_asof': written(moment())})}"
        response = client.post(address, {"action": "hold_customer", "_selected_action": [customer.pk]})
        assert response.status_code == 302 and response.url == LIST
        assert "cannot be changed" in client.get(LIST).text

    def test_a_list_without_an_instant_is_the_list_of_now_with_a_way_there(self, browse):
        CustomerFactory(code="NOW")
        page = browse(LIST)
        assert 'type="datetime-local" name="_asof"' in page.text and "Back to now" not in page.text


class TestTheRecord:
    def test_shows_fields_parts_notes_and_neighbours_as_they_were(self, browse, analyst):
        region = RegionFactory(name="Old region")
        customer = CustomerFactory(name="Old name", region=region)
        contact = ContactFactory(customer=customer, name="Old contact")
        add_note(actor=analyst, record=customer, text="Old note")
        then = written(moment())
        changed(customer, name="New name")
        changed(region, name="New region")
        changed(contact, name="New contact")
        add_note(actor=analyst, record=customer, text="New note")
        page = browse(record(customer), _asof=then)
        for word in ("name", "region", "contact", "note"):
            assert f"Old {word}" in page.text and f"New {word}" not in page.text
        assert f'{record(region)}?{urlencode({"_asof": then})}"' in page.text.replace("&amp;", "&")

    def test_a_deleted_record_is_there_while_it_was(self, browse):
        customer = CustomerFactory(name="Gone since")
        address, then = record(customer), written(moment())
        with change_set(actor=None, door="shell"):
            customer.delete()
        assert browse(address).status_code == 302
        assert "Gone since" in browse(address, _asof=then).text

    def test_is_not_saved(self, client, analyst):
        customer = CustomerFactory(name="Kept")
        client.force_login(analyst)
        address = f"{record(customer)}?{urlencode({'_asof': written(moment())})}"
        assert client.post(address, {"name": "Rewritten"}).status_code == 302
        assert Customer.objects.get().name == "Kept"

    def test_its_history_leads_to_it_as_of_an_instant_and_to_two_moments(self, browse):
        customer = CustomerFactory()
        page = browse(reverse("admin:customers_customer_history", args=[customer.pk]))
        assert f'action="{record(customer)}"' in page.text
        assert reverse("admin:customers_customer_compare", args=[customer.pk]) in page.text


class TestWhoSeesWhatOfThePast:
    def person_in(self, region):
        actor = give_role(UserFactory(), "customers.view_customer", "customers.export_customer")
        return grant(actor, "access_region", region)

    def names(self, client, person, then, address=LIST):
        client.force_login(person)
        return [name.split()[0] for name in shown(client.get(address, {"_asof": then}))]

    def test_a_row_deleted_since_is_seen_by_who_is_not_limited_by_scope(self, client, analyst):
        region = RegionFactory()
        kept, gone = CustomerFactory(code="KEPT", region=region), CustomerFactory(code="GONE", region=region)
        then = written(moment())
        with change_set(actor=None, door="shell"):
            gone.delete()
        assert self.names(client, analyst, then) == ["GONE", "KEPT"]
        assert self.names(client, self.person_in(region), then) == ["KEPT"]
        assert str(kept).startswith("KEPT")

    def test_a_row_that_came_into_scope_is_seen_as_it_was_before(self, client):
        here, elsewhere = RegionFactory(), RegionFactory()
        customer = CustomerFactory(code="CAME", region=elsewhere)
        then = written(moment())
        changed(customer, region=here)
        assert self.names(client, self.person_in(here), then) == ["CAME"]

    def test_a_part_deleted_since_follows_its_whole(self, client):
        region = RegionFactory()
        mine, other = CustomerFactory(region=region), CustomerFactory()
        for whole in (mine, other):
            ContactFactory(customer=whole, name=f"Contact of {whole.code}")
        then = written(moment())
        with change_set(actor=None, door="shell"):
            Contact.objects.all().delete()
        client.force_login(self.person_in(region))
        assert f"Contact of {mine.code}" in client.get(record(mine), {"_asof": then}).text
        assert client.get(record(other), {"_asof": then}).status_code == 302

    def test_a_part_that_moved_to_a_foreign_whole_is_not_seen_in_its_old_one(self, client):
        region = RegionFactory()
        mine, other = CustomerFactory(region=region), CustomerFactory()
        contact = ContactFactory(customer=mine, name="Moved away")
        then = written(moment())
        changed(contact, customer=other)
        client.force_login(self.person_in(region))
        page = client.get(record(mine), {"_asof": then})
        assert page.status_code == 200 and "Moved away" not in page.text

    def test_a_right_lost_is_lost_for_the_past(self, client):
        CustomerFactory()
        then = written(moment())
        person = give_role(UserFactory(), "customers.view_customer", "customers.access_all_region")
        assert self.names(client, person, then)
        with change_set(actor=None, door="shell"):
            type(person).groups.through.objects.filter(user=person).delete()
        client.force_login(type(person).objects.get(pk=person.pk))
        assert client.get(LIST, {"_asof": then}).status_code == 403


class TestExport:
    def exported(self, client, analyst, address):
        client.force_login(analyst)
        response = client.post(address, {"format": "csv", "columns": ["code", "city", "region"]})
        job = Job.objects.latest("id")
        assert response.status_code == 302, response.text
        run_job(job.pk)
        job.refresh_from_db()
        assert job.state == "succeeded", job.error
        with job.files.get().file.open("r") as handle:
            return job, list(csv.DictReader(handle))

    def test_writes_what_the_page_showed(self, client, analyst):
        region = RegionFactory(code="OLD")
        first, second = (CustomerFactory(code=code, city="Lund", region=region) for code in ("A", "B"))
        then = moment()
        changed(first, city="Oslo")
        changed(region, code="NEW")
        with change_set(actor=None, door="shell"):
            second.delete()
        query = urlencode({"city": "Lund", "_asof": written(then), "o": "-1"})
        client.force_login(analyst)
        page = client.get(f"{LIST}?{query}")
        export = next(b["url"] for b in page.context["transfer_buttons"] if b["label"] == "Export")
        job, rows = self.exported(client, analyst, export)
        assert [f"{row['code']} {row['city']} {row['region']}" for row in rows] == ["B Lund OLD", "A Lund OLD"]
        assert [row["code"] for row in rows] == [name.split()[0] for name in shown(page)]
        assert f"as of {then:%Y-%m-%d %H:%M} UTC" in job.title
        assert f"as-of-{then:%Y-%m-%dT%H%M}" in job.files.get().name
        assert job.arguments["selection"]["as_of"] == then.isoformat()

    def test_an_instant_that_is_none_hands_in_nothing(self, browse):
        response = browse(reverse("admin:customers_customer_export"), _asof="nonsense")
        assert response.status_code == 302 and not Job.objects.exists()

    def test_the_shell_writes_the_same(self, tmp_path):
        person = person_for(Customer)
        changed(person, time_zone="Asia/Tokyo")
        customer = CustomerFactory(code="A", city="Lund")
        then = moment().astimezone(ZoneInfo("Asia/Tokyo")).replace(tzinfo=None)
        changed(customer, city="Oslo")
        said = {"resource": "customers.Customer", "user": person.username, "columns": "code,city"}
        call_command("export_file", **said, as_of=then.isoformat(), output=tmp_path / "then.csv", stdout=StringIO())
        assert (tmp_path / "then.csv").read_text() == "code,city\nA,Lund\n"
        with pytest.raises(SystemExit):
            call_command("export_file", **said, as_of="nonsense", output=tmp_path / "x.csv", stderr=StringIO())

    def test_a_selection_of_the_past_is_not_read_as_one_of_now(self, analyst):
        selection = Selection(model="customers.Customer", as_of=moment().isoformat())
        with pytest.raises(RuntimeError, match="moment"):
            selection.resolve(actor=analyst, action="view")
        with selection.moment(), pytest.raises(RuntimeError, match="moment"):
            Selection(model="customers.Customer").resolve(actor=analyst, action="view")
