"""Saved views on the pages of lists: opened, changed, saved, shared, and nobody else's."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse

from admin_ext.access.rights import can
from admin_ext.filtering.list_state import ListState
from admin_ext.filtering.models import DefaultView, SavedView
from admin_ext.filtering.views import open_with, share_view
from apps.customers.models import Customer, Region
from tests.factories import (
    CustomerFactory,
    DefaultViewFactory,
    RegionFactory,
    SavedViewFactory,
    UserFactory,
    give_role,
    grant,
    police,
)

pytestmark = pytest.mark.django_db
CUSTOMERS = reverse("admin:customers_customer_changelist")
SAVE = reverse("admin:filtering_savedview_save")
COUNTS = reverse("admin:filtering_savedview_counts")
HELD = {"filters": {"status": ["on_hold"]}, "columns": [{"name": "code"}, {"name": "phone", "width": 120}]}


@pytest.fixture
def olga():
    return give_role(
        UserFactory(), "customers.view_customer", "customers.change_customer", "customers.access_all_region"
    )


@pytest.fixture
def nils(act):
    """Sees the customers of one region."""
    place = RegionFactory(name="Up north")
    person = grant(give_role(UserFactory(), "customers.view_customer"), "access_region", place)
    person.place = place
    return person


@pytest.fixture
def view(olga):
    return SavedViewFactory(owner=olga, name="Held", ordering=["-credit_limit", "code"], page_size=25, **HELD)


@pytest.fixture
def held(act):
    return CustomerFactory(status="on_hold", name="Held Ltd", phone="555-0101")


@pytest.fixture
def active(act):
    return CustomerFactory(status="active", name="Active Ltd")


def shown(response):
    return {row.name for row in response.context["cl"].result_list}


def see(client, person, address, **query):
    client.force_login(person)
    return client.get(address, query)


class TestOpening:
    def test_shows_what_the_view_says(self, client, olga, view, held, active):
        response = see(client, olga, CUSTOMERS, view=view.pk)
        assert shown(response) == {"Held Ltd"}
        changelist = response.context["cl"]
        assert changelist.list_display[-2:] == ["code", "phone"] and changelist.list_per_page == 25
        assert changelist.get_ordering(response.wsgi_request, changelist.root_queryset)[:2] == ["-credit_limit", "code"]
        assert "555-0101" in response.text and "Unsaved changes" not in response.text

    def test_what_is_changed_on_top_is_an_unsaved_change(self, client, olga, view, held, active):
        response = see(client, olga, CUSTOMERS, view=view.pk, _columns="code", status="active")
        assert shown(response) == {"Active Ltd"}
        assert "Unsaved changes" in response.text and f'href="?view={view.pk}"' in response.text

    @pytest.mark.parametrize("columns", [[], HELD["columns"]])
    def test_the_last_filter_can_be_taken_off(self, client, olga, held, active, columns):
        view = SavedViewFactory(owner=olga, filters=HELD["filters"], columns=columns)
        response = see(client, olga, CUSTOMERS, view=view.pk)
        (chip,) = response.context["cl"].chips
        left = client.get(CUSTOMERS + chip["without"])
        assert shown(left) == {"Held Ltd", "Active Ltd"} and left.context["toolbar"].is_changed

    def test_sorting_by_a_header_is_a_change_and_is_told_by_name(self, client, olga, view, held):
        response = see(client, olga, CUSTOMERS, view=view.pk, _columns="code,phone", o="-1.0")
        assert response.context["toolbar"].state.ordering == ("-phone", "code")

    def test_an_empty_view_opens_the_whole_list(self, client, olga, held, active):
        assert len(shown(see(client, olga, CUSTOMERS, view=SavedViewFactory(owner=olga).pk))) == 2

    @pytest.mark.parametrize("key", ["0", "-1", "99999999999999999999", "x", "1\0", "'", "\u0663"])
    def test_what_is_no_view_is_not_there(self, client, olga, key):
        assert see(client, olga, CUSTOMERS, view=key).status_code == 404

    def test_a_view_of_another_list_is_not_there(self, client, olga):
        assert (
            see(client, olga, CUSTOMERS, view=SavedViewFactory(owner=olga, model="orders.Order").pk).status_code == 404
        )


class TestOpensSafely:
    """A view that names what is no more, or is not for its reader, never shows more rows."""

    def test_a_filter_that_is_no_more_shows_no_rows(self, client, olga, held, active):
        view = SavedViewFactory(owner=olga, filters={"colour": ["red"]})
        response = see(client, olga, CUSTOMERS, view=view.pk)
        assert shown(response) == set() and "There is no filter colour" in response.text

    def test_a_filter_on_what_policies_hide_shows_no_rows(self, client, olga, held, active):
        view = SavedViewFactory(owner=olga, filters={"credit_limit_min": ["0"]})
        assert shown(see(client, olga, CUSTOMERS, view=view.pk))
        response = see(client, police(olga, "customers.Customer:credit_limit", "hidden"), CUSTOMERS, view=view.pk)
        assert shown(response) == set() and "There is no filter credit_limit_min" in response.text

    def test_a_column_that_is_no_more_is_left_out_and_told(self, client, olga, held):
        view = SavedViewFactory(owner=olga, columns=[{"name": "code"}, {"name": "shoe_size"}, {"name": "city"}])
        response = see(client, olga, CUSTOMERS, view=view.pk)
        assert response.context["cl"].list_display[-2:] == ["code", "city"]
        assert "There is no column shoe_size here" in response.text

    @pytest.mark.parametrize("kind", ["hidden", "masked"])
    def test_a_column_that_policies_keep_is_not_shown_sorted_by_or_offered(self, client, olga, held, kind):
        view = SavedViewFactory(owner=olga, columns=[{"name": "code"}, {"name": "phone"}], ordering=["phone"])
        response = see(client, police(olga, "customers.Customer:phone", kind), CUSTOMERS, view=view.pk)
        assert "555-0101" not in response.text
        assert "phone" not in response.context["cl"].list_display
        assert "phone" not in str(
            response.context["cl"].get_ordering(response.wsgi_request, held.__class__.objects.all())
        )
        assert '<option value="phone"' not in response.text and 'id="col-phone"' not in response.text

    def test_a_view_whose_question_is_veiled_shows_no_rows(self, client, olga, view, held, active):
        response = see(client, police(olga, "filtering.SavedView:filters", "hidden"), CUSTOMERS, view=view.pk)
        assert shown(response) == set() and "You may not read what the view" in response.text


class TestSaving:
    def post(self, client, person, **data):
        client.force_login(person)
        said = {"list": "customers.Customer", "_state": "status=active&_columns=code,city:90&_sort=-name&_size=100"}
        return client.post(SAVE, said | data)

    def test_keeps_what_the_list_shows_and_opens_it(self, client, olga):
        response = self.post(client, olga, name="  My   view ", mine="on")
        view = SavedView.objects.get()
        assert (view.name, view.owner, view.filters, view.page_size) == ("My view", olga, {"status": ["active"]}, 100)
        assert view.columns == [{"name": "code"}, {"name": "city", "width": 90}] and view.ordering == ["-name"]
        assert response.headers["Location"] == f"{CUSTOMERS}?view={view.pk}"
        assert DefaultView.objects.get().person == olga
        (made,) = view.history.all()
        assert made.history_user == olga and made.change_set.verb == "filtering.save_view"

    def test_over_a_view(self, client, olga, view):
        self.post(client, olga, name=view.name, view=view.pk)
        view.refresh_from_db()
        assert view.filters == {"status": ["active"]} and SavedView.objects.count() == 1

    @pytest.mark.parametrize(
        ("said", "told"),
        [
            ({"name": ""}, "This field is required"),
            ({"name": "x" * 101}, "at most 100"),
            ({"name": "Held"}, "You have a view “Held” of this list."),
            ({"_state": "colour=red"}, "no filter colour"),
            ({"_state": "status=pink"}, "A filter was not understood"),
            ({"_state": "_columns=password"}, "no column password"),
            ({"_state": "_sort=-account_manager__password"}, "no order by account_manager__password"),
            ({"_state": "q=%00"}, "Nothing can be searched"),
            ({"_state": "region=9999999999999999999999"}, "A filter was not understood"),
        ],
    )
    def test_refuses_what_the_list_does_not_have(self, client, olga, view, said, told):
        response = self.post(client, olga, **{"name": "New", **said})
        assert response.status_code == 200 and told in response.text
        assert SavedView.objects.count() == 1

    def test_somebody_elses_view_is_not_there_to_be_saved_over(self, client, nils, view):
        assert self.post(client, nils, name="x", view=view.pk).status_code == 404

    def test_a_view_that_is_shared_is_its_owners_to_change(self, client, nils, olga, view):
        share_view(actor=olga, view=view, people=[nils])
        response = self.post(client, nils, name="x", view=view.pk)
        assert "is not yours to change" in response.text
        view.refresh_from_db()
        assert view.filters == HELD["filters"]

    def test_a_list_that_is_not_theirs_is_not_there(self, client):
        assert self.post(client, UserFactory(), name="x").status_code == 404

    def test_a_filter_that_is_kept_from_the_person_is_not_saved(self, client, olga):
        person = police(olga, "customers.Customer:city", "masked")
        assert "no column city" in self.post(client, person, name="x").text


class TestPrivacy:
    """A view that is not shared is nobody else's: in no address, sidebar, list or count."""

    def everywhere(self, client, person, view):
        listed = see(client, person, CUSTOMERS)
        counts = json.loads(see(client, person, COUNTS).content)
        page = see(client, person, reverse("admin:filtering_savedview_change", args=[view.pk]))
        return {
            "address": see(client, person, CUSTOMERS, view=view.pk).status_code == 200,
            "sidebar": f"?view={view.pk}" in listed.text,
            "list": view.name in see(client, person, reverse("admin:filtering_savedview_changelist")).text,
            "count": str(view.pk) in counts,
            "page": page.status_code == 200,
            "export": see(client, person, reverse("admin:customers_customer_export"), view=view.pk).status_code == 200,
        }

    def test_before_and_after_sharing(self, client, olga, nils, view):
        nils = give_role(nils, "customers.export_customer")
        assert set(self.everywhere(client, nils, view).values()) == {False}
        share_view(actor=olga, view=view, people=[nils])
        assert set(self.everywhere(client, nils, view).values()) == {True}
        share_view(actor=olga, view=view)
        assert set(self.everywhere(client, nils, view).values()) == {False}

    def test_a_role_that_it_is_shared_with(self, client, olga, nils, view):
        share_view(actor=olga, view=view, roles=list(nils.groups.all()))
        assert can(type(nils).objects.get(pk=nils.pk), "view", view)
        assert not can(UserFactory(), "view", view)

    def test_a_shared_view_shows_everybody_their_own_rows(self, client, olga, nils, view, held):
        CustomerFactory(status="on_hold", name="Northern Ltd", region=Region.objects.get(name="Up north"))
        share_view(actor=olga, view=view, people=[nils])
        assert shown(see(client, olga, CUSTOMERS, view=view.pk)) == {"Held Ltd", "Northern Ltd"}
        assert shown(see(client, nils, CUSTOMERS, view=view.pk)) == {"Northern Ltd"}
        assert json.loads(see(client, nils, COUNTS).content) == {str(view.pk): "1"}
        assert json.loads(see(client, olga, COUNTS).content) == {str(view.pk): "2"}

    def test_only_the_owner_shares(self, client, olga, nils, view):
        share_view(actor=olga, view=view, people=[nils])
        address = reverse("admin:filtering_savedview_do", args=[view.pk, "share_view"])
        client.force_login(nils)
        assert client.post(address, {"people": UserFactory().username}).status_code == 403

    def test_sharing_on_its_page(self, client, olga, nils, view):
        client.force_login(olga)
        address = reverse("admin:filtering_savedview_do", args=[view.pk, "share_view"])
        assert "There is nobody here called nobody-such" in client.post(address, {"people": "nobody-such"}).text
        assert client.post(address, {"people": nils.username}).status_code == 302
        assert can(type(nils).objects.get(pk=nils.pk), "view", view)


class TestDefaults:
    def lead(self, client, person):
        client.force_login(person)
        return client.get(CUSTOMERS).headers.get("Location", "")

    def test_ones_own_goes_before_that_of_a_role(self, client, olga, view):
        assert self.lead(client, olga) == ""
        role = olga.groups.get()
        DefaultViewFactory(view=view, person=None, role_id=role.pk)
        assert self.lead(client, olga) == f"?view={view.pk}"
        own = SavedViewFactory(owner=olga)
        open_with(actor=olga, view=own, mine=True)
        assert self.lead(client, olga) == f"?view={own.pk}"
        open_with(actor=olga, view=own, mine=False)
        assert self.lead(client, olga) == f"?view={view.pk}"

    def test_only_a_bare_address_is_led_on(self, client, olga, view):
        open_with(actor=olga, view=view, mine=True)
        client.force_login(olga)
        for query in ({"view": "all"}, {"status": "active"}, {"q": "x"}, {"_popup": "1"}):
            assert client.get(CUSTOMERS, query).status_code == 200

    def test_a_view_that_is_not_shared_any_more_is_no_default(self, client, olga, nils, view):
        DefaultViewFactory(view=view, person=None, role_id=nils.groups.get().pk)
        assert self.lead(client, nils) == ""

    def test_only_who_administers_a_role_decides_for_it(self, client, olga, nils, view):
        address = reverse("admin:filtering_savedview_do", args=[view.pk, "open_with"])
        role = nils.groups.get()
        client.force_login(olga)
        client.post(address, {"mine": "on", "roles": [role.pk]})
        assert not DefaultView.objects.filter(role=role).exists()
        olga = give_role(olga, "accounts.view_role", "accounts.grant_role")
        client.force_login(olga)
        client.post(address, {"mine": "on", "roles": [role.pk]})
        assert DefaultView.objects.get(role=role).view == view
        assert self.lead(client, nils) == f"?view={view.pk}"


class TestElsewhere:
    def test_the_export_page_begins_with_the_columns_of_the_view(self, client, olga, view):
        olga = give_role(olga, "customers.export_customer")
        form = see(client, olga, reverse("admin:customers_customer_export"), view=view.pk).context["form"]
        assert form["columns"].value() == ["code", "phone"]

    def test_the_columns_form_says_what_a_list_address_says(self, client, olga, held):
        said = {
            "_column": ["code", "phone"],
            "_width_phone": "120",
            "_width_name": "",
            "_sort": ["-code", ""],
            "_size": "",
        }
        led = see(client, olga, CUSTOMERS, **said)
        assert parse_qs(urlsplit(led.headers["Location"]).query) == {
            "_columns": ["code,phone:120"],
            "_sort": ["-code"],
        }

    def test_queries_do_not_grow_with_rows_columns_and_views(self, client, olga, act, django_assert_num_queries):
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        view = SavedViewFactory(
            owner=olga, columns=[{"name": "code"}, {"name": "region__parent"}, {"name": "account_manager"}]
        )
        CustomerFactory(region=RegionFactory(parent=RegionFactory()))
        client.force_login(olga)
        counts = []
        for _ in range(2):
            with CaptureQueriesContext(
                connection,
            ) as queries:
                assert client.get(CUSTOMERS, {"view": view.pk}).status_code == 200
            counts.append(len(queries))
            for _ in range(9):
                CustomerFactory(region=RegionFactory(parent=RegionFactory()), account_manager=UserFactory())
                SavedViewFactory(owner=olga)
        assert counts[0] >= counts[1] - 1, counts


def test_a_view_of_a_list_that_is_no_more_harms_nothing(client, olga):
    view = SavedViewFactory(owner=olga, model="no.Such")
    assert see(client, olga, CUSTOMERS).status_code == 200
    assert see(client, olga, reverse("admin:filtering_savedview_change", args=[view.pk])).status_code == 200
    assert json.loads(see(client, olga, COUNTS).content) == {}


def test_the_state_of_a_view_is_data(view, olga):
    assert ListState.of_view(view, olga).parameters() == {
        "status": ["on_hold"],
        "_columns": ["code,phone:120"],
        "_sort": ["-credit_limit,code"],
        "_size": ["25"],
    }
    assert Customer.objects.count() == 0
