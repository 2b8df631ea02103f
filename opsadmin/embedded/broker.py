"""A message broker made of files: kombu's file-system transport, with every change of a file made whole.

The stock transport creates a file and then writes it, so a reader may find it empty: the message is lost and the
worker ends. Here a file appears under its name only when it is complete, a message belongs to whoever renames it,
and the table of an exchange is changed under a lock that readers need not know.

What this broker cannot do: give back the message of a worker that was killed. The job row is the truth, and the
sweeper sends again what was lost.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem
from kombu.transport.filesystem import exchange_queue_t
from kombu.utils.encoding import bytes_to_str, str_to_bytes
from kombu.utils.json import dumps, loads

Bindings = list[exchange_queue_t]


def open_folders(data: Path) -> None:
    """Make the broker's folders under the data directory, and drop what is of no more use.

    That is what a kill left half done, and what was said to workers that are gone. Call it while nothing uses the
    broker.
    """
    for name in ("broker", "broker-control"):
        folder = data / name
        folder.mkdir(mode=0o700, exist_ok=True)
        for remains in (*folder.glob(".*_*"), *folder.glob("*.pidbox*"), *folder.glob("*celeryev*")):
            remains.unlink(missing_ok=True)


class Channel(filesystem.Channel):
    """kombu's channel, with atomic messages and exchange tables."""

    def _put(self, queue: str, payload: Any, **_: Any) -> None:
        # Wall-clock time: the order of names must hold across a reboot, at which the monotonic clock begins anew.
        name = f"{time.time_ns():020}_{uuid.uuid4()}.{queue}.msg"
        _write(Path(self.data_folder_out) / name, dumps(payload))

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        folder = Path(self.data_folder_in)
        for name in sorted(os.listdir(folder)):
            if name.partition(".")[2] != f"{queue}.msg":
                continue
            taken = folder / f".{name}"
            try:
                (folder / name).rename(taken)
            except FileNotFoundError:  # another consumer was first
                continue
            text = bytes_to_str(taken.read_bytes())
            taken.unlink()
            return loads(text)
        raise Empty

    def get_table(self, exchange: str) -> Bindings:
        return _read_table(self._exchange_file(exchange))

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        binding = exchange_queue_t(routing_key or "", pattern or "", queue or "")
        self._change_table(exchange, lambda table: table if binding in table else [binding, *table])

    def _delete(self, queue: str, exchange: str, routing_key: str, pattern: str, *args: Any, **options: Any) -> None:
        self._purge(queue)
        binding = exchange_queue_t(routing_key or "", pattern or "", queue or "")
        self._change_table(exchange, lambda table: [other for other in table if other != binding])

    def _change_table(self, exchange: str, change: Callable[[Bindings], Bindings]) -> None:
        file = self._exchange_file(exchange)
        with _alone_with(self.control_folder):
            before = _read_table(file)
            after = change(before)
            if after != before:
                _write(file, dumps(after))


class Transport(filesystem.Transport):
    """kombu's transport, which cannot be reached where its folders cannot be used."""

    Channel = Channel

    def establish_connection(self) -> Any:
        assert self.client
        options = self.client.transport_options
        for name in ("data_folder_in", "data_folder_out", "control_folder"):
            if not os.access(options[name], os.R_OK | os.W_OK | os.X_OK):
                raise ConnectionError(f"the broker's folder {options[name]} is missing or not writable")
        return super().establish_connection()


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{uuid.uuid4()}_{path.name}")
    draft.write_bytes(str_to_bytes(text))
    draft.replace(path)


def _read_table(file: Path) -> Bindings:
    try:
        return [exchange_queue_t(*binding) for binding in loads(bytes_to_str(file.read_bytes()))]
    except FileNotFoundError:
        return []


@contextmanager
def _alone_with(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
