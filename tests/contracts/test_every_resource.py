"""What holds for every resource, whoever declared it: it is read and written by the real jobs, under rights."""

from __future__ import annotations

import csv
import io

import pytest
from django.apps import apps
from django.core.files.base import ContentFile

from admin_ext.access.rights import NotPermitted, can, permission, whole_of
from admin_ext.filtering.selection import Selection
from admin_ext.jobs.models import JobFile
from admin_ext.jobs.running import run_job
from admin_ext.plans.applying import apply_plan
from admin_ext.plans.models import Mode, Plan
from admin_ext.transfers.exporting import submit_export
from admin_ext.transfers.importing import submit_import
from admin_ext.transfers.resources import has_resource
from tests.contracts.world import everywhere, make
from tests.factories import UserFactory, give_role

pytestmark = pytest.mark.django_db
transferred = sorted((m for m in apps.get_models() if has_resource(m)), key=lambda m: m._meta.label)
every_resource = pytest.mark.parametrize("model", transferred, ids=lambda m: m._meta.label)


def exported(actor, model):
    """The file that an export of every row makes."""
    job = submit_export(actor=actor, selection=Selection(model=model._meta.label))
    run_job(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == ("succeeded", "")
    with job.files.get(kind=JobFile.Kind.OUTPUT).file.open("rb") as handle:
        return handle.read()


def imported(actor, model, content):
    """What applying the plan of a file came to."""
    plan = submit_import(actor=actor, source=ContentFile(content), name="file.csv", resource=model._meta.label)
    run_job(plan.making_id)
    plan.refresh_from_db()
    assert plan.state == Plan.State.READY, plan.notes
    plan = apply_plan(actor=actor, plan=plan, mode=Mode.KEEP_GOOD)
    run_job(plan.applying_id)
    plan.refresh_from_db()
    return plan


@every_resource
class TestEveryResource:
    def test_an_export_imported_again_changes_nothing(self, model):
        make(model), make(model)
        root = UserFactory(is_superuser=True)
        content = exported(root, model)
        rows, recorded = model._base_manager.count(), model.history.count()
        assert len(list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))) == rows + 1
        plan = imported(root, model, content)
        assert plan.counts == {"unchanged": rows}, [row.errors for row in plan.rows.all()]
        assert model.history.count() == recorded

    def test_both_directions_are_rights_of_their_own(self, model):
        row = make(model)
        reader = give_role(
            UserFactory(), permission(model, "view"), permission(model, "change"), *everywhere(whole_of(model))
        )
        assert can(reader, "view", row)
        with pytest.raises(NotPermitted):
            exported(reader, model)
        with pytest.raises(NotPermitted):
            imported(reader, model, b"code\nX\n")
