"""Evidence packs: what was asked for, no row and no column that is not the taker's to see, and proofs that hold."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as project
from django.urls import reverse
from django.utils import timezone

from admin_ext.access.rights import NotPermitted
from admin_ext.audit.context import change_set
from admin_ext.audit.models import AccessEvent, ChangeSet
from admin_ext.audit.seals.packs import verify_pack
from admin_ext.desk import collecting, sheets
from admin_ext.desk.asking import Asked, Of
from admin_ext.desk.packs import submit_evidence
from admin_ext.desk.sampling import draw_sample
from admin_ext.desk.timeline import Question
from admin_ext.jobs.models import JobFile
from admin_ext.jobs.running import run_job
from admin_ext.jobs.services import cancel_job
from apps.accounts.models import Membership
from apps.customers.models import Customer
from tests.factories import ContactFactory, CustomerFactory, RegionFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db(transaction=True)
ALONE = Path(project.BASE_DIR) / "docs" / "verify_evidence.py"


def act_of(actor, *, reason="Agreed", rows=None, **values):
    with change_set(actor=actor, door="form", verb="customers.change_customer", reason=reason) as act:
        (Customer.objects.all() if rows is None else Customer.objects.filter(pk__in=rows)).update(**values)
    return act.id


def taken(person, asked, reason="For the annual audit"):
    job = submit_evidence(actor=person, asked=asked, reason=reason)
    run_job(job.pk)
    job.refresh_from_db()
    return job


def pack_of(job):
    assert job.state == "succeeded", job.error
    with job.files.get(kind=JobFile.Kind.OUTPUT).file.open("rb") as file:
        return zipfile.ZipFile(io.BytesIO(file.read()))


def lines(pack, name):
    return [json.loads(line) for line in pack.read(name).splitlines()]


def sheet(pack, name):
    return list(csv.DictReader(io.StringIO(pack.read(name).decode())))


def alone(pack):
    spec = importlib.util.spec_from_file_location("verify_evidence", ALONE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.verify(pack.fp)


class TestOneAct:
    def test_holds_its_rows_old_and_new_with_proofs_that_both_verifiers_believe(
        self, evidence_taker, actor, sealed, keys
    ):
        customers = [CustomerFactory(name=f"Customer {n}", credit_limit=100) for n in range(3)]
        act = act_of(actor, credit_limit=250)
        act_of(actor, city="Lund")
        sealed()
        job = taken(evidence_taker, Asked(Of.ACT, act=act))
        pack = pack_of(job)
        rows = lines(pack, "rows.ndjson")
        assert [row["key"] if "key" in row else row["after"]["id"] for row in rows] == [c.pk for c in customers]
        assert {(row["kind"], row["before"]["credit_limit"], row["after"]["credit_limit"]) for row in rows} == {
            ("changed", "100.00", "250.00")
        }
        assert [row["credit_limit"] for row in sheet(pack, "rows/customers.Customer.csv")] == ["250.00"] * 3
        assert [(each["id"], each["reason"], each["who"]) for each in lines(pack, "change_sets.ndjson")] == [
            (act, "Agreed", str(actor))
        ]
        report = verify_pack(pack.fp, keys)
        assert (report.proven, report.unproven, report.problems) == (4, [], [])
        assert (alone(pack)["proven"], alone(pack)["problems"]) == (4, [])
        assert job.counts["rows"] == 3

    def test_can_be_read_without_anything_else(self, evidence_taker, actor, sealed):
        CustomerFactory(name="Bad <script>alert(1)</script>", credit_limit=100)
        act = act_of(actor, credit_limit=250, reason="Said <b>so</b>")
        sealed()
        pack = pack_of(taken(evidence_taker, Asked(Of.ACT, act=act), reason="The board <i>asked</i>"))
        page = pack.read("summary.html").decode()
        assert "<script" not in page and "<b>so</b>" not in page and "<i>asked" not in page
        for said in (str(actor), str(evidence_taker), "100.00", "250.00", "verify_evidence.py", f"change set #{act}"):
            assert said in page, said
        assert "Nothing that was asked for was left out" in page
        request = json.loads(pack.read("request.json"))
        assert request["asked"] == {"of": "act", "act": act}
        assert request["reason"] == "The board <i>asked</i>"
        assert pack.namelist()[-1] == "manifest.json"

    def test_a_formula_is_text_in_the_sheets(self, evidence_taker, actor, sealed):
        CustomerFactory()
        act = act_of(actor, city="=1+1", reason="@SUM(A1)")
        sealed()
        pack = pack_of(taken(evidence_taker, Asked(Of.ACT, act=act)))
        assert sheet(pack, "rows/customers.Customer.csv")[0]["city"] == "'=1+1"
        assert sheet(pack, "change_sets.csv")[0]["reason"] == "'@SUM(A1)"

    def test_what_is_too_new_is_there_and_said_to_be_unproven(self, evidence_taker, actor, sealed, keys):
        CustomerFactory()
        act_of(actor, city="A")
        sealed()
        act = act_of(actor, city="B")
        pack = pack_of(taken(evidence_taker, Asked(Of.ACT, act=act)))
        assert len(verify_pack(pack.fp, keys).unproven) == 2
        assert "too new to be sealed" in pack.read("summary.html").decode()


class TestRights:
    @pytest.fixture
    def here_and_there(self, actor):
        here, there = RegionFactory(), RegionFactory()
        seen, hidden = CustomerFactory(region=here, name="Seen Ltd"), CustomerFactory(region=there, name="Hidden Ltd")
        act = act_of(actor, city="Lund")
        person = give_role(UserFactory(), "audit.view_changeset", "customers.view_customer", "desk.take_evidence")
        return grant(person, "access_region", here), seen, hidden, act

    def test_rows_out_of_scope_are_left_out_and_counted(self, here_and_there, sealed):
        person, seen, hidden, act = here_and_there
        sealed()
        pack = pack_of(taken(person, Asked(Of.ACT, act=act)))
        assert [row["after"]["id"] for row in lines(pack, "rows.ndjson")] == [seen.pk]
        for name in pack.namelist():
            assert b"Hidden" not in pack.read(name) and hidden.code.encode() not in pack.read(name), name
        assert json.loads(pack.read("request.json"))["rows_left_out"] == {"customers.Customer": 1}
        assert "1 customers belong to records" in pack.read("summary.html").decode()

    def test_a_field_that_is_not_theirs_is_nowhere_not_even_in_the_proof(
        self, evidence_taker, actor, sealed, keys, monkeypatch
    ):
        CustomerFactory(credit_limit=100)
        act = act_of(actor, credit_limit=777)
        sealed()
        real = sheets.fields

        def without(user, action, model):
            found = real(user, action, model)
            return type(found)(**{**vars(found), "visible": found.visible - {"credit_limit"}})

        monkeypatch.setattr(sheets, "fields", without)
        monkeypatch.setattr("admin_ext.desk.telling.fields", without)
        pack = pack_of(taken(evidence_taker, Asked(Of.ACT, act=act)))
        for name in pack.namelist():
            assert b"777.00" not in pack.read(name), name
        events = lines(pack, "events.ndjson")
        assert [e["canonical"] for e in events if e["source"] == "customers_historicalcustomer"] == [None]
        assert verify_pack(pack.fp, keys).problems == []
        assert "is withheld" in pack.read("summary.html").decode()

    def test_the_right_is_asked_when_it_is_ordered_when_it_runs_and_when_it_is_fetched(
        self, evidence_taker, auditor, actor, sealed, client
    ):
        CustomerFactory()
        act = act_of(actor, city="A")
        sealed()
        with pytest.raises(NotPermitted):
            submit_evidence(actor=auditor, asked=Asked(Of.ACT, act=act))
        job = taken(evidence_taker, Asked(Of.ACT, act=act))
        later = submit_evidence(actor=evidence_taker, asked=Asked(Of.ACT, act=act))
        client.force_login(evidence_taker)
        address = reverse("admin:jobs_jobfile_download", args=[job.files.get().pk])
        response = client.get(address)
        assert response.status_code == 200
        [close() for close in response._resource_closers]
        with change_set(actor=None, door="shell"):
            Membership.objects.filter(user=evidence_taker).delete()
        assert client.get(address).status_code == 403
        run_job(later.pk)
        later.refresh_from_db()
        assert (later.state, later.files.count()) == ("failed", 0)

    def test_a_right_to_what_is_in_it_that_was_lost_closes_the_pack(self, here_and_there, sealed, client):
        person, _, _, act = here_and_there
        sealed()
        job = taken(person, Asked(Of.ACT, act=act))
        with change_set(actor=None, door="shell"):
            Membership.objects.filter(user=person).delete()
        person = give_role(person, "audit.view_changeset", "desk.take_evidence")
        client.force_login(person)
        assert client.get(reverse("admin:jobs_jobfile_download", args=[job.files.get().pk])).status_code == 403

    def test_is_noted_in_the_ledger_of_reads(self, evidence_taker, actor, sealed):
        CustomerFactory()
        act = act_of(actor, city="A")
        sealed()
        job = taken(evidence_taker, Asked(Of.ACT, act=act))
        event = AccessEvent.objects.get(kind="evidence")
        assert (event.actor, event.reason) == (evidence_taker, "For the annual audit")
        assert event.detail["sha256"] == job.files.get().sha256
        assert event.detail["asked"] == {"of": "act", "act": act}


class TestWhatCanBeAsked:
    def test_a_question_to_the_timeline(self, evidence_taker, actor, sealed):
        CustomerFactory(credit_limit=1)
        raised = [act_of(actor, credit_limit=n) for n in (5, 6)]
        act_of(actor, city="Lund")
        act_of(UserFactory(), credit_limit=7)
        sealed()
        question = Question(who=actor.pk, model=Customer, field="credit_limit")
        pack = pack_of(taken(evidence_taker, Asked(Of.TIMELINE, question=question)))
        assert [each["id"] for each in lines(pack, "change_sets.ndjson")] == raised[::-1]
        assert [row["after"]["credit_limit"] for row in lines(pack, "rows.ndjson")] == ["5.00", "6.00"]

    def test_the_life_of_a_record_with_its_parts_and_of_one_that_is_gone(self, evidence_taker, actor, sealed):
        customer, other = CustomerFactory(name="Gone Ltd"), CustomerFactory()
        ContactFactory(customer=customer, name="Ann")
        act_of(actor, city="Lund")
        key = customer.pk
        with change_set(actor=actor, door="form"):
            customer.contacts.all().delete()
            customer.delete()
        sealed()
        pack = pack_of(taken(evidence_taker, Asked(Of.LIFE, model=Customer, key=key)))
        told = [(row["model"].split(".")[1], row["kind"]) for row in lines(pack, "rows.ndjson")]
        assert sorted(told) == [
            ("Contact", "created"), ("Contact", "deleted"),
            ("Customer", "changed"), ("Customer", "created"), ("Customer", "deleted"),
        ]  # fmt: skip
        assert all(row["after"]["id"] != other.pk for row in lines(pack, "rows.ndjson") if "Customer" in row["model"])
        limited = give_role(UserFactory(), "audit.view_changeset", "customers.view_customer", "desk.take_evidence")
        with pytest.raises(NotPermitted):
            submit_evidence(actor=limited, asked=Asked(Of.LIFE, model=Customer, key=key))

    def test_a_sample_which_the_seed_draws_again(self, evidence_taker, actor, sealed):
        CustomerFactory()
        for n in range(20):
            act_of(actor, city=f"C{n}")
        at = timezone.now()
        asked = Asked(Of.SAMPLE, question=Question(who=actor.pk), size=5, seed="a seed", drawn_at=at)
        sealed()
        first = lines(pack_of(taken(evidence_taker, asked)), "change_sets.ndjson")
        act_of(actor, city="Later")
        pack = pack_of(taken(evidence_taker, Asked.from_json(asked.to_json())))
        assert len(first) == 5
        assert [each["id"] for each in lines(pack, "change_sets.ndjson")] == [each["id"] for each in first]
        request = json.loads(pack.read("request.json"))
        assert (request["asked"]["seed"], request["drawn_from"]) == ("a seed", 20)

    def test_another_seed_draws_others_and_all_come_out_alike(self, evidence_taker, actor):
        CustomerFactory()
        acts = {act_of(actor, city=f"C{n}") for n in range(20)}
        at = timezone.now()
        drawn = dict.fromkeys(acts, 0)
        for seed in range(300):
            question = Question(who=actor.pk)
            sample = draw_sample(question, size=5, seed=str(seed), drawn_at=at, user=evidence_taker)
            assert (len(sample.acts), sample.drawn_from) == (5, 20)
            for act in sample.acts:
                drawn[act.pk] += 1
        # 75 are expected of each; seven standard deviations to either side.
        assert all(22 < times < 128 for times in drawn.values()), drawn

    def test_what_is_asked_survives_the_way_through_a_job(self):
        question = Question(who=3, door="form", since=timezone.now(), model=Customer, field="city", value="Lund")
        asked = Asked(Of.SAMPLE, question=question, size=3, seed="x", drawn_at=timezone.now() - timedelta(days=1))
        assert Asked.from_json(json.loads(json.dumps(asked.to_json()))) == asked


class TestLimits:
    def test_too_much_is_refused_with_the_number_and_what_to_do(self, evidence_taker, actor, sealed, monkeypatch):
        monkeypatch.setattr(collecting, "MOST", 4)
        for _ in range(5):
            CustomerFactory()
        act = act_of(actor, city="Lund")
        sealed()
        job = taken(evidence_taker, Asked(Of.ACT, act=act))
        assert (job.state, job.files.count()) == ("failed", 0)
        assert "5 rows" in job.error and "Narrow the question down" in job.error

    def test_without_a_seal_it_says_what_is_missing(self, evidence_taker, actor):
        CustomerFactory()
        job = taken(evidence_taker, Asked(Of.ACT, act=act_of(actor, city="Lund")))
        assert job.state == "failed" and "seal" in job.error

    def test_a_pack_that_lost_a_row_on_the_way_is_thrown_away(self, evidence_taker, actor, sealed, monkeypatch):
        CustomerFactory(), CustomerFactory()
        act = act_of(actor, city="Lund")
        sealed()
        real = collecting._rows

        def losing(sources):
            rows, counted = real(sources)
            return {model: ids[1:] for model, ids in rows.items()}, counted

        monkeypatch.setattr(collecting, "_rows", losing)
        job = taken(evidence_taker, Asked(Of.ACT, act=act))
        assert (job.state, job.files.count()) == ("failed", 0)
        assert "2 rows were expected, 1 written" in job.error

    def test_it_can_be_stopped(self, evidence_taker, actor, sealed):
        CustomerFactory()
        act = act_of(actor, city="Lund")
        sealed()
        job = submit_evidence(actor=evidence_taker, asked=Asked(Of.ACT, act=act))
        cancel_job(actor=evidence_taker, job=job)
        run_job(job.pk)
        job.refresh_from_db()
        assert (job.state, job.files.count()) == ("cancelled", 0)


class TestPages:
    @pytest.fixture
    def desk(self, client, evidence_taker):
        client.force_login(evidence_taker)
        return client

    def test_every_page_leads_to_its_pack(self, desk, evidence_taker, actor):
        customer = CustomerFactory()
        act = act_of(actor, city="Lund")
        address = reverse("admin:audit_changeset_evidence")
        for page, query in (
            (reverse("admin:audit_changeset_timeline") + f"?who={actor.pk}", f"?of=timeline&amp;who={actor.pk}"),
            (reverse("admin:audit_changeset_change", args=[act]), f"?of=act&amp;act={act}"),
            (
                reverse("admin:customers_customer_history", args=[customer.pk]),
                f"?of=life&amp;model=customers.Customer&amp;key={customer.pk}",
            ),
        ):
            assert address + query in desk.get(page).text, page
            assert desk.get((address + query).replace("&amp;", "&")).status_code == 200
        response = desk.post(f"{address}?of=act&act={act}", {"reason": "Because"})
        job = evidence_taker.jobs.get()
        assert response.headers["Location"] == reverse("admin:jobs_job_change", args=[job.pk])
        assert job.arguments == {"asked": {"of": "act", "act": act}, "reason": "Because"}

    def test_a_sample_page_keeps_its_seed_in_the_address(self, desk, actor):
        CustomerFactory()
        acts = [act_of(actor, city=f"C{n}") for n in range(10)]
        response = desk.get(reverse("admin:audit_changeset_sample") + f"?who={actor.pk}&size=4&seed=")
        assert response.status_code == 302 and "seed=" in response.headers["Location"]
        address = reverse("admin:audit_changeset_sample") + response.headers["Location"]
        first = desk.get(address).text
        links = [reverse("admin:audit_changeset_change", args=[act]) for act in acts]
        assert sum(link in first for link in links) == 4
        act_of(actor, city="Later")
        again = desk.get(address).text
        assert [link in again for link in links] == [link in first for link in links]
        assert "4 of 10 acts" in again and "of=sample" in again

    @pytest.mark.parametrize(
        "query", ["", "?of=x", "?of=act", "?of=act&act=-1", "?of=life&model=no.No&key=1", "?of=sample&size=3"]
    )
    def test_what_is_not_understood_is_not_there(self, desk, query):
        assert desk.get(reverse("admin:audit_changeset_evidence") + query).status_code == 404

    def test_without_the_right_nothing_is_offered(self, client, auditor, actor):
        CustomerFactory()
        act = act_of(actor, city="Lund")
        client.force_login(auditor)
        assert "Take evidence" not in client.get(reverse("admin:audit_changeset_change", args=[act])).text
        address = reverse("admin:audit_changeset_evidence") + f"?of=act&act={act}"
        assert client.get(address).status_code == 403
        assert client.post(address, {"reason": ""}).status_code == 403
        assert ChangeSet.objects.filter(pk=act).exists()
