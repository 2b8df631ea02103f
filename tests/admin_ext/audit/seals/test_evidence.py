"""A pack proves its rows to whoever has Python and the public key; a changed pack does not."""

from __future__ import annotations

import importlib.util
import io
import json
import random
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from admin_ext.audit.seals.evidence import NothingSealed, write_evidence, write_manifest
from admin_ext.audit.seals.keys import public_text
from admin_ext.audit.seals.packs import UNREADABLE, verify_pack
from tests.factories import CustomerFactory

ALONE = Path(settings.BASE_DIR) / "docs" / "verify_evidence.py"
SOURCE = "customers_historicalcustomer"


@pytest.fixture(scope="module")
def alone() -> Any:
    """The verifier that stands alone, as a module."""
    spec = importlib.util.spec_from_file_location("verify_evidence", ALONE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rows(record, seal, key, settings, tmp_path) -> list[tuple[str, int]]:
    settings.AUDIT_SEALING_PUBLIC_KEY_FILE = str(tmp_path / "known.pem")
    (tmp_path / "known.pem").write_text(public_text(key.public_key()))
    seal()
    model = type(record[0])
    return [(SOURCE, each) for each in model.history.values_list("history_id", flat=True)] + [
        ("audit_changeset", each) for each in _change_sets()
    ]


def _change_sets() -> list[int]:
    from admin_ext.audit.models import ChangeSet

    return list(ChangeSet.objects.values_list("pk", flat=True))


def pack_of(rows: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("summary.html", "<h1>What was changed</h1>")
        write_evidence(archive, rows, **options)
        write_manifest(archive)
    return buffer.getvalue()


@pytest.mark.django_db(transaction=True)
class TestPack:
    def test_both_verifiers_prove_every_row(self, rows, keys, alone):
        pack = pack_of(rows)
        ours, other = verify_pack(io.BytesIO(pack), keys), alone.verify(io.BytesIO(pack))
        assert (ours.proven, ours.unproven, ours.problems) == (len(rows), [], [])
        assert (other["proven"], other["unproven"], other["problems"]) == (len(rows), [], [])
        assert other["keys"] == list(keys)

    def test_as_a_program_without_anything_installed(self, rows, tmp_path, publisher):
        (tmp_path / "pack.zip").write_bytes(pack_of(rows))
        command = [sys.executable, "-I", "-S", str(ALONE), str(tmp_path / "pack.zip")]
        command += ["--key", str(tmp_path / "known.pem")]
        command += ["--checkpoint", str(publisher.directory / "latest.txt")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{len(rows)} rows proven, 0 not proven, 0 problems" in done.stdout

    def test_a_row_that_is_not_sealed_is_told_and_not_dropped(self, rows, keys, alone):
        fresh = CustomerFactory()
        pack = pack_of([*rows, (SOURCE, fresh.history.latest().history_id)])
        ours, other = verify_pack(io.BytesIO(pack), keys), alone.verify(io.BytesIO(pack))
        assert ours.unproven == other["unproven"] == [f"{SOURCE} {fresh.history.latest().history_id}"]
        assert ours.problems == other["problems"] == []

    def test_what_is_withheld_is_not_in_the_pack(self, rows, keys, record):
        pack = pack_of(rows, withhold={SOURCE})
        with zipfile.ZipFile(io.BytesIO(pack)) as archive:
            assert record[0].code not in archive.read("events.ndjson").decode()
        report = verify_pack(io.BytesIO(pack), keys)
        assert len(report.unproven) == sum(source == SOURCE for source, _ in rows)
        assert report.problems == []

    def test_blocks_far_apart_bear_their_own_signatures(self, rows, keys, alone, monkeypatch):
        monkeypatch.setattr("admin_ext.audit.seals.evidence.FAR", 1)
        few = [rows[0], rows[-1]]
        pack = pack_of(few)
        with zipfile.ZipFile(io.BytesIO(pack)) as archive:
            assert len(archive.read("blocks.ndjson").splitlines()) <= 3
        assert verify_pack(io.BytesIO(pack), keys).proven == alone.verify(io.BytesIO(pack))["proven"] == 2

    def test_another_key_is_not_believed(self, rows, alone, tmp_path):
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        other = public_text(Ed25519PrivateKey.generate().public_key())
        assert "is not known" in alone.verify(io.BytesIO(pack_of(rows)), other)["problems"][0]

    def test_every_mutated_pack_is_refused_by_both(self, rows, keys, alone):
        mutate(pack_of(rows), keys, alone, count=150, seed=1)

    @pytest.mark.tamper
    def test_a_thousand_mutated_packs_are_refused_by_both(self, rows, keys, alone):
        mutate(pack_of(rows), keys, alone, count=1_500, seed=2)


@pytest.mark.django_db(transaction=True)
def test_without_a_seal_there_is_no_evidence():
    with pytest.raises(NothingSealed, match="sealer"), zipfile.ZipFile(io.BytesIO(), "w") as archive:
        write_evidence(archive, [])


def mutate(pack: bytes, keys: Any, alone: Any, *, count: int, seed: int) -> None:
    """Change the pack in random ways; in most the manifest is made to fit again, as a forger would."""
    dice = random.Random(seed)
    before = verify_pack(io.BytesIO(pack), keys)
    public = "".join(public_text(key) for key in keys.values())
    done, disagreed, believed = Counter[str](), [], []
    while done.total() < count:
        what = dice.choice(list(MUTATIONS))
        changed = MUTATIONS[what](dice, pack)
        if changed is None:
            continue
        done[what] += 1
        ours, other = verdict(_ours, changed, keys), verdict(alone.verify, changed, public)
        if ours != other:
            disagreed.append((what, ours, other))
        if ours == (len(before.unproven), before.proven, True) and contents(changed) != contents(pack):
            believed.append(what)
    refused = ", ".join(f"{number} {what}" for what, number in sorted(done.items()))
    print(f"\n{count:,} mutated packs ({refused}): {len(disagreed)} disagreed, {len(believed)} believed")
    assert disagreed == []
    assert believed == []


def _ours(pack: Any, keys: Any) -> dict[str, Any]:
    return vars(verify_pack(pack, keys))


def verdict(ask: Any, pack: bytes, keys: Any) -> Any:
    """Not proven, proven, without a problem; or that it cannot be read."""
    try:
        said = ask(io.BytesIO(pack), keys)
    except UNREADABLE:
        return "unreadable"
    return len(said["unproven"]), said["proven"], not said["problems"]


def contents(pack: bytes) -> Any:
    """What a pack means: the files' contents."""
    try:
        with zipfile.ZipFile(io.BytesIO(pack)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except UNREADABLE:
        return None


def rewritten(pack: bytes, change: Any, *, manifest: bool = True) -> bytes:
    files = contents(pack)
    change(files)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            if name != "manifest.json" or not manifest:
                archive.writestr(name, content)
        if manifest:
            write_manifest(archive)
    return buffer.getvalue()


def edited(name: str, edit: Any) -> Any:
    """A mutation of the lines of one file."""

    def change(dice: random.Random, pack: bytes) -> bytes | None:
        def edit_file(files: dict[str, bytes]) -> None:
            lines = [json.loads(line) for line in files[name].splitlines()]
            edit(dice, lines)
            files[name] = b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)

        changed = rewritten(pack, edit_file)
        return changed if contents(changed)[name] != contents(pack)[name] else None

    return change


def _flip_hex(dice: random.Random, text: str) -> str:
    place = dice.randrange(len(text))
    return text[:place] + dice.choice([each for each in "0123456789abcdef" if each != text[place]]) + text[place + 1 :]


def _edit_event(dice: random.Random, lines: list[Any]) -> None:
    line = dice.choice(lines)
    match dice.choice(["canonical", "salt", "seq", "row_id", "source", "block", "path", "cut", "long", "missing"]):
        case "canonical":
            place = dice.randrange(len(line["canonical"]))
            line["canonical"] = line["canonical"][:place] + "§" + line["canonical"][place + 1 :]
        case "salt":
            line["salt"] = _flip_hex(dice, line["salt"])
        case "seq":
            line["seq"] += dice.choice([-1, 1, 5, 10**20])
        case "row_id":
            line["row_id"] += 10**6
        case "source":
            line["source"] += "x"
        case "block":
            line["block"] += dice.choice([-1, 1])
        case "path":
            place = dice.randrange(len(line["path"]))
            line["path"][place] = _flip_hex(dice, line["path"][place])
        case "cut":
            line["path"] = line["path"][:-1]
        case "long":
            line["path"].append("00" * 32)
        case "missing":
            del line[dice.choice(sorted(line))]


def _swap_proofs(dice: random.Random, lines: list[Any]) -> None:
    one, other = dice.sample(lines, 2)
    for name in dice.choice([["path"], ["path", "seq", "block"], ["salt"], ["canonical"]]):
        one[name], other[name] = other[name], one[name]


def _unproven(dice: random.Random, lines: list[Any]) -> None:
    line = dice.choice(lines)
    line.update(seq=None, canonical=line["canonical"].replace("1", "2"))


def _edit_block(dice: random.Random, lines: list[Any]) -> None:
    line = dice.choice(lines)
    header = json.loads(line["header"])
    name = dice.choice(sorted(header))
    value = header[name]
    header[name] = value + 1 if isinstance(value, int) else _flip_hex(dice, value) if len(value) == 64 else value + "x"
    line["header"] = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _drop_block(dice: random.Random, pack: bytes) -> bytes:
    """A block in which rows of the pack stand: one that only chains others may go, they are signed themselves."""

    def change(files: dict[str, bytes]) -> None:
        number = json.loads(dice.choice(files["events.ndjson"].splitlines()))["block"]
        lines = files["blocks.ndjson"].splitlines(keepends=True)
        kept = [line for line in lines if json.loads(json.loads(line)["header"])["block"] != number]
        files["blocks.ndjson"] = b"".join(kept)

    return rewritten(pack, change)


def _double(dice: random.Random, lines: list[Any]) -> None:
    lines.append(dice.choice(lines))


def _flip_byte(dice: random.Random, pack: bytes) -> bytes:
    place = dice.randrange(len(pack))
    return pack[:place] + bytes([pack[place] ^ (1 << dice.randrange(8))]) + pack[place + 1 :]


def _cut(dice: random.Random, pack: bytes) -> bytes:
    return pack[: dice.randrange(len(pack))]


def _foreign_checkpoint(dice: random.Random, pack: bytes) -> bytes:
    """Signed by another key, which the pack brings along."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from admin_ext.audit.seals.checkpoints import Header
    from admin_ext.audit.seals.keys import key_id

    forger = Ed25519PrivateKey.generate()

    def change(files: dict[str, bytes]) -> None:
        newest = Header.parse(json.loads(files["blocks.ndjson"].splitlines()[-1])["header"]).checkpoint()
        own = dice.choice([key_id(forger.public_key()), files["checkpoint.txt"].decode().split("— ")[1].split()[0]])
        signature = forger.sign(newest.text().encode())
        files["checkpoint.txt"] = newest.note(key_id=own, signature=signature).encode()
        files["public_key.pem"] = public_text(forger.public_key()).encode()

    return rewritten(pack, change)


def _edit_checkpoint(dice: random.Random, pack: bytes) -> bytes:
    def change(files: dict[str, bytes]) -> None:
        text = files["checkpoint.txt"]
        place = dice.randrange(len(text))
        files["checkpoint.txt"] = text[:place] + dice.choice([b"0", b"7", b"a", b"\n", b""]) + text[place + 1 :]

    changed = rewritten(pack, change)
    return changed if contents(changed)["checkpoint.txt"] != contents(pack)["checkpoint.txt"] else None


def _drop_file(dice: random.Random, pack: bytes) -> bytes:
    name = dice.choice(["events.ndjson", "blocks.ndjson", "checkpoint.txt"])
    return rewritten(pack, lambda files: files.pop(name))


def _stale_manifest(dice: random.Random, pack: bytes) -> bytes:
    """Rows dropped or a summary changed, and the manifest forgotten."""

    def change(files: dict[str, bytes]) -> None:
        if dice.random() < 0.5:
            lines = files["events.ndjson"].splitlines(keepends=True)
            lines.pop(dice.randrange(len(lines)))
            files["events.ndjson"] = b"".join(lines)
        else:
            files["summary.html"] += b"<p>and nothing else</p>"

    return rewritten(pack, change, manifest=False)


# A row dropped by somebody who mends the manifest cannot be seen in the pack: the ledger keeps the pack's own SHA-256.
MUTATIONS = {
    "event": edited("events.ndjson", _edit_event),
    "proofs swapped": edited("events.ndjson", _swap_proofs),
    "called unsealed": edited("events.ndjson", _unproven),
    "event doubled": edited("events.ndjson", _double),
    "block": edited("blocks.ndjson", _edit_block),
    "block dropped": _drop_block,
    "block doubled": edited("blocks.ndjson", _double),
    "byte": _flip_byte,
    "cut": _cut,
    "foreign checkpoint": _foreign_checkpoint,
    "checkpoint": _edit_checkpoint,
    "file dropped": _drop_file,
    "stale manifest": _stale_manifest,
}
