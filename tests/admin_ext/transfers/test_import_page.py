"""The import page: a file and a profile go in, a plan to review comes out."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from admin_ext.jobs.running import run_job
from admin_ext.plans.models import Plan
from apps.catalogue.models import Product
from apps.customers.models import Customer
from apps.orders.models import Order
from tests.contracts.world import everywhere, make, person_for, rights_on
from tests.factories import ProfileFactory, give_role

pytestmark = pytest.mark.django_db
AS_EXPORTED = {"columns": {"code": {"from": "code"}, "name": {"from": "name"}}}


def upload(text):
    return SimpleUploadedFile("rows.csv", text.encode(), content_type="text/csv")


class TestTheImportPage:
    def test_takes_a_file_and_leads_to_the_review(self, client):
        person = give_role(person_for(Customer), "transfers.view_profile")
        client.force_login(person)
        profile = ProfileFactory(mapping=AS_EXPORTED)
        posted = {"file": upload("code,name\nA1,New\n,x\n"), "profile": profile.name}
        response = client.post(reverse("admin:customers_customer_import"), posted)
        plan = Plan.objects.get()
        assert response.url == reverse("admin:plans_plan_change", args=[plan.pk])
        run_job(plan.making_id)
        page = client.get(response.url).text
        assert "Apply the 1 good rows" in page
        assert "code is missing" in page
        client.post(reverse("admin:plans_plan_apply", args=[plan.pk]), {"mode": "keep_good"})
        plan.refresh_from_db()
        run_job(plan.applying_id)
        assert Customer.objects.get(code="A1").name == "New"
        failed = client.get(reverse("admin:plans_plan_failed", args=[plan.pk]))
        text = b"".join(failed.streaming_content).decode()
        assert text.splitlines()[0] == "code,name,reason"
        assert "code is missing" in text

    def test_fills_the_parts_of_a_list_through_a_profile(self, client):
        order, product = make(Order, brought_in=True), make(Product)
        profile = ProfileFactory(
            resource="orders.OrderLine",
            mapping={
                "key": ["order", "product"],
                "columns": {
                    "order": {"from": "O"},
                    "product": {"from": "P"},
                    "quantity": {"from": "Q"},
                    "unit_price": {"constant": "2.50"},
                    "number": {"sequence": ["order"]},
                },
            },
        )
        person = give_role(person_for(Order), *rights_on(Product), *everywhere(Order), "transfers.view_profile")
        client.force_login(person)
        text = f"O,P,Q\n{order.number},{product.sku},3\n"
        client.post(reverse("admin:orders_order_import"), {"file": upload(text), "profile": profile.name})
        plan = Plan.objects.get()
        run_job(plan.making_id)
        plan.refresh_from_db()
        assert (plan.model, plan.counts) == ("orders.OrderLine", {"create": 1})

    def test_is_closed_to_who_may_not_import(self, client):
        client.force_login(person_for(Customer, "customers.view_customer", "customers.change_customer"))
        address = reverse("admin:customers_customer_import")
        assert client.get(address).status_code == 403
        assert client.post(address, {"file": upload("code,name\nA1,New\n")}).status_code == 403
        assert not Plan.objects.exists()

    def test_another_persons_plan_is_not_there(self, client):
        client.force_login(give_role(person_for(Customer), "transfers.view_profile"))
        posted = {"file": upload("code,name\nA1,New\n"), "profile": ProfileFactory(mapping=AS_EXPORTED).name}
        client.post(reverse("admin:customers_customer_import"), posted)
        plan = Plan.objects.get()
        client.force_login(person_for(Customer))
        assert client.get(reverse("admin:plans_plan_change", args=[plan.pk])).status_code in (302, 403, 404)
        assert client.post(reverse("admin:plans_plan_apply", args=[plan.pk]), {"mode": "keep_good"}).status_code == 404
