"""The broker of files: no message is lost, none is read half written."""

from __future__ import annotations

import multiprocessing
import os
import stat
import threading
from pathlib import Path
from queue import Empty

import pytest
from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES

from opsadmin.embedded.broker import Transport, open_folders

TRANSPORT_ALIASES["atomicfs"] = "opsadmin.embedded.broker:Transport"
MESSAGES = 3000


def connect(data: Path) -> Connection:
    return Connection(
        "atomicfs://",
        transport_options={
            "data_folder_in": str(data / "broker"),
            "data_folder_out": str(data / "broker"),
            "control_folder": str(data / "broker-control"),
            "polling_interval": 0.01,
        },
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    open_folders(tmp_path)
    # kombu remembers for the whole process what is bound; every test has folders of its own.
    Transport.global_state.clear()
    return tmp_path


def produce(data: Path, numbers: range) -> None:
    with connect(data) as connection:
        queue = connection.SimpleQueue("opsadmin")
        for number in numbers:
            queue.put({"number": number, "text": "ü" * 2000})
        queue.close()


def consume(data: Path, taken: multiprocessing.Queue[list[int]]) -> None:
    numbers = []
    with connect(data) as connection:
        queue = connection.SimpleQueue("opsadmin")
        while True:
            try:
                message = queue.get(timeout=3)
            except Empty:
                break
            numbers.append(message.payload["number"])
            message.ack()
        queue.close()
    taken.put(numbers)


def test_two_producers_and_two_consumers_lose_nothing(data: Path) -> None:
    taken: multiprocessing.Queue[list[int]] = multiprocessing.get_context("spawn").Queue()
    spawn = multiprocessing.get_context("spawn").Process
    half = MESSAGES // 2
    processes = [spawn(target=consume, args=(data, taken)) for _ in range(2)]
    processes += [spawn(target=produce, args=(data, numbers)) for numbers in (range(half), range(half, MESSAGES))]
    for process in processes:
        process.start()
    received = [taken.get(timeout=120) for _ in range(2)]
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert sorted(received[0] + received[1]) == list(range(MESSAGES))
    assert list((data / "broker").iterdir()) == []


def test_messages_come_in_the_order_they_were_sent(data: Path) -> None:
    produce(data, range(20))
    with connect(data) as connection:
        queue = connection.SimpleQueue("opsadmin")
        assert [queue.get(timeout=1).payload["number"] for _ in range(20)] == list(range(20))
        queue.close()


def test_a_message_half_written_is_not_there_yet(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen_half_written: list[object] = []
    write_whole = Path.write_bytes

    def write_in_halves(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        with connect(data) as connection:
            try:
                seen_half_written.append(connection.default_channel._get("opsadmin"))
            except Empty:
                seen_half_written.append(None)
        return write_whole(path, content)

    monkeypatch.setattr(Path, "write_bytes", write_in_halves)
    with connect(data) as connection:
        connection.default_channel._put("opsadmin", {"number": 1})
        assert seen_half_written == [None]
        assert connection.default_channel._get("opsadmin") == {"number": 1}


def test_queues_that_are_bound_at_once_are_all_bound(data: Path) -> None:
    start = threading.Barrier(8)

    def bind(number: int) -> None:
        with connect(data) as connection:
            start.wait()
            connection.default_channel._queue_bind("exchange", "key", "", f"queue-{number}")

    binding = [threading.Thread(target=bind, args=(number,)) for number in range(8)]
    for thread in binding:
        thread.start()
    for thread in binding:
        thread.join()
    with connect(data) as connection:
        assert {row.queue for row in connection.default_channel.get_table("exchange")} == {
            f"queue-{number}" for number in range(8)
        }


def test_without_its_folders_it_cannot_be_reached(tmp_path: Path) -> None:
    with connect(tmp_path) as connection, pytest.raises(ConnectionError, match="missing"):
        connection.connect()


def test_opening_keeps_messages_and_drops_what_a_kill_left(data: Path) -> None:
    produce(data, range(3))
    for name in (".1_draft.opsadmin.msg", "1_a.host.celery.pidbox.msg"):
        (data / "broker" / name).touch()
    open_folders(data)
    names = os.listdir(data / "broker")
    assert len(names) == 3
    assert all(name.endswith(".opsadmin.msg") and not name.startswith(".") for name in names)


def test_strangers_cannot_read_messages(data: Path) -> None:
    assert stat.S_IMODE((data / "broker").stat().st_mode) == 0o700
