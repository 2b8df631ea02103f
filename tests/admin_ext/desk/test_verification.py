"""Verifying from the desk says what `verify_audit` says: intact up to where, or what was done to which row."""

from __future__ import annotations

import pytest
from django.urls import reverse

from admin_ext.audit.seals.checkpoints import open_note
from admin_ext.desk.verification import VerificationRuns, last_verdict, submit_verification
from admin_ext.jobs.models import Job
from admin_ext.jobs.running import run_job
from tests import databases
from tests.admin_ext.audit.seals.conftest import write_something
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "admin:desk_review_verify"


@pytest.fixture
def desk(client, evidence_taker):
    client.force_login(evidence_taker)
    return client


def verified(desk):
    desk.post(reverse(PAGE))
    job = Job.objects.filter(kind="desk.verify").latest("id")
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == "succeeded", job.error
    return desk.get(reverse(PAGE)).text


def test_an_intact_record(desk, sealed):
    write_something()
    sealed()
    text = verified(desk)
    block = last_verdict().report["last_block"]
    assert f"Intact up to block {block}" in text
    assert "Published up to block" in text


def test_a_row_that_was_altered_is_named_and_rings(desk, evidence_taker, sealed):
    customer = write_something()[0]
    row = customer.history.earliest().history_id
    sealed()
    with databases.connection_as(None, autocommit=True) as superuser:
        superuser.execute("ALTER TABLE customers_historicalcustomer DISABLE TRIGGER USER")
        superuser.execute("UPDATE customers_historicalcustomer SET name = 'X' WHERE history_id = %s", [row])
        for name in superuser.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = 'customers_historicalcustomer'::regclass AND NOT tgisinternal"
        ).fetchall():
            superuser.execute(f"ALTER TABLE customers_historicalcustomer ENABLE ALWAYS TRIGGER {name[0]}")
    text = verified(desk)
    assert "Not intact: 1 × altered" in text
    assert f"<td>customers_historicalcustomer</td><td>{row}</td>" in text
    assert "Compare the row with a backup" in text
    assert evidence_taker.notices.filter(level="danger", text__startswith="Not intact").exists()
    job = Job.objects.filter(kind="desk.verify").latest("id")
    report = desk.get(reverse("admin:desk_review_report", args=[job.pk])).json()
    assert [(each["table"], each["row"]) for each in report["findings"]] == [("customers_historicalcustomer", row)]


def test_without_a_key_it_says_what_is_missing(desk, settings, tmp_path):
    settings.AUDIT_SEALING_PUBLIC_KEY_FILE = str(tmp_path / "none.pem")
    desk.post(reverse(PAGE))
    job = Job.objects.get(kind="desk.verify")
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == "failed"
    assert "could not be verified" in desk.get(reverse(PAGE)).text


def test_one_at_a_time(evidence_taker):
    submit_verification(actor=evidence_taker)
    with pytest.raises(VerificationRuns):
        submit_verification(actor=evidence_taker)


def test_the_newest_checkpoint_is_there_to_be_kept(desk, sealed, keys):
    CustomerFactory()
    assert desk.get(reverse("admin:desk_review_checkpoint")).status_code == 404
    sealed()
    response = desk.get(reverse("admin:desk_review_checkpoint"))
    checkpoint = open_note(response.text, keys)
    assert f"checkpoint-{checkpoint.block}.txt" in response.headers["Content-Disposition"]
    assert "BEGIN PUBLIC KEY" in desk.get(reverse("admin:desk_review_public_key")).text


def test_needs_its_right(client, auditor):
    client.force_login(auditor)
    assert client.get(reverse(PAGE)).status_code == 403
    assert client.post(reverse(PAGE)).status_code == 403
    assert not Job.objects.exists()
