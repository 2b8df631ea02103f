"""Policies on the pages: what is not there, what is dots, what is refused; revealing; and setting policies."""

from __future__ import annotations

import datetime

import pytest
from django.urls import reverse

from admin_ext.access.models import FieldPolicy
from admin_ext.access.veils import DOTS
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Access, AccessEvent
from apps.catalogue.models import Product
from apps.customers.models import Customer
from apps.orders.models import Order, Shipment
from apps.orders.services import allocate_order, confirm_order
from tests.apps.catalogue.factories import ProductFactory
from tests.apps.orders.factories import OrderFactory, ShipmentLineFactory, order_with_stock
from tests.contracts.world import person_for
from tests.factories import (
    ContactFactory,
    CustomerFactory,
    FieldPolicyFactory,
    ProfileFactory,
    RoleFactory,
    UserFactory,
    give_role,
    grant,
    police,
)

pytestmark = pytest.mark.django_db
TAX = "customers.Customer:tax_number"
CANARY = "QQ7531975QQ"
MANAGEMENT = [f"access.{action}_fieldpolicy" for action in ("view", "add", "change", "delete", "grant")]


def address(name, *args):
    return reverse(f"admin:{name}", args=args)


@pytest.fixture
def customer():
    return CustomerFactory(tax_number=CANARY, credit_limit=7531)


@pytest.fixture
def visit(client):
    def go(person, where, data=None, **parameters):
        client.force_login(person)
        return client.get(where, parameters) if data is None else client.post(where, data)

    return go


def typed(response, **values):
    """What a browser would send back of a page's form, with some of it typed anew."""
    form, sent = response.context["adminform"].form, {}
    for bound in form:
        value = bound.value()
        sent[bound.html_name] = "" if value is None else value
    for inline in response.context["inline_admin_formsets"]:
        for bound in inline.formset.management_form:
            sent[bound.html_name] = bound.value()
    return {**sent, **values}


class TestTheForm:
    @pytest.mark.parametrize("kind", ["hidden", "masked", "read_only"])
    def test_takes_nothing_that_was_forged_into_it(self, customer, visit, kind):
        person = police(person_for(Customer), TAX, kind)
        change = address("customers_customer_change", customer.pk)
        sent = typed(visit(person, change), city="Lund", tax_number="FORGED", _reason="x")
        assert visit(person, change, sent).status_code == 302
        customer.refresh_from_db()
        assert (customer.city, customer.tax_number) == ("Lund", CANARY)

    def test_shows_what_is_read_only_and_asks_for_it_nowhere(self, customer, visit):
        person = police(person_for(Customer), TAX, "read_only")
        page = visit(person, address("customers_customer_change", customer.pk)).text
        assert CANARY in page and 'name="tax_number"' not in page

    def test_the_page_for_a_new_row_asks_for_nothing_that_is_not_theirs_to_write(self, visit):
        person = person_for(Customer)
        for kind, field in (("hidden", "phone"), ("masked", "tax_number"), ("read_only", "email")):
            person = police(person, f"customers.Customer:{field}", kind)
        page = visit(person, address("customers_customer_add"))
        assert 'name="city"' in page.text
        for field in ("phone", "tax_number", "email"):
            assert f'name="{field}"' not in page.text
        sent = typed(page, code="C-1", name="New", tax_number="FORGED", phone="FORGED", email="f@example.com")
        assert visit(person, address("customers_customer_add"), sent).status_code == 302
        made = Customer.objects.get(code="C-1")
        assert (made.tax_number, made.phone, made.email) == ("", "", "")

    def test_a_new_row_that_needs_what_is_not_theirs_is_refused_in_words(self, visit):
        person = police(person_for(Customer), "customers.Customer:name", "read_only")
        page = visit(person, address("customers_customer_add"))
        answer = visit(person, address("customers_customer_add"), typed(page, code="C-1"))
        assert "needs name, which is not yours to write" in answer.text
        assert not Customer.objects.exists()

    def test_parts_follow_their_own_policies(self, visit):
        contact = ContactFactory(email="qq7531@example.com", phone=CANARY)
        person = police(person_for(Customer), "customers.Contact:email", "hidden")
        person = police(person, "customers.Contact:phone", "masked")
        page = visit(person, address("customers_customer_change", contact.customer_id)).text
        assert "qq7531" not in page and CANARY not in page and DOTS in page
        assert "contacts-0-title" in page
        for name in ("email", "phone"):
            assert f"contacts-0-{name}" not in page

    def test_a_refused_save_tells_no_more_than_the_page_did(self, customer, visit):
        person = police(person_for(Customer), TAX, "masked")
        change = address("customers_customer_change", customer.pk)
        sent = typed(visit(person, change), city="Lund", name="")
        answer = visit(person, change, sent)
        assert answer.status_code == 200 and "This field is required" in answer.text and CANARY not in answer.text

    @pytest.mark.parametrize("kind", ["hidden", "masked"])
    def test_a_refusal_of_the_model_names_no_value_that_is_not_theirs(self, visit, kind):
        profile = ProfileFactory(resource=CANARY)
        person = give_role(UserFactory(), "transfers.view_profile", "transfers.change_profile")
        page = address("transfers_profile_change", profile.pk)
        told = visit(person, page, typed(visit(person, page)))
        assert CANARY in told.context["adminform"].form.errors["mapping"][0]
        person = police(person, "transfers.Profile:resource", kind)
        told = visit(person, page, typed(visit(person, page), title="Another"))
        assert CANARY not in told.content.decode()
        assert told.context["errors"]
        profile.refresh_from_db()
        assert profile.title != "Another"

    def test_a_stale_save_tells_nothing_of_what_is_not_theirs(self, customer, visit):
        person = police(person_for(Customer), TAX, "masked")
        change = address("customers_customer_change", customer.pk)
        sent = typed(visit(person, change), city="Lund")
        with change_set(actor=None, door="shell", reason="x"):
            Customer.objects.filter(pk=customer.pk).update(city="Oslo", tax_number="QQOTHERQQ")
        answer = visit(person, change, sent)
        assert "Oslo" in answer.text and "QQOTHERQQ" not in answer.text and CANARY not in answer.text


class TestTheList:
    @pytest.fixture
    def rows(self):
        return [CustomerFactory(code=f"C-{n}", credit_limit=limit) for n, limit in enumerate((2, 3, 1))]

    def order_of(self, response):
        return [row.code for row in response.context["cl"].result_list]

    @pytest.mark.parametrize("kind", ["hidden", "masked"])
    def test_is_not_put_in_the_order_of_what_is_not_theirs(self, rows, visit, kind):
        listed = address("customers_customer_changelist")
        free, person = person_for(Customer), police(person_for(Customer), "customers.Customer:credit_limit", kind)
        numbered = [n for n in range(1, 10) if self.order_of(visit(free, listed, o=str(n))) == ["C-2", "C-0", "C-1"]]
        assert numbered, "nobody can order by it: the test looks at nothing"
        for n in (*range(1, 10), -7):
            assert self.order_of(visit(person, listed, o=str(n))) not in (["C-2", "C-0", "C-1"], ["C-1", "C-0", "C-2"])

    @pytest.mark.parametrize("kind", ["hidden", "masked"])
    def test_is_not_in_the_order_of_what_is_not_theirs_unasked(self, visit, kind):
        days = [datetime.date(2026, 5, day) for day in (2, 3, 1)]
        orders = [OrderFactory(ordered_on=day).pk for day in days]
        listed, person = address("orders_order_changelist"), person_for(Order)
        first, second, third = orders
        assert [row.pk for row in visit(person, listed).context["cl"].result_list] == [second, first, third]
        police(person, "orders.Order:ordered_on", kind)
        assert [row.pk for row in visit(person, listed).context["cl"].result_list] == [third, second, first]

    def test_is_in_no_order_that_a_page_asks_for_by_itself(self, rows, visit, monkeypatch):
        from apps.customers.admin import CustomerAdmin

        monkeypatch.setattr(CustomerAdmin, "get_ordering", lambda self, request: ["credit_limit"])
        listed, person = address("customers_customer_changelist"), person_for(Customer)
        assert self.order_of(visit(person, listed)) == ["C-2", "C-0", "C-1"]
        police(person, "customers.Customer:credit_limit", "hidden")
        assert self.order_of(visit(person, listed)) != ["C-2", "C-0", "C-1"]

    def test_offers_no_choice_in_the_order_of_what_is_not_theirs(self, visit):
        """Where related rows are offered as one types, they come in the order of their list."""
        days = [datetime.date(2026, 5, day) for day in (2, 3, 1)]
        first, second, third = (OrderFactory(ordered_on=day).pk for day in days)
        person = give_role(person_for(Order), "orders.view_shipment")
        asked = {"app_label": "orders", "model_name": "shipment", "field_name": "order", "term": "SO"}

        def offered(who):
            return [int(each["id"]) for each in visit(who, address("autocomplete"), **asked).json()["results"]]

        assert offered(person) == [second, first, third]
        assert offered(police(person, "orders.Order:ordered_on", "masked")) == [third, second, first]

    def test_has_no_column_of_what_is_hidden_even_where_a_callable_shows_it(self, visit):
        CustomerFactory(credit_limit=7531)
        listed = address("customers_customer_changelist")
        assert "7,531.00" in visit(person_for(Customer), listed).text
        person = police(person_for(Customer), "customers.Customer:credit_limit", "hidden")
        answer = visit(person, listed)
        assert "7,531" not in answer.text and "credit limit" not in answer.text.lower()
        person = police(person_for(Customer), "customers.Customer:credit_limit", "masked")
        answer = visit(person, listed)
        assert "7,531" not in answer.text and "redit limit" in answer.text and DOTS in answer.text

    def test_tells_nothing_that_a_queryset_works_out_from_what_is_not_theirs(self, visit):
        ProductFactory(list_price="7531.25")
        listed, person = address("catalogue_product_changelist"), person_for(Product)
        assert "7,531.25" in visit(person, listed).text
        answer = visit(police(person, "catalogue.Product:list_price", "masked"), listed)
        assert "7,531.25" not in answer.text and DOTS in answer.text

    def test_tells_nothing_even_where_a_column_declares_less_than_it_reads(self, visit):
        """How late an order is follows from its state, too; the column only names the day."""
        root = UserFactory(is_superuser=True)
        order = order_with_stock(2, required_on=datetime.date(2026, 5, 5))
        confirm_order(actor=root, order=order)
        listed, person = address("orders_order_changelist"), person_for(Order)
        late = visit(person, listed).context["cl"].result_list[0].late_by.days
        assert f"{late} days" in visit(person, listed).text
        answer = visit(police(person, "orders.Order:state", "masked"), listed)
        assert answer.status_code == 200 and f"{late} days" not in answer.text

    def test_is_filtered_along_no_relation_by_what_is_not_theirs(self, visit):
        order = OrderFactory()
        person = give_role(person_for(Order), "customers.view_customer", "customers.view_region")
        region = order.customer.region_id
        listed = address("orders_order_changelist")
        assert order.number in visit(person, listed, customer__region=region).text
        police(person, "customers.Customer:region", "hidden")
        answer = visit(person, listed, customer__region=region)
        assert order.number not in answer.text and "There is no filter customer__region" in answer.text

    def test_a_filter_that_is_worked_out_goes_with_what_it_is_worked_out_from(self, visit):
        person = police(person_for(Order), "orders.Order:required_on", "masked")
        answer = visit(person, address("orders_order_changelist"), late="true")
        assert "There is no filter late" in answer.text

    def test_search_finds_nothing_by_what_is_not_theirs(self, visit):
        order = OrderFactory(customer_reference="QQ7531", ship_to_name="Qqship")
        person = person_for(Order)
        listed, palette = address("orders_order_changelist"), address("search")
        for word in ("QQ7531", "Qqship"):
            assert order.number in visit(person, listed, q=word).text
        for field in ("customer_reference", "ship_to_name"):
            police(person, f"orders.Order:{field}", "hidden")
        for word in ("QQ7531", "Qqship"):
            assert order.number not in visit(person, listed, q=word).text
            assert order.number not in visit(person, palette, s=word, extended="1").text


class TestThePast:
    @pytest.mark.parametrize("kind", ["hidden", "masked"])
    def test_of_a_record_is_told_under_the_policies_of_now(self, customer, visit, kind):
        with change_set(actor=None, door="shell", reason="x"):
            Customer.objects.filter(pk=customer.pk).update(tax_number="QQAFTERQQ")
        then = datetime.datetime.now(datetime.UTC).isoformat()
        person = police(give_role(person_for(Customer), "audit.view_changeset"), TAX, kind)
        changed = customer.history.latest().change_set_id
        pages = [
            (address("customers_customer_history", customer.pk), {}),
            (address("customers_customer_history", customer.pk), {"field": "tax_number"}),
            (address("customers_customer_change", customer.pk), {"_asof": then}),
            (address("customers_customer_changelist"), {"_asof": then}),
            (address("customers_customer_compare", customer.pk), {}),
            (address("customers_customer_changes"), {"_since": "2020-01-01T00:00"}),
            (address("audit_changeset_change", changed), {}),
            (address("audit_changeset_timeline"), {}),
            (address("audit_changeset_timeline"), {"model": "customers.Customer", "field": "tax_number"}),
        ]
        for where, parameters in pages:
            answer = visit(person, where, **parameters)
            assert answer.status_code == 200, where
            for value in (CANARY, "QQAFTERQQ"):
                assert value not in answer.text, where
        history = visit(person, pages[0][0]).text
        assert (DOTS in history) == (kind == "masked")
        assert 'value="tax_number"' not in history

    def test_of_a_value_cannot_be_guessed_on_the_timeline(self, customer, visit):
        with change_set(actor=None, door="shell", verb="tests.guessed", reason="x"):
            Customer.objects.filter(pk=customer.pk).update(tax_number="QQAFTERQQ")
        person = give_role(person_for(Customer), "audit.view_changeset")
        asked = {"model": "customers.Customer", "field": "tax_number", "value": "QQAFTERQQ"}
        assert "tests.guessed" in visit(person, address("audit_changeset_timeline"), **asked).text
        police(person, TAX, "masked")
        assert "tests.guessed" not in visit(person, address("audit_changeset_timeline"), **asked).text

    def test_of_a_deleted_row_is_told_under_them_too(self, customer, visit):
        with change_set(actor=None, door="shell", reason="x"):
            customer_key = customer.pk
            customer.delete()
        person = police(person_for(Customer), TAX, "masked")
        page = visit(person, address("customers_customer_deleted_row", customer_key)).text
        assert CANARY not in page and DOTS in page
        assert customer.code in page

    def test_of_deleted_rows_is_not_searched_for_what_is_not_theirs(self, visit):
        order = OrderFactory(customer_reference="QQ7531", ship_to_name="Qqname")
        with change_set(actor=None, door="shell", reason="x"):
            order.delete()
        person, where = person_for(Order), address("orders_order_deleted")
        for word in ("QQ7531", "Qqname"):
            assert order.number in visit(person, where, q=word).text
        assert "Qqname" in visit(person, where).text
        for field in ("customer_reference", "ship_to_name"):
            person = police(person, f"orders.Order:{field}", "masked")
        for word in ("qq7531", "qqname"):
            answer = visit(person, where, q=word)
            assert order.number not in answer.text
        told = visit(person, where).text
        assert order.number in told and "Qqname" not in told


class TestReverting:
    def test_leaves_what_is_not_theirs_as_it_is_and_tells_nothing_of_it(self, customer, visit):
        with change_set(actor=None, door="shell", reason="x"):
            Customer.objects.filter(pk=customer.pk).update(tax_number="QQAFTERQQ", city="Oslo")
        person = police(person_for(Customer), TAX, "masked")
        change = customer.history.latest()
        page = visit(person, address("customers_customer_revert", customer.pk, "customer", change.pk), to="before")
        assert page.status_code == 200 and "Oslo" in page.text
        for value in (CANARY, "QQAFTERQQ", 'value="tax_number"'):
            assert value not in page.text

    def test_a_masked_state_is_not_told_by_why_it_stays(self, visit):
        customer = CustomerFactory(status="on_hold")
        with change_set(actor=None, door="shell", reason="x"):
            Customer.objects.filter(pk=customer.pk).update(status="closed", city="Oslo")
        person = police(person_for(Customer), "customers.Customer:status", "masked")
        change = customer.history.latest()
        page = visit(person, address("customers_customer_revert", customer.pk, "customer", change.pk), to="before").text
        assert "not yours to read" in page and "Closed" not in page and "On hold" not in page


class TestRevealing:
    def where(self, row, field="tax_number", part="customer", whole=None):
        return address("customers_customer_reveal", (whole or row).pk, part, row.pk, field)

    def test_shows_the_value_once_to_who_says_why_and_notes_it(self, customer, visit):
        person = police(person_for(Customer), TAX, "masked")
        page = visit(person, address("customers_customer_change", customer.pk)).text
        assert self.where(customer) in page
        asked = visit(person, self.where(customer))
        assert asked.status_code == 200 and CANARY not in asked.text
        answer = visit(person, self.where(customer), {"reason": "The tax office asks"})
        assert CANARY in answer.text and "no-store" in answer["Cache-Control"]
        event = AccessEvent.objects.get(kind=Access.REVEAL)
        assert (event.actor, event.model, event.object_id) == (person, "customers.Customer", customer.pk)
        assert (event.reason, event.detail) == ("The tax office asks", {"field": "tax_number"})
        assert CANARY not in str(vars(event))
        assert CANARY not in visit(person, address("customers_customer_change", customer.pk)).text

    def test_asks_for_a_reason(self, customer, visit):
        person = police(person_for(Customer), TAX, "masked")
        answer = visit(person, self.where(customer), {"reason": " "})
        assert CANARY not in answer.text and not AccessEvent.objects.filter(kind=Access.REVEAL).exists()

    def test_shows_a_value_of_a_part_on_the_page_of_its_whole(self, visit):
        contact, other = ContactFactory(phone=CANARY), CustomerFactory()
        person = police(person_for(Customer), "customers.Contact:phone", "masked")
        where = self.where(contact, "phone", "contact", contact.customer)
        assert where in visit(person, address("customers_customer_change", contact.customer_id)).text
        assert CANARY in visit(person, where, {"reason": "He asked to be called"}).text
        assert visit(person, self.where(contact, "phone", "contact", other), {"reason": "x"}).status_code == 404

    def test_needs_the_right_to_reveal_on_the_row(self, customer, visit):
        viewer = give_role(UserFactory(), "customers.view_customer", "customers.access_all_region")
        viewer = police(viewer, TAX, "masked")
        page = visit(viewer, address("customers_customer_change", customer.pk)).text
        assert DOTS in page and "/reveal/" not in page
        assert visit(viewer, self.where(customer), {"reason": "x"}).status_code == 403
        scoped = give_role(UserFactory(), "customers.view_customer", "customers.reveal_customer")
        scoped = police(scoped, TAX, "masked")
        assert visit(scoped, self.where(customer), {"reason": "x"}).status_code == 404
        scoped = grant(scoped, "access_region", customer.region)
        assert CANARY in visit(scoped, self.where(customer), {"reason": "x"}).text

    @pytest.mark.parametrize("field", ["phone", "city", "nothing", "password"])
    def test_shows_nothing_that_is_hidden_or_not_masked(self, customer, visit, field):
        person = police(police(person_for(Customer), TAX, "masked"), "customers.Customer:phone", "hidden")
        assert visit(person, self.where(customer, field), {"reason": "x"}).status_code == 404

    def test_is_refused_when_it_cannot_be_noted(self, customer, visit, monkeypatch):
        from admin_ext.admin import revealing

        def out_of_order(*args, **kwargs):
            raise revealing.NotNoted("It could not be noted.")

        monkeypatch.setattr(revealing, "note_access", out_of_order)
        person = police(person_for(Customer), TAX, "masked")
        answer = visit(person, self.where(customer), {"reason": "x"})
        assert CANARY not in answer.text and "could not be noted" in answer.text


class TestSettingPolicies:
    @pytest.fixture
    def administrator(self):
        return give_role(UserFactory(), *MANAGEMENT, "accounts.view_role")

    @pytest.fixture
    def role(self):
        return RoleFactory(name="Nordic operators")

    def new(self, role, column=TAX, kind="masked", **more):
        return {"role": role.pk, "column": column, "kind": kind, "_reason": "Privacy", **more}

    def test_makes_changes_and_lifts_a_policy_on_the_record(self, administrator, role, visit):
        page = visit(administrator, address("access_fieldpolicy_add"))
        assert "Tax number" in page.text and "Nordic operators" in page.text
        assert visit(administrator, address("access_fieldpolicy_add"), self.new(role)).status_code == 302
        policy = FieldPolicy.objects.get()
        assert (policy.role_id, policy.model, policy.field, policy.kind) == (role.pk, *TAX.split(":"), "masked")
        listed = visit(administrator, address("access_fieldpolicy_changelist")).text
        assert "Nordic operators" in listed and "Tax number" in listed and "Masked" in listed
        change = address("access_fieldpolicy_change", policy.pk)
        assert visit(administrator, change, {"kind": "hidden", "_reason": "Stricter"}).status_code == 302
        policy.refresh_from_db()
        assert policy.kind == "hidden"
        delete = address("access_fieldpolicy_delete", policy.pk)
        assert visit(administrator, delete, {"post": "yes", "_reason": "Not needed"}).status_code == 302
        assert not FieldPolicy.objects.exists()
        told = FieldPolicy.history.order_by("history_id")
        assert [(row.history_type, row.change_set.actor, row.change_set.reason) for row in told] == [
            ("+", administrator, "Privacy"),
            ("~", administrator, "Stricter"),
            ("-", administrator, "Not needed"),
        ]
        assert AccessEvent.objects.filter(kind=Access.RIGHTS, model="access.FieldPolicy").count() == 3

    def test_asks_for_a_reason(self, administrator, role, visit):
        answer = visit(administrator, address("access_fieldpolicy_add"), self.new(role, _reason=""))
        assert answer.status_code == 200 and "reason" in answer.text and not FieldPolicy.objects.exists()

    def test_refuses_a_name_in_words(self, administrator, role, visit):
        for column in ("customers.Customer:code", "customers.Customer:name"):
            answer = visit(administrator, address("access_fieldpolicy_add"), self.new(role, column))
            assert "part of the name under which people see a customer" in answer.text
        assert (
            visit(
                administrator, address("access_fieldpolicy_add"), self.new(role, "customers.Customer:nothing")
            ).status_code
            == 200
        )
        assert not FieldPolicy.objects.exists()

    def test_a_second_policy_for_the_field_is_refused_in_words(self, administrator, role, visit):
        FieldPolicyFactory(role=role)
        answer = visit(administrator, address("access_fieldpolicy_add"), self.new(role, kind="hidden"))
        assert "it is masked already" in answer.text
        assert FieldPolicy.objects.get().kind == "masked"

    @pytest.mark.parametrize("missing", ["grant", "add"])
    def test_needs_the_right_to_grant_as_well(self, role, visit, missing):
        held = [right for right in MANAGEMENT if f".{missing}_" not in right]
        person = give_role(UserFactory(), *held, "accounts.view_role")
        assert visit(person, address("access_fieldpolicy_add"), self.new(role)).status_code == 403
        assert not FieldPolicy.objects.exists()

    def test_nobody_loosens_a_policy_that_holds_for_themselves(self, administrator, visit):
        policy = FieldPolicyFactory(role=administrator.groups.get(), kind="hidden")
        change = address("access_fieldpolicy_change", policy.pk)
        answer = visit(administrator, change, {"kind": "masked", "_reason": "x"})
        assert "nobody loosens a policy for themselves" in answer.text
        visit(administrator, address("access_fieldpolicy_delete", policy.pk), {"post": "yes", "_reason": "x"})
        policy.refresh_from_db()
        assert policy.kind == "hidden"

    def test_nor_one_that_holds_for_them_because_they_hold_no_role(self, administrator, visit):
        """Who reaches a row by a grant is treated as strictly as any role: that role's policy is theirs too."""
        policy = FieldPolicyFactory(kind="hidden")
        grant(administrator, "view", CustomerFactory())
        visit(administrator, address("access_fieldpolicy_delete", policy.pk), {"post": "yes", "_reason": "x"})
        assert FieldPolicy.objects.filter(pk=policy.pk).exists()

    def test_making_a_policy_stricter_for_oneself_is_anybodys_to_do(self, administrator, visit):
        policy = FieldPolicyFactory(role=administrator.groups.get(), kind="masked")
        change = address("access_fieldpolicy_change", policy.pk)
        assert visit(administrator, change, {"kind": "hidden", "_reason": "x"}).status_code == 302


class TestVerbsAndDocuments:
    @pytest.fixture
    def allocated(self):
        """An order that stands ready to be shipped, with canaries in it."""
        root = UserFactory(is_superuser=True)
        order = order_with_stock(2, carrier=CANARY, ship_to_street="Qqstreet", ship_to_name="Qqname")
        confirm_order(actor=root, order=order)
        allocate_order(actor=root, order=order)
        return order

    def test_a_verb_begins_with_nothing_that_is_not_theirs_to_read(self, allocated, visit):
        person = give_role(person_for(Order), "orders.ship_order")
        where = address("orders_order_do", allocated.pk, "ship")
        assert CANARY in visit(person, where).text
        person = police(person, "orders.Order:carrier", "masked")
        answer = visit(person, where)
        assert answer.status_code == 200 and CANARY not in answer.text

    def test_a_document_tells_what_policies_leave(self, allocated, visit):
        person = give_role(person_for(Order), "catalogue.view_product")
        where = address("orders_order_pick-list", allocated.pk)
        assert "Qqstreet" in visit(person, where).text
        for kind, field in (("hidden", "ship_to_street"), ("masked", "ship_to_name")):
            person = police(person, f"orders.Order:{field}", kind)
        answer = visit(person, where)
        assert answer.status_code == 200 and allocated.lines.get().product.sku in answer.text
        assert "Qqstreet" not in answer.text and "Qqname" not in answer.text and DOTS in answer.text

    def test_a_document_tells_nothing_that_is_worked_out_from_what_is_not_theirs(self, visit):
        line = ShipmentLineFactory()
        with change_set(actor=None, door="shell", reason="x"):
            Product.objects.update(weight="753.5")
        weight = f"{753.5 * line.quantity:.2f} kg"
        person = give_role(person_for(Shipment), "orders.view_order", "catalogue.view_product")
        where = address("orders_shipment_packing-slip", line.shipment_id)
        assert weight in visit(person, where).text
        person = police(person, "catalogue.Product:weight", "hidden")
        answer = visit(person, where)
        assert answer.status_code == 200 and line.order_line.product.sku in answer.text
        assert "753" not in answer.text and "kg" not in answer.text

    def test_the_page_of_a_record_veils_the_rows_it_refers_to(self):
        """Whatever a page reads of a related row, it reads of a veiled one."""
        from admin_ext.admin import hide_related

        order = Order.objects.get(pk=OrderFactory().pk)
        with change_set(actor=None, door="shell", reason="x"):
            Customer.objects.filter(pk=order.customer_id).update(tax_number=CANARY)
        person = give_role(person_for(Order), "customers.view_customer", "customers.view_region")
        person = police(person, TAX, "masked")
        hide_related([order], person, loaded=False)
        assert order.customer.code and str(order.customer.tax_number) == DOTS


class TestTheDashboard:
    def test_shows_no_figure_that_counts_by_what_is_not_theirs(self, visit):
        person = give_role(person_for(Order), "inventory.view_stocklevel", "inventory.access_all_warehouse")
        home = address("index")
        seen = visit(person, home).text
        assert "Late shipments" in seen and "Stock below reorder point" in seen
        person = police(person, "orders.Order:required_on", "masked")
        person = police(person, "inventory.StockLevel:reorder_level", "hidden")
        answer = visit(person, home)
        assert answer.status_code == 200 and "Open orders" in answer.text
        for title in ("Late shipments", "Stock below reorder point", "Below reorder point"):
            assert title not in answer.text
