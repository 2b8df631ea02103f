"""One timeline over all models: every question finds what it asks for, and nothing that the reader may not see."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from admin_ext.audit.context import change_set, open_change_set, resume_change_set
from admin_ext.desk import timeline as module
from admin_ext.desk.timeline import Question, timeline
from apps.customers.models import Contact, Customer, Region
from tests.factories import (
    ChangeSetFactory,
    ContactFactory,
    CustomerFactory,
    RegionFactory,
    UserFactory,
    give_role,
    grant,
)

pytestmark = pytest.mark.django_db


def change(customer, actor, *, door="form", verb="customers.change_customer", reason="", **values):
    with change_set(actor=actor, door=door, verb=verb, reason=reason or "Agreed") as act:
        Customer.objects.filter(pk=customer.pk).update(**values)
    return act.id


def ids(page):
    return [act.change_set.pk for act in page.acts]


def told(page):
    return [(row.what, row.label, row.kind, field.label, field.before, field.after)
            for act in page.acts for row in act.rows for field in row.fields]  # fmt: skip


class TestQuestions:
    def test_without_a_question_everything_is_shown_newest_first(self, auditor, actor):
        customer = CustomerFactory(name="Old")
        first = change(customer, actor, name="New")
        second = change(customer, actor, name="Newer")
        page = timeline(Question(), user=auditor)
        assert ids(page)[:2] == [second, first]
        assert told(page)[0] == ("customer", str(Customer.objects.get()), "changed", "Name", "New", "Newer")

    def test_by_person_door_verb_and_reason(self, auditor, actor):
        customer = CustomerFactory()
        wanted = change(customer, actor, city="A", reason="Moved house", verb="customers.move", door="bulk")
        change(customer, UserFactory(), city="B")
        for question in (
            Question(who=actor.pk),
            Question(door="bulk"),
            Question(verb="customers.mo"),
            Question(reason="moved HOUSE"),
        ):
            assert ids(timeline(question, user=auditor)) == [wanted], question

    @pytest.mark.parametrize("who", ["x", "-1", "9" * 30, "1; DROP TABLE"])
    def test_by_nobody_that_there_is_says_so(self, client, auditor, who):
        client.force_login(auditor)
        answer = client.get("/audit/changeset/timeline/", {"who": who})
        assert answer.status_code == 200
        assert "Select a valid choice" in answer.content.decode()

    def test_by_model_field_and_value(self, auditor, actor):
        customer = CustomerFactory(credit_limit=100)
        raised = change(customer, actor, credit_limit=500)
        change(customer, actor, city="Lund")
        with change_set(actor=actor, door="form") as act:
            contact = Contact.objects.create(customer=customer, name="Ann")
        question = Question(model=Customer, field="credit_limit")
        assert ids(timeline(question, user=auditor)) == [raised]
        assert ids(timeline(Question(model=Contact), user=auditor)) == [act.id]
        assert ids(timeline(Question(model=Customer, field="city", value="lund"), user=auditor))[0] != raised
        assert ids(timeline(Question(model=Customer, field="credit_limit", value="500.00"), user=auditor)) == [raised]
        assert ids(timeline(Question(model=Customer, field="credit_limit", value="501.00"), user=auditor)) == []
        assert contact.pk

    def test_by_one_record(self, auditor, actor):
        ours, other = CustomerFactory(), CustomerFactory()
        wanted = change(ours, actor, city="A")
        change(other, actor, city="B")
        page = timeline(Question(model=Customer, key=ours.pk), user=auditor)
        assert wanted in ids(page)
        assert {row.recorded.key for act in page.acts for row in act.rows} == {ours.pk}

    def test_by_time_a_job_that_began_before_is_found_when_it_wrote_within(self, auditor, actor):
        job = open_change_set(actor=actor, door="task", verb="tests.long", reason="Agreed")
        for _ in range(3):
            ChangeSetFactory()
        moment = timezone.now()
        with resume_change_set(job):
            CustomerFactory()
        assert job.pk in ids(timeline(Question(since=moment), user=auditor))
        assert ids(timeline(Question(since=moment + timedelta(days=1)), user=auditor)) == [job.pk]  # not finished
        assert ids(timeline(Question(until=moment - timedelta(days=1)), user=auditor)) == []


class TestPages:
    def test_pages_join_without_gap_or_repetition(self, auditor, actor, monkeypatch):
        monkeypatch.setattr(module, "ACTS", 3)
        monkeypatch.setattr(module, "STRETCH", 20)
        customers = [CustomerFactory() for _ in range(4)]
        made = [change(customers[n % 4], actor, city=f"C{n}") for n in range(10)]
        for question in (
            Question(who=actor.pk),
            Question(model=Customer, field="city"),
            Question(verb="customers.change"),
        ):
            seen, mark = [], ""
            for _ in range(10):
                page = timeline(question, user=auditor, before=mark)
                seen += ids(page)
                mark = page.more
                if not mark:
                    break
            assert seen == made[::-1], question

    def test_a_search_through_much_says_how_far_it_looked_and_goes_on(self, auditor, actor, monkeypatch):
        monkeypatch.setattr(module, "STRETCH", 5)
        monkeypatch.setattr(module, "STRETCHES", 2)
        customer = CustomerFactory()
        wanted = change(customer, actor, credit_limit=7)
        for n in range(30):
            change(customer, actor, city=f"C{n}")
        question = Question(model=Customer, field="credit_limit")
        page = timeline(question, user=auditor)
        assert page.acts == [] and page.looked_back_to is not None
        for _ in range(5):
            page = timeline(question, user=auditor, before=page.more)
            if page.acts:
                break
        assert ids(page) == [wanted]

    def test_a_page_costs_the_same_queries_for_few_acts_and_many(self, client, auditor, actor):
        client.force_login(auditor)
        customer = CustomerFactory()
        url = reverse("admin:audit_changeset_timeline") + f"?who={actor.pk}"
        counts = []
        for n in range(2):
            for m in range(20 * n + 1):
                change(customer, actor, city=f"C{n}{m}")
            client.get(url)
            with CaptureQueriesContext(connection) as queries:
                assert client.get(url).status_code == 200
            counts.append(len(queries))
        assert counts[0] == counts[1]


class TestRights:
    def test_a_person_without_the_right_sees_their_own_acts_only(self, actor):
        customer = CustomerFactory()
        own = change(customer, actor, city="A")
        change(customer, UserFactory(), city="B")
        assert ids(timeline(Question(), user=actor)) == [own]

    def test_rows_out_of_scope_are_counted_and_never_named(self, actor, client):
        ours, theirs = RegionFactory(), RegionFactory()
        seen, hidden = CustomerFactory(region=ours, name="Seen Ltd"), CustomerFactory(region=theirs, name="Hidden Ltd")
        with change_set(actor=actor, door="bulk", reason="Agreed") as done:
            Customer.objects.filter(pk__in=[seen.pk, hidden.pk]).update(city="Lund")
        reader = give_role(UserFactory(), "audit.view_changeset", "customers.view_customer", "customers.view_region")
        grant(reader, "access_region", ours)
        client.force_login(reader)
        (act,) = timeline(Question(door="bulk"), user=reader).acts
        assert act.change_set.pk == done.id
        assert [row.label for row in act.rows] == [str(seen)] and act.more == 1
        text = client.get(reverse("admin:audit_changeset_timeline")).text
        assert "Seen Ltd" in text and "Hidden Ltd" not in text
        shown = client.get(reverse("admin:audit_changeset_change", args=[done.id])).text
        assert "Seen Ltd" in shown and "Hidden Ltd" not in shown

    def test_the_name_of_a_related_row_that_may_not_be_seen_is_not_told(self, actor):
        region = RegionFactory(name="Secret region")
        customer = CustomerFactory(region=region)
        reader = give_role(UserFactory(), "audit.view_changeset")
        grant(reader, "view", customer)
        change(customer, actor, region_id=RegionFactory(name="Other secret").pk)
        texts = str(told(timeline(Question(), user=reader)))
        assert "secret" not in texts.lower() and "not visible to you" in texts

    def test_deleted_rows_are_named_to_those_whom_no_scope_limits(self, auditor, actor):
        customer = CustomerFactory(name="Gone Ltd")
        with change_set(actor=actor, door="form"):
            customer.delete()
        assert "Gone Ltd" in str(
            [row.label for act in timeline(Question(), user=auditor).acts for row in act.rows]
        ) or ("Gone Ltd" in str(told(timeline(Question(), user=auditor))))
        limited = give_role(UserFactory(), "audit.view_changeset", "customers.view_customer")
        grant(limited, "access_region", RegionFactory())
        assert "Gone Ltd" not in str(told(timeline(Question(), user=limited)))

    def test_parts_follow_their_whole_even_when_they_are_gone(self, actor):
        seen, hidden = CustomerFactory(region=RegionFactory()), CustomerFactory(region=RegionFactory())
        contacts = [ContactFactory(customer=seen, name="Ann"), ContactFactory(customer=hidden, name="Bob")]
        with change_set(actor=actor, door="form"):
            Contact.objects.filter(pk__in=[c.pk for c in contacts]).delete()
        reader = give_role(UserFactory(), "audit.view_changeset", "customers.view_customer")
        grant(reader, "access_region", seen.region)
        text = str(told(timeline(Question(), user=reader)))
        assert "Ann" in text and "Bob" not in text

    def test_a_field_that_the_reader_may_not_see_cannot_be_asked_for(self, auditor, actor, monkeypatch):
        from admin_ext.access import fields as rights

        customer = CustomerFactory()
        change(customer, actor, credit_limit=5)
        real = rights.fields

        def without(user, action, model):
            found = real(user, action, model)
            return type(found)(**{**found.__dict__, "visible": frozenset(found.visible) - {"credit_limit"}})

        monkeypatch.setattr(module, "fields", without)
        assert ids(timeline(Question(model=Customer, field="credit_limit"), user=auditor)) == []


class TestPage:
    @pytest.fixture
    def get(self, client, auditor):
        client.force_login(auditor)
        return lambda query="": client.get(reverse("admin:audit_changeset_timeline") + query)

    def test_a_question_that_is_not_understood_shows_nothing_and_says_so(self, get, actor):
        change(CustomerFactory(), actor, city="Lund")
        for query in ("?bogus=1", "?since=yesterday", "?model=nope.Nope", "?value=5", "?who=999999"):
            text = get(query).text
            assert "Lund" not in text and "not understood" in text, query

    def test_an_empty_answer_says_so(self, get):
        assert "Nothing on the record answers this question" in get("?verb=nothing.such").text

    def test_leads_to_the_next_page_with_the_question_kept(self, get, actor, monkeypatch):
        monkeypatch.setattr(module, "ACTS", 2)
        customer = CustomerFactory()
        for n in range(5):
            change(customer, actor, city=f"C{n}")
        following = re.search(r'rel="next" href="([^"]+)"', get(f"?who={actor.pk}").text)
        assert following is not None and f"who={actor.pk}" in following[1]
        assert "C2" in get(following[1].replace("&amp;", "&")).text

    def test_somebody_logged_out_is_sent_to_the_login(self, client):
        assert client.get(reverse("admin:audit_changeset_timeline")).status_code == 302


class TestLives:
    def test_a_person_s_page_tells_of_roles_given_and_places_granted(self, client, auditor):
        administrator = UserFactory(first_name="Ada")
        person = UserFactory()
        region = RegionFactory(name="Nordic")
        with change_set(actor=administrator, door="form", verb="accounts.give_role"):
            give_role(person, "customers.view_customer")
            grant(person, "access_region", region)
        client.force_login(auditor)
        text = client.get(reverse("admin:accounts_user_history", args=[person.pk])).text
        assert "Ada" in text and "Nordic" in text and "role of a person" in text.lower()

    def test_pages_of_a_life_join(self, client, auditor, actor):
        customer = CustomerFactory()
        for n in range(130):
            change(customer, actor, city=f"City{n:03}")
        client.force_login(auditor)
        url, seen = reverse("admin:customers_customer_history", args=[customer.pk]), []
        following = url
        while following:
            text = client.get(following).text
            seen += re.findall(r"<ins>(City\d{3})</ins>", text)
            more = re.search(r'rel="next" href="([^"]+)"', text)
            following = url + more[1].replace("&amp;", "&") if more else ""
        assert seen == [f"City{n:03}" for n in reversed(range(130))]

    def test_the_changes_of_one_field_alone(self, client, auditor, actor):
        customer = CustomerFactory(credit_limit=1)
        change(customer, actor, credit_limit=777, reason="Asked by the board")
        change(customer, actor, city="Lund")
        client.force_login(auditor)
        url = reverse("admin:customers_customer_history", args=[customer.pk])
        text = client.get(url + "?field=credit_limit").text
        assert "777" in text and "Asked by the board" in text and "Lund" not in text

    def test_a_region_moved_is_told_by_name(self, client, auditor, actor):
        customer = CustomerFactory(region=RegionFactory(name="North"))
        change(customer, actor, region_id=RegionFactory(name="South").pk)
        client.force_login(auditor)
        text = client.get(reverse("admin:customers_customer_history", args=[customer.pk])).text
        assert "<del>North</del>" in text and "<ins>South</ins>" in text
        assert Region.objects.count() == 2


class TestActs:
    def test_an_act_tells_its_rows_by_model_and_pages_through_them(self, client, auditor, actor):
        with change_set(actor=actor, door="import", reason="Agreed") as act:
            Customer.objects.bulk_create([Customer(code=f"C{n:04}", name=f"N{n:04}") for n in range(230)])
            Customer.objects.filter(code="C0000").update(city="Lund")
        client.force_login(auditor)
        url = reverse("admin:audit_changeset_change", args=[act.id])
        text = client.get(url).text
        assert "Customers: 231 (230 created, 1 changed)" in text and "C0009" in text and "C0010" not in text
        seen = set()
        following = f"{url}?model=customers.Customer"
        while following:
            text = client.get(following).text
            seen |= set(re.findall(r">(C\d{4}) ", text))
            more = re.search(r'rel="next" href="([^"]+)"', text)
            following = url + more[1].replace("&amp;", "&") if more else ""
        assert len(seen) == 230
