"""Rows for tests, made inside a change set as everything else is."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any

import factory
from django.contrib.auth.models import Permission
from django.utils import timezone
from factory.django import DjangoModelFactory

from admin_ext.access.models import FieldPolicy
from admin_ext.audit.access_log import note_access
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Access, AccessEvent, ChangeSet
from admin_ext.desk.models import Review
from admin_ext.filtering.models import DefaultView, SavedView
from admin_ext.granting.models import AccessReview, Elevation
from admin_ext.jobs.models import Job, Schedule
from admin_ext.notices.models import Notice
from admin_ext.plans.models import Plan
from admin_ext.transfers.models import ExportDefinition, Profile
from apps.accounts import models as accounts
from apps.customers import models as customers


class RecordFactory(DjangoModelFactory):
    """Creates its row in the open change set, or in one of its own."""

    class Meta:
        abstract = True

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **kwargs: Any) -> Any:
        with change_set(actor=None, door="shell", verb="tests.arrange"):
            return super()._create(model_class, *args, **kwargs)


class UserFactory(RecordFactory):
    class Meta:
        model = accounts.User

    username = factory.Sequence(lambda n: f"person{n}")
    is_staff = True


class RegionFactory(RecordFactory):
    class Meta:
        model = customers.Region

    code = factory.Sequence(lambda n: f"R{n}")
    name = factory.Sequence(lambda n: f"Region {n}")


class CustomerFactory(RecordFactory):
    class Meta:
        model = customers.Customer

    code = factory.Sequence(lambda n: f"C-{n:05}")
    name = factory.Sequence(lambda n: f"Customer {n}")
    region = factory.SubFactory(RegionFactory)
    country = "SE"


class ContactFactory(RecordFactory):
    class Meta:
        model = customers.Contact

    customer = factory.SubFactory(CustomerFactory)
    name = factory.Sequence(lambda n: f"Contact {n}")


class AddressFactory(RecordFactory):
    class Meta:
        model = customers.Address

    customer = factory.SubFactory(CustomerFactory)
    label = factory.Sequence(lambda n: f"Address {n}")
    street = "Storgatan 1"
    city = "Lund"
    country = "SE"


def give_role(user: Any, *rights: str) -> Any:
    """Give a person a role of their own with these permissions ("customers.view_customer")."""
    with change_set(actor=None, door="shell", verb="tests.arrange"):
        role = accounts.Role.objects.create(name=f"role of {user.username} {accounts.Role.objects.count()}")
        for right in rights:
            app, codename = right.split(".")
            permission = Permission.objects.get(content_type__app_label=app, codename=codename)
            accounts.RolePermission.objects.create(group_id=role.pk, permission=permission)
        accounts.Membership.objects.create(user=user, group_id=role.pk)
    return type(user).objects.get(pk=user.pk)


def grant(user: Any, action: str, row: Any) -> Any:
    """Grant a person one action on one row."""
    with change_set(actor=None, door="shell", verb="tests.arrange"):
        codename = action if action.startswith("access_") else f"{action}_{row._meta.model_name}"
        permission = Permission.objects.get(content_type__app_label=row._meta.app_label, codename=codename)
        row.user_grants_model.objects.create(user=user, permission=permission, content_object=row)
    return type(user).objects.get(pk=user.pk)


class RoleFactory(RecordFactory):
    class Meta:
        model = accounts.Role

    name = factory.Sequence(lambda n: f"Role {n}")


class TeamFactory(RecordFactory):
    class Meta:
        model = accounts.Team

    code = factory.Sequence(lambda n: f"T{n}")
    name = factory.Sequence(lambda n: f"Team {n}")


class ChangeSetFactory(RecordFactory):
    """An act in which nothing was changed: the database writes change sets itself."""

    class Meta:
        model = ChangeSet

    actor = factory.SubFactory(UserFactory)
    door = "shell"
    verb = factory.Sequence(lambda n: f"tests.verb{n}")

    @classmethod
    def _create(cls, model_class, *args, **said):
        with change_set(always=True, **said) as act:
            pass
        return model_class.objects.get(pk=act.id)


class AccessEventFactory(RecordFactory):
    """Something that somebody read: the database writes it from a signed claim."""

    class Meta:
        model = AccessEvent

    kind = Access.DOWNLOAD
    actor = factory.SubFactory(UserFactory)
    subject = factory.Sequence(lambda n: f"file-{n}.csv")

    @classmethod
    def _create(cls, model_class, *args, **said):
        return model_class.objects.get(pk=note_access(**said))


class JobFactory(RecordFactory):
    class Meta:
        model = Job

    kind = "plans.make"
    title = factory.Sequence(lambda n: f"Job {n}")
    requested_by = factory.SubFactory(UserFactory)


class PlanFactory(RecordFactory):
    class Meta:
        model = Plan

    source = "import"
    model = "customers.Customer"
    title = factory.Sequence(lambda n: f"Plan {n}")
    created_by = factory.SubFactory(UserFactory)


class NoticeFactory(RecordFactory):
    class Meta:
        model = Notice

    text = factory.Sequence(lambda n: f"Notice {n}")
    recipient = factory.SubFactory(UserFactory)


class ProfileFactory(RecordFactory):
    class Meta:
        model = Profile

    name = factory.Sequence(lambda n: f"profile-{n}")
    resource = "customers.Customer"
    mapping = factory.LazyFunction(lambda: {"columns": {"code": {"from": "Code"}}})


class ExportDefinitionFactory(RecordFactory):
    class Meta:
        model = ExportDefinition

    name = factory.Sequence(lambda n: f"definition-{n}")
    owner = factory.SubFactory(UserFactory)
    resource = "customers.Customer"
    columns = factory.LazyFunction(lambda: [{"name": "code", "header": "Code"}])


class ScheduleFactory(RecordFactory):
    class Meta:
        model = Schedule

    name = factory.Sequence(lambda n: f"Schedule {n}")
    owner = factory.SubFactory(UserFactory)
    kind = "transfers.export"
    every = "day"
    at = time(7)


class TeamMembershipFactory(RecordFactory):
    class Meta:
        model = accounts.TeamMembership

    team = factory.SubFactory(TeamFactory)
    user = factory.SubFactory(UserFactory)


class ReviewFactory(RecordFactory):
    """Signed by its reviewer: the database takes nobody else's signature."""

    class Meta:
        model = Review

    reviewer = factory.SubFactory(UserFactory)
    verdict = "in_order"
    act = factory.SubFactory(ChangeSetFactory)

    @classmethod
    def _create(cls, model_class, *args, reviewer, act, **said):
        ends = {"first_act": act.pk, "last_act": act.pk} | said
        with change_set(actor=reviewer, door="form", verb="desk.sign_review"):
            return model_class.objects.create(reviewer=reviewer, **ends)


class FieldPolicyFactory(RecordFactory):
    class Meta:
        model = FieldPolicy

    role = factory.SubFactory(RoleFactory)
    model = "customers.Customer"
    field = "tax_number"
    kind = "masked"

    @classmethod
    def _create(cls, model_class, *args, role, **said):
        with change_set(actor=None, door="shell", verb="tests.arrange", reason="a test"):
            return model_class.objects.create(role_id=role.pk, **said)


def police(person: Any, field: str, kind: str) -> Any:
    """Have every role of a person meet a field ("customers.Customer:tax_number") as a policy says; the person anew."""
    model, _, name = field.partition(":")
    for role in person.groups.all():
        FieldPolicyFactory(role=role, model=model, field=name, kind=kind)
    return type(person).objects.get(pk=person.pk)


class AccessReviewFactory(RecordFactory):
    class Meta:
        model = AccessReview

    title = factory.Sequence(lambda n: f"Access review {n}")
    due_on = factory.LazyFunction(lambda: timezone.localdate() + timedelta(days=30))
    opened_by = factory.SubFactory(UserFactory)


class ElevationFactory(RecordFactory):
    class Meta:
        model = Elevation

    person = factory.SubFactory(UserFactory)
    role = factory.SubFactory(RoleFactory)
    reason = factory.Sequence(lambda n: f"Emergency {n}")
    started_at = factory.LazyFunction(timezone.now)
    ends_at = factory.LazyFunction(lambda: timezone.now() + timedelta(minutes=30))


class SavedViewFactory(RecordFactory):
    class Meta:
        model = SavedView

    name = factory.Sequence(lambda n: f"View {n}")
    model = "customers.Customer"
    owner = factory.SubFactory(UserFactory)


class DefaultViewFactory(RecordFactory):
    class Meta:
        model = DefaultView

    view = factory.SubFactory(SavedViewFactory)
    model = factory.LazyAttribute(lambda default: default.view.model)
    person = factory.LazyAttribute(lambda default: default.view.owner)
