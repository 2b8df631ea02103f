"""What holds for the shape of the code. Each rule is also seen to find the defect that it is there for."""

from __future__ import annotations

import ast
import inspect
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import grimp
import pytest
from django.conf import settings
from django.contrib import admin
from django.core.management import call_command
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern
from django.utils.module_loading import import_string

from apps.customers.models import Customer
from tests.contracts.world import registered

ROOT = Path(settings.BASE_DIR)
PACKAGES = ("opsadmin", "apps", "admin_ext")
NAMELESS = {"utils", "util", "common", "core", "base", "helpers", "extras", "misc", "shared"}
# Settings are no room; Django's world knows this file by this name.
NAMED_AFTER_ALL = {"opsadmin/settings/base.py"}
DOORS = ("services", "models", "querysets")
LINES = 400
STOCK = ("simple_history", "import_export", "guardian")


def sources(root: Path) -> list[Path]:
    """Our Python files, without migrations."""
    found = [path for package in PACKAGES for path in root.glob(f"{package}/**/*.py")]
    return sorted(path for path in found if "migrations" not in path.relative_to(root).parts)


class TestImports:
    """`[tool.importlinter]` in pyproject.toml holds the directions; `./dev lint` asks it."""

    # What nobody may write, and the contract that says so.
    BREACHES = (
        ("admin_ext/access/planted.py", "import apps.customers.models", "opsadmin composes apps"),
        ("apps/customers/models.py", "import apps.customers.services", "Inside every app"),
        ("admin_ext/jobs/planted.py", "import admin_ext.plans.models", "Inside admin_ext"),
        ("apps/customers/filters.py", "import import_export", "Apps reach the libraries"),
        ("admin_ext/notices/planted.py", "import guardian", "Each library has one room"),
        ("apps/accounts/querysets.py", "import apps.customers.models", "No cycles between apps"),
    )

    def test_every_contract_finds_a_planted_breach(self, tmp_path):
        for package in PACKAGES:
            shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", tmp_path)
        for name, line, _ in self.BREACHES:
            with (tmp_path / name).open("a") as file:
                file.write(f"\n{line}\n")
        asked = subprocess.run(
            [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        verdicts = dict(re.findall(r"^(.+) (KEPT|BROKEN)", asked.stdout, re.MULTILINE))
        assert len(verdicts) == len(self.BREACHES), asked.stdout + asked.stderr
        assert set(verdicts.values()) == {"BROKEN"}
        for name, _, contract in self.BREACHES:
            assert any(each.startswith(contract) for each in verdicts), (name, contract)

    def test_apps_meet_only_at_their_doors(self):
        assert past_the_doors(_imports_between_apps()) == []

    def test_a_way_past_the_doors_is_found(self):
        planted = [("apps.orders.admin", "apps.customers.admin"), ("apps.orders.admin", "apps.customers.models")]
        assert past_the_doors(planted) == ["apps.orders.admin imports apps.customers.admin"]


def _imports_between_apps() -> list[tuple[str, str]]:
    graph = grimp.build_graph("apps", cache_dir=None)
    pairs = [(name, each) for name in graph.modules for each in graph.find_modules_directly_imported_by(name)]
    return sorted(pair for pair in pairs if not any(".migrations" in name for name in pair))


def past_the_doors(imports: list[tuple[str, str]]) -> list[str]:
    """Imports of another app's rooms that are not its doors."""
    found = []
    for importer, imported in imports:
        own, other = importer.split("."), imported.split(".")
        if len(other) > 2 and own[1] != other[1] and other[2] not in DOORS:
            found.append(f"{importer} imports {imported}")
    return found


class TestRooms:
    def test_every_room_has_a_name(self):
        assert nameless(ROOT) == []

    def test_a_nameless_room_is_found(self, tmp_path):
        for name in ("apps/orders/utils.py", "admin_ext/common/rights.py", "apps/orders/models.py"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        assert nameless(tmp_path) == ["admin_ext/common/rights.py", "apps/orders/utils.py"]

    def test_no_file_is_longer_than_a_person_reads(self):
        assert too_long(ROOT) == []

    def test_a_long_file_is_found(self, tmp_path):
        (tmp_path / "apps").mkdir()
        (tmp_path / "apps/models.py").write_text("x = 1\n" * (LINES + 1))
        assert too_long(tmp_path) == [f"apps/models.py has {LINES + 1} lines"]


def nameless(root: Path) -> list[str]:
    names = [path.relative_to(root) for path in sources(root)]
    return [
        str(name)
        for name in names
        if str(name) not in NAMED_AFTER_ALL and NAMELESS & {part.removesuffix(".py") for part in name.parts}
    ]


def too_long(root: Path) -> list[str]:
    counted = ((path, len(path.read_text(encoding="utf-8").splitlines())) for path in sources(root))
    return [f"{path.relative_to(root)} has {lines} lines" for path, lines in counted if lines > LINES]


class TestServices:
    """Who takes an actor is a verb: one right, one transaction, one change set. What other services call as a step of
    their own act takes no actor; outside of an act the database refuses it."""

    def test_every_public_function_of_a_services_room_is_a_service(self):
        found = {str(path.relative_to(ROOT)): bare(path.read_text("utf-8")) for path in _service_rooms()}
        assert {name: functions for name, functions in found.items() if functions} == {}

    def test_a_bare_or_positional_service_is_found(self):
        planted = """
            @service("orders.ship", right="ship")
            def ship_order(*, actor, order): ...
            @service("orders.hold", right="hold")
            def hold_order(actor, order): ...
            def cancel_order(*, actor, order): ...
            def release_stock(*, order): ...
            def ship_stock(order): ...
            def _move(order, state): ...
        """
        assert bare(textwrap.dedent(planted)) == ["hold_order", "cancel_order", "ship_stock"]


def _service_rooms() -> list[Path]:
    return [*ROOT.glob("apps/*/services.py"), *ROOT.glob("apps/*/services/*.py")]


def bare(source: str) -> list[str]:
    """Public functions that take anything by position, or take an actor without being a `@service`."""
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [
        function.name
        for function in functions
        if not function.name.startswith("_")
        and (_takes_positions(function) or (_takes_actor(function) and not _is_service(function)))
    ]


Function = ast.FunctionDef | ast.AsyncFunctionDef


def _is_service(function: Function) -> bool:
    calls = [each.func for each in function.decorator_list if isinstance(each, ast.Call)]
    return any(getattr(each, "id", "") == "service" for each in calls)


def _takes_positions(function: Function) -> bool:
    arguments = function.args
    return bool(arguments.args or arguments.posonlyargs or arguments.vararg)


def _takes_actor(function: Function) -> bool:
    return any(each.arg == "actor" for each in function.args.kwonlyargs)


class TestAdmins:
    def test_no_admin_keeps_anything_of_a_request(self):
        """One ModelAdmin serves every request: what one assigns to itself, another person sees."""
        assert [found for each in _classes_of_admins() for found in assigned(each)] == []

    def test_what_is_kept_is_found(self):
        class Planted:
            def __init__(self):
                self.calm = True

            def changelist_view(self, request):
                self.request = request
                self.first, (self.second, other) = 1, (2, 3)
                self.count += 1
                setattr(self, "third", other)  # noqa: B010

        found = {each.rpartition(" ")[2] for each in assigned(Planted)}
        assert found == {"self.request", "self.first", "self.second", "self.count", "setattr"}

    def test_no_stock_view_is_mounted(self):
        assert stock_views(get_resolver()) == []
        assert [each for each in _classes_of_admins(ours=False) if each.__module__.startswith(STOCK)] == []

    @pytest.mark.parametrize(
        "stock",
        [
            "simple_history.admin.SimpleHistoryAdmin",
            "import_export.admin.ImportExportModelAdmin",
            "guardian.admin.GuardedModelAdmin",
        ],
    )
    def test_a_stock_view_is_found(self, stock):
        planted = import_string(stock)(Customer, admin.site).get_urls()
        found = stock_views(URLResolver(RegexPattern("^"), planted))
        assert found
        assert all(each.split(": ")[1].startswith(STOCK) for each in found)


def _classes_of_admins(*, ours: bool = True) -> list[type]:
    """The classes of the site, of every registered ModelAdmin and of their inlines, with all they derive from."""
    made = [type(admin.site), *(type(each) for each in registered())]
    made += [inline for each in registered() for inline in each.inlines]
    classes = {each for one in made for each in one.__mro__}
    return sorted(
        (each for each in classes if not ours or each.__module__.partition(".")[0] in PACKAGES), key=lambda c: str(c)
    )


def assigned(cls: type) -> list[str]:
    """Where methods of a class, apart from `__init__`, put something onto `self`."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    methods = [node for node in ast.walk(definition) if isinstance(node, ast.FunctionDef) and node.name != "__init__"]
    return [f"{cls.__qualname__}.{method.name} {put}" for method in methods for put in _puts(method)]


def _puts(method: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(method):
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load) and _is_self(node.value):
            yield f"self.{node.attr}"
        called = getattr(node.func, "id", "") if isinstance(node, ast.Call) and node.args else ""
        if called in ("setattr", "delattr") and _is_self(node.args[0]):
            yield called


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def stock_views(resolver: URLResolver) -> list[str]:
    """Addresses answered by the libraries whose views do not know our rights and our record."""
    found = []
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            found += stock_views(each)
            continue
        module = _home(each)
        if module.startswith(STOCK):
            found.append(f"{each.name}: {module}")
    return found


def _home(pattern: URLPattern) -> str:
    """The module in which the view that answers was written."""
    view = inspect.unwrap(pattern.callback)
    view = getattr(view, "view_class", view)
    return getattr(view, "__func__", view).__module__


@pytest.mark.django_db
class TestMigrations:
    def test_they_say_all_that_the_models_say(self):
        assert self.unwritten() == ""

    def test_a_change_without_a_migration_is_found(self, monkeypatch):
        monkeypatch.setattr(Customer._meta.get_field("fax"), "max_length", 41)
        assert "fax" in self.unwritten()

    def unwritten(self) -> str:
        """What `makemigrations` would write."""
        said = StringIO()
        try:
            call_command("makemigrations", check_changes=True, dry_run=True, stdout=said)
        except SystemExit:
            return said.getvalue()
        return ""
