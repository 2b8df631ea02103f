"""Who uses what: locks that the kernel drops when their holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from opsadmin.embedded import Obstacle


class Taken(Obstacle):
    """Another process holds the claim. `holder` says which one."""

    def __init__(self, holder: Holder) -> None:
        super().__init__(f"{holder.what} is using it (process {holder.pid}).")
        self.holder = holder


@dataclass(frozen=True)
class Holder:
    pid: int
    what: str


@contextmanager
def claim(path: Path, what: str) -> Iterator[None]:
    """Hold the claim at `path` alone, in the name of `what`. Raises Taken when another process holds it."""
    with _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB) as descriptor:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {what}".encode(), 0)
        yield


def holder_of(path: Path) -> Holder | None:
    """Who holds the claim at this moment; None when nobody does."""
    try:
        with _locked(path, fcntl.LOCK_SH | fcntl.LOCK_NB, create=False):
            return None
    except FileNotFoundError:
        return None
    except Taken as taken:
        return taken.holder


@contextmanager
def shared(path: Path) -> Iterator[None]:
    """Be one of the users of `path`. Waits while somebody is alone with it."""
    with _locked(path, fcntl.LOCK_SH):
        yield


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until `path` has no other user, then keep it."""
    with _locked(path, fcntl.LOCK_EX):
        yield


@contextmanager
def _locked(path: Path, how: int, create: bool = True) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o644)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Obstacle(f"{path} cannot be written ({error.strerror}): it belongs to another account.") from error
    try:
        try:
            fcntl.flock(descriptor, how)
        except BlockingIOError:
            pid, _, what = os.pread(descriptor, 200, 0).decode().partition(" ")
            raise Taken(Holder(int(pid or 0), what or "another process")) from None
        yield descriptor
    finally:
        os.close(descriptor)
