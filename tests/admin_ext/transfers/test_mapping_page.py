"""The mapping screen: a file is kept, looked at by a worker, mapped by a person, and read."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from admin_ext.jobs.models import Job, JobFile
from admin_ext.jobs.running import run_job
from admin_ext.plans.models import Plan
from admin_ext.transfers.models import Profile
from apps.customers.models import Customer
from tests.contracts.world import person_for
from tests.factories import CustomerFactory, ProfileFactory, RegionFactory, UserFactory, give_role

pytestmark = pytest.mark.django_db
MESSY = "Kundennummer;Firma;Gebiet;Limit;Land;Bemerkung\nA1;Eins;nord;1.200,50;UK;x\nA2;Zwei;süd;12;UK;y\n"


@pytest.fixture
def analyst(client):
    RegionFactory(code="NORD", name="nord")
    person = give_role(person_for(Customer), "customers.view_region", "transfers.view_profile", "transfers.add_profile")
    client.force_login(person)
    return person


def brought(client, text, **posted):
    file = SimpleUploadedFile("messy.csv", text.encode(), content_type="text/csv")
    return client.post(reverse("admin:customers_customer_import"), {"file": file, **posted})


def looked_at(client, response):
    """Let the worker look, and see what it found."""
    run_job(Job.objects.filter(kind="transfers.preview").latest("pk").pk)
    return client.get(response.url)


def sent_back(page, **changes):
    """What a browser would post of the page as it stands."""
    posted = {"do": "preview", "key": ["code"], "ignore": page.context["ignored"]}
    for field in page.context["fields"]:
        name = field["name"]
        posted[f"from-{name}"] = field["chosen"]
        for word in (
            *("constant", "aliases", "trim", "case", "replace", "map", "split_at", "split_part", "join_with"),
            *("default", "prefix", "date", "number", "look_up"),
        ):
            posted[f"{word}-{name}"] = field[word]
    return posted | changes


class TestALook:
    def test_suggests_by_synonym_and_says_what_was_found(self, analyst, client):
        page = looked_at(client, brought(client, MESSY))
        chosen = {field["name"]: field["chosen"] for field in page.context["fields"]}
        assert (chosen["code"], chosen["name"], chosen["country"]) == ("Kundennummer", "Firma", "Land")
        assert chosen["credit_limit"] == "Limit" and chosen["region"] == ""
        assert page.context["seen"]["mapping"]["columns"]["credit_limit"]["number"] == {
            "decimal": ",",
            "thousands": ".",
        }
        assert page.context["detected"]["delimiter"] == ";"
        assert page.context["unmapped"] == ["Gebiet", "Bemerkung"]
        errors = [error["message"] for row in page.context["preview"] for error in row["errors"]]
        assert errors == ["It is not one of the values there are."] * 2

    def test_a_changed_mapping_is_looked_at_again_saved_and_read(self, analyst, client):
        page = looked_at(client, brought(client, MESSY))
        changes = {
            "from-region": "Gebiet",
            "look_up-region": "name",
            "map-country": "UK => GB",
            "ignore": ["Bemerkung"],
        }
        here = page.wsgi_request.path
        page = looked_at(client, client.post(here, sent_back(page, **changes)))
        told = [[error["message"] for error in row["errors"]] for row in page.context["preview"]]
        assert told == [[], ["There is no region “süd” that you may use."]]
        assert page.context["seen"]["rows"][0]["values"]["credit_limit"] == "1200.50"

        here = page.wsgi_request.path
        page = looked_at(client, client.post(here, sent_back(page, do="save", profile_name="messy")))
        profile = Profile.objects.get(name="messy")
        assert profile.mapping["columns"]["region"] == {"from": "Gebiet", "look_up": "name"}
        assert profile.mapping["ignore"] == ["Bemerkung"]

        response = client.post(page.wsgi_request.path, sent_back(page, do="read"))
        plan = Plan.objects.get()
        assert response.url == reverse("admin:plans_plan_change", args=[plan.pk])
        run_job(plan.making_id)
        plan.refresh_from_db()
        assert plan.counts == {"create": 1, "invalid": 1}
        assert (plan.parameters["profile"], plan.parameters["profile_version"]) == ("messy", 1)
        assert JobFile.objects.count() == 1
        assert "messy, version 1" in client.get(response.url).text

    def test_a_mistake_loses_nothing(self, analyst, client):
        page = looked_at(client, brought(client, MESSY))
        response = client.post(page.wsgi_request.path, sent_back(page, **{"map-country": "UK"}))
        assert "“UK” is no pair" in response.text and response.context["fields"]
        response = client.post(page.wsgi_request.path, {"do": "reread", "read-header_row": "x"})
        assert "The header row is a number" in response.text

    def test_is_read_as_the_person_says(self, analyst, client):
        page = looked_at(client, brought(client, "x,code;y\n1,A1;2\n"))
        response = client.post(page.wsgi_request.path, {"do": "reread", "read-delimiter": ";"})
        page = looked_at(client, response)
        assert page.context["seen"]["header"] == ["x,code", "y"]

    def test_names_are_mended_and_a_footer_left_out_as_the_person_says(self, analyst, client):
        page = looked_at(client, brought(client, "code;name;name\nA1;x;y\nTotal;1;\n"))
        assert "name" in page.context["seen"]["unreadable"]
        posted = {"do": "reread", "read-mend_header": "1", "read-footer_rows": "1"}
        page = looked_at(client, client.post(page.wsgi_request.path, posted))
        assert page.context["seen"]["header"] == ["code", "name", "name 2"]
        assert [row[0] for row in page.context["seen"]["sample"]] == ["A1"]
        assert page.context["read"] == {"footer_rows": 1, "mend_header": True}
        assert 'value="1" selected' in page.text
        response = client.post(page.wsgi_request.path, posted | {"read-footer_rows": "-1"})
        assert "is a whole number" in response.text

    def test_a_key_that_several_rows_have_changes_none_of_them(self, analyst, client):
        region = RegionFactory.create(code="S")
        for code in ("B1", "B2"):
            CustomerFactory(code=code, name="Twin", region=region)
        page = looked_at(client, brought(client, "code;name\nB3;Twin\n"))
        posted = sent_back(page, key=["name"], **{"from-code": "code", "from-name": "name"})
        page = looked_at(client, client.post(page.wsgi_request.path, posted))
        [error] = page.context["preview"][0]["errors"]
        assert error["message"] == "Several customers have this name: it does not say which is meant."

    def test_what_cannot_be_read_is_said_and_stays(self, analyst, client):
        page = looked_at(client, brought(client, "\n\n"))
        assert page.context["seen"]["unreadable"] in page.text and JobFile.objects.exists()

    def test_is_there_for_nobody_else_and_not_without_the_right(self, analyst, client):
        page = looked_at(client, brought(client, MESSY))
        here = page.wsgi_request.path
        client.force_login(person_for(Customer))
        assert client.get(here).status_code == 404
        other = reverse("admin:catalogue_product_import_map", args=[page.context["job"].pk])
        client.force_login(analyst)
        assert client.get(other).status_code == 404
        job = page.context["job"]
        stranger = UserFactory(is_staff=True)
        Job.objects.filter(pk=job.pk).update(requested_by=stranger)
        client.force_login(stranger)
        assert client.get(here).status_code == 403


class TestTheSameFileAgain:
    def test_asks_before_it_repeats_and_a_changed_one_says_what_differs(self, analyst, client):
        columns = {"code": {"from": "K"}, "name": {"from": "N"}}
        profile = ProfileFactory(name="kn", mapping={"columns": columns})
        text = "K,N\nA0,Zero\nA1,One\nA2,Two\nA3,Three\n"

        def planned(text):
            brought(client, text, profile="kn")
            plan = Plan.objects.latest("pk")
            run_job(plan.making_id)
            plan.refresh_from_db()
            return plan

        plan = planned(text)
        client.post(reverse("admin:plans_plan_apply", args=[plan.pk]), {"mode": "all_or_nothing"})
        plan.refresh_from_db()
        run_job(plan.applying_id)

        page = looked_at(client, brought(client, text, profile="kn"))
        assert "applied already" in page.context["again"] and Plan.objects.count() == 1
        client.post(page.wsgi_request.path, sent_back(page, do="read"))
        again = Plan.objects.latest("pk")
        assert again.pk != plan.pk and again.parameters["profile_id"] == profile.pk
        changed = planned("K,N\nA0,Zero\nA1,One\nA2,Zwei\nA4,Four\n")
        assert f"(plan {plan.pk}): 1 new, 1 changed, 1 gone, 2 the same." in changed.notes[-1]


class TestAPlan:
    def test_that_could_not_be_made_leads_back_to_its_mapping(self, analyst, client):
        ProfileFactory(name="kn", mapping={"columns": {"code": {"from": "K"}, "name": {"from": "N"}}})
        brought(client, "Code,Other\nA1,One\n", profile="kn")
        plan = Plan.objects.get()
        run_job(plan.making_id)
        plan.refresh_from_db()
        assert plan.state == "failed"
        assert "Change the mapping" in client.get(reverse("admin:plans_plan_change", args=[plan.pk])).text
        page = looked_at(client, client.post(reverse("admin:plans_plan_mapping", args=[plan.pk])))
        assert "no column “K”" in page.context["seen"]["error"]
        page = looked_at(
            client, client.post(page.wsgi_request.path, sent_back(page, **{"from-code": "Code", "from-name": "Other"}))
        )
        assert [row["label"] for row in page.context["preview"]] == ["New"]
