"""docs/adding-an-app.md keeps its word: the app that it builds takes under 100 lines and passes every contract test."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.copies import copy_project, install, migrate, run

ROOT = Path(settings.BASE_DIR)
PAGE = ROOT / "docs" / "adding-an-app.md"
MOST_LINES = 100
INHERITED = [f"tests/contracts/test_every_{each}.py" for each in ("model", "admin", "resource")]

# A file with a new, a changed, an unchanged and a broken row, and what the app's own verb does in bulk.
OWN_TEST = """
    import csv

    import pytest
    from django.core.files.base import ContentFile

    from admin_ext.filtering.selection import Selection
    from admin_ext.jobs.models import Job, JobFile
    from admin_ext.jobs.running import run_job
    from admin_ext.plans.applying import apply_plan
    from admin_ext.plans.making import submit_plan
    from admin_ext.transfers.exporting import submit_export
    from admin_ext.transfers.importing import submit_import
    from apps.fleet.models import Vehicle
    from tests.apps.fleet.factories import VehicleFactory
    from tests.factories import UserFactory, give_role, grant

    pytestmark = pytest.mark.django_db
    RIGHTS = [f"fleet.{each}_vehicle" for each in ("view", "add", "change", "import", "export", "repair")]


    @pytest.fixture
    def here():
        return VehicleFactory(plate="HERE 1", name="Same", capacity_kg=100).region


    @pytest.fixture
    def worker(here):
        user = give_role(UserFactory(), *RIGHTS, "customers.view_region")
        return grant(user, "access_region", here)


    def done(plan, actor):
        run_job(plan.making_id)
        plan = apply_plan(actor=actor, plan=plan, mode="keep_good")
        run_job(plan.applying_id)
        plan.refresh_from_db()
        return plan


    def test_import(worker, here):
        VehicleFactory(plate="THERE 1", capacity_kg=100)
        text = f"Plate,Name,Region,Capacity in kg\\nNEW 1,New,{here.code},900\\nHERE 1,Same,{here.code},250\\nTHERE 1,Taken,,5\\n"
        plan = submit_import(
            actor=worker, source=ContentFile(text.encode()), name="v.csv", resource="fleet.Vehicle"
        )
        plan = done(plan, worker)
        assert plan.counts == {"create": 1, "update": 1, "refused": 1}
        (new,) = Vehicle.history.filter(plate="NEW 1")
        assert (new.change_set.actor, new.change_set.door, new.change_set.verb) == (
            worker, "import", "fleet.import_vehicle"
        )
        assert Vehicle.objects.get(plate="HERE 1").capacity_kg == 250
        assert Vehicle.objects.get(plate="THERE 1").capacity_kg == 100


    def test_export(worker, here):
        VehicleFactory(plate="THERE 1")
        VehicleFactory(plate="HERE 2", region=here, state="in_workshop")
        selection = Selection(model="fleet.Vehicle", filters={"state": ["in_workshop"]})
        job = submit_export(actor=worker, selection=selection, columns=["plate", "region"])
        run_job(job.pk)
        with job.files.get(kind=JobFile.Kind.OUTPUT).file.open("r") as handle:
            assert list(csv.DictReader(handle)) == [{"plate": "HERE 2", "region": here.code}]


    def test_a_verb_in_bulk(worker, here):
        VehicleFactory(plate="HERE 2", region=here, state="in_workshop")
        plan = submit_plan(
            actor=worker, source="verb", title="Repair", model="fleet.Vehicle",
            parameters={
                "selection": Selection(model="fleet.Vehicle").to_json(), "reason": "Winter tyres",
                "verb": "fleet.repair", "arguments": {"reason": "Winter tyres"},
            },
        )
        plan = done(plan, worker)
        assert plan.counts == {"update": 1, "refused": 1}
        last = Vehicle.objects.get(plate="HERE 1").history.first()
        assert (last.state, last.changed, last.history_change_reason) == ("in_workshop", ["state"], "Winter tyres")
"""


def blocks() -> dict[str, str]:
    """The files of the page, by name."""
    return dict(re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the project with the app of the page in it."""
    root = tmp_path_factory.mktemp("project")
    copy_project(root)
    for name, text in blocks().items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    for package in ("apps/fleet", "tests/apps/fleet"):
        (root / package / "__init__.py").touch()
    (root / "tests/apps/fleet/test_vehicles.py").write_text(textwrap.dedent(OWN_TEST), encoding="utf-8")
    install(root, "fleet")
    yield root
    shutil.rmtree(root)


def test_it_takes_under_a_hundred_lines():
    files = blocks()
    assert {Path(name).name for name in files} == {
        "apps.py", "models.py", "services.py", "filters.py", "resources.py", "admin.py", "factories.py",
    }  # fmt: skip
    lines = sum(1 for text in files.values() for line in text.splitlines() if line.strip())
    settings_lines = 1
    assert lines + settings_lines < MOST_LINES


@pytest.mark.matrix
def test_its_contracts_hold(project, django_db_setup):
    migrate(project, "fleet")
    said = run(
        project, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "fleet or every_table or every_declared",
        *INHERITED, "tests/apps/fleet",
    )  # fmt: skip
    found = re.search(r"(\d+) passed", said)
    assert found and int(found[1]) >= 29, said


@pytest.mark.matrix
def test_it_is_written_as_the_rest_is(project):
    files = [name for name in blocks() if (project / name).exists()]
    run(project, "-m", "ruff", "check", "--no-cache", *files)
    run(project, "-m", "ruff", "format", "--no-cache", "--check", *files)
    run(project, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache")
