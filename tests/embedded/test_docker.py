"""What the docker files say is what runs: their commands are parsed by the programs they call."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from opsadmin.embedded.places import ROOT

DOCKER = ROOT / "docker"
SECRETS = {
    "SECRET_KEY",
    "POSTGRES_PASSWORD",
    "DATABASE_OWNER_PASSWORD",
    "DATABASE_APP_PASSWORD",
    "DATABASE_SEALER_PASSWORD",
}
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "opsadmin.settings.production",
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz",
    "ALLOWED_HOSTS": "ops.example",
    "DATABASE_URL": "postgres://opsadmin_app:secret@pgbouncer:6432/opsadmin",
    "CELERY_BROKER_URL": "redis://redis:6379/0",
    "PROXY_COUNT": "1",
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())


@pytest.fixture
def call(tmp_path: Path):
    """Run the entry script with the programs of this environment, or with stand-ins that only tell their words."""

    def call(*words: str, stand_in: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        path = [str(Path(sys.executable).parent), os.environ["PATH"]]
        for name in stand_in.split():
            program = tmp_path / name
            program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
            program.chmod(0o755)
            path.insert(0, str(tmp_path))
        environment = {"PATH": os.pathsep.join(path), "OPSADMIN_DATA": str(tmp_path), **PRODUCTION, **variables}
        command = ["sh", str(DOCKER / "entrypoint.sh"), *words]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    return call


class TestEntrypoint:
    def test_web_is_a_configuration_that_gunicorn_accepts(self, call, tmp_path: Path) -> None:
        done = call("web", "--check-config", STATIC_ROOT=str(tmp_path))
        assert done.returncode == 0, done.stderr

    def test_production_without_a_secret_does_not_start(self, call) -> None:
        done = call("web", "--check-config", SECRET_KEY="")
        assert done.returncode != 0
        assert "SECRET_KEY must be set" in done.stderr

    @pytest.mark.parametrize("verb", ["worker", "beat"])
    def test_worker_and_beat_are_commands_that_celery_understands(self, call, verb: str) -> None:
        # Celery reads all options, and refuses those it does not know, before it prints their help.
        done = call(verb, "--help")
        assert done.returncode == 0, done.stderr
        assert f"{verb} [OPTIONS]" in done.stdout

    def test_the_worker_reads_the_queue_that_the_product_fills(self, call, settings: Any) -> None:
        words = call("worker", stand_in="celery").stdout.splitlines()
        assert words[words.index("--queues") + 1] == settings.CELERY_TASK_DEFAULT_QUEUE

    def test_setup_makes_roles_and_then_migrates(self, call) -> None:
        words = call("setup", stand_in="python").stdout.split()
        assert words == ["manage.py", "setup_database", "manage.py", "migrate"]

    def test_any_other_word_is_a_management_command(self, call) -> None:
        assert call("version").stdout.startswith("5.")

    def test_a_secret_may_come_as_a_file(self, call, tmp_path: Path) -> None:
        (tmp_path / "key").write_text(PRODUCTION["SECRET_KEY"] + "\n")
        done = call("check", SECRET_KEY="", SECRET_KEY_FILE=str(tmp_path / "key"))
        assert done.returncode == 0, done.stderr


class TestCompose:
    def test_every_command_is_one_of_the_entry_scripts(self, compose: dict[str, Any]) -> None:
        verbs = set(re.findall(r"^(\w+)\)$", (DOCKER / "entrypoint.sh").read_text(), re.MULTILINE))
        own = {name: service for name, service in compose["services"].items() if service.get("image") == "opsadmin"}
        assert {service["command"][0] for service in own.values()} == set(own) == verbs

    def test_nothing_secret_has_a_default(self, compose: dict[str, Any]) -> None:
        used = re.findall(r"\$\{(\w+)(:?[-?]?)", (DOCKER / "compose.yaml").read_text())
        assert {name for name, _ in used} >= SECRETS
        assert {how for name, how in used if name in SECRETS} == {":?"}

    def test_the_example_names_every_variable_that_must_be_set(self) -> None:
        required = set(re.findall(r"\$\{(\w+):\?", (DOCKER / "compose.yaml").read_text()))
        example = dict(re.findall(r"^(\w+)=(.*)$", (DOCKER / "env.example").read_text(), re.MULTILINE))
        assert required <= set(example)
        assert not any(example[name] for name in SECRETS)

    def test_every_variable_is_one_that_the_product_reads(self, compose: dict[str, Any]) -> None:
        sources = [*ROOT.glob("opsadmin/**/*.py"), DOCKER / "entrypoint.sh", DOCKER / "pgbouncer.sh"]
        text = "\n".join(path.read_text() for path in sources)
        told = {
            name
            for service, told in compose["services"].items()
            if service not in ("postgres", "redis")
            for name in told["environment"]
        }
        assert {name for name in told if not re.search(rf"\b{name}\b", text)} == set()

    def test_everything_that_runs_for_long_has_a_health_check(self, compose: dict[str, Any]) -> None:
        services = compose["services"]
        assert {name for name in services if "healthcheck" not in services[name]} == {"setup"}

    def test_only_set_up_knows_the_owner_and_the_superuser(self, compose: dict[str, Any]) -> None:
        for name, service in compose["services"].items():
            told = str(service["environment"]) if "environment" in service else ""
            assert ("DATABASE_OWNER_PASSWORD" in told) == (name == "setup")
            assert ("POSTGRES_PASSWORD" in told) == (name in ("setup", "postgres"))

    def test_only_the_sealer_has_the_key_and_writes_what_is_published(self, compose: dict[str, Any]) -> None:
        for name, service in compose["services"].items():
            volumes = service.get("volumes", [])
            assert any(volume.startswith("key:") for volume in volumes) == (name == "sealer")
            assert ("published:/var/lib/opsadmin-published" in volumes) == (name == "sealer")
            told = str(service.get("environment", ""))
            assert ("DATABASE_SEALER_PASSWORD" in told) == (name in ("sealer", "setup"))

    def test_the_web_is_published_to_this_machine_only(self, compose: dict[str, Any]) -> None:
        published = [port for service in compose["services"].values() for port in service.get("ports", [])]
        assert all(port.startswith("127.0.0.1:") for port in published)


class TestImage:
    def test_what_is_copied_is_not_kept_out(self) -> None:
        kept = (DOCKER / "Dockerfile.dockerignore").read_text()
        for path in ("requirements.txt", "manage.py", "opsadmin", "admin_ext", "apps", "docker/entrypoint.sh"):
            assert f"!{path}\n" in kept
        assert "!docker/healthcheck.py\n" in kept

    def test_it_does_not_run_as_root(self) -> None:
        for name in ("Dockerfile", "pgbouncer.Dockerfile"):
            users = re.findall(r"^USER (\w+)$", (DOCKER / name).read_text(), re.MULTILINE)
            assert users
            assert users[-1] not in ("root", "0")

    def test_scripts_are_valid_shell(self) -> None:
        for path in DOCKER.glob("*.sh"):
            subprocess.run(["sh", "-n", str(path)], check=True)
