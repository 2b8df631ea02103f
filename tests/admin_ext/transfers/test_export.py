"""Exports: what the person sees, no more, in a file that comes back as no change."""

from __future__ import annotations

import csv
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.files.base import ContentFile
from django.urls import reverse
from django.utils import timezone
from python_calamine import CalamineWorkbook

from admin_ext.access.rights import NotPermitted
from admin_ext.audit.models import AccessEvent
from admin_ext.filtering.selection import Selection
from admin_ext.jobs.models import Job, JobFile
from admin_ext.jobs.running import run_job
from admin_ext.transfers.exporting import UnknownColumn, submit_export
from admin_ext.transfers.importing import submit_import
from admin_ext.transfers.outputs import FileGone, download, remove_expired
from apps.customers.models import Customer
from tests.contracts.world import person_for
from tests.factories import CustomerFactory, RegionFactory, UserFactory, give_role, grant

pytestmark = pytest.mark.django_db


@pytest.fixture
def analyst():
    return give_role(person_for(Customer), "customers.view_region")


def exported(actor, *, format="csv", columns=None, **selection):
    job = submit_export(
        actor=actor, selection=Selection(model="customers.Customer", **selection), format=format, columns=columns
    )
    run_job(job.pk)
    job.refresh_from_db()
    return job


def made(job):
    return job.files.get(kind=JobFile.Kind.OUTPUT)


def read_csv(job):
    with made(job).file.open("r") as handle:
        return list(csv.DictReader(handle))


class TestExporting:
    def test_writes_the_filtered_rows_with_relations_by_natural_key(self, analyst):
        region = RegionFactory(code="NORD")
        CustomerFactory(code="A1", region=region, city="Lund")
        CustomerFactory(code="A2", city="Oslo")
        job = exported(analyst, filters={"city": ["lund"]}, columns=["code", "region"])
        assert read_csv(job) == [{"code": "A1", "region": "NORD"}]
        assert (job.state, job.rows_done, made(job).rows) == ("succeeded", 1, 1)
        assert len(made(job).sha256) == 64 and made(job).expires_at

    def test_writes_only_what_the_person_may_see(self):
        mine = RegionFactory(code="MINE")
        CustomerFactory(code="A1", region=mine)
        CustomerFactory(code="S1", name="Secret")
        actor = give_role(UserFactory(), "customers.view_customer", "customers.export_customer")
        actor = grant(actor, "access_region", mine)
        assert [row["code"] for row in read_csv(exported(actor))] == ["A1"]

    def test_needs_the_right_to_export_when_it_runs_and_at_every_download(self, analyst, client):
        CustomerFactory()
        job = exported(analyst)
        address = reverse("admin:jobs_jobfile_download", args=[made(job).pk])
        client.force_login(analyst)
        response = client.get(address)
        assert response.status_code == 200
        assert "attachment" in response["Content-Disposition"]
        [close() for close in response._resource_closers]
        client.force_login(UserFactory())
        assert client.get(address).status_code == 404
        from admin_ext.audit.context import change_set
        from apps.accounts.models import Membership

        with change_set(actor=None, door="shell"):
            Membership.objects.filter(user=analyst).delete()
        client.force_login(analyst)
        assert client.get(address).status_code == 403
        with pytest.raises(NotPermitted):
            exported(UserFactory())

    def test_an_unknown_column_or_filter_is_refused(self, analyst):
        with pytest.raises(UnknownColumn, match="no column password"):
            exported(analyst, columns=["password"])
        job = exported(analyst, filters={"bogus": ["1"]})
        assert job.state == Job.State.FAILED and "no filter bogus" in job.error

    def test_cells_are_not_active_and_numbers_stay_numbers(self, analyst):
        CustomerFactory(code="A1", name="=1+1", contact_name="@SUM(1)", credit_limit="12.50", phone="-3")
        row = read_csv(exported(analyst))[0]
        assert (row["name"], row["contact_name"], row["credit_limit"]) == ("'=1+1", "'@SUM(1)", "12.50")
        book = CalamineWorkbook.from_path(made(exported(analyst, format="xlsx")).file.path)
        cells = book.get_sheet_by_index(0).to_python()
        row = dict(zip(cells[0], cells[1], strict=True))
        assert (row["name"], Decimal(str(row["credit_limit"]))) == ("=1+1", Decimal("12.5"))

    @pytest.mark.parametrize("format", ["csv", "xlsx"])
    def test_an_unchanged_export_imports_as_no_change(self, analyst, format):
        RegionFactory(code="NORD")
        CustomerFactory(
            code="007", name="=cmd|' /C calc'!A0", phone="+46 1", tax_number="0001", city="Örebro", fax="-1"
        )
        CustomerFactory(
            code="A2", name='Quote " and, comma', contact_name="'Quoted", credit_limit="0.10", postal_code="01234"
        )
        CustomerFactory(code="A3", street="two words", tax_number="12345678901234567890", email="a@b.se")
        job = exported(analyst, format=format)
        with made(job).file.open("rb") as handle:
            plan = submit_import(
                actor=analyst, source=ContentFile(handle.read()), name=f"back.{format}", resource="customers.Customer"
            )
        run_job(plan.making_id)
        plan.refresh_from_db()
        assert plan.counts == {"unchanged": 3}, list(
            plan.rows.exclude(action="unchanged").values("errors", "before", "after")
        )

    def test_the_same_bytes_kept_twice_are_removed_with_the_last(self, analyst):
        CustomerFactory()
        files = [made(exported(analyst)), made(exported(analyst))]
        assert remove_expired() == 0
        JobFile.objects.filter(pk=files[0].pk).update(expires_at=timezone.now() - timedelta(days=1))
        assert remove_expired() == 1
        for file in files:
            file.refresh_from_db()
        assert not files[0].file and files[1].file.storage.exists(files[1].file.name)
        with pytest.raises(FileGone):
            download(actor=analyst, file=files[0])
        assert AccessEvent.objects.filter(kind="export", detail__sha256=files[0].sha256).count() >= 1

    @pytest.mark.parametrize("packing", ["gz", "zip"])
    def test_packed_files_are_named_for_what_they_are(self, analyst, packing):
        CustomerFactory(code="A1")
        job = submit_export(
            actor=analyst, selection=Selection(model="customers.Customer"), format="csv", packing=packing
        )
        run_job(job.pk)
        assert made(job).name.endswith(".csv.gz" if packing == "gz" else ".zip")
        assert made(job).rows == 1
