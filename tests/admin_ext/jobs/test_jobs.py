"""Jobs: claimed once, stopped between chunks, found again when everybody forgot them."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from admin_ext.access.rights import NotPermitted
from admin_ext.jobs import running, services
from admin_ext.jobs.models import Job
from admin_ext.jobs.running import FenceLost, JobFailed, claim, run_job
from admin_ext.jobs.services import JobHasEnded, JobIsAtWork, cancel_job, retry_job, submit_job, sweep_jobs
from admin_ext.notices.models import Notice
from tests.factories import CustomerFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def kind(monkeypatch):
    """A kind of job that does what the test says."""
    steps = []
    monkeypatch.setitem(running.kinds, "tests.steps", lambda run: [step(run) for step in steps])
    return steps


@pytest.fixture
def job(kind):
    return submit_job(actor=UserFactory(), kind="tests.steps", title="Steps")


def chunk(rows):
    def step(run):
        with run.chunk(rows=rows, total=10):
            pass

    return step


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("inside", [True, False], ids=["in a chunk", "between chunks"])
def test_a_lost_connection_fails_no_job_but_leaves_it_to_the_next_claim(kind, job, inside):
    def lose(run):
        if run.fence == 1:
            with run.chunk() if inside else nullcontext(), connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    kind += [chunk(4), lose, chunk(6)]
    run_job(job.pk)
    job.refresh_from_db()
    assert (job.state, job.rows_done, job.error) == ("running", 4, "")
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    run_job(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("succeeded", 2)


class TestRunning:
    def test_a_job_runs_once_counts_its_rows_and_rings_the_bell(self, kind, job):
        kind += [chunk(4), chunk(6)]
        run_job(job.pk)
        run_job(job.pk)
        job.refresh_from_db()
        assert (job.state, job.rows_done, job.percent, job.attempts) == ("succeeded", 10, 100, 1)
        assert Notice.objects.get(recipient=job.requested_by).level == "success"
        assert [event.name for event in job.events.all()] == ["queued", "claimed", "succeeded"]

    def test_a_failure_of_the_job_tells_why(self, kind, job):
        def step(run):
            raise JobFailed("The file is empty.")

        kind.append(step)
        run_job(job.pk)
        job.refresh_from_db()
        assert (job.state, job.error) == ("failed", "The file is empty.")

    def test_a_fault_of_the_product_fails_without_a_traceback(self, kind, job, caplog):
        kind.append(lambda run: 1 / 0)
        run_job(job.pk)
        job.refresh_from_db()
        assert job.state == "failed"
        assert "ZeroDivisionError" not in job.error
        assert "ZeroDivisionError" in caplog.text

    def test_whoever_lost_the_fence_writes_nothing(self, job):
        slow = claim(job.pk)
        Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
        quick = claim(job.pk)
        assert (slow.fence, quick.fence) == (1, 2)
        with pytest.raises(FenceLost), slow.chunk(rows=5):
            pass
        with quick.chunk(rows=3):
            pass
        assert Job.objects.get(pk=job.pk).rows_done == 3

    def test_a_held_job_is_not_to_be_had(self, job):
        assert claim(job.pk) is not None
        assert claim(job.pk) is None

    def test_a_job_whose_workers_keep_dying_is_given_up(self, job):
        Job.objects.filter(pk=job.pk).update(attempts=running.MOST_ATTEMPTS)
        run_job(job.pk)
        job.refresh_from_db()
        assert job.state == "failed" and "Given up" in job.error

    def test_a_recorded_chunk_writes_under_the_jobs_change_set(self, kind, job):
        customer = CustomerFactory()

        def step(run):
            run.open_change_set(door="task", verb="tests.steps")
            with run.recorded_chunk():
                type(customer).objects.filter(pk=customer.pk).update(city="Lund")

        kind.append(step)
        run_job(job.pk)
        job.refresh_from_db()
        written = customer.history.first().change_set
        assert written == job.change_set and written.rows == 1 and written.actor == job.requested_by


class TestStopping:
    def test_takes_effect_before_the_next_chunk(self, kind, job):
        kind += [chunk(4), lambda run: cancel_job(actor=run.job.requested_by, job=run.job), chunk(6)]
        run_job(job.pk)
        job.refresh_from_db()
        assert (job.state, job.rows_done) == ("cancelled", 4)

    def test_a_queued_job_is_cancelled_at_once_and_never_runs(self, kind, job):
        cancel_job(actor=job.requested_by, job=job)
        run_job(job.pk)
        job.refresh_from_db()
        assert (job.state, job.attempts) == ("cancelled", 0)

    def test_is_for_its_owner_or_an_administrator_of_jobs(self, job):
        with pytest.raises(NotPermitted):
            cancel_job(actor=UserFactory(), job=job)

    def test_an_ended_job_cannot_be_stopped(self, job):
        run_job(job.pk)
        with pytest.raises(JobHasEnded):
            cancel_job(actor=job.requested_by, job=job)


class TestRunningAgain:
    def test_a_failed_job_is_queued_again(self, kind, job):
        kind.append(lambda run: 1 / 0)
        run_job(job.pk)
        kind.clear()
        retry_job(actor=job.requested_by, job=job)
        run_job(job.pk)
        job.refresh_from_db()
        assert job.state == "succeeded"

    def test_a_job_at_work_cannot_be_run_again(self, job):
        with pytest.raises(JobIsAtWork):
            retry_job(actor=job.requested_by, job=job)


class TestSweeping:
    @pytest.fixture
    def woken(self, monkeypatch):
        woken = []
        monkeypatch.setattr(services, "wake", woken.append)
        return woken

    def test_wakes_for_what_the_broker_lost_and_what_a_dead_worker_held(self, woken, kind, job):
        dead = submit_job(actor=job.requested_by, kind="tests.steps", title="Dead")
        claim(dead.pk)
        alive = submit_job(actor=job.requested_by, kind="tests.steps", title="Alive")
        claim(alive.pk)
        past = timezone.now() - timedelta(minutes=1)
        Job.objects.filter(pk=job.pk).update(queued_at=past, due_at=past)
        Job.objects.filter(pk=dead.pk).update(lease_until=past)
        assert sweep_jobs() == 2
        assert sorted(woken) == sorted([job.pk, dead.pk])
