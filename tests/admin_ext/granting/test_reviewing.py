"""Reviews of access: listed, decided by somebody else, revoked through the services, closed, and proven."""

from __future__ import annotations

import csv
import hashlib
from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.urls import reverse
from django.utils import timezone

from admin_ext.access.rights import NotPermitted, can
from admin_ext.audit.access_log import note_access
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Access, AccessEvent
from admin_ext.granting.models import AccessReview, AccessReviewItem
from admin_ext.granting.reviewing import (
    DueInThePast,
    NotAllDecided,
    NothingToReview,
    ReviewIsClosed,
    ReviewOfOneself,
    close_review,
    decide_item,
    open_review,
)
from apps.accounts.models import Membership, User
from tests.factories import CustomerFactory, RegionFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db
RIGHTS = [f"granting.{action}_accessreview" for action in ("view", "add", "change", "export")]


def soon():
    return timezone.localdate() + timedelta(days=7)


@pytest.fixture
def reviewer(db):
    over_customers = ("customers.view_customer", "customers.grant_customer", "customers.access_all_region")
    return give_role(
        UserFactory(), *RIGHTS, "accounts.view_user", "accounts.grant_user", "customers.grant_region", *over_customers
    )


@pytest.fixture
def held(reviewer):
    """A person with a role, a place and a row; the role is not the reviewer's."""
    person = give_role(UserFactory(first_name="Olga"), "customers.view_customer")
    region, customer = RegionFactory(name="Nordics"), CustomerFactory(name="Secret customer")
    grant(person, "access_region", region)
    return grant(person, "view", customer), region, customer


@pytest.fixture
def review(reviewer, held):
    return open_review(actor=reviewer, title="Autumn", due_on=soon())


def items_of(review, person):
    return {item.kind: item for item in review.items.filter(person=person).order_by("id")}


class TestOpening:
    def test_lists_roles_places_and_rows_of_everybody_with_an_open_account(self, review, held, reviewer):
        person, region, customer = held
        items = items_of(review, person)
        assert items["role"].role_name == person.groups.get().name
        assert (items["place"].model, items["place"].object_id) == ("customers.Region", region.pk)
        assert (items["row"].object_id, items["row"].codename) == (customer.pk, "view_customer")
        assert review.items.filter(person=reviewer, kind="role").count() == 1

    def test_can_be_of_one_role(self, reviewer, held):
        role = held[0].groups.get()
        review = open_review(actor=reviewer, title="One role", due_on=soon(), role=role)
        assert {item.person for item in review.items.all()} == {held[0]}

    def test_leaves_out_closed_accounts(self, reviewer, held):
        with change_set(actor=None, door="shell", reason="Closed"):
            User.objects.filter(pk=held[0].pk).update(is_active=False)
        with pytest.raises(NothingToReview):
            open_review(actor=reviewer, title="x", due_on=soon(), role=held[0].groups.get())

    def test_is_due_on_a_day_to_come(self, reviewer, held):
        with pytest.raises(DueInThePast):
            open_review(actor=reviewer, title="x", due_on=timezone.localdate() - timedelta(days=1))

    def test_needs_the_right(self, held):
        with pytest.raises(NotPermitted):
            open_review(actor=give_role(UserFactory(), RIGHTS[0]), title="x", due_on=soon())


class TestLastUse:
    def test_is_not_known_where_nothing_tells(self, review, held):
        assert {(item.used_at, item.use) for item in items_of(review, held[0]).values()} == {(None, "")}

    def test_of_a_role_is_the_last_act_that_it_allows(self, reviewer, held):
        person = give_role(held[0], "customers.hold_customer", "customers.change_customer")
        with change_set(actor=person, door="form", verb="customers.hold_customer_elsewhere", always=True):
            pass
        with change_set(actor=person, door="form", verb="customers.change_customer", always=True):
            pass
        used = open_review(actor=reviewer, title="x", due_on=soon()).items.filter(person=person, kind="role")
        assert {item.use for item in used.filter(used_at=None)} == {""}
        (known,) = used.exclude(used_at=None)
        assert known.use == "act"
        assert known.role.permissions.filter(codename="change_customer").exists()

    def test_of_a_row_is_the_last_time_it_was_opened_or_changed(self, reviewer, held):
        person, _, customer = held
        note_access(Access.VIEW, actor=person, model="customers.Customer", object_id=customer.pk)
        item = items_of(open_review(actor=reviewer, title="x", due_on=soon()), person)["row"]
        assert item.use == "read"
        with change_set(actor=person, door="form", reason="x"):
            type(customer).objects.filter(pk=customer.pk).update(fax="1")
        item = items_of(open_review(actor=reviewer, title="x", due_on=soon()), person)["row"]
        assert item.use == "act"


class TestDeciding:
    def test_keeping_keeps(self, review, reviewer, held):
        item = items_of(review, held[0])["role"]
        decided = decide_item(actor=reviewer, item=item, decision="keep", note="Works there")
        assert (decided.decided_by, decided.note) == (reviewer, "Works there")
        assert Membership.objects.filter(user=held[0]).exists()

    def test_revoking_takes_the_role_the_place_and_the_row(self, review, reviewer, held):
        person, region, customer = held
        for kind, item in items_of(review, person).items():
            decide_item(actor=reviewer, item=item, decision="revoke", note="Left the team")
            assert AccessReviewItem.objects.get(pk=item.pk).decision == "revoke", kind
        assert not Membership.objects.filter(user=person).exists()
        assert not region.user_grants_model.objects.exists()
        assert not can(User.objects.get(pk=person.pk), "view", customer)
        taken = AccessEvent.objects.filter(kind="rights", actor=reviewer)
        assert taken.count() == 3
        assert all("Access review “Autumn”: Left the team" in event.reason for event in taken)

    def test_what_is_gone_already_is_revoked_without_an_error(self, review, reviewer, held):
        with change_set(actor=None, door="shell", reason="Gone"):
            Membership.objects.filter(user=held[0]).delete()
        decide_item(actor=reviewer, item=items_of(review, held[0])["role"], decision="revoke", note="x")

    def test_nobody_decides_on_their_own(self, review, reviewer):
        with pytest.raises(ReviewOfOneself):
            decide_item(actor=reviewer, item=items_of(review, reviewer)["role"], decision="keep")

    def test_the_database_refuses_it_as_well(self, review, reviewer):
        item = items_of(review, reviewer)["role"]
        said = {"decision": "keep", "decided_by": reviewer, "decided_at": timezone.now()}
        refused = pytest.raises(IntegrityError, match="nobody_reviews_their_own_rights")
        with refused, change_set(actor=reviewer, door="form", reason="Mine"):
            AccessReviewItem.objects.filter(pk=item.pk).update(**said)

    def test_revoking_needs_the_right_to_take(self, review, held):
        other = give_role(UserFactory(), *RIGHTS, "customers.view_customer")
        with pytest.raises(NotPermitted):
            decide_item(actor=other, item=items_of(review, held[0])["role"], decision="revoke")
        assert Membership.objects.filter(user=held[0]).exists()
        assert items_of(review, held[0])["role"].decision == ""

    def test_deciding_needs_the_right_to_decide(self, review, held):
        reader = give_role(UserFactory(), RIGHTS[0])
        with pytest.raises(NotPermitted):
            decide_item(actor=reader, item=items_of(review, held[0])["role"], decision="keep")

    def test_is_on_the_record(self, review, reviewer, held):
        item = items_of(review, held[0])["role"]
        decide_item(actor=reviewer, item=item, decision="keep", note="x")
        last = AccessReviewItem.history.filter(id=item.pk).first()
        assert (last.history_type, last.history_user_id, last.decision) == ("~", reviewer.pk, "keep")


class TestClosing:
    def test_asks_for_everything_to_be_decided_and_then_stays(self, review, reviewer, held):
        with pytest.raises(NotAllDecided):
            close_review(actor=reviewer, review=review)
        second = give_role(UserFactory(), *RIGHTS)
        for item in review.items.all():
            decide_item(actor=second if item.person_id == reviewer.pk else reviewer, item=item, decision="keep")
        close_review(actor=reviewer, review=review)
        with pytest.raises(ReviewIsClosed):
            close_review(actor=reviewer, review=AccessReview.objects.get())
        with pytest.raises(ReviewIsClosed):
            decide_item(actor=reviewer, item=items_of(review, held[0])["role"], decision="revoke")


class TestThePages:
    def test_from_opening_to_closing(self, client, reviewer, held):
        client.force_login(reviewer)
        opened = client.post(reverse("admin:granting_accessreview_open"), {"title": "Autumn", "due_on": soon()})
        review = AccessReview.objects.get()
        page = client.get(opened.headers["Location"]).text
        assert "Olga" in page
        assert "yours: somebody else decides" in page
        item = items_of(review, held[0])["role"]
        decide = reverse("admin:granting_accessreview_decide", args=[review.pk, item.pk])
        assert client.post(decide, {"decision": "revoke", "note": "Left"}).status_code == 302
        assert "revoked" in client.get(opened.headers["Location"] + "?show=revoked").text
        assert not Membership.objects.filter(user=held[0]).exists()
        client.post(reverse("admin:granting_accessreview_close", args=[review.pk]))
        assert AccessReview.objects.get().closed_at is None

    def test_names_rows_within_the_rights_of_the_reader(self, client, review):
        client.force_login(give_role(UserFactory(), *RIGHTS))
        page = client.get(reverse("admin:granting_accessreview_change", args=[review.pk])).text
        assert "Secret customer" not in page
        assert "Nordics" not in page
        assert "customer #" in page

    def test_overdue_is_shown(self, client, review, reviewer):
        with change_set(actor=None, door="shell", reason="Time passes"):
            AccessReview.objects.update(due_on=timezone.localdate() - timedelta(days=1))
        client.force_login(reviewer)
        assert "overdue" in client.get(reverse("admin:granting_accessreview_changelist")).text
        assert "overdue" in client.get(reverse("admin:granting_accessreview_change", args=[review.pk])).text

    def test_evidence_says_who_decided_what_and_its_hash_is_noted(self, client, review, reviewer, held):
        item = items_of(review, held[0])["role"]
        decide_item(actor=reviewer, item=item, decision="keep", note="=1+1")
        client.force_login(reviewer)
        answer = client.post(reverse("admin:granting_accessreview_evidence", args=[review.pk]))
        rows = list(csv.DictReader(answer.content.decode().splitlines()))
        assert len(rows) == review.items.count()
        (row,) = [each for each in rows if each["item"] == str(item.pk)]
        assert (row["decision"], row["decided by"]) == ("Keep", reviewer.username)
        assert row["note"] == "'=1+1"
        assert "Secret customer" not in answer.content.decode()
        noted = AccessEvent.objects.get(kind="evidence")
        assert noted.detail["sha256"] == hashlib.sha256(answer.content).hexdigest()

    @pytest.mark.parametrize("what", ["open", "decide", "close", "evidence"])
    def test_who_only_views_does_nothing(self, client, review, held, what):
        client.force_login(give_role(UserFactory(), RIGHTS[0]))
        item = items_of(review, held[0])["role"]
        args = {"open": [], "decide": [review.pk, item.pk]}.get(what, [review.pk])
        said = {"decision": "keep", "title": "x", "due_on": soon()}
        assert client.post(reverse(f"admin:granting_accessreview_{what}", args=args), said).status_code == 403
