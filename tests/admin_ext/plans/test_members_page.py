"""The page of a bulk edit, where it adds and removes members: what it offers, and what it takes."""

from __future__ import annotations

import pytest
from django.urls import reverse

from admin_ext.admin.bulk_edit_form import EditForm
from admin_ext.admin.related_rows import MOST
from admin_ext.jobs.running import run_job
from admin_ext.plans.models import Plan
from apps.accounts.models import Membership, Team, TeamMembership, User
from tests.contracts.world import rights_on
from tests.factories import RoleFactory, TeamFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db


@pytest.fixture
def person():
    return give_role(UserFactory(), *rights_on(Team), "accounts.view_user")


def asked(client, rows):
    """The page of the bulk edit of these rows."""
    name = f"admin:accounts_{type(rows[0])._meta.model_name}_changelist"
    response = client.post(reverse(name), {"action": "edit", "_selected_action": [row.pk for row in rows]})
    return client.get(response.url)


def posted(client, page, **said):
    return client.post(
        page.request["PATH_INFO"], {"selection": page.context["selection"], "_go": "1", "reason": "Autumn", **said}
    )


def latest_plan():
    plan = Plan.objects.latest("pk")
    run_job(plan.making_id)
    plan.refresh_from_db()
    return plan


class TestThePage:
    def test_offers_the_relation_beside_the_columns_and_plans_both(self, client, person):
        ann, team = UserFactory(username="ann"), TeamFactory()
        client.force_login(person)
        page = asked(client, [team])
        assert [row["label"] for row in page.context["form"].rows] == ["Lead", "Members"]
        assert 'name="rows-members"' in page.text and "admin-autocomplete" in page.text
        said = {"do-lead": "set", "value-lead": "ann", "do-members": "add", "rows-members": [ann.pk]}
        assert posted(client, page, **said).status_code == 302
        plan = latest_plan()
        assert plan.counts == {"create": 1, "update": 1}
        review = client.get(reverse("admin:plans_plan_change", args=[plan.pk])).text
        assert f"{team}: ann" in review and "<ins>ann</ins>" in review

    def test_shows_at_the_review_what_goes(self, client, person, act):
        ann, team = UserFactory(username="ann"), TeamFactory(name="Night desk")
        TeamMembership.objects.create(team=team, user=ann)
        client.force_login(person)
        posted(client, asked(client, [ann]), **{"do-teams": "remove", "rows-teams": [team.pk]})
        plan = latest_plan()
        assert plan.counts == {"delete": 1}
        assert "<del>Night desk</del>" in client.get(reverse("admin:plans_plan_change", args=[plan.pk])).text

    def test_is_not_there_for_who_may_write_no_member(self, client):
        client.force_login(give_role(UserFactory(), "accounts.view_user", "accounts.view_team"))
        listed = reverse("admin:accounts_user_changelist")
        assert "Change values" not in client.get(listed).text
        address = reverse("admin:accounts_user_bulk", args=["edit"])
        page = client.post(listed, {"action": "edit", "_selected_action": [UserFactory().pk]})
        assert not page.url.startswith(address) if page.status_code == 302 else page.status_code == 200

    def test_obeys_no_relation_that_it_does_not_offer(self, client, person):
        ann, role, team = UserFactory(), RoleFactory(), TeamFactory()
        held = Membership.objects.count()
        client.force_login(person)
        page = asked(client, [ann])
        assert "do-groups" not in page.context["form"].fields
        said = {"do-groups": "add", "rows-groups": [role.pk]}
        assert posted(client, page, **said).status_code == 200
        said |= {"do-teams": "add", "rows-teams": [team.pk]}
        assert posted(client, page, **said).status_code == 302
        assert latest_plan().parameters["relations"] == {"teams": {"operation": "add", "keys": [team.pk]}}
        assert Membership.objects.count() == held


class TestTheForm:
    def form(self, person, **said):
        return EditForm(Team, ["lead"], {"reason": "Autumn", **said}, user=person)

    def test_asks_for_what_is_missing(self, person):
        ann = UserFactory()
        assert "rows-members" in self.form(person, **{"do-members": "add"}).errors
        assert "do-members" in self.form(person, **{"rows-members": [ann.pk]}).errors
        assert "do-members" in self.form(person, **{"do-members": "set", "rows-members": [ann.pk]}).errors
        assert "__all__" in self.form(person).errors

    @pytest.mark.parametrize("key", ["x", "-1", "9" * 40, "٣", "\x00", "1e3", "0"])
    def test_takes_no_key_that_is_none(self, person, key):
        form = self.form(person, **{"do-members": "add", "rows-members": [key]})
        assert list(form.errors) == ["rows-members"]
        assert str(form["rows-members"])

    def test_takes_nobody_out_of_sight(self):
        ann, hidden = UserFactory(), UserFactory(username="hidden-one")
        person = grant(give_role(UserFactory(), "accounts.view_team", "accounts.change_team"), "view", ann)
        assert self.form(person, **{"do-members": "add", "rows-members": [ann.pk]}).is_valid()
        form = self.form(person, **{"do-members": "add", "rows-members": [hidden.pk]})
        assert list(form.errors) == ["rows-members"]
        assert "hidden-one" not in form["rows-members"].as_widget()

    def test_takes_so_many_at_most(self, person):
        form = self.form(person, **{"do-members": "add", "rows-members": list(range(1, MOST + 2))})
        assert "at most" in form.errors["rows-members"][0]

    def test_asks_for_a_reason_where_the_pairs_do(self, person, monkeypatch):
        said = {"do-members": "add", "rows-members": [UserFactory().pk], "reason": ""}
        assert self.form(person, **said).is_valid()
        monkeypatch.setattr(TeamMembership, "reason_required", True)
        assert list(self.form(person, **said).errors) == ["reason"]

    def test_offers_no_column_and_relation_to_who_asks_for_nobody(self):
        assert [row["label"] for row in EditForm(User, ["time_zone"]).rows] == ["Time zone"]
