"""`/healthz` and `/readyz`: cheap, without a login, and honest about what is missing."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from types import SimpleNamespace

import pytest
from celery import Celery
from django.test import RequestFactory
from django.utils import timezone
from kombu.exceptions import OperationalError

from opsadmin import health


@pytest.fixture
def ask(rf: RequestFactory):
    def ask() -> tuple[int, dict]:
        response = health.readyz(rf.get("/readyz"))
        return response.status_code, json.loads(response.content)

    return ask


@pytest.fixture
def all_well(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in health.CHECKS:
        monkeypatch.setitem(health.CHECKS, name, lambda: "ok")


def worker_seen(monkeypatch: pytest.MonkeyPatch, seen: object) -> None:
    models = SimpleNamespace(WorkerBeat=SimpleNamespace(last_seen=lambda: seen))
    monkeypatch.setitem(sys.modules, "admin_ext.jobs.models", models)


def test_healthz_asks_nobody(rf: RequestFactory) -> None:
    # The database may not be used in this test: it would fail if it were asked.
    response = health.healthz(rf.get("/healthz"))
    assert (response.status_code, json.loads(response.content)) == (200, {"status": "ok"})


def test_only_reading_is_allowed(rf: RequestFactory) -> None:
    assert health.healthz(rf.post("/healthz")).status_code == 405
    assert health.readyz(rf.post("/readyz")).status_code == 405


def test_answers_are_never_cached(rf: RequestFactory, all_well: None) -> None:
    assert "no-store" in health.readyz(rf.get("/readyz"))["Cache-Control"]


def test_ready_when_everything_is_well(ask, all_well: None) -> None:
    checks = dict.fromkeys(("database", "migrations", "broker", "worker", "sealer"), "ok")
    assert ask() == (200, {"ready": True, "checks": checks})


@pytest.mark.parametrize("name", ["database", "migrations", "broker", "worker", "sealer"])
def test_one_failure_is_enough_and_tells_strangers_no_details(
    ask, all_well: None, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def fail() -> str:
        raise OSError("connection to 10.1.2.3 as opsadmin_app failed")

    monkeypatch.setitem(health.CHECKS, name, fail)
    status, body = ask()
    assert status == 503
    assert not body["ready"]
    assert body["checks"] == dict.fromkeys(health.CHECKS, "ok") | {name: "failed: OSError"}


def test_a_worker_that_was_just_seen_is_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    worker_seen(monkeypatch, timezone.now() - timedelta(seconds=50))
    assert health.check_worker() == "ok"


@pytest.mark.parametrize(("seen", "said"), [(None, "no worker was ever seen"), (70, "no worker was seen for 70 s")])
def test_a_silent_worker_is_not_ready(monkeypatch: pytest.MonkeyPatch, seen: int | None, said: str) -> None:
    worker_seen(monkeypatch, seen and timezone.now() - timedelta(seconds=seen))
    with pytest.raises(health.NotReady, match=said):
        health.check_worker()


def test_a_missing_migration_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = SimpleNamespace(applied_migrations=lambda: {("auth", "0001_initial"): None})
    monkeypatch.setattr(health, "MigrationRecorder", lambda connection: recorder)
    monkeypatch.setattr(health, "_migrations", lambda: {("auth", "0001_initial"), ("auth", "0002_next")})
    with pytest.raises(health.NotReady, match="1 not applied"):
        health.check_migrations()


def test_a_broker_that_does_not_answer_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "app", Celery(broker="redis://127.0.0.1:1/0"))
    with pytest.raises(OperationalError):
        health.check_broker()


def test_the_embedded_broker_answers() -> None:
    assert health.check_broker() == "ok"


@pytest.mark.django_db
def test_the_database_and_its_migrations_are_read_by_the_runtime_role(django_assert_max_num_queries) -> None:
    with django_assert_max_num_queries(3):
        assert health.check_database() == "ok"
        assert health.check_migrations() == "ok"


@pytest.mark.parametrize(("lag", "well"), [(0.0, True), (59.0, True), (61.0, False)])
def test_changes_that_stay_unsealed_are_an_alarm(monkeypatch: pytest.MonkeyPatch, lag: float, well: bool) -> None:
    monkeypatch.setattr(health, "seal_lag", lambda: lag)
    if well:
        assert health.check_sealer() == "ok"
    else:
        with pytest.raises(health.NotReady, match="61 s old"):
            health.check_sealer()


@pytest.mark.django_db
class TestMetrics:
    def test_has_the_figures_of_the_record(self, client) -> None:
        text = client.get("/metrics").text
        for name in ("seal_lag_seconds", "seal_blocks", "unsealed_rows", "triggers_missing"):
            assert f"\nopsadmin_{name} " in text
        assert "\nopsadmin_triggers_missing 0\n" in text

    @pytest.mark.parametrize("headers", [{"REMOTE_ADDR": "10.0.0.7"}, {"HTTP_X_FORWARDED_FOR": "10.0.0.7"}])
    def test_tells_strangers_nothing(self, client, headers) -> None:
        assert client.get("/metrics", **headers).status_code == 404

    def test_a_token_opens_it_from_elsewhere(self, client, settings) -> None:
        settings.METRICS_TOKEN = "secret"
        assert client.get("/metrics").status_code == 404
        assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 404
        there = client.get("/metrics", headers={"Authorization": "Bearer secret"}, REMOTE_ADDR="10.0.0.7")
        assert there.status_code == 200
