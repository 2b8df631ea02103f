"""`./dev` before there is a virtual environment: what it makes, when, and what it says when it cannot."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

from opsadmin.embedded.places import ROOT


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The launcher as a module, over a repository of its own with nothing but requirements."""
    loader = SourceFileLoader("dev_launcher", str(ROOT / "dev"))
    spec = importlib.util.spec_from_loader("dev_launcher", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", str(tmp_path))
    monkeypatch.setattr(module, "VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(module, "PYTHON", str(tmp_path / ".venv" / "bin" / "python"))
    (tmp_path / "tests").mkdir()
    (tmp_path / "requirements.txt").write_text("Django==5.2\n")
    (tmp_path / "tests" / "requirements.txt").write_text("-r ../requirements.txt\npytest==9\n")
    return module


@pytest.fixture
def commands(dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Every command that the launcher runs; each succeeds and does nothing but make a Python."""
    run: list[list[str]] = []

    def stand_in(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        run.append(command)
        python = tmp_path / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()
        return subprocess.CompletedProcess(command, 0, b"")

    monkeypatch.setattr(dev.subprocess, "run", stand_in)
    return run


def installed(commands: list[list[str]]) -> list[str]:
    return [Path(command[-1]).parent.name for command in commands if "pip" in command]


def test_an_old_python_can_read_it() -> None:
    ast.parse((ROOT / "dev").read_text(), feature_version=(3, 6))


def test_an_old_python_says_so(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dev.sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(dev.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit):
        dev.use_a_new_enough_python()
    assert "Python 3.11 or newer is needed" in capsys.readouterr().err


def test_an_old_python_hands_over_to_a_newer_one(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(dev.sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(dev.shutil, "which", lambda name: f"/bin/{name}" if name == "python3.12" else None)
    monkeypatch.setattr(dev.os, "execv", lambda path, arguments: started.append(path) or sys.exit())
    with pytest.raises(SystemExit):
        dev.use_a_new_enough_python()
    assert started == ["/bin/python3.12"]


def test_nothing_is_installed_twice(dev: ModuleType, commands: list[list[str]]) -> None:
    dev.make_environment("requirements.txt")
    dev.make_environment("requirements.txt")
    assert len(installed(commands)) == 1


def test_changed_requirements_are_installed(dev: ModuleType, commands: list[list[str]], tmp_path: Path) -> None:
    dev.make_environment("requirements.txt")
    (tmp_path / "requirements.txt").write_text("Django==5.3\n")
    dev.make_environment("requirements.txt")
    assert len(installed(commands)) == 2


def test_the_tools_need_their_own_requirements_and_include_the_products(
    dev: ModuleType, commands: list[list[str]], tmp_path: Path
) -> None:
    dev.make_environment("requirements.txt")
    dev.make_environment("tests/requirements.txt")
    assert installed(commands) == [tmp_path.name, "tests"]
    (tmp_path / "requirements.txt").write_text("Django==5.3\n")
    dev.make_environment("tests/requirements.txt")
    dev.make_environment("requirements.txt")
    assert installed(commands) == [tmp_path.name, "tests", "tests"]


def test_an_installation_that_failed_is_tried_again(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(command, 1 if "pip" in command else 0, b"")

    monkeypatch.setattr(dev.subprocess, "run", fail)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    with pytest.raises(SystemExit):
        dev.make_environment("requirements.txt")
    assert "pip could not install requirements.txt" in capsys.readouterr().err
    assert not dev.is_up_to_date("requirements.txt")


def test_a_python_without_venv_names_the_package(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = b"The virtual environment was not created successfully because ensurepip is not available."
    monkeypatch.setattr(dev.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, said))
    with pytest.raises(SystemExit):
        dev.make_environment("requirements.txt")
    assert f"apt install python3.{sys.version_info[1]}-venv" in capsys.readouterr().err
