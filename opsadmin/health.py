"""Three addresses for machines that look after machines; none needs a session or a login.

`/healthz` says that the process is up: when it fails, restart the process. `/readyz` says whether the product can do
its work, one entry per thing it needs: when it fails, send the requests elsewhere and look at the entry. `/metrics` has
the figures of the record for Prometheus; it answers this machine, and whoever sends the token of `METRICS_TOKEN`.
"""

from __future__ import annotations

import hmac
import importlib
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from admin_ext.audit.seals.standing import count_blocks, count_unsealed, seal_lag
from admin_ext.audit.triggers import unguarded
from opsadmin.celery import app

WORKER_SILENCE = timedelta(seconds=60)
BROKER_SECONDS = 2.0


class NotReady(Exception):
    """Something the product needs is not as it must be; the message says how."""


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """200 as long as this process answers at all."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when every check holds, else 503; the body says `ok`, `unknown` or what is wrong, check by check."""
    results = {name: _result(check) for name, check in CHECKS.items()}
    ready = all(result in ("ok", "unknown") for result in results.values())
    return JsonResponse({"ready": ready, "checks": results}, status=200 if ready else 503)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The record's figures in Prometheus' text format; 404 to strangers."""
    if not _may_read_metrics(request):
        return HttpResponse(status=404)
    lines = []
    for name, (meaning, figure) in METRICS.items():
        lines += [f"# HELP {name} {meaning}", f"# TYPE {name} gauge", f"{name} {figure():g}"]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4; charset=utf-8")


def _may_read_metrics(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        said = request.headers.get("Authorization", "")
        return hmac.compare_digest(said.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())
    # Behind a proxy everybody would seem to come from this machine.
    local = request.META.get("REMOTE_ADDR") in ("127.0.0.1", "::1")
    return local and "X-Forwarded-For" not in request.headers


METRICS: dict[str, tuple[str, Callable[[], float]]] = {
    "opsadmin_seal_lag_seconds": ("Age of the oldest change that is not sealed.", seal_lag),
    "opsadmin_seal_blocks": ("Blocks that were sealed.", count_blocks),
    "opsadmin_unsealed_rows": ("Rows of the record that wait to be sealed.", count_unsealed),
    "opsadmin_triggers_missing": (
        "Triggers of the record that are missing or switched off.",
        lambda: len(unguarded(connection)),
    ),
}


def check_database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def check_migrations() -> str:
    missing = _migrations() - set(MigrationRecorder(connection).applied_migrations())
    if missing:
        raise NotReady(f"{len(missing)} not applied")
    return "ok"


def check_broker() -> str:
    with app.connection_for_write(connect_timeout=BROKER_SECONDS) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=BROKER_SECONDS)
    return "ok"


def check_worker() -> str:
    try:
        seen = _worker_last_seen()
    except ModuleNotFoundError:
        return "unknown"
    if seen is None:
        raise NotReady("no worker was ever seen")
    silence = timezone.now() - seen
    if silence > WORKER_SILENCE:
        raise NotReady(f"no worker was seen for {silence.total_seconds():.0f} s")
    return "ok"


def check_sealer() -> str:
    lag = seal_lag()
    if lag > settings.SEAL_LAG_ALARM:
        raise NotReady(f"the oldest change that is not sealed is {lag:.0f} s old")
    return "ok"


CHECKS: dict[str, Callable[[], str]] = {
    "database": check_database,
    "migrations": check_migrations,
    "broker": check_broker,
    "worker": check_worker,
    "sealer": check_sealer,
}


def _result(check: Callable[[], str]) -> str:
    try:
        return check()
    except NotReady as reason:
        return str(reason)
    except Exception as error:
        # Whatever goes wrong is the answer. Its text may hold addresses and names: strangers may read this page.
        return f"failed: {type(error).__name__}"


@cache
def _migrations() -> frozenset[tuple[str, str]]:
    """All migrations of the installed apps, read once: files do not change under a running process."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    return frozenset(loader.disk_migrations)


def _worker_last_seen() -> datetime | None:
    # The room of jobs is asked only here, so that this page answers even where it is not installed.
    return importlib.import_module("admin_ext.jobs.models").WorkerBeat.last_seen()


urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
