"""A transaction's `BEGIN` and its first call on their way to the server while this process works on.

psycopg sends `BEGIN` by itself before the first statement, waits for the answer, sends the statement and waits again.
Every write of the product begins a transaction and names its act, so every write would pay both waits. Here both travel
together, and their answer is collected when the connection is next asked for something, whoever asks. This is libpq's
pipeline mode (https://www.postgresql.org/docs/current/libpq-pipeline-mode.html) through psycopg's wrapper of libpq.
"""

from __future__ import annotations

import select
from typing import Any

from psycopg.errors import OperationalError, lookup
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus


class Opening:
    """A `BEGIN` and a call under way on Django's `connection`."""

    def __init__(self, connection: Any, statement: str, parameters: list[bytes]) -> None:
        self._django = connection
        self._driver = connection.connection
        self._answer: Any = None
        server = self._driver.pgconn
        server.enter_pipeline_mode()
        server.send_query_params(b"BEGIN", None)
        server.send_query_params(statement.encode(), parameters)
        server.pipeline_sync()
        # All that psycopg does with a connection passes through its `wait`; a server-side cursor looks before it asks.
        self._driver.wait, connection.create_cursor = self._wait_behind, self._cursor_behind

    @property
    def value(self) -> str:
        """The one value that the call returned. Raises psycopg's errors where the server refused it."""
        if self._answer is None:
            self._collect()
        if self._answer is None:
            raise OperationalError("The connection was lost before the act was begun.")
        if self._answer.status != ExecStatus.TUPLES_OK:
            state, message = (
                self._answer.error_field(field) or b""
                for field in (DiagnosticField.SQLSTATE, DiagnosticField.MESSAGE_PRIMARY)
            )
            raise lookup(state.decode())(message.decode(errors="replace"), info=self._answer)
        return self._answer.get_value(0, 0).decode()

    def _wait_behind(self, asked: Any, *arguments: Any, **named: Any) -> Any:
        self.value  # noqa: B018 (an act that was refused is heard of before anything else)
        return self._driver.wait(asked, *arguments, **named)

    def _cursor_behind(self, name: str | None = None) -> Any:
        if not name:
            return type(self._django).create_cursor(self._django)
        self.value  # noqa: B018
        return self._django.create_cursor(name)

    def _collect(self) -> None:
        vars(self._driver).pop("wait", None)
        vars(self._django).pop("create_cursor", None)
        server = self._driver.pgconn
        # Each statement's results end with None; the end of the pipeline is a result without one.
        _, _, self._answer, _, _ = (_next_result(server) for _ in range(5))
        server.exit_pipeline_mode()


def open_with(connection: Any, statement: str, parameters: list[bytes]) -> Opening | None:
    """Send `BEGIN` and `statement` in the transaction that Django's `connection` has announced.

    None where one has begun already. `parameters` are the texts of `$1`, `$2` and so on.
    """
    connection.ensure_connection()
    driver = connection.connection
    if driver.autocommit or driver.pgconn.transaction_status != TransactionStatus.IDLE:
        return None
    return Opening(connection, statement, parameters)


def _next_result(server: Any) -> Any:
    """The next result, waited for outside of libpq, so that the other threads of this process go on."""
    while (unsent := server.flush()) or server.is_busy():
        waiting = select.poll()
        waiting.register(server.socket, select.POLLIN | (select.POLLOUT if unsent else 0))
        waiting.poll()
        server.consume_input()
    return server.get_result()
