"""A small house with a team lead in it who would like to have more: what they hold, and what they do not."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission

from admin_ext.audit.context import change_set
from admin_ext.granting.people import entry_to, grantable_models
from apps.accounts.models import Membership, RolePermission, User
from apps.customers.models import Customer, Region
from tests.factories import CustomerFactory, RegionFactory, RoleFactory, UserFactory, give_role, grant

PASSWORD = "lingon-och-blåbär-27"

# What the lead holds, in the Nordics: rights over people and roles with it, and some over customers.
LEAD = (
    "accounts.view_user", "accounts.add_user", "accounts.change_user", "accounts.delete_user", "accounts.grant_user",
    "accounts.import_user", "accounts.export_user", "accounts.invite_user",
    "accounts.view_role", "accounts.add_role", "accounts.change_role", "accounts.delete_role", "accounts.grant_role",
    "accounts.view_team", "accounts.change_team", "accounts.add_team",
    "customers.view_region", "customers.add_region", "customers.change_region", "customers.import_region",
    "customers.grant_region", "customers.export_region",
    "customers.view_customer", "customers.change_customer", "customers.grant_customer",
)  # fmt: skip


class World:
    """The people, roles and places of an attempt."""

    def __init__(self) -> None:
        europe = self.europe = RegionFactory(code="EUROPE", name="Europe")
        self.nordics = RegionFactory(code="NORDICS", name="Nordics", parent=europe)
        self.sweden = RegionFactory(code="SWEDEN", name="Sweden", parent=self.nordics)
        self.americas = RegionFactory(code="AMERICAS", name="Americas")
        self.near = CustomerFactory(code="C-NEAR", region=self.sweden)
        self.far = CustomerFactory(code="C-FAR", region=self.americas)

        self.plain = role("Plain", "customers.view_customer")
        self.shipping = role("Shipping", "orders.ship_order", "customers.view_customer")
        self.everywhere = role("Everywhere", "customers.access_all_region", "customers.view_customer")
        self.powers = role("Powers", "accounts.impersonate_user")
        self.trust = role("Trust", "accounts.entrust_role")
        self.abroad = let_in(role("Abroad", "customers.view_customer"), self.americas)
        self.single = role("Single", "customers.view_customer")
        grant_to_role(self.single, "view", self.far)
        self.used_abroad = role("Used abroad", "customers.view_customer")
        self.own = role("Leads", *LEAD)

        self.lead = UserFactory(username="lead")
        hold(self.lead, self.own)
        self.lead = grant(self.lead, "access_region", self.nordics)
        self.mate = UserFactory(username="mate")
        self.newcomer = UserFactory(username="newcomer")
        self.boss = give_role(UserFactory(username="boss", email="boss@example.com"), "orders.ship_order")
        self.traveller = grant(UserFactory(username="traveller"), "access_region", self.americas)
        hold(self.traveller, self.used_abroad)
        self.guest = grant(UserFactory(username="guest"), "view", self.far)
        with change_set(actor=None, door="shell", verb="tests.arrange"):
            self.root = User.objects.create_superuser("root", "root@example.com", PASSWORD)
            self.asleep = User.objects.create_superuser("asleep", "asleep@example.com", PASSWORD, is_active=False)
            for person in (self.boss, self.lead):
                person.set_password(PASSWORD)
                person.save()
        hold(self.mate, self.plain)
        hold(self.boss, self.shipping)
        # A place outside that the lead may change and give grants on, without working there: let into that one row.
        self.island = RegionFactory(code="ISLAND", name="Island")
        for verb in ("view", "change", "grant"):
            self.lead = grant(self.lead, verb, self.island)

    def again(self, user: Any = None) -> Any:
        """A person with nothing remembered; the lead unless said otherwise."""
        return User.objects.get(pk=(user or self.lead).pk)


def role(name: str, *rights: str) -> Any:
    made = RoleFactory(name=name)
    with change_set(actor=None, door="shell", verb="tests.arrange"):
        for right in rights:
            RolePermission.objects.create(group_id=made.pk, permission=right_named(right))
    return made


def right_named(name: str) -> Permission:
    app, codename = name.split(".")
    return Permission.objects.get(content_type__app_label=app, codename=codename)


def hold(user: Any, held: Any) -> None:
    with change_set(actor=None, door="shell", verb="tests.arrange"):
        Membership.objects.create(user=user, group_id=held.pk)


def let_in(holder: Any, place: Any) -> Any:
    with change_set(actor=None, door="shell", verb="tests.arrange"):
        place.group_grants_model.objects.create(group_id=holder.pk, content_object=place, permission=entry_to(place))
    return holder


def grant_to_role(holder: Any, action: str, row: Any) -> None:
    right = right_named(f"{row._meta.app_label}.{action}_{row._meta.model_name}")
    with change_set(actor=None, door="shell", verb="tests.arrange"):
        row.group_grants_model.objects.create(group_id=holder.pk, content_object=row, permission=right)


def powers() -> dict[str, Any]:
    """Everything that says who may do what, and whose account is whose: what no attempt may move."""
    return {
        "memberships": set(Membership.objects.values_list("user__username", "group__name")),
        "rights": set(RolePermission.objects.values_list("group__name", "permission__codename")),
        "roles_gone": {"Shipping", "Leads", "Everywhere"} - set(Group.objects.values_list("name", flat=True)),
        "grants": {
            (table._meta.label, *row)
            for model in grantable_models()
            for table in (model.user_grants_model, model.group_grants_model)
            for row in table.objects.values_list("id", "content_object_id", "permission_id")
        },
        "tree": dict(Region.objects.values_list("code", "parent__code")),
        "accounts": set(
            User.objects.filter(username__in=["boss", "root", "asleep", "traveller", "guest", "lead"]).values_list(
                "username", "email", "password", "is_active", "is_staff", "is_superuser"
            )
        ),
        "superusers": set(User.objects.filter(is_superuser=True).values_list("username", flat=True)),
        "far": set(Customer.objects.filter(code__in=["C-FAR", "C-NEAR"]).values_list("code", "region__code")),
    }
