"""`seal_audit` and `verify_audit`, as whoever is on call uses them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from admin_ext.audit.models import Block
from apps.customers.models import Region
from opsadmin.database import SEALER
from tests import databases
from tests.admin_ext.audit.seals.conftest import wait_for_horizon
from tests.factories import RegionFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def places(settings: Any, tmp_path: Path) -> Path:
    settings.AUDIT_SEALING_KEY_FILE = str(tmp_path / "key" / "sealing.pem")
    settings.AUDIT_CHECKPOINT_DIR = str(tmp_path / "published")
    settings.AUDIT_SEALING_PUBLIC_KEY_FILE = str(tmp_path / "published" / "public_key.pem")
    return tmp_path / "published"


def run(*words: str, **options: Any) -> str:
    said = io.StringIO()
    if words == ("seal_audit",):
        with databases.connection_as(SEALER, autocommit=True) as own:
            wait_for_horizon(own)
    call_command(*words, stdout=said, **options)
    return said.getvalue()


def alter_a_row() -> None:
    with databases.connection_as(None, autocommit=True) as root:
        root.execute("ALTER TABLE customers_historicalregion DISABLE TRIGGER ALL")
        root.execute("UPDATE customers_historicalregion SET name = 'Altered'")


def test_a_record_is_sealed_and_verified_and_an_altered_row_is_named(record, places):
    assert "sealed" in run("seal_audit")
    said = run("verify_audit")
    assert said.startswith("Intact up to block ")
    assert f"published up to block {Block.objects.latest().number}" in said

    alter_a_row()
    told = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("verify_audit", stdout=told)
    assert ended.value.code == 1
    row = Region.history.latest().history_id
    assert f"altered: customers_historicalregion row {row} (block 1, leaf " in told.getvalue()


def test_the_report_as_json(record):
    run("seal_audit")
    report = json.loads(run("verify_audit", "--json"))
    assert (report["intact"], report["findings"], report["last_block"]) == (True, [], Block.objects.latest().number)


def test_since_leaves_out_older_rows_but_no_block(record):
    run("seal_audit")
    between = timezone.now().isoformat()
    alter_a_row()
    RegionFactory()
    run("seal_audit")
    told = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("verify_audit", "--json", since=between, stdout=told)
    report = json.loads(told.getvalue())
    # The old row is not looked at; that the live row is not what history says is.
    assert report["counts"] == {"live_row_differs": 1, "trigger_off": 1}
    assert report["blocks"] == Block.objects.count()


def test_a_kept_checkpoint_and_a_copy_are_believed_over_the_database(record, places, tmp_path):
    run("seal_audit")
    kept = tmp_path / "kept.txt"
    kept.write_text((places / "latest.txt").read_text())
    RegionFactory()
    run("seal_audit")
    assert run("verify_audit", "--checkpoint", str(kept)).startswith("Intact")
    assert run("verify_audit", "--checkpoint", str(places)).startswith("Intact")

    with databases.connection_as(None, autocommit=True) as root:
        root.execute("ALTER TABLE audit_block DISABLE TRIGGER ALL")
        root.execute("DELETE FROM audit_block")
    (places / "latest.txt").unlink()
    told = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("verify_audit", "--checkpoint", str(kept), stdout=told)
    assert "tail cut: audit_leaf (block 1, leaf 1)" in told.getvalue()


@pytest.mark.parametrize(
    ("text", "said"), [("", "not a checkpoint"), ("opsadmin record\nepoch 1\n\n— x y\n", "not a checkpoint")]
)
def test_what_is_no_checkpoint_is_said_to_be_none(record, tmp_path, text, said):
    run("seal_audit")
    (tmp_path / "odd.txt").write_text(text)
    with pytest.raises(CommandError, match=said) as refused:
        run("verify_audit", "--checkpoint", str(tmp_path / "odd.txt"))
    assert refused.value.returncode == 2


def test_without_a_key_it_could_not_be_verified(record):
    with pytest.raises(CommandError, match="has seal_audit ever run") as refused:
        run("verify_audit")
    assert refused.value.returncode == 2


def test_an_epoch_needs_a_reason_and_a_key_is_made_once(record):
    assert "made the sealing key" in run("seal_audit", "--make-key")
    with pytest.raises(CommandError, match="There is a key"):
        run("seal_audit", "--make-key")
    with pytest.raises(CommandError, match="Say why"):
        run("seal_audit", "--new-epoch")
    assert "epoch 1 begins" in run("seal_audit", "--new-epoch", "--reason", "First start")
    assert run("verify_audit").startswith("note: Epoch 1 began with block 1: First start")


def test_a_new_key_leaves_what_the_old_one_signed_provable(record, settings):
    run("seal_audit")
    Path(settings.AUDIT_SEALING_KEY_FILE).rename(settings.AUDIT_SEALING_KEY_FILE + ".old")
    RegionFactory()
    run("seal_audit")
    assert len(set(Block.objects.values_list("key_id", flat=True))) == 2
    assert run("verify_audit").startswith("Intact")
