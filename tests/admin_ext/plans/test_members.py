"""Adding rows to a relation of many, and taking them away: reviewed pair by pair, in the same plan as the columns."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from admin_ext.access.models import FieldPolicy
from admin_ext.audit.context import change_set
from admin_ext.audit.models import ChangeSet
from admin_ext.filtering.selection import Selection
from admin_ext.jobs.running import run_job
from admin_ext.plans.making import submit_plan
from admin_ext.plans.models import Plan
from admin_ext.plans.relations import offered_relations, relations_of
from apps.accounts.models import Role, Team, TeamMembership, User
from apps.customers.models import Region
from tests.admin_ext.plans.undos import applied, said, undone
from tests.contracts.world import person_for, rights_on
from tests.factories import CustomerFactory, RegionFactory, TeamFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db


@pytest.fixture
def person():
    return give_role(UserFactory(), *rights_on(Team), "accounts.view_user", "audit.view_changeset")


@pytest.fixture
def ann():
    return UserFactory(username="ann")


@pytest.fixture
def bob():
    return UserFactory(username="bob")


def joined(team, *people):
    with change_set(actor=None, door="shell", verb="tests.arrange"):
        for each in people:
            TeamMembership.objects.create(team=team, user=each)
    return team


def left(team, user):
    with change_set(actor=None, door="shell", verb="tests.arrange"):
        TeamMembership.objects.get(team=team, user=user).delete()


def meeting(person, field, kind):
    """The person, whose roles meet a column of the pairs under a policy from now on."""
    with change_set(actor=None, door="shell", verb="tests.arrange", reason="Because"):
        for role in person.groups.all():
            FieldPolicy.objects.create(role_id=role.pk, model=TeamMembership._meta.label, field=field, kind=kind)
    return User.objects.get(pk=person.pk)


def submitted(actor, rows, *, changes=None, **relations):
    """A plan that does to each relation what is said: `members=("add", [ann])`."""
    model = type(rows[0])
    asked = {
        name: {"operation": operation, "keys": [row.pk for row in chosen]}
        for name, (operation, chosen) in relations.items()
    }
    plan = submit_plan(
        actor=actor,
        source="edit",
        title="Edit",
        model=model._meta.label,
        parameters={
            "selection": Selection.picked(model, [row.pk for row in rows]).to_json(),
            "changes": changes or {},
            "relations": asked,
            "reason": "Autumn",
        },
    )
    run_job(plan.making_id)
    plan.refresh_from_db()
    return plan


def planned(actor, rows, **said_of):
    plan = submitted(actor, rows, **said_of)
    assert plan.state == Plan.State.READY, plan.notes
    return plan


def members(team):
    return sorted(team.members.values_list("username", flat=True))


class TestTheRelationsOfAModel:
    def test_are_found_from_both_sides(self):
        (forward,) = relations_of(Team)
        (reverse,) = relations_of(User)
        assert (forward.name, forward.here, forward.there, forward.related) == ("members", "team", "user", User)
        assert (reverse.name, reverse.here, reverse.there, reverse.related) == ("teams", "user", "team", Team)

    def test_leave_out_what_needs_a_second_pair_of_eyes(self, monkeypatch):
        assert "groups" not in {each.name for each in relations_of(User)}
        assert relations_of(Role) == []
        monkeypatch.setattr(TeamMembership, "review_required", True, raising=False)
        assert relations_of(Team) == relations_of(User) == []

    def test_leave_out_what_only_grows_and_pairs_that_could_stand_twice(self, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(TeamMembership, "append_only", True, raising=False)
            assert relations_of(Team) == []
        monkeypatch.setitem(TeamMembership._meta.__dict__, "total_unique_constraints", [])
        assert relations_of(Team) == []

    def test_are_offered_as_far_as_the_rights_go(self, person):
        assert list(offered_relations(person, Team).values()) == [["add", "remove"]]
        for rights in (
            ["accounts.view_team", "accounts.view_user"],
            ["accounts.view_team", "accounts.change_team"],
        ):
            assert offered_relations(give_role(UserFactory(), *rights), Team) == {}

    @pytest.mark.parametrize(("kind", "operations"), [("read_only", ["remove"]), ("masked", []), ("hidden", [])])
    def test_are_offered_as_far_as_policies_go(self, person, kind, operations):
        person = meeting(person, "user", kind)
        assert [each for offered in offered_relations(person, Team).values() for each in offered] == operations


class TestAdding:
    def test_is_reviewed_pair_by_pair_and_recorded_as_one_act(self, person, ann, bob):
        desk, night = joined(TeamFactory(name="Desk"), ann), TeamFactory(name="Night")
        plan = planned(person, [desk, night], members=("add", [ann, bob]))
        assert plan.counts == {"create": 3, "unchanged": 1}
        assert [row.key for row in plan.rows.filter(action="create")] == ["Desk: bob", "Night: ann", "Night: bob"]
        row = plan.rows.get(key="Desk: bob")
        assert (row.model, row.before, row.after) == (
            "accounts.TeamMembership",
            None,
            {"team_id": desk.pk, "user_id": bob.pk},
        )
        assert members(night) == []
        plan = applied(plan)
        assert plan.counts == {"create": 3, "unchanged": 1}
        assert members(desk) == members(night) == ["ann", "bob"]
        act = plan.applying.change_set
        assert (act.actor, act.door, act.verb, act.reason, act.rows) == (
            person,
            "bulk",
            "accounts.edit_team",
            "Autumn",
            3,
        )
        assert set(
            TeamMembership.history.filter(history_type="+", change_set=act).values_list("user_id", flat=True)
        ) == {
            ann.pk,
            bob.pk,
        }

    def test_works_from_the_other_side(self, person, ann, bob):
        team = joined(TeamFactory(name="Desk"), bob)
        plan = planned(person, [ann, bob], teams=("add", [team]))
        assert [(row.key, row.action) for row in plan.rows.all()] == [
            ("ann: Desk", "create"),
            ("bob: Desk", "unchanged"),
        ]
        applied(plan)
        assert members(team) == ["ann", "bob"]

    def test_goes_with_a_change_of_columns(self, person, ann, bob):
        teams = [TeamFactory(), joined(TeamFactory(), bob)]
        plan = planned(person, teams, changes={"lead": {"operation": "set", "value": "ann"}}, members=("add", [ann]))
        assert plan.counts == {"update": 2, "create": 2}
        assert [row.number for row in plan.rows.all()] == [1, 2, 3, 4]
        assert plan.making.rows_total == 4
        plan = applied(plan)
        assert plan.counts == {"update": 2, "create": 2}
        assert [team.lead for team in Team.objects.filter(pk__in=[team.pk for team in teams])] == [ann, ann]
        assert members(teams[1]) == ["ann", "bob"]
        assert ChangeSet.objects.filter(pk=plan.applying.change_set_id, rows=4).exists()

    def test_of_somebody_who_was_added_meanwhile_is_told_and_no_error(self, person, ann, bob):
        teams = [TeamFactory(), TeamFactory()]
        plan = planned(person, teams, members=("add", [ann, bob]))
        joined(teams[0], ann)
        assert applied(plan).counts == {"create": 3, "drifted": 1}
        assert members(teams[0]) == members(teams[1]) == ["ann", "bob"]

    def test_to_a_row_that_is_gone_meanwhile_is_refused_and_the_rest_done(self, person, ann):
        teams = [TeamFactory(), TeamFactory()]
        plan = planned(person, teams, members=("add", [ann]))
        with change_set(actor=None, door="shell"):
            teams[0].delete()
        assert applied(plan).counts == {"create": 1, "refused": 1}
        assert members(teams[1]) == ["ann"]


class TestRemoving:
    def test_shows_what_goes_and_leaves_who_is_no_member(self, person, ann, bob):
        desk, night = joined(TeamFactory(name="Desk"), ann, bob), TeamFactory(name="Night")
        gone = TeamMembership.objects.get(team=desk, user=ann)
        plan = planned(person, [desk, night], members=("remove", [ann]))
        row = plan.rows.get(action="delete")
        assert (row.key, row.model, row.target_id, row.version) == (
            "Desk: ann",
            "accounts.TeamMembership",
            gone.pk,
            gone.version,
        )
        assert (row.before, row.after) == ({"team_id": desk.pk, "user_id": ann.pk}, None)
        assert plan.counts == {"delete": 1, "unchanged": 1}
        assert members(desk) == ["ann", "bob"]
        plan = applied(plan)
        assert plan.counts == {"delete": 1, "unchanged": 1}
        assert members(desk) == ["bob"]
        assert gone.history.first().change_set == plan.applying.change_set

    def test_works_from_the_other_side(self, person, ann, bob):
        team = joined(TeamFactory(), ann, bob)
        applied(planned(person, [bob], teams=("remove", [team])))
        assert members(team) == ["ann"]

    def test_of_somebody_who_left_or_came_anew_meanwhile_is_told_and_no_error(self, person, ann):
        gone, anew, same = [joined(TeamFactory(), ann) for _ in range(3)]
        plan = planned(person, [gone, anew, same], members=("remove", [ann]))
        left(gone, ann)
        left(anew, ann)
        joined(anew, ann)
        assert applied(plan).counts == {"delete": 1, "drifted": 2}
        assert (members(anew), members(same)) == (["ann"], [])

    def test_asks_for_a_reason_where_the_pairs_do(self, person, ann, monkeypatch):
        monkeypatch.setattr(TeamMembership, "reason_required", True)
        assert planned(person, [joined(TeamFactory(), ann)], members=("remove", [ann])).asks_reason


class TestARowThatOthersName:
    def test_stays_and_the_rest_of_its_set_goes(self):
        named, free = RegionFactory(), RegionFactory()
        CustomerFactory(region=named)
        actor = person_for(Region)
        plan = planned(actor, [named, free], changes={"name": {"operation": "set", "value": "Gone"}})
        plan.rows.update(action="delete", after=None)
        assert applied(plan).counts == {"delete": 1, "refused": 1}
        assert "Another row refers to it" in said(plan)
        assert list(Region.objects.filter(pk__in=[named.pk, free.pk])) == [named]


class TestTheRights:
    def test_are_asked_for_each_row(self, ann):
        mine, theirs = TeamFactory(), TeamFactory()
        person = grant(give_role(UserFactory(), "accounts.view_team", "accounts.view_user"), "change", mine)
        plan = planned(person, [mine, theirs], members=("add", [ann]))
        assert plan.counts == {"create": 1, "refused": 1}
        assert "no right to change this team" in said(plan)
        assert applied(plan).counts == {"create": 1, "refused": 1}
        assert (members(mine), members(theirs)) == (["ann"], [])
        joined(theirs, ann)
        plan = planned(person, [mine, theirs], members=("remove", [ann]))
        assert plan.counts == {"delete": 1, "refused": 1}
        assert applied(plan).counts == {"delete": 1, "refused": 1}
        assert (members(mine), members(theirs)) == ([], ["ann"])

    def test_are_asked_for_each_row_of_the_other_side(self, ann):
        mine, theirs = TeamFactory(), TeamFactory()
        person = grant(give_role(UserFactory(), "accounts.view_team", "accounts.view_user"), "change", mine)
        assert planned(person, [ann], teams=("add", [mine, theirs])).counts == {"create": 1, "refused": 1}

    @pytest.mark.parametrize("operation", ["add", "remove"])
    def test_are_asked_again_for_each_row_when_it_is_applied(self, ann, operation):
        kept, lost = TeamFactory(), TeamFactory()
        if operation == "remove":
            joined(kept, ann)
            joined(lost, ann)
        person = give_role(UserFactory(), "accounts.view_team", "accounts.view_user")
        person = grant(grant(person, "change", kept), "change", lost)
        plan = planned(person, [kept, lost], members=(operation, [ann]))
        with change_set(actor=None, door="shell"):
            Team.user_grants_model.objects.filter(user=person, content_object=lost).delete()
        done = "create" if operation == "add" else "delete"
        assert applied(plan).counts == {done: 1, "refused": 1}
        assert plan.rows.get(outcome="refused").key == f"{lost}: ann"
        assert [members(kept), members(lost)] == ([["ann"], []] if operation == "add" else [[], ["ann"]])

    def test_a_chosen_row_out_of_sight_is_refused_and_not_named(self, ann):
        team, hidden = TeamFactory(), UserFactory(username="hidden-one")
        person = give_role(UserFactory(), "accounts.view_team", "accounts.change_team")
        person = grant(person, "view", ann)
        joined(team, hidden)
        for operation in ("add", "remove"):
            plan = planned(person, [team], members=(operation, [hidden]))
            assert plan.counts == {"refused": 1}
            assert "hidden-one" not in plan.rows.get().key + said(plan)

    def test_an_operation_that_a_policy_forbids_is_not_obeyed(self, person, ann):
        team = joined(TeamFactory(), ann)
        person = meeting(person, "user", "read_only")
        assert submitted(person, [team], members=("add", [ann])).state == Plan.State.FAILED
        assert planned(person, [team], members=("remove", [ann])).counts == {"delete": 1}

    @pytest.mark.parametrize("operation", ["add", "remove"])
    def test_a_whole_that_is_settled_keeps_its_pairs(self, person, ann, bob, operation, monkeypatch):
        monkeypatch.setattr(Team, "settled_fields", lambda team: ("teammembership_set",) * (team.name == "Closed"))
        teams = [joined(TeamFactory(name=name), ann) for name in ("Closed", "Open")]
        plan = planned(person, teams, members=(operation, [ann if operation == "remove" else bob]))
        assert [row.action for row in plan.rows.all()] == ["refused", "create" if operation == "add" else "delete"]
        assert "keeps its team memberships" in said(plan)

    @pytest.mark.parametrize("name", ["groups", "user_set", "lead", "nothing"])
    def test_what_is_not_offered_is_not_obeyed(self, person, ann, name):
        plan = submitted(person, [ann], **{name: ("add", [Role.objects.first() or ann])})
        assert plan.state == Plan.State.FAILED
        assert "no right" in plan.making.error or "no right" in " ".join(plan.notes)

    def test_a_relation_that_came_to_need_a_second_pair_of_eyes_is_not_written(self, person, ann, monkeypatch):
        team = TeamFactory()
        plan = planned(person, [team], members=("add", [ann]))
        monkeypatch.setattr(TeamMembership, "review_required", True, raising=False)
        assert applied(plan).counts == {"refused": 1}
        assert "no right" in said(plan)
        assert members(team) == []


class TestItsUndo:
    def test_of_adding_removes_and_its_undo_adds_again(self, person, ann, bob):
        teams = [joined(TeamFactory(), bob), TeamFactory()]
        plan = applied(planned(person, teams, members=("add", [ann, bob])))
        back = undone(person, plan.applying.change_set)
        assert back.counts == {"delete": 3}
        assert (members(teams[0]), members(teams[1])) == (["bob"], [])
        assert undone(person, back.applying.change_set).counts == {"create": 3}
        assert members(teams[0]) == members(teams[1]) == ["ann", "bob"]

    def test_of_removing_restores_the_same_row(self, person, ann):
        team = joined(TeamFactory(), ann)
        key = TeamMembership.objects.get(team=team).pk
        plan = applied(planned(person, [team], members=("remove", [ann])))
        back = undone(person, plan.applying.change_set)
        assert back.counts == {"create": 1}
        assert TeamMembership.objects.get(team=team, user=ann).pk == key
        assert undone(person, back.applying.change_set).counts == {"delete": 1}
        assert members(team) == []

    def test_takes_columns_and_members_back_together(self, person, ann):
        team = TeamFactory()
        changes = {"lead": {"operation": "set", "value": "ann"}}
        plan = applied(planned(person, [team], changes=changes, members=("add", [ann])))
        assert undone(person, plan.applying.change_set).counts == {"update": 1, "delete": 1}
        assert (Team.objects.get(pk=team.pk).lead, members(team)) == (None, [])

    def test_keeps_what_somebody_did_since(self, person, ann):
        team = TeamFactory()
        plan = applied(planned(person, [team], members=("add", [ann])))
        left(team, ann)
        joined(team, ann)
        assert undone(person, plan.applying.change_set).counts == {"unchanged": 1}
        assert members(team) == ["ann"]


class TestWhatItCosts:
    @pytest.mark.parametrize("operation", ["add", "remove"])
    def test_is_the_same_number_of_queries_for_any_number_of_rows(self, person, ann, bob, operation):
        def cost(number):
            teams = [TeamFactory() for _ in range(number)]
            if operation == "remove":
                for team in teams:
                    joined(team, ann, bob)
            with CaptureQueriesContext(connection) as making:
                plan = planned(person, teams, members=(operation, [ann, bob]))
            assert plan.good == 2 * number
            with CaptureQueriesContext(connection) as applying:
                applied(plan)
            return len(making), len(applying)

        cost(1)
        assert cost(3) == cost(30)

    def test_batches_of_pairs_are_numbered_on(self, person, ann, bob, monkeypatch):
        monkeypatch.setattr("admin_ext.plans.joining.BATCH", 4)
        teams = [joined(TeamFactory(), ann) for _ in range(5)]
        plan = planned(person, teams, members=("add", [ann, bob]))
        assert [row.number for row in plan.rows.all()] == list(range(1, 11))
        assert applied(plan).counts == {"create": 5, "unchanged": 5}
