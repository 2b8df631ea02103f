"""Where the embedded stack keeps its things, and whose they are.

A data directory holds everything that one demo knows: uploads, exports, the broker's files, the secret key and the
PostgreSQL cluster. PostgreSQL refuses to run as root, so for root it runs as an unprivileged account; where that
account cannot enter the data directory (a repository under somebody's private home), the cluster lies in a system
directory and the data directory holds a link to it. No directory that is already there has its mode changed.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from opsadmin.embedded import Obstacle

ROOT = Path(__file__).resolve().parent.parent.parent
SYSTEM_DIR = Path("/var/lib/opsadmin")


@dataclass(frozen=True)
class Account:
    """An account of this machine that processes run as."""

    name: str
    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """Who runs PostgreSQL when root starts it: the account `opsadmin` where there is one, else `nobody`.

    None for an ordinary user, who runs everything himself.
    """
    if os.geteuid() != 0:
        return None
    for name in ("opsadmin", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise Obstacle("PostgreSQL cannot run as root, and this machine has neither an account 'opsadmin' nor 'nobody'.")


def can_enter(account: Account | None, path: Path) -> bool:
    """Whether the account (None: the person who runs this) may enter the directory or run the program at `path`."""
    if account is None:
        return os.access(path, os.X_OK)
    test = ["test", "-x", str(path)]
    return subprocess.run(test, user=account.uid, group=account.gid, extra_groups=[], check=False).returncode == 0


def open_data_directory(path: Path) -> Path:
    """The data directory, made when it is not there. Raises Obstacle when it cannot be written."""
    try:
        # Root's may be passed through, so that the unprivileged account reaches the cluster inside; not listed.
        path.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise Obstacle(
            f"The data directory {path} cannot be written ({error.strerror}). "
            "Choose another with --data DIR or the variable OPSADMIN_DATA."
        ) from error
    return path.resolve()


def open_cluster_home(path: Path) -> Path:
    """A directory at `path`, or linked from there, that whoever runs PostgreSQL can enter."""
    account = unprivileged_account()
    if path.is_symlink() and not path.exists():
        path.unlink()  # the link's target was deleted: begin anew
    if not path.exists():
        if can_enter(account, path.parent):
            path.mkdir(mode=0o711)
        else:
            path.symlink_to(_make_system_home())
    return path.resolve()


def _make_system_home() -> Path:
    # The name is random: a data directory that was deleted and made again must not find its old cluster.
    home = SYSTEM_DIR / secrets.token_hex(4)
    try:
        SYSTEM_DIR.mkdir(mode=0o755, parents=True, exist_ok=True)
        home.mkdir(mode=0o711)
    except OSError as error:
        raise Obstacle(f"{home} cannot be made ({error.strerror}); PostgreSQL started by root needs it.") from error
    return home


def secret_key(data: Path) -> str:
    """The data directory's own Django SECRET_KEY, made at the first call and readable by its owner alone."""
    path = data / "secret-key"
    if not path.exists():
        # Written aside and linked into place: two that start at once agree on one complete key.
        draft = data / f".secret-key-{secrets.token_hex(4)}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(50))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    try:
        return path.read_text()
    except OSError as error:
        raise Obstacle(f"{path} cannot be read ({error.strerror}): the data belongs to another account.") from error
