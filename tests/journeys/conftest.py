"""What every journey stands on: the product with the demo world, and a browser."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from opsadmin.embedded.quality import find_browser
from tests.journeys.house import House, open_house
from tests.journeys.people import Person

CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
Meet = Callable[..., Person]


@pytest.fixture(scope="session")
def chromium() -> str:
    found = find_browser()
    if found is None:
        told = "the journeys were not run: no Chromium found"
        pytest.fail(told) if os.environ.get("CI") == "true" else pytest.skip(told)
    return found


@pytest.fixture(scope="package")
def house(chromium: str, tmp_path_factory: Any, django_db_blocker: Any) -> Iterator[House]:
    name = f"opsadmin_journeys_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
    with django_db_blocker.unblock(), open_house(name, tmp_path_factory.mktemp("house")) as opened:
        yield opened


@pytest.fixture(scope="package")
def browser(house: House, chromium: str) -> Iterator[Browser]:
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        yield launched
        launched.close()


@pytest.fixture
def meet(browser: Browser, house: House, tmp_path: Path) -> Meet:
    """Lets a person of the demo sit down at a browser: `with meet("operator") as olga`."""

    def sit_down(username: str, **screen: bool) -> Person:
        return Person(browser, house, username, tmp_path, **screen)

    return sit_down
