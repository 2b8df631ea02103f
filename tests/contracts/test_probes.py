"""The 26 probes of the stock packages: 17 leak there, none here.

The first eight of the nine that hold on the stock packages stand in the list that the probes come from; the ninth, the
save of a foreign row, is ours. `tests/stock` makes the same probes of the packages as their documentation puts them
together, in a process and a database of its own, so that each was seen to find what it looks for.
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.urls import NoReverseMatch, resolve, reverse

from admin_ext.access.rights import NotPermitted, can
from admin_ext.audit.context import change_set
from admin_ext.filtering.selection import Selection
from admin_ext.jobs.running import run_job
from admin_ext.plans.applying import apply_plan
from admin_ext.plans.models import Plan
from admin_ext.transfers.exporting import submit_export
from admin_ext.transfers.importing import submit_import
from apps.accounts.models import Membership
from apps.customers.models import Customer
from tests.apps.orders.factories import OrderFactory
from tests.contracts.world import rights_on
from tests.factories import CustomerFactory, RegionFactory, UserFactory, give_role, grant

LEAK_ON_STOCK = (
    "history_of_a_foreign_row",
    "historical_form_of_a_foreign_row",
    "revert_of_a_foreign_row",
    "choices_of_a_list_filter",
    "choices_of_a_foreign_key",
    "foreign_key_to_a_foreign_row",
    "label_of_a_raw_id",
    "shortcut_to_a_foreign_row",
    "grant_to_oneself",
    "import_page_for_a_viewer",
    "import_preview_of_a_foreign_row",
    "import_over_a_foreign_row",
    "import_of_a_new_row",
    "export_of_an_excluded_column",
    "search_without_the_right_to_view",
    "search_after_the_right_was_taken",
    "formula_in_an_export",
)
HOLD_ON_STOCK = (
    "list_of_foreign_rows",
    "page_of_a_foreign_row",
    "save_of_a_foreign_row",
    "deletion_of_a_foreign_row",
    "autocomplete_of_foreign_rows",
    "deletion_of_a_selection_with_foreign_keys",
    "grants_page_of_a_foreign_row",
    "export_of_foreign_rows",
    "list_for_an_adder",
)
CANARY = "CANARY7531"


@pytest.fixture(scope="session")
def stock() -> dict[str, object]:
    """What the probes find on the stock packages."""
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.stock.run"],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class TestTheStockPackages:
    @pytest.mark.parametrize("probe", LEAK_ON_STOCK)
    def test_leak(self, stock, probe):
        assert stock[probe] is True

    @pytest.mark.parametrize("probe", HOLD_ON_STOCK)
    def test_hold(self, stock, probe):
        assert stock[probe] is False

    def test_are_asked_nothing_that_the_product_is_not(self, stock):
        assert set(stock) == {*LEAK_ON_STOCK, *HOLD_ON_STOCK}
        here = {name.removeprefix("test_") for name in vars(TestTheProduct) if name.startswith("test_")}
        assert here == set(stock)


@pytest.fixture
def theirs(db):
    """A customer elsewhere."""
    region = RegionFactory(code="THEIRS", name=f"{CANARY} region")
    customer = CustomerFactory(code="FOREIGN", name=f"{CANARY} customer", region=region)
    with change_set(actor=None, door="shell", verb="tests.arrange"):
        Customer.objects.filter(pk=customer.pk).update(city=f"{CANARY} city")
    return Customer.objects.get(pk=customer.pk)


@pytest.fixture
def mine(db):
    return CustomerFactory(code="MINE", name="Mine", region=RegionFactory(code="HOME", name="Home"))


@pytest.fixture
def person(mine, theirs):
    """Makes somebody who works in the region of `mine`, with rights by short names on customers, or by full ones."""

    def made(*actions):
        rights = [each if "." in each else f"customers.{each}_customer" for each in actions]
        return grant(give_role(UserFactory(), *rights), "access_region", mine.region)

    return made


@pytest.fixture
def clerk(person):
    return person(*(right for right in rights_on(Customer) if "handover" not in right), "customers.view_region")


@pytest.fixture
def shows(client):
    def does_it_show(user, url, method="get", **data):
        client.force_login(user)
        response = getattr(client, method)(url, data, follow=True)
        trail = " ".join(f"{address}" for address, _ in response.redirect_chain)
        return CANARY in response.text.replace(url, "") + trail

    return does_it_show


def page(name, *args):
    return reverse(f"admin:customers_customer_{name}", args=args)


def form_of(customer, **changes):
    """What the browser would send of a customer's page."""
    empty = {"TOTAL_FORMS": 0, "INITIAL_FORMS": 0, "MIN_NUM_FORMS": 0, "MAX_NUM_FORMS": 1000}
    inlines = {f"{prefix}-{name}": value for prefix in ("contacts", "addresses") for name, value in empty.items()}
    return {
        "code": customer.code,
        "name": customer.name,
        "region": customer.region_id,
        "credit_limit": "0",
        "currency": "EUR",
        "payment_terms_days": "30",
        "record_version": customer.version,
        **inlines,
        **changes,
    }


def import_file(user, text, *, mode="keep_good"):
    """An import to its end: the plan, and what was applied of it. None where it was refused at the door."""
    try:
        upload = ContentFile(text.encode(), name="customers.csv")
        plan = submit_import(actor=user, source=upload, name="customers.csv", resource="customers.Customer")
    except NotPermitted:
        return None
    run_job(plan.making_id)
    plan = Plan.objects.get(pk=plan.pk)
    if plan.state == Plan.State.READY and plan.good:
        plan = apply_plan(actor=user, plan=plan, mode=mode, reason="Probe")
        run_job(plan.applying_id)
    return Plan.objects.get(pk=plan.pk)


def export_file(user, *columns):
    job = submit_export(actor=user, selection=Selection(model="customers.Customer"), columns=list(columns) or None)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == "succeeded", job.error
    with job.files.get().file.open("rb") as made:
        return made.read().decode("utf-8-sig")


class TestTheProduct:
    def test_history_of_a_foreign_row(self, clerk, theirs, shows):
        assert not shows(clerk, page("history", theirs.pk))

    def test_historical_form_of_a_foreign_row(self, clerk, theirs, mine, client, shows):
        past = theirs.history.first().pk
        for row in (theirs, mine):
            assert not shows(clerk, page("revert", row.pk, "customer", past) + "?to=after")
        assert not shows(clerk, page("change", theirs.pk) + f"?_asof={theirs.updated_at.isoformat()}")
        assert not shows(clerk, page("compare", theirs.pk))
        assert client.get(page("history", theirs.pk) + f"{past}/").status_code in (302, 404)

    def test_revert_of_a_foreign_row(self, clerk, theirs, mine, client):
        client.force_login(clerk)
        before = theirs.history.order_by("history_id").first()
        data = {"_go": "1", "fields_back": ["city"], "reason": "Probe"}
        for row in (theirs, mine):
            response = client.post(page("revert", row.pk, "customer", before.pk) + "?to=after", data)
            assert response.status_code == 404
        assert not Plan.objects.exists()
        assert Customer.objects.get(pk=theirs.pk).city == f"{CANARY} city"

    def test_choices_of_a_list_filter(self, clerk, theirs, shows):
        assert not shows(clerk, page("changelist"))
        assert not shows(clerk, page("changelist") + f"?region={theirs.region_id}")

    def test_choices_of_a_foreign_key(self, clerk, mine, shows):
        assert not shows(clerk, page("add"))
        assert not shows(clerk, page("change", mine.pk))

    def test_foreign_key_to_a_foreign_row(self, clerk, mine, theirs, client):
        client.force_login(clerk)
        url = page("change", mine.pk)
        foreign = client.post(url, form_of(mine, region=theirs.region_id))
        missing = client.post(url, form_of(mine, region=99_999_999))
        assert Customer.objects.get(pk=mine.pk).region_id == mine.region_id
        told = [response.context["adminform"].form.errors["region"] for response in (foreign, missing)]
        assert told[0] == told[1]

    def test_label_of_a_raw_id(self, clerk, mine, theirs, shows):
        assert not shows(clerk, page("change", mine.pk), "post", **form_of(mine, region=theirs.region_id, name=""))

    def test_shortcut_to_a_foreign_row(self, clerk, theirs, client, shows):
        kind = ContentType.objects.get_for_model(Customer).pk
        client.force_login(clerk)
        for written in (kind, f"%20{kind}", f"{kind}%20", f"0{kind}", f"+{kind}"):
            assert client.get(f"/r/{written}/{theirs.pk}/").status_code == 404, written
        assert not shows(clerk, f"/r/{kind}/{theirs.pk}/")

    def test_grant_to_oneself(self, person, mine, client):
        changer = person("view", "change")
        client.force_login(changer)
        for path in (f"permissions/user-manage/{changer.pk}/", "permissions/"):
            url = page("changelist") + f"{mine.pk}/{path}"
            client.post(url, {"permissions": ["delete_customer"], "submit": "1"})
        client.post(page("change", mine.pk), form_of(mine, user_grants="1", groups="1", is_superuser="on"))
        again = type(changer).objects.get(pk=changer.pk)
        assert not can(again, "delete", mine) and not again.is_superuser
        assert not Customer.user_grants_model.objects.filter(user=changer).exists()

    def test_import_page_for_a_viewer(self, person, client):
        client.force_login(person("view"))
        assert client.get(page("import")).status_code == 403

    def test_import_preview_of_a_foreign_row(self, person, theirs, shows):
        importer = person("view", "add", "change", "import")
        plan = import_file(importer, f"code,name\n{theirs.code},Other\n")
        assert plan is not None and plan.good == 0
        assert not shows(importer, reverse("admin:plans_plan_change", args=[plan.pk]))
        assert import_file(person("view"), f"code,name\n{theirs.code},Other\n") is None

    def test_import_over_a_foreign_row(self, person, theirs):
        importer = person("view", "add", "change", "import")
        for who in (importer, person("view")):
            import_file(who, f"code,name,region\n{theirs.code},Taken,HOME\n")
            assert Customer.objects.get(pk=theirs.pk).name == theirs.name

    def test_import_of_a_new_row(self, person):
        for who in (person("view"), person("view", "change", "import")):
            import_file(who, "code,name,region\nPLANTED,Planted,HOME\n")
            assert not Customer.objects.filter(code="PLANTED").exists()

    def test_export_of_an_excluded_column(self, clerk, client):
        """A column that the resource does not name is neither offered nor taken."""
        client.force_login(clerk)
        address = page("export")
        assert "brought_in" not in [name for name, _ in client.get(address).context["form"].fields["columns"].choices]
        assert client.post(address, {"format": "csv", "columns": ["code", "brought_in"]}).status_code == 200
        with pytest.raises(Exception, match="There is no column brought_in"):
            export_file(clerk, "code", "brought_in")

    def test_search_without_the_right_to_view(self, person, mine, shows):
        with change_set(actor=None, door="shell", verb="tests.arrange"):
            Customer.objects.filter(pk=mine.pk).update(name=f"{CANARY} mine")
        assert not shows(person("add"), reverse("admin:search"), s="CANARY75", extended="1")
        assert shows(person("view"), reverse("admin:search"), s="CANARY75", extended="1")

    def test_search_after_the_right_was_taken(self, person, mine, shows):
        with change_set(actor=None, door="shell", verb="tests.arrange"):
            Customer.objects.filter(pk=mine.pk).update(name=f"{CANARY} mine")
        leaver = person("view")
        asked = {"s": "CANARY75", "extended": "1"}
        assert shows(leaver, reverse("admin:search"), **asked)
        with change_set(actor=None, door="shell", verb="tests.arrange"):
            Membership.objects.filter(user=leaver).delete()
        assert not shows(leaver, reverse("admin:search"), **asked)

    def test_formula_in_an_export(self, clerk, mine):
        for number, name in enumerate(("=1+1", "+1+1", "-2+3", "@SUM(1)", "\t=1+1", "\r=1+1", "＝1+1")):
            CustomerFactory(code=f"F{number}", name=name, region=mine.region)
        rows = list(csv.reader(io.StringIO(export_file(clerk, "code", "name"))))
        told = {code: name for code, name in rows if code.startswith("F")}
        assert len(told) == 7
        for name in told.values():
            assert name[:1] not in "=+-@\t\r＝", name

    def test_list_of_foreign_rows(self, clerk, shows):
        assert not shows(clerk, page("changelist") + "?q=FOREIGN")

    def test_page_of_a_foreign_row(self, clerk, theirs, shows):
        assert not shows(clerk, page("change", theirs.pk))

    def test_save_of_a_foreign_row(self, clerk, theirs, client):
        client.force_login(clerk)
        client.post(page("change", theirs.pk), form_of(theirs, name="Saved"))
        assert Customer.objects.get(pk=theirs.pk).name == theirs.name

    def test_deletion_of_a_foreign_row(self, clerk, theirs, client):
        client.force_login(clerk)
        client.post(page("delete", theirs.pk), {"post": "yes", "_reason": "Probe"})
        assert Customer.objects.filter(pk=theirs.pk).exists()

    def test_autocomplete_of_foreign_rows(self, clerk, shows):
        for name in ("order", "customer"):
            asked = {"app_label": "orders", "model_name": name, "field_name": "customer", "term": CANARY[:8]}
            assert not shows(clerk, reverse("admin:autocomplete"), **asked)
        asked = {"app_label": "customers", "model_name": "customer", "field_name": "region", "term": "THEIRS"}
        assert not shows(clerk, reverse("admin:autocomplete"), **asked)

    def test_deletion_of_a_selection_with_foreign_keys(self, clerk, theirs, mine, client):
        client.force_login(clerk)
        for across in ("0", "1"):
            data = {"action": "delete_selected", "_selected_action": [theirs.pk, mine.pk], "select_across": across}
            client.post(page("changelist"), {**data, "post": "yes"})
        assert Customer.objects.filter(pk__in=[theirs.pk, mine.pk]).count() == 2

    def test_grants_page_of_a_foreign_row(self, clerk, theirs, client, shows):
        assert not shows(clerk, page("changelist") + f"{theirs.pk}/permissions/")
        with pytest.raises(NoReverseMatch):
            page("permissions", theirs.pk)
        assert resolve(page("changelist") + f"{theirs.pk}/permissions/").url_name is None

    def test_export_of_foreign_rows(self, clerk, theirs, mine):
        text = export_file(clerk)
        assert CANARY not in text and theirs.code not in text and mine.code in text

    def test_list_for_an_adder(self, person, client):
        client.force_login(person("add"))
        assert client.get(page("changelist")).status_code == 403


def test_an_order_elsewhere_is_no_way_to_its_customer(clerk, theirs, shows):
    """Beyond the list: what hangs from a foreign row does not lead to it."""
    order = OrderFactory(customer=theirs)
    assert not shows(clerk, reverse("admin:orders_order_change", args=[order.pk]))
