"""Over a hundred ways in which somebody who gives rights could come to have more, or give more, than they hold.

Each is tried as far as the product lets it go; then everything that says who may do what must be as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.core.files.base import ContentFile
from django.db import DatabaseError, transaction
from django.urls import reverse

from admin_ext.access.rights import NotPermitted
from admin_ext.admin.bulk import SALT
from admin_ext.audit.context import change_set
from admin_ext.filtering.selection import Selection
from admin_ext.granting import assigning, giving
from admin_ext.granting.comparing import Comparison
from admin_ext.granting.files import read_roles
from admin_ext.jobs.running import run_job
from admin_ext.plans.applying import apply_plan
from admin_ext.plans.making import submit_plan
from admin_ext.plans.models import Plan
from admin_ext.plans.reverting import restore_row, revert_row
from admin_ext.services import Refused, registry
from admin_ext.transfers.importing import submit_import
from admin_ext.transfers.resources import NoResource
from apps.accounts import services as accounts
from apps.accounts.models import Membership, RolePermission, Team, User
from apps.customers.models import Region
from tests.admin_ext.granting.world import PASSWORD, World, powers, right_named
from tests.factories import TeamFactory

pytestmark = pytest.mark.django_db
REFUSALS = (Refused, NotPermitted, PermissionDenied, DatabaseError, NoResource)
Attempt = Callable[[World, Any], Any]
WHY = "Because I can"


@pytest.fixture
def world():
    return World()


# -- services ----------------------------------------------------------------------------------------


def give_role(user: str, role: str, service: Any = giving.give_role) -> Attempt:
    return lambda w, _: service(actor=w.again(), user=getattr(w, user), role=getattr(w, role), reason=WHY)


def place(service: Any, holder: str, where: str) -> Attempt:
    return lambda w, _: service(actor=w.again(), holder=getattr(w, holder), place=getattr(w, where), reason=WHY)


def place_by_name(service: Any, user: str, where: str) -> Attempt:
    return lambda w, _: service(actor=w.again(), user=getattr(w, user), place=where, reason=WHY)


def row(service: Any, holder: str, where: str, *verbs: str) -> Attempt:
    return lambda w, _: service(
        actor=w.again(), row=getattr(w, where), holder=getattr(w, holder), verbs=verbs, reason=WHY
    )


def rights(role: str, *names: str, drop: tuple[str, ...] = (), service: Any = None) -> Attempt:
    def attempt(w: World, _: Any) -> None:
        held = {f"{p.content_type.app_label}.{p.codename}" for p in getattr(w, role).permissions.all()}
        wanted = [right_named(name) for name in (held - set(drop)) | set(names)]
        if service:
            service(actor=w.again(), role=getattr(w, role), permissions=wanted, reason=WHY)
        else:
            giving.set_role_rights(actor=w.again(), role=getattr(w, role), rights=wanted, reason=WHY)

    return attempt


def on_person(service: Any, user: str, **more: Any) -> Attempt:
    return lambda w, _: service(actor=w.again(), user=getattr(w, user), reason=WHY, **more)


def deleted(role: str) -> Attempt:
    return lambda w, _: giving.delete_role(actor=w.again(), role=getattr(w, role), reason=WHY)


def many(people: list[str], roles: list[str], places: list[str]) -> Attempt:
    return lambda w, _: assigning.assign(
        actor=w.again(), people=[getattr(w, p) for p in people], roles=[getattr(w, r) for r in roles],
        places=[getattr(w, p) for p in places], reason=WHY,
    )  # fmt: skip


def copy(user: str, source: str) -> Attempt:
    return lambda w, _: assigning.copy_rights(
        actor=w.again(), user=getattr(w, user), source=getattr(w, source), reason=WHY
    )


SERVICES: dict[str, Attempt] = {
    **{f"give {r} to {u}": give_role(u, r) for u in ("mate", "lead", "boss", "root") for r in ("shipping", "powers", "trust")},
    **{
        f"give a colleague {r}": give_role("newcomer", r)
        for r in ("shipping", "everywhere", "powers", "trust", "abroad", "single")
    },
    **{f"give a plain role to {u}": give_role(u, "plain") for u in ("lead", "boss", "root", "traveller", "guest")},
    **{f"take a role from {u}": _ for u, _ in {
        "yourself": lambda w, _: giving.take_role(actor=w.again(), user=w.lead, role=w.own, reason=WHY),
        "the boss": lambda w, _: giving.take_role(
            actor=w.again(), user=w.boss, role=w.shipping, reason=WHY
        ),
        "a traveller": lambda w, _: giving.take_role(
            actor=w.again(), user=w.traveller, role=w.used_abroad, reason=WHY
        ),
    }.items()},
    **{f"thin verb: give {r} to {u}": give_role(u, r, accounts.give_role) for u, r in (
        ("mate", "shipping"), ("lead", "plain"), ("boss", "plain"), ("root", "plain"), ("mate", "everywhere"),
    )},
    **{f"let {u} into {p}": place(giving.give_place, u, p) for u in ("mate", "lead", "plain", "own") for p in (
        "europe", "americas", "island",
    )},
    **{f"let {u} into a place of yours": place(giving.give_place, u, "nordics") for u in (
        "lead", "own", "boss", "root", "traveller", "guest", "used_abroad", "shipping", "powers",
    )},
    **{f"take {u} from a place": place(giving.take_place, u, p) for u, p in (
        ("traveller", "americas"), ("lead", "nordics"), ("abroad", "americas"),
    )},
    **{f"by name: let {u} into {p}": place_by_name(accounts.give_place, u, p) for u, p in (
        ("mate", "region:EUROPE"), ("lead", "region:SWEDEN"), ("mate", "region:AMERICAS"), ("mate", "planet:MARS"),
    )},
    **{f"on a customer of yours, give {u} {v}": row(giving.give_row, u, "near", v) for u, v in (
        ("mate", "export"), ("mate", "delete"), ("mate", "hold"), ("mate", "handover"), ("mate", "import"),
        ("mate", "no_such_verb"), ("lead", "change"), ("own", "change"), ("plain", "close"),
    )},
    **{f"on a foreign customer, give {u} {v}": row(giving.give_row, u, "far", v) for u, v in (
        ("mate", "view"), ("mate", "grant"), ("lead", "view"),
    )},
    **{f"on a region, give {u} {v}": row(giving.give_row, u, p, v) for u, p, v in (
        ("mate", "nordics", "access"), ("mate", "nordics", "access_all"), ("mate", "nordics", "access_region"),
        ("mate", "island", "delete"), ("lead", "nordics", "grant"), ("mate", "europe", "view"),
    )},
    "on a person, give standing in": row(giving.give_row, "mate", "newcomer", "impersonate"),
    "take a grant on a foreign row": row(giving.take_row, "guest", "far", "view"),
    "take your own grant": row(giving.take_row, "lead", "island", "change"),
    **{f"put {r} into a plain role": rights("plain", r) for r in (
        "orders.ship_order", "customers.export_customer", "customers.access_all_region", "accounts.impersonate_user",
        "accounts.entrust_role", "auth.add_permission", "customers.delete_customer",
    )},
    "put a right of yours into your own role": rights("own", "customers.view_customer"),
    "put a new right into your own role": rights("own", "orders.ship_order"),
    "take a right from your own role": rights("own", drop=("customers.change_customer",)),
    "put a right of yours into a role used abroad": rights("used_abroad", "customers.change_customer"),
    "take a right that you do not hold out of a role": rights("shipping", drop=("orders.ship_order",)),
    "thin verb: put a right into a role": rights("plain", "orders.ship_order", service=accounts.set_role_rights),
    **{f"delete the role {r}": deleted(r) for r in ("own", "shipping", "everywhere")},
    **{f"set the password of {u}": on_person(accounts.set_password, u, password=PASSWORD + "!") for u in (
        "boss", "root", "traveller", "guest",
    )},
    **{f"close the account of {u}": on_person(accounts.deactivate_user, u) for u in ("boss", "root", "traveller", "lead")},
    "open the account of a superuser": on_person(accounts.reactivate_user, "asleep"),
    "many: a role above you": many(["mate", "newcomer"], ["shipping", "powers"], []),
    "many: yourself among them": many(["lead"], ["plain"], ["nordics"]),
    "many: people above you": many(["boss", "root", "traveller", "guest"], ["plain"], ["nordics"]),
    "many: places beyond you": many(["mate", "newcomer"], [], ["europe", "americas", "island"]),
    "copy to yourself": copy("lead", "boss"),
    "copy what the boss has": copy("newcomer", "boss"),
    "copy where a guest was let in": copy("newcomer", "guest"),
    "copy to the boss": copy("boss", "mate"),
    "set roles: one above you": lambda w, _: assigning.set_roles(
        actor=w.again(), user=w.newcomer, roles=[w.plain, w.shipping], among=[w.plain, w.shipping], reason=WHY
    ),
    "set places: one beyond you": lambda w, _: assigning.set_places(
        actor=w.again(), holder=w.newcomer, places=[w.nordics, w.europe], among=[w.nordics, w.europe], reason=WHY
    ),
}  # fmt: skip

# -- pages, posted by hand -----------------------------------------------------------------------------


def post(name: str, /, *keys: str, **data: Any) -> Attempt:
    """Post to the page `name`, of the rows that are called so in the world; values that are callable get the world."""

    def attempt(w: World, client: Any) -> None:
        client.force_login(w.again())
        address = reverse(f"admin:{name}", args=[getattr(w, key).pk if hasattr(w, key) else key for key in keys])
        said = {key: value(w) if callable(value) else value for key, value in data.items()}
        response = client.post(address, {"reason": WHY, "_reason": WHY, **said})
        assert response.status_code in (200, 302, 403, 404), response.status_code

    return attempt


def person_form(user: str, **data: Any) -> Attempt:
    def attempt(w: World, client: Any) -> None:
        who = w.again(getattr(w, user))
        fields = {
            "username": who.username, "email": who.email, "first_name": "", "last_name": "", "time_zone": "UTC",
            "record_version": who.version,
        }  # fmt: skip
        post("accounts_user_change", user, **(fields | data))(w, client)

    return attempt


def region_form(place: str, parent: str | None) -> Attempt:
    def attempt(w: World, client: Any) -> None:
        row = Region.objects.get(pk=getattr(w, place).pk)
        above = getattr(w, parent).pk if parent else ""
        fields = {"code": row.code, "name": row.name, "parent": above, "record_version": row.version}
        post("customers_region_change", place, **fields)(w, client)

    return attempt


def ticked(*roles: str, places: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    return {
        "_save": "1", "_ticked": "1",
        "roles": lambda w: [getattr(w, r).pk for r in roles],
        "places_region": lambda w: [f"region:{getattr(w, p).code}" for p in places],
        **more,
    }  # fmt: skip


def chosen(*people: str) -> Any:
    return lambda w: signing.dumps(Selection.picked(User, [getattr(w, p).pk for p in people]).to_json(), salt=SALT)


MAKE_SUPER = {
    "is_superuser": "on",
    "is_staff": "on",
    "user_permissions": lambda w: [right_named("orders.ship_order").pk],
}
INLINE = {
    "membership_set-TOTAL_FORMS": "2", "membership_set-INITIAL_FORMS": "1",
    "membership_set-MIN_NUM_FORMS": "0", "membership_set-MAX_NUM_FORMS": "1000",
    "membership_set-0-id": lambda w: Membership.objects.filter(group_id=w.plain.pk).get().pk,
    "membership_set-0-group": lambda w: w.plain.pk, "membership_set-0-user": lambda w: w.newcomer.pk,
    "membership_set-1-group": lambda w: w.plain.pk, "membership_set-1-user": lambda w: w.lead.pk,
}  # fmt: skip

PAGES: dict[str, Attempt] = {
    **{f"form: the address of {u}": person_form(u, email="mine@example.com") for u in ("boss", "root", "traveller", "guest")},
    **{f"form: {u} a superuser": person_form(u, **MAKE_SUPER) for u in ("lead", "boss", "root", "asleep")},
    "form: a colleague a superuser": person_form("mate", **MAKE_SUPER),
    "form: your own roles": person_form("lead", groups=lambda w: [w.shipping.pk, w.powers.pk]),
    "form: a colleague's roles": person_form("mate", groups=lambda w: [w.shipping.pk], roles=lambda w: [w.shipping.pk]),
    "form: a password in it": person_form("boss", password=PASSWORD, password1=PASSWORD, password2=PASSWORD),
    "form: opens the account of a superuser": person_form("asleep", is_active="on"),
    "form: a new person is a superuser": post(
        "accounts_user_add", username="stooge", email="", time_zone="UTC", **MAKE_SUPER
    ),
    "form: a new person with roles": post(
        "accounts_user_add", username="stooge", email="", time_zone="UTC", groups=lambda w: [w.shipping.pk]
    ),
    "form: delete a person": post("accounts_user_delete", "boss", post="yes"),
    "form: delete a role": post("accounts_role_delete", "shipping", post="yes"),
    "form: a role with rights in it": post(
        "accounts_role_change", "plain", name="Plain", permissions=lambda w: [right_named("orders.ship_order").pk], **{
            k: v for k, v in INLINE.items() if "TOTAL" in k or "INITIAL" in k
        } | {"membership_set-TOTAL_FORMS": "0", "membership_set-INITIAL_FORMS": "0"},
    ),
    "form: a new role with rights in it": post(
        "accounts_role_add", name="Fresh", permissions=lambda w: [right_named("orders.ship_order").pk],
        **{"membership_set-TOTAL_FORMS": "1", "membership_set-INITIAL_FORMS": "0", "membership_set-0-user": lambda w: w.lead.pk},
    ),
    "inline: yourself into a role": post("accounts_role_change", "plain", name="Plain", **INLINE),
    "inline: somebody out of a role": post(
        "accounts_role_change", "plain", name="Plain", **(INLINE | {"membership_set-0-DELETE": "on"})
    ),
    "form: a foreign place under yours": region_form("americas", "nordics"),
    "form: a place that you were let into under yours": region_form("island", "nordics"),
    "form: your place out of its own": region_form("nordics", None),
    "form: your place under another": region_form("nordics", "americas"),
    "form: a new place under yours": post("customers_region_add", code="NEW", name="New", parent=lambda w: w.nordics.pk),
    "form: a customer out to a foreign place": post(
        "customers_customer_change", "near", code="C-NEAR", name="N", region=lambda w: w.americas.pk
    ),
    "verb: the password of the boss": post("accounts_user_do", "boss", "set_password", password=PASSWORD + "!"),
    "verb: the password of a superuser": post("accounts_user_do", "root", "set_password", password=PASSWORD + "!"),
    "verb: close the boss's account": post("accounts_user_do", "boss", "deactivate"),
    "verb: open a superuser's account": post("accounts_user_do", "asleep", "reactivate"),
    "form: delete your own role": post("accounts_role_delete", "own", post="yes"),
    "page: your own roles and places": post("accounts_user_places", "lead", **ticked("plain", places=("europe",))),
    **{f"page: {r} for a colleague": post("accounts_user_places", "newcomer", **ticked(r)) for r in (
        "shipping", "everywhere", "powers", "trust", "abroad", "single",
    )},
    "page: a place beyond you": post("accounts_user_places", "newcomer", **ticked(places=("europe",))),
    "page: a place that you may not enter": post("accounts_user_places", "newcomer", **ticked(places=("island",))),
    **{f"page: the roles of {u}": post("accounts_user_places", u, **ticked("plain")) for u in ("boss", "root", "guest")},
    "page: copy the boss to yourself": post(
        "accounts_user_places", "lead", **ticked(source=lambda w: w.boss.pk)
    ),
    "page: copy the boss to a colleague": post(
        "accounts_user_places", "newcomer", **ticked(source=lambda w: w.boss.pk)
    ),
    "page: places of your own role": post("accounts_role_places", "own", **ticked(places=("nordics",))),
    "page: places of a role used abroad": post("accounts_role_places", "used_abroad", **ticked(places=("nordics",))),
    "page: a place beyond you for a role": post("accounts_role_places", "plain", **ticked(places=("americas",))),
    "page: rights that you do not hold": post(
        "accounts_role_rights", "plain", _save="1",
        rights=lambda w: [right_named(r).pk for r in ("customers.view_customer", "orders.ship_order")],
    ),
    "page: rights over permissions": post(
        "accounts_role_rights", "plain", _save="1",
        rights=lambda w: [right_named(r).pk for r in ("customers.view_customer", "auth.change_permission")],
    ),
    "page: the rights of your own role": post("accounts_role_rights", "own", _save="1", rights=""),
    "page: the rights of a role above you": post("accounts_role_rights", "shipping", _save="1", rights=""),
    "page: many, a role above you": post(
        "accounts_user_assign", **ticked("shipping", selection=chosen("mate", "newcomer"))
    ),
    "page: many, yourself among them": post(
        "accounts_user_assign", **ticked("plain", places=("nordics",), selection=chosen("lead", "boss", "root"))
    ),
    "page: a preview is no change": post(
        "accounts_user_places", "newcomer", **(ticked("plain", places=("nordics",), _preview="1"))
    ),
    **{f"row page: {v} on a customer": post(
        "customers_customer_entries", "near", _give="1", person=lambda w: w.newcomer.pk, verbs=[v]
    ) for v in ("export", "delete", "hold", "enter", "access_all")},
    "row page: yourself": post("customers_customer_entries", "near", _give="1", person=lambda w: w.lead.pk, verbs=["view"]),
    "row page: a foreign customer": post(
        "customers_customer_entries", "far", _give="1", person=lambda w: w.newcomer.pk, verbs=["view"]
    ),
    "row page: take from a foreign customer": post(
        "customers_customer_entries", "far", _take="1", take=lambda w: [f"person:{w.guest.pk}:view"]
    ),
    "row page: into a place above yours": post(
        "customers_region_entries", "europe", _give="1", person=lambda w: w.newcomer.pk, verbs=["enter"]
    ),
    "row page: into a place that you may only change": post(
        "customers_region_entries", "island", _give="1", person=lambda w: w.newcomer.pk, verbs=["enter"]
    ),
}  # fmt: skip

# -- plans, imports, files, and what stands behind everything ------------------------------------------


def imported(resource: str, text: str) -> Attempt:
    def attempt(w: World, _: Any) -> None:
        actor = w.again()
        plan = submit_import(actor=actor, source=ContentFile(text.encode()), name="f.csv", resource=resource)
        applied(actor, plan)

    return attempt


def applied(actor: Any, plan: Plan) -> None:
    run_job(plan.making_id)
    plan.refresh_from_db()
    plan = apply_plan(actor=actor, plan=plan, mode="keep_good", reason=WHY)
    run_job(plan.applying_id)


def edited(model: str, who: str, column: str, value: Any) -> Attempt:
    def attempt(w: World, _: Any) -> None:
        actor, row = w.again(), getattr(w, who)
        told = value(w) if callable(value) else value
        plan = submit_plan(
            actor=actor, source="edit", title="x", model=model,
            parameters={
                "selection": Selection.picked(type(row), [row.pk]).to_json(), "reason": WHY,
                "changes": {column: {"operation": "set", "value": told}},
            },
        )  # fmt: skip
        applied(actor, plan)

    return attempt


def verbed(verb: str, *people: str, **arguments: Any) -> Attempt:
    def attempt(w: World, _: Any) -> None:
        assert verb in registry
        actor = w.again()
        keys = [getattr(w, p).pk for p in people]
        said = {name: value(w) if callable(value) else value for name, value in arguments.items()}
        plan = submit_plan(
            actor=actor, source="verb", title="x", model="accounts.User",
            parameters={
                "selection": Selection.picked(User, keys).to_json(), "reason": WHY, "verb": verb,
                "arguments": {"reason": WHY, **said},
            },
        )  # fmt: skip
        applied(actor, plan)

    return attempt


def reverted_region(place: str, before: Callable[[World], Any]) -> Attempt:
    """A place once stood elsewhere: revert it there."""

    def attempt(w: World, _: Any) -> None:
        row = getattr(w, place)
        with change_set(actor=None, door="shell", verb="tests.arrange"):
            now = Region.objects.get(pk=row.pk).parent_id
            Region.objects.filter(pk=row.pk).update(parent=before(w))
        then = Region.history.filter(id=row.pk).first()
        with change_set(actor=None, door="shell", verb="tests.arrange"):
            Region.objects.filter(pk=row.pk).update(parent=now)
        actor = w.again()
        plan = revert_row(actor=actor, row=Region.objects.get(pk=row.pk), to=then, reason=WHY)
        run_job(plan.making_id) if plan.making_id else None
        plan.refresh_from_db()
        plan = apply_plan(actor=actor, plan=plan, mode="keep_good", reason=WHY)
        run_job(plan.applying_id)

    return attempt


def restored_region(w: World, _: Any) -> None:
    """A place under the lead's was deleted: make it again, with nobody having been let in."""
    with change_set(actor=None, door="shell", verb="tests.arrange"):
        gone = Region.objects.create(code="GONE", name="Gone", parent=w.nordics)
        key = gone.pk
        gone.delete()
    actor = w.again()
    plan = restore_row(actor=actor, model=Region, key=key, reason=WHY)
    run_job(apply_plan(actor=actor, plan=plan, mode="keep_good", reason=WHY).applying_id)


def reverted_person(w: World, _: Any) -> None:
    """The boss once had another address: revert to it."""
    with change_set(actor=None, door="shell", verb="tests.arrange"):
        User.objects.filter(pk=w.boss.pk).update(email="old@example.com")
        User.objects.filter(pk=w.boss.pk).update(email="boss@example.com")
    then = User.history.filter(id=w.boss.pk, email="old@example.com").first()
    actor = w.again()
    plan = revert_row(actor=actor, row=w.again(w.boss), to=then, reason=WHY)
    plan = apply_plan(actor=actor, plan=plan, mode="keep_good", reason=WHY)
    run_job(plan.applying_id)


def reverted_rights(model: Any) -> Attempt:
    """A right that was taken, given back by way of the record."""

    def attempt(w: World, _: Any) -> None:
        row = model.objects.first()
        revert_row(actor=w.again(), row=row, to=model.history.filter(id=row.pk).first(), reason=WHY)

    return attempt


def file(text: str) -> Attempt:
    return lambda w, _: Comparison(read_roles(text), actor=w.again()).apply(reason=WHY)


def superuser_by(door: str, *, actor: str | None, user: str = "mate") -> Attempt:
    def attempt(w: World, _: Any) -> None:
        who = w.again(getattr(w, actor)) if actor else None
        with change_set(actor=who, door=door, verb="tests.attempt", reason=WHY):
            User.objects.filter(pk=getattr(w, user).pk).update(is_superuser=True, is_active=True)

    return attempt


def person_of(roles: str = "", places: str = "", who: str = "newcomer") -> str:
    return f"people:\n  {who}:\n    roles: [{roles}]\n    places: {{region: [{places}]}}\n"


BEYOND: dict[str, Attempt] = {
    "import: a superuser": imported("accounts.User", "username,is_superuser,is_staff\nstooge,true,true\n"),
    "import: the boss's address": imported("accounts.User", "username,email\nboss,mine@example.com\n"),
    "import: roles of a person": imported("accounts.User", "username,groups\nmate,Shipping\n"),
    "import: a role": imported("accounts.Role", "name,permissions\nPlain,ship_order\n"),
    "import: memberships": imported("accounts.Membership", "user,group\nlead,Shipping\n"),
    "import: rights of roles": imported("accounts.RolePermission", "group,permission\nPlain,ship_order\n"),
    "import: grants on regions": imported("customers.RegionUserGrant", "user,content_object\nlead,EUROPE\n"),
    "import: a foreign place under yours": imported("customers.Region", "code,name,parent\nAMERICAS,Americas,NORDICS\n"),
    "import: a place that you may change under yours": imported("customers.Region", "code,name,parent\nISLAND,Island,NORDICS\n"),
    "import: a new place under yours": imported("customers.Region", "code,name,parent\nNEW,New,NORDICS\n"),
    "import: your place to the top": imported("customers.Region", "code,name,parent\nNORDICS,Nordics,\n"),
    "edit: is_superuser": edited("accounts.User", "mate", "is_superuser", "true"),
    "edit: is_active of a sleeping superuser": edited("accounts.User", "asleep", "is_active", "true"),
    "edit: the boss's address": edited("accounts.User", "boss", "email", "mine@example.com"),
    "edit: the address of a superuser": edited("accounts.User", "root", "email", "mine@example.com"),
    "edit: a password": edited("accounts.User", "boss", "password", "x"),
    "edit: the parent of your place": edited("customers.Region", "nordics", "parent", ""),
    "edit: a place that you may change under yours": edited("customers.Region", "island", "parent", "NORDICS"),
    "bulk: close the boss's account": verbed("accounts.deactivate", "boss", "root", "traveller"),
    "bulk: open superusers' accounts": verbed("accounts.reactivate", "asleep"),
    "bulk: a role above you": verbed("accounts.give_role", "mate", "lead", role=lambda w: w.shipping.pk),
    "bulk: a place beyond you": verbed("accounts.give_place", "mate", "lead", place="region:EUROPE"),
    "bulk: a password": verbed("accounts.set_password", "boss", "root", password=PASSWORD + "!"),
    "revert: a place that you may change, to when it was under yours": reverted_region("island", lambda w: w.nordics),
    "revert: your place, to when it was at the top": reverted_region("nordics", lambda w: None),
    "revert: the boss's address": reverted_person,
    "restore: a place under yours": restored_region,
    "revert: a membership": reverted_rights(Membership),
    "revert: a right of a role": reverted_rights(RolePermission),
    "revert: a grant": reverted_rights(Region.user_grants_model),
    "file: a role above you": file(person_of("Shipping")),
    "file: a place beyond you": file(person_of(places="EUROPE")),
    "file: yourself": file(person_of("Plain", "SWEDEN", who="lead")),
    "file: the boss": file(person_of(who="boss")),
    "file: a superuser": file(person_of("Plain", who="root")),
    "file: rights that you do not hold": file("roles:\n  Plain: {rights: [orders.ship_order]}\n"),
    "file: a new role with rights that you do not hold": file(
        "roles:\n  Fresh: {rights: [orders.ship_order]}\n" + person_of("Fresh")
    ),
    "file: your own role": file("roles:\n  Leads: {rights: [customers.view_customer]}\n"),
    "file: opening every place": file("roles:\n  Plain: {rights: [customers.access_all_region]}\n"),
    "file: a place for your own role": file("roles:\n  Leads: {places: {region: [NORDICS]}}\n"),
    **{f"a superuser by the door {door}": superuser_by(door, actor=None) for door in (
        "form", "inline", "grid", "bulk", "import", "task", "undo",
    )},
    "a superuser by a shell of somebody's": superuser_by("shell", actor="lead"),
    "a superuser by a command of somebody's": superuser_by("command", actor="boss", user="boss"),
    "a sleeping superuser woken by a form": superuser_by("form", actor="lead", user="asleep"),
}  # fmt: skip

ATTEMPTS = {**SERVICES, **PAGES, **BEYOND}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS.keys())
def test_gives_nobody_anything(attempt, world, client):
    before = powers()
    try:
        with transaction.atomic():
            attempt(world, client)
    except REFUSALS:
        pass
    assert powers() == before


def test_there_are_a_hundred_attempts():
    assert len(ATTEMPTS) >= 100


# The same ways, for what the lead may do: an attempt that fails for the wrong reason would fail here.
ALLOWED: dict[str, Attempt] = {
    "give a role": give_role("newcomer", "plain"),
    "give one's own role": give_role("newcomer", "own"),
    "delete a role in a form": post("accounts_role_delete", "plain", post="yes"),
    "let in": place(giving.give_place, "mate", "nordics"),
    "let a role in": place(giving.give_place, "plain", "sweden"),
    "by name": place_by_name(accounts.give_place, "mate", "region:SWEDEN"),
    "on a row": row(giving.give_row, "mate", "near", "change"),
    "on a row, a role": row(giving.give_row, "plain", "near", "change"),
    "rights of a role": rights("plain", "customers.change_customer"),
    "delete a role": lambda w, _: giving.delete_role(actor=w.again(), role=w.plain, reason=WHY),
    "many": many(["mate", "newcomer"], ["plain"], ["nordics"]),
    "copy": copy("newcomer", "mate"),
    "page": post("accounts_user_places", "newcomer", **ticked("plain", places=("nordics",))),
    "page of a role": post("accounts_role_places", "plain", **ticked(places=("nordics",))),
    "page of rights": post(
        "accounts_role_rights", "plain", _save="1",
        rights=lambda w: [right_named(r).pk for r in ("customers.view_customer", "customers.change_customer")],
    ),
    "page of many": post("accounts_user_assign", **ticked("plain", selection=chosen("newcomer"))),
    "row page": post("customers_customer_entries", "near", _give="1", person=lambda w: w.newcomer.pk, verbs=["view"]),
    "place page": post("customers_region_entries", "sweden", _give="1", person=lambda w: w.newcomer.pk, verbs=["enter"]),
    "file": file(person_of("Plain", "SWEDEN")),
}  # fmt: skip


@pytest.mark.parametrize("attempt", ALLOWED.values(), ids=ALLOWED.keys())
def test_what_one_may_give_is_given_by_the_same_ways(attempt, world, client):
    before = powers()
    attempt(world, client)
    assert powers() != before


def test_a_form_of_a_colleague_is_saved(world, client):
    person_form("mate", email="mate@example.com")(world, client)
    assert world.again(world.mate).email == "mate@example.com"


def test_a_place_within_ones_own_is_moved(world, client):
    from tests.factories import RegionFactory

    world.lapland = RegionFactory(code="LAPLAND", parent=world.nordics)
    region_form("lapland", "sweden")(world, client)
    assert Region.objects.get(code="LAPLAND").parent.code == "SWEDEN"


def test_an_import_of_places_within_ones_own_is_applied(world):
    imported("customers.Region", "code,name,parent\nSWEDEN,Sverige,NORDICS\n")(world, None)
    assert Region.objects.get(code="SWEDEN").name == "Sverige"


def test_a_bulk_verb_on_colleagues_is_applied(world):
    verbed("accounts.deactivate", "mate")(world, None)
    assert not world.again(world.mate).is_active


def test_a_team_is_no_role(world, client):
    """Who is put into a team comes to nothing by it."""
    team = TeamFactory(code="T")
    before = powers()
    client.force_login(world.again())
    client.post(
        reverse("admin:accounts_team_change", args=[team.pk]), {"code": "T", "name": "T", "lead": world.lead.pk}
    )
    assert powers() == before
    assert Team.objects.filter(pk=team.pk).exists()


def test_a_value_of_a_place_of_ones_own_is_edited_and_reverted(world):
    edited("customers.Region", "sweden", "name", "Sverige")(world, None)
    assert Region.objects.get(code="SWEDEN").name == "Sverige"
    sweden = Region.objects.get(code="SWEDEN")
    plan = revert_row(actor=world.again(), row=sweden, to=Region.history.filter(id=sweden.pk).last(), reason=WHY)
    run_job(apply_plan(actor=world.again(), plan=plan, mode="keep_good").applying_id)
    assert Region.objects.get(code="SWEDEN").name == "Sweden"
