"""Reviews: signed by somebody else, for good, and everything that asks for one is on the list until it has one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from admin_ext.access.rights import NotPermitted
from admin_ext.audit.context import change_set, open_change_set
from admin_ext.audit.models import ChangeSet
from admin_ext.desk.cases import count_open, open_cases
from admin_ext.desk.models import Case, Review
from admin_ext.desk.reviewing import (
    ActNotThere,
    ActOfOneself,
    NoteMissing,
    RangeBackwards,
    reviews_of,
    sign_review,
)
from apps.accounts.models import Membership, User
from apps.customers.models import Customer
from tests.factories import (
    ChangeSetFactory,
    CustomerFactory,
    RegionFactory,
    ReviewFactory,
    RoleFactory,
    UserFactory,
    give_role,
    grant,
)

pytestmark = pytest.mark.django_db
PASSWORD = "a long password of theirs"


@pytest.fixture
def reviewer(db):
    person = UserFactory()
    with change_set(actor=None, door="shell"):
        person.set_password(PASSWORD)
        person.save()
    return give_role(person, "audit.view_changeset", "desk.view_review", "desk.add_review")


@pytest.fixture
def settled(db):
    """Nothing that the test arranged before waits for a review."""

    def settle():
        person, act = UserFactory(), ChangeSetFactory()
        first = ChangeSet.objects.earliest().pk
        ReviewFactory(reviewer=person, act=act, first_act=first, last_act=ChangeSet.objects.latest().pk)

    return settle


def sign(actor, first, last=None, verdict="in_order", note=""):
    return sign_review(actor=actor, first_act=first, last_act=last or first, verdict=verdict, note=note)


def waiting(user):
    return [act.pk for act in open_cases(user)]


def act_of(actor, door="form", reason="", **changes):
    with change_set(actor=actor, door=door, verb="tests.act", reason=reason) as act:
        Customer.objects.update(**changes)
    return act.id


class TestWhatAsksForOne:
    def test_doors_past_the_product_reasons_and_rights_and_nothing_else(self, reviewer, actor):
        customer, role = CustomerFactory(credit_limit=1), RoleFactory()

        before = set(Case.objects.values_list("act", flat=True))
        plain = act_of(actor, city="Lund")
        shell = act_of(actor, door="shell", city="Malmö")
        reason = act_of(actor, reason="Agreed", credit_limit=2)
        with change_set(actor=actor, door="form", reason="New here") as rights:
            membership = Membership.objects.create(user=UserFactory(), group_id=role.pk)
        with change_set(actor=actor, door="form") as taken:
            membership.delete()
        with change_set(actor=actor, door="form") as granted:
            grant(UserFactory(), "view", customer)
        with change_set(actor=actor, door="form") as renamed:
            User.objects.filter(pk=actor.pk).update(first_name="Jo")
        with change_set(actor=actor, door="form") as raised:
            User.objects.filter(pk=actor.pk).update(is_staff=False)
        found = set(Case.objects.values_list("act", flat=True)) - before
        assert {shell, reason, rights.id, taken.id, granted.id, raised.id} <= found
        assert not {plain, renamed.id} & found

    def test_what_waits_is_told_oldest_first_until_it_is_covered(self, reviewer, actor, settled):
        CustomerFactory()
        settled()
        first, second = act_of(actor, door="shell", city="A"), act_of(actor, door="sql", city="B")
        assert waiting(reviewer)[:2] == [first, second]
        sign(reviewer, first)
        assert first not in waiting(reviewer)
        assert second in waiting(reviewer)

    def test_it_is_overdue_after_the_days_of_the_settings(self, actor, settings):
        CustomerFactory()
        act_of(actor, door="shell", city="A")
        assert count_open() > 0 == count_open(overdue=True)
        settings.REVIEW_DAYS = 0
        assert count_open(overdue=True) == count_open()

    def test_nobody_writes_the_list_by_hand(self, actor):
        CustomerFactory()
        act = act_of(actor, door="shell", city="A")
        for statement in (
            f"DELETE FROM desk_case WHERE act_id = {act}",
            f"UPDATE desk_case SET review_id = 1 WHERE act_id = {act}",
            f"INSERT INTO desk_case (act_id, opened_at) VALUES ({act + 100000}, now())",
        ):
            with pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)


class TestSigning:
    def test_says_who_what_when_and_is_on_the_record(self, reviewer, actor):
        CustomerFactory()
        act = act_of(actor, city="A")
        review = sign(reviewer, act, verdict="question", note="Why all of them?")
        assert (review.reviewer, review.acts, review.note) == (reviewer, f"change set #{act}", "Why all of them?")
        assert timezone.now() - review.signed_at < timedelta(seconds=5)
        assert review.history.get().change_set.actor == reviewer
        assert list(reviews_of(ChangeSet.objects.get(pk=act))) == [review]

    def test_nobody_reviews_their_own(self, reviewer):
        CustomerFactory()
        own = act_of(reviewer, city="A")
        with pytest.raises(ActOfOneself):
            sign(reviewer, own)
        # Nor past the service.
        with (
            pytest.raises(IntegrityError, match="own changes"),
            change_set(actor=reviewer, door="form"),
            transaction.atomic(),
        ):
            Review.objects.create(reviewer=reviewer, first_act=own, last_act=own, verdict="in_order")

    def test_nobody_signs_in_anothers_name(self, reviewer, actor):
        CustomerFactory()
        act = act_of(actor, city="A")
        with pytest.raises(ProgrammingError, match="nobody else's name"), change_set(actor=actor, door="form"):
            Review.objects.create(reviewer=reviewer, first_act=act, last_act=act, verdict="in_order")

    def test_what_the_database_fills_in_cannot_be_said_otherwise(self, reviewer, actor):
        CustomerFactory()
        act = act_of(actor, city="A")
        with change_set(actor=reviewer, door="form"):
            review = Review.objects.create(
                reviewer=reviewer, first_act=act, last_act=act, verdict="in_order", block=999, block_hash="f" * 64,
                signed_at=timezone.now() - timedelta(days=400),
            )  # fmt: skip
        review.refresh_from_db()
        assert (review.block, review.block_hash) == (None, "")
        assert timezone.now() - review.signed_at < timedelta(seconds=5)

    def test_it_stays(self, reviewer, actor):
        CustomerFactory()
        review = sign(reviewer, act_of(actor, city="A"))
        for change in (
            lambda: Review.objects.filter(pk=review.pk).update(verdict="objection"),
            lambda: Review.objects.filter(pk=review.pk)._raw_delete("default"),
        ):
            with pytest.raises(ProgrammingError, match="stays"), change_set(actor=reviewer, door="form"):
                change()

    def test_a_range_covers_what_others_did_and_not_ones_own(self, reviewer, actor):
        CustomerFactory()
        first = act_of(actor, door="shell", city="A")
        own = act_of(reviewer, door="shell", city="B")
        last = act_of(actor, door="shell", city="C")
        review = sign(reviewer, first, last)
        closed = set(Case.objects.filter(review=review).values_list("act", flat=True))
        assert closed == {first, last}
        assert own in waiting(reviewer)
        assert not reviews_of(ChangeSet.objects.get(pk=own)).exists()

    def test_an_act_that_has_not_ended_is_not_covered(self, reviewer, actor):
        CustomerFactory()
        first = act_of(actor, door="shell", city="A")
        job = open_change_set(actor=actor, door="shell", verb="tests.long", reason="Agreed")
        last = act_of(actor, door="shell", city="B")
        with pytest.raises(ActNotThere):
            sign(reviewer, job.pk)
        sign(reviewer, first, last)
        assert job.pk in waiting(reviewer)

    def test_a_later_review_supersedes(self, reviewer, actor):
        CustomerFactory()
        act = act_of(actor, door="shell", city="A")
        sign(reviewer, act, verdict="objection", note="Not agreed")
        later = sign(reviewer, act)
        assert Case.objects.get(act=act).review == later
        assert [each.verdict for each in reviews_of(ChangeSet.objects.get(pk=act))] == ["in_order", "objection"]

    def test_is_refused_with_what_to_do(self, reviewer, actor):
        CustomerFactory()
        act = act_of(actor, city="A")
        with pytest.raises(RangeBackwards):
            sign(reviewer, act, act - 1)
        with pytest.raises(ActNotThere, match="not on the record"):
            sign(reviewer, act, act + 10_000)
        with pytest.raises(NoteMissing):
            sign(reviewer, act, verdict="objection")
        with pytest.raises(NotPermitted):
            sign(give_role(UserFactory(), "audit.view_changeset"), act)
        with pytest.raises(ActNotThere):
            sign(give_role(UserFactory(), "desk.add_review"), act)
        assert not Review.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_act_that_commits_after_the_signature_stays_open_whatever_its_number(reviewer, actor):
    """Somebody holds a transaction open while the range around it is signed."""
    from tests import databases

    customer = CustomerFactory()
    first = act_of(actor, door="shell", city="A")
    with databases.connection_as("opsadmin_owner", autocommit=False) as slow:
        slow.execute("UPDATE customers_customer SET city = 'Hidden' WHERE id = %s", [customer.pk])
        with change_set(actor=actor, door="shell", verb="tests.act") as last:
            RegionFactory()
        sign(reviewer, first, last.id)
        slow.commit()
    hidden = customer.history.latest().change_set_id
    assert first < hidden < last.id
    assert [act for act in waiting(reviewer) if first <= act <= last.id] == [hidden]


class TestPages:
    @pytest.fixture
    def desk(self, client, reviewer):
        client.force_login(reviewer)
        return client

    def post(self, desk, act, **said):
        values = {"first_act": act, "last_act": act, "verdict": "in_order", "note": "", "password": PASSWORD}
        return desk.post(reverse("admin:desk_review_sign"), values | said)

    def test_the_change_set_page_offers_the_form_and_then_says_who_signed(self, desk, actor):
        CustomerFactory()
        act = act_of(actor, door="shell", city="A")
        page = reverse("admin:audit_changeset_change", args=[act])
        text = desk.get(page).text
        assert "asks for a review and has none" in text
        assert 'name="password"' in text
        response = self.post(desk, act, verdict="question", note="Who asked for it?")
        assert (response.status_code, response.headers["Location"]) == (302, page)
        text = desk.get(page).text
        assert "Who asked for it?" in text and "Question" in text

    def test_the_password_is_asked_and_a_wrong_one_signs_nothing(self, desk, actor):
        CustomerFactory()
        act = act_of(actor, door="shell", city="A")
        response = self.post(desk, act, password="guessed")
        assert "not your password" in response.text
        assert "guessed" not in response.text
        assert not Review.objects.exists()

    def test_guessing_is_throttled_like_a_login(self, desk, actor, settings):
        settings.AXES_ENABLED = True
        CustomerFactory()
        act = act_of(actor, door="shell", city="A")
        for _ in range(settings.AXES_FAILURE_LIMIT + 1):
            self.post(desk, act, password="guessed")
        assert not Review.objects.exists()
        self.post(desk, act)
        assert not Review.objects.exists()

    def test_ones_own_act_offers_no_form(self, desk, reviewer):
        CustomerFactory()
        act = act_of(reviewer, door="shell", city="A")
        assert 'name="password"' not in desk.get(reverse("admin:audit_changeset_change", args=[act])).text
        assert "somebody else has to review it" in self.post(desk, act).text

    def test_open_reviews_lead_to_the_acts_page_by_page(self, desk, reviewer, actor, settled, monkeypatch):
        from admin_ext.admin.screens import reviews
        from admin_ext.desk import cases

        monkeypatch.setattr(cases, "PAGE", 3)
        monkeypatch.setattr(reviews, "PAGE", 3)
        CustomerFactory()
        settled()
        acts = [act_of(actor, door="shell", city=f"C{n}") for n in range(5)]
        address = reverse("admin:desk_review_open")
        links = [reverse("admin:audit_changeset_change", args=[act]) for act in acts]
        first, second = desk.get(address).text, desk.get(f"{address}?after={acts[2]}").text
        assert [link in first for link in links] == [True, True, True, False, False]
        assert [link in second for link in links] == [False, False, False, True, True]
        assert f"?after={acts[2]}" in first

    def test_open_reviews_cost_the_same_queries_for_few_and_many(self, desk, actor):
        CustomerFactory()
        counts = []
        for n in range(2):
            for m in range(10 * n + 1):
                act_of(actor, door="shell", city=f"C{n}{m}")
            desk.get(reverse("admin:desk_review_open"))
            with CaptureQueriesContext(connection) as queries:
                desk.get(reverse("admin:desk_review_open"))
            counts.append(len(queries))
        assert counts[0] == counts[1]

    def test_without_the_right_there_is_no_page(self, client, actor):
        client.force_login(actor)
        for name in ("open", "sign", "verify", "checkpoint", "public_key"):
            assert client.get(reverse(f"admin:desk_review_{name}")).status_code == 403, name

    def test_the_list_finds_by_verdict(self, desk, actor):
        ReviewFactory(verdict="objection", note="Not agreed")
        ReviewFactory(verdict="in_order", note="Fine")
        text = desk.get(reverse("admin:desk_review_changelist") + "?verdict=objection").text
        assert "Not agreed" in text and "Fine" not in text
        assert ChangeSetFactory().pk
