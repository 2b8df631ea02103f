"""`manage.py seal_audit`: seal the record, once or for as long as it runs."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from admin_ext.audit.seals import keys
from admin_ext.audit.seals.checkpoints import BadSignature, NotACheckpoint
from admin_ext.audit.seals.following import follow
from admin_ext.audit.seals.publishing import PublishedDiffers, Publisher
from admin_ext.audit.seals.sealing import AnotherSealer, NewEpochNeeded, Sealer
from admin_ext.audit.seals.sources import connect
from opsadmin.database import SEALER, as_role
from opsadmin.settings.base import env

REFUSALS = (AnotherSealer, NewEpochNeeded, PublishedDiffers, keys.NoKey, keys.KeyIsThere, BadSignature, NotACheckpoint)


class Command(BaseCommand):
    help = "Seal what was written to the record into signed blocks, and publish checkpoints outside the database."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--follow", action="store_true", help="go on until told to stop; one such process is enough"
        )
        parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="between two rounds (2)")
        parser.add_argument("--make-key", action="store_true", help="make the sealing key, say its id, and end")
        parser.add_argument("--new-epoch", action="store_true", help="after a restore or a move: go on from here")
        parser.add_argument("--reason", default="", help="why a new epoch begins; it is sealed")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["make_key"]:
                self._make_key()
            elif options["new_epoch"]:
                self._begin_epoch(options["reason"].strip())
            elif options["follow"]:
                self._follow(options["every"])
            else:
                self._seal_once()
        except REFUSALS as refusal:
            raise CommandError(str(refusal), returncode=2) from refusal

    def _make_key(self) -> None:
        key = keys.make_key(Path(settings.AUDIT_SEALING_KEY_FILE))
        keys.keep_public(Path(settings.AUDIT_CHECKPOINT_DIR) / "public_key.pem", key.public_key())
        self.stdout.write(f"made the sealing key {keys.key_id(key.public_key())} in {settings.AUDIT_SEALING_KEY_FILE}")

    def _begin_epoch(self, reason: str) -> None:
        if not reason:
            raise CommandError("Say why a new epoch begins: --reason. It is sealed, and auditors will read it.")
        with _open_sealer() as sealer:
            header = sealer.new_epoch(reason)
            self.stdout.write(f"epoch {header.epoch} begins with block {header.number}")
            self._seal(sealer)

    def _seal_once(self) -> None:
        with _open_sealer() as sealer:
            sealer.take_up()
            self._seal(sealer)

    def _seal(self, sealer: Sealer) -> None:
        leaves = 0
        while not (done := sealer.round()).complete:
            leaves += done.leaves
        sealer.publisher.flush()
        self.stdout.write(f"sealed {leaves + done.leaves:,} rows")

    def _follow(self, every: float) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        follow(_open_sealer, every=every, stop=stop)


def _open_sealer() -> Sealer:
    path = Path(settings.AUDIT_SEALING_KEY_FILE)
    key = keys.read_key(path) if path.exists() else keys.make_key(path)
    publisher = Publisher(Path(settings.AUDIT_CHECKPOINT_DIR), key=key)
    return Sealer(connect(**_login()), key=key, publisher=publisher)


def _login() -> dict[str, Any]:
    """The sealer's login: `DATABASE_SEALER_URL`, or derived from `DATABASE_URL`."""
    login = env.db_url_config(os.environ.get("DATABASE_SEALER_URL") or as_role(settings.DATABASE_URL, SEALER))
    names = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password"}
    return {name: login[setting] for setting, name in names.items() if login.get(setting)}
