"""The product's web server while something else goes on: how long a page takes whoever looks at it meanwhile."""

from __future__ import annotations

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def serving(user: Any, path: str) -> Iterator[Page]:
    """gunicorn as the product runs it, with two workers, and a page of it that `user` may see."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "opsadmin.wsgi:application", "--bind", f"127.0.0.1:{port}"]
    command += ["--workers", "2", "--preload", "--no-control-socket", "--log-level", "critical"]
    server = subprocess.Popen(command, env=os.environ)
    try:
        page = Page(f"http://127.0.0.1:{port}{path}", _cookie(user))
        page.wait(seconds=60)
        yield page
    finally:
        server.terminate()
        server.wait(timeout=30)


class Page:
    """A page that is asked for over and over, by one person who looks at it and comes back."""

    def __init__(self, address: str, cookie: str) -> None:
        self.address = address
        self.cookie = cookie

    def ask(self) -> float:
        """Seconds until the whole page is there."""
        began = time.perf_counter()
        request = urllib.request.Request(self.address, headers={"Cookie": self.cookie})
        with urllib.request.urlopen(request, timeout=60) as response:
            body = response.read()
        assert b"result_list" in body, "This is not the list that was asked for."
        return time.perf_counter() - began

    def wait(self, *, seconds: float) -> None:
        """Ask until the server answers; then a few times more, so that it is warm."""
        until = time.monotonic() + seconds
        while True:
            try:
                self.ask()
                break
            except urllib.error.HTTPError:
                raise
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
        for _ in range(10):
            self.ask()

    def p95(self, *, seconds: float) -> float:
        """The 95th percentile, in seconds, of pages asked for during so many seconds."""
        until, took = time.monotonic() + seconds, []
        while time.monotonic() < until:
            took.append(self.ask())
            time.sleep(0.05)
        return _p95(took)

    @contextlib.contextmanager
    def asked_meanwhile(self) -> Iterator[list[float]]:
        """Ask while the block runs; afterwards the list holds the 95th percentile."""
        took: list[float] = []
        told: list[float] = []
        ended = threading.Event()

        def ask() -> None:
            while not ended.is_set():
                took.append(self.ask())
                time.sleep(0.05)

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            yield told
        finally:
            ended.set()
            asking.join()
        told.append(_p95(took))


def _p95(took: list[float]) -> float:
    return statistics.quantiles(took, n=20, method="inclusive")[-1]


def _cookie(user: Any) -> str:
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"
