"""`bench lists`: what a list of ten million orders costs, beside the same list of ten thousand and beside stock.

Pages of a hundred rows through gunicorn, asked for by one client and by eight, as an operator who sees a quarter of the
orders: the first, filtered, searched, deep down, the last. The two sizes and stock take turns, so that all meet the same
weather. Stock (unfold, guardian, simple-history) shows all orders of the same tables to a superuser, without scopes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import database

SMALL = 10_000
CLIENTS = 8
# Stock takes seconds where we take milliseconds: it is asked less often.
STOCK_PAGES = {
    "first page": "", "filtered": "?state__exact=shipped", "searched, a common word": "?q=anna", "last page": "?p={last}"
}  # fmt: skip


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench lists", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=6, help="turns of each page; eight clients ask twice in each")
    parser.add_argument("--keep", action="store_true", help="keep the databases, and use those that were kept")
    parser.add_argument("--no-stock", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    sizes = {"small": SMALL, "big": options.rows}
    names = {size: f"{database.NAME}_lists_{rows}" for size, rows in sizes.items()}
    # The databases know the key that was kept there when they were made.
    keys = Path(tempfile.gettempdir()) / f"{database.NAME}_lists"
    os.environ.setdefault("OPSADMIN_DATA", str(keys))
    try:
        for size, name in names.items():
            _prepare(name, sizes[size], kept=options.keep)
        result = _measure(names, sizes, options.rounds, stock=not options.no_stock)
    finally:
        if not options.keep:
            for name in names.values():
                database.drop(name)
            shutil.rmtree(keys, ignore_errors=True)
    print(json.dumps(result, indent=2) if options.json else _told(result))
    return 0


def _prepare(name: str, rows: int, *, kept: bool) -> None:
    """Made by a process of its own: Django knows one database."""
    if kept and _is_there(name):
        return
    code = (
        "from benchmarks import database, list_world; database.set_up(); "
        f"list_world.fill({rows}, {min(100_000, max(rows // 10, 1000))})"
    )
    subprocess.run([sys.executable, "-c", code], env=_environment(name) | {"BENCH_DATABASE": name}, check=True)


def _is_there(name: str) -> bool:
    import psycopg

    try:
        with psycopg.connect(database.url(name)) as there:
            return there.execute("SELECT EXISTS (SELECT FROM orders_order)").fetchone() == (True,)
    except psycopg.Error:
        return False


def _measure(names: dict[str, str], sizes: dict[str, int], rounds: int, *, stock: bool) -> dict[str, Any]:
    sides = {size: _side(names[size]) for size in names}
    deep = {size: next(page for page in sides[size]["pages"] if "deep" in page) for size in sides}
    with contextlib.ExitStack() as held:
        servers = {size: held.enter_context(_serving(names[size], "benchmarks.list_app")) for size in names}
        for size, server in servers.items():
            server.cookie = sides[size]["cookie"]
        pages = []
        for page in sides["big"]["pages"]:
            small_page = deep["small"] if page == deep["big"] else page
            addresses = {
                "small": sides["small"]["pages"][small_page]["address"], "big": sides["big"]["pages"][page]["address"]
            }  # fmt: skip
            told = sides["big"]["pages"][page]
            pages.append({"page": page, **_compared(servers, addresses, rounds), **told})
            print(f"  {page}: {pages[-1]['ratio_of_medians']} x", file=sys.stderr, flush=True)
        result: dict[str, Any] = {"rows": sizes, "pages": pages}
        if stock:
            result |= _beside_stock(held, names, sizes, servers["small"], rounds)
    return result


def _compared(servers: dict[str, Server], addresses: dict[str, str], rounds: int) -> dict[str, Any]:
    single: dict[str, list[float]] = {size: [] for size in servers}
    many: dict[str, list[float]] = {size: [] for size in servers}
    for size, server in servers.items():
        server.together(addresses[size])
    for _ in range(rounds):
        for size, server in servers.items():
            single[size] += [server.ask(addresses[size]) for _ in range(3)]
        for size, server in servers.items():
            many[size] += server.together(addresses[size], times=2)
    figures: dict[str, Any] = {}
    for kind, took in (("single", single), ("together", many)):
        for size in servers:
            figures[f"{kind}_{size}"] = {
                "median_ms": _ms(statistics.median(took[size])),
                "p95_ms": _ms(_p95(took[size])),
            }
    figures["ratio"] = round(_p95(many["big"]) / _p95(many["small"]), 2)
    figures["ratio_of_medians"] = round(statistics.median(many["big"]) / statistics.median(many["small"]), 2)
    return figures


def _beside_stock(held: Any, names: dict[str, str], sizes: dict[str, int], ours: Server, rounds: int) -> dict[str, Any]:
    """The page of a hundred rows at the small size, ours and stock's by turns; and stock's pages at the big size."""
    small = held.enter_context(_serving_stock(names["small"]))
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds * 3):
        took[0].append(ours.ask("/orders/order/"))
        took[1].append(small.ask("/stock_list/order/"))
    rendering = {
        "ours_ms": _ms(statistics.median(took[0])),
        "stock_ms": _ms(statistics.median(took[1])),
        "ratio": round(statistics.median(our / their for our, their in zip(*took, strict=True)), 2),
        "ours_kb": ours.size // 1000,
        "stock_kb": small.size // 1000,
        "size_ratio": round(ours.size / small.size, 2),
    }
    big = held.enter_context(_serving_stock(names["big"]))
    pages = {}
    for page, query in STOCK_PAGES.items():
        address = f"/stock_list/order/{query.format(last=sizes['big'] // 100)}"
        began = time.perf_counter()
        try:
            single = big.ask(address)
            together = big.together(address)
        except OSError:
            pages[page] = {"gave_up_after_s": round(time.perf_counter() - began)}
            continue
        finally:
            print(f"  stock, {page}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        pages[page] = {"single_ms": _ms(single), "p95_ms": _ms(_p95(together))}
    return {"rendering": rendering, "stock": pages}


def _side(name: str) -> dict[str, Any]:
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.list_pages"],
        env=_environment(name),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(told.stdout.splitlines()[-1])


def _environment(name: str) -> dict[str, str]:
    return os.environ | {"DATABASE_URL": database.url(name), "DJANGO_SETTINGS_MODULE": "opsadmin.settings.test"}


@contextlib.contextmanager
def _serving_stock(name: str) -> Iterator[Server]:
    command = [sys.executable, "-m", "benchmarks.stock_list.sign_in"]
    told = subprocess.run(command, env=_environment(name), check=True, stdout=subprocess.PIPE, text=True)
    with _serving(name, "benchmarks.stock_list.server") as server:
        server.cookie = told.stdout.strip()
        yield server


@contextlib.contextmanager
def _serving(name: str, module: str) -> Iterator[Server]:
    """gunicorn with two workers, as the product runs it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        f"{module}:application",
        "--bind",
        f"127.0.0.1:{port}",
        "--workers",
        "2",
    ]
    command += ["--preload", "--no-control-socket", "--timeout", "120", "--log-level", "critical"]
    running = subprocess.Popen(command, env=_environment(name), stderr=subprocess.DEVNULL)
    try:
        yield Server(f"http://127.0.0.1:{port}")
    finally:
        running.terminate()
        try:
            running.wait(timeout=30)
        except subprocess.TimeoutExpired:  # a worker of stock may still be at its page
            running.kill()


class Server:
    """Pages of one web server, asked for by one person. The first answer may take as long as starting does."""

    def __init__(self, root: str) -> None:
        self.root, self.cookie, self.size = root, "", 0

    def ask(self, address: str) -> float:
        """Seconds until the whole page is there."""
        until = time.monotonic() + 90
        while True:
            began = time.perf_counter()
            try:
                with urllib.request.urlopen(
                    urllib.request.Request(self.root + address, headers={"Cookie": self.cookie}), timeout=120
                ) as response:
                    body = response.read()
            except urllib.error.HTTPError:
                raise
            except urllib.error.URLError as error:
                if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > until:
                    raise
                time.sleep(0.3)
                continue
            assert b"result_list" in body, "This is not the list that was asked for."
            self.size = len(body)
            return time.perf_counter() - began

    def together(self, address: str, times: int = 1) -> list[float]:
        """So many seconds each for eight clients at a time."""
        with ThreadPoolExecutor(CLIENTS) as clients:
            return [
                took
                for part in clients.map(lambda _: [self.ask(address) for _ in range(times)], range(CLIENTS))
                for took in part
            ]


def _p95(took: list[float]) -> float:
    return statistics.quantiles(took, n=20, method="inclusive")[-1]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _told(result: dict[str, Any]) -> str:
    rows = result["rows"]
    lines = [f"  Pages of 100 rows; {rows['small']:,} | {rows['big']:,} orders; median / p95 in ms", ""]
    lines.append(
        f"  {'page':30} {'one client':>25} {'eight clients':>28} {'p95 ratio':>10} {'medians':>8}  queries  told"
    )
    for page in result["pages"]:
        cells = [
            " | ".join(
                f"{page[f'{kind}_{size}']['median_ms']} / {page[f'{kind}_{size}']['p95_ms']}"
                for size in ("small", "big")
            )
            for kind in ("single", "together")
        ]
        lines.append(
            f"  {page['page']:30} {cells[0]:>25} {cells[1]:>28} {page['ratio']:>8.2f} x {page['ratio_of_medians']:>6.2f} x"
            f"  {len(page['queries']):>7}  {page['told']}"
        )
    lines += ["", "  Queries of the first page:"]
    lines += [f"    {query}" for query in result["pages"][0]["queries"]]
    if "rendering" in result:
        made = result["rendering"]
        lines += [
            "",
            f"  A page of {rows['small']:,} orders: {made['ours_ms']} ms, stock {made['stock_ms']} ms ({made['ratio']} x); "
            f"{made['ours_kb']} KB, stock {made['stock_kb']} KB ({made['size_ratio']} x)",
            "",
            f"  Stock on the same {rows['big']:,} orders:",
        ]
        lines += [f"    {page:28} {figures}" for page, figures in result["stock"].items()]
    return "\n".join(lines)
