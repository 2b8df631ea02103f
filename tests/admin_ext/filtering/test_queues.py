"""A saved view worked through row by row: one person has a row, for a while, and says why they pass it over."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from admin_ext.access.rights import restrict
from admin_ext.audit.context import change_set
from admin_ext.filtering.models import QueueLease, QueueSkip, SavedView
from admin_ext.filtering.queues import (
    NotTaken,
    ReasonNeeded,
    give_back,
    keep_longer,
    pass_over,
    place_of,
    take_next,
)
from admin_ext.filtering.views import share_view
from apps.accounts.models import User
from apps.customers.models import Customer
from tests.factories import CustomerFactory, RegionFactory, SavedViewFactory, UserFactory, give_role, grant

EVERYWHERE = "customers.access_all_region"
RIGHTS = ("customers.view_customer", "customers.change_customer", "customers.view_region", EVERYWHERE)


@pytest.fixture
def olga(db):
    return give_role(UserFactory(), *RIGHTS)


@pytest.fixture
def view(olga):
    return SavedViewFactory(owner=olga, name="Held", filters={"status": ["on_hold"]}, ordering=["code"])


@pytest.fixture
def held(view):
    return [CustomerFactory(code=f"H{n}", status="on_hold").pk for n in range(4)]


@pytest.fixture
def nils(olga, view):
    person = give_role(UserFactory(), *RIGHTS)
    share_view(actor=olga, view=view, people=[person])
    return User.objects.get(pk=person.pk)


def run_out(lease):
    QueueLease.objects.filter(pk=lease.pk).update(until=timezone.now() - timedelta(seconds=1))


@pytest.mark.django_db
class TestTaking:
    def test_goes_in_the_order_of_the_view_and_gives_nobody_the_row_of_another(self, olga, nils, view, held):
        CustomerFactory(code="A0", status="active")
        assert take_next(actor=olga, view=view) == held[0]
        assert take_next(actor=nils, view=view) == held[1]
        assert take_next(actor=olga, view=view, after=held[0]) == held[2]
        # What was given back is there again.
        assert take_next(actor=nils, view=view, after=held[1]) == held[0]

    def test_ends_where_nothing_waits(self, olga, nils, view):
        only = CustomerFactory(status="on_hold").pk
        assert take_next(actor=olga, view=view) == only
        assert take_next(actor=nils, view=view) is None
        assert take_next(actor=olga, view=view, after=only) is None
        assert not QueueLease.objects.exists()

    def test_a_lease_ends_by_itself(self, olga, nils, view, held):
        take_next(actor=olga, view=view)
        run_out(QueueLease.objects.get())
        assert place_of(actor=olga, model=Customer, row=held[0]) is None
        with pytest.raises(NotTaken):
            keep_longer(actor=olga, view=view, row=held[0])
        assert take_next(actor=nils, view=view) == held[0]

    def test_is_kept_longer_and_given_back(self, olga, nils, view, held):
        take_next(actor=olga, view=view)
        before = QueueLease.objects.get().until
        assert keep_longer(actor=olga, view=view, row=held[0]) > before
        give_back(actor=olga, view=view)
        assert take_next(actor=nils, view=view) == held[0]

    def test_keeps_to_the_rights_of_each(self, olga, view, held):
        home = RegionFactory()
        with change_set(actor=None, door="shell", verb="tests.arrange"):
            Customer.objects.filter(pk=held[2]).update(region=home)
        local = grant(give_role(UserFactory(), "customers.view_customer"), "access_region", home)
        share_view(actor=olga, view=view, people=[local])
        local = User.objects.get(pk=local.pk)
        assert take_next(actor=local, view=view) == held[2]
        assert place_of(actor=local, model=Customer, row=held[2]).waiting == 0

    def test_a_row_that_is_being_written_is_left_to_its_writer(self, olga, view, held):
        # Asked by the same connection the row would be free: another one writes it in the race below.
        assert place_of(actor=olga, model=Customer, row=held[0]) is None
        take_next(actor=olga, view=view)
        place = place_of(actor=olga, model=Customer, row=held[0])
        assert (place.view, place.waiting, place.passed_over) == (view, 3, [])


@pytest.mark.django_db
class TestPassingOver:
    def test_asks_why_and_keeps_it_for_the_next(self, olga, nils, view, held):
        take_next(actor=olga, view=view)
        with pytest.raises(ReasonNeeded):
            pass_over(actor=olga, view=view, row=held[0], reason=" \0 ")
        pass_over(actor=olga, view=view, row=held[0], reason="Waits for\nthe bank")
        assert take_next(actor=olga, view=view) == held[1]
        assert take_next(actor=nils, view=view) == held[0]
        assert place_of(actor=nils, model=Customer, row=held[0]).passed_over == ["Waits for the bank"]
        skip = QueueSkip.objects.get()
        assert skip.history.get().change_set.reason == "Waits for the bank"

    def test_comes_back_the_next_day(self, olga, view, held):
        take_next(actor=olga, view=view)
        pass_over(actor=olga, view=view, row=held[0], reason="Later")
        with change_set(actor=None, door="shell", verb="tests.arrange"):
            QueueSkip.objects.update(skipped_at=timezone.now() - timedelta(days=1, seconds=1))
        assert take_next(actor=olga, view=view) == held[0]

    def test_only_of_a_row_that_one_has(self, olga, nils, view, held):
        take_next(actor=olga, view=view)
        with pytest.raises(NotTaken):
            pass_over(actor=nils, view=view, row=held[0], reason="Mine")
        assert QueueLease.objects.get().person == olga and not QueueSkip.objects.exists()


@pytest.mark.django_db
class TestThePages:
    def post(self, client, name, view, **data):
        return client.post(reverse(f"admin:filtering_savedview_queue_{name}", args=[view.pk]), data)

    def test_lead_from_row_to_row(self, client, olga, view, held):
        client.force_login(olga)
        listed = reverse("admin:customers_customer_changelist")
        assert "Work through" in client.get(listed, {"view": view.pk}).text
        first = self.post(client, "take", view).url
        assert first.startswith(reverse("admin:customers_customer_change", args=[held[0]]))
        page = client.get(first)
        assert "From the queue" in page.text and page.context["place"].waiting == 3
        skipped = self.post(client, "skip", view, row=held[0], reason="No time").url
        assert skipped.startswith(reverse("admin:customers_customer_change", args=[held[1]]))
        assert self.post(client, "skip", view, row=held[1]).url == skipped  # without a reason: stays
        assert self.post(client, "longer", view, row=held[1]).url == skipped
        assert self.post(client, "release", view).url == f"{listed}?view={view.pk}"
        assert not QueueLease.objects.exists()
        assert self.post(client, "longer", view, row=held[1]).url == f"{listed}?view={view.pk}"

    def test_a_saved_record_leads_to_the_next(self, client, olga, view, held):
        client.force_login(olga)
        page = client.get(self.post(client, "take", view).url)
        form = page.context["adminform"].form
        posted = {name: form[name].value() for name in form.fields}
        posted = {name: value for name, value in posted.items() if value is not None and value is not False}
        for inline in page.context["inline_admin_formsets"]:
            for name in ("TOTAL_FORMS", "INITIAL_FORMS"):
                posted[f"{inline.formset.prefix}-{name}"] = 0
        posted["name"] = "Renamed"
        response = client.post(page.wsgi_request.get_full_path(), posted)
        assert response.status_code == 302, response.context["adminform"].form.errors
        assert response.url.startswith(reverse("admin:customers_customer_change", args=[held[1]]))
        assert Customer.objects.get(pk=held[0]).name == "Renamed"

    @pytest.mark.parametrize("name", ["take", "skip", "release", "longer"])
    def test_are_for_nobody_who_does_not_see_the_view(self, client, view, held, name):
        client.force_login(give_role(UserFactory(), *RIGHTS))
        assert self.post(client, name, view, row=held[0], reason="x").status_code == 404
        stranger = UserFactory()
        client.force_login(stranger)
        assert self.post(client, name, view, row=held[0], reason="x").status_code in (302, 403, 404)
        assert not QueueLease.objects.exists() and not QueueSkip.objects.exists()

    def test_looking_takes_nothing(self, client, olga, view, held):
        client.force_login(olga)
        for name in ("take", "skip", "release", "longer"):
            assert client.get(reverse(f"admin:filtering_savedview_queue_{name}", args=[view.pk])).status_code == 405


def race(view, people, rows):
    """Everybody takes and finishes rows until nothing waits; returns who got which."""
    got: dict[int, list[int]] = {person.pk: [] for person in people}
    failed = []

    def work(person):
        try:
            while key := take_next(actor=person, view=view, after=got[person.pk][-1] if got[person.pk] else None):
                got[person.pk].append(key)
                with change_set(actor=person, door="shell", verb="tests.finish"):
                    Customer.objects.filter(pk=key).update(status="active")
        except Exception as error:  # told by the test, not lost with the thread
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed
    return got


def raced(count):
    people = [give_role(UserFactory(), *RIGHTS) for _ in range(6)]
    view = SavedViewFactory(owner=people[0], filters={"status": ["on_hold"]}, ordering=["code"])
    share_view(actor=people[0], view=view, people=people[1:])
    rows = {CustomerFactory(status="on_hold").pk for _ in range(count)}
    got = race(SavedView.objects.get(pk=view.pk), [User.objects.get(pk=each.pk) for each in people], rows)
    taken = [key for keys in got.values() for key in keys]
    assert len(taken) == len(set(taken)) == count and set(taken) == rows
    assert sum(bool(keys) for keys in got.values()) > 1
    assert not restrict(Customer.objects.filter(status="on_hold"), people[0], "view").exists()


@pytest.mark.django_db(transaction=True)
def test_nobody_gets_the_row_of_another():
    raced(40)


@pytest.mark.matrix
@pytest.mark.django_db(transaction=True)
def test_a_thousand_rows_are_taken_once_each():
    raced(1_000)
