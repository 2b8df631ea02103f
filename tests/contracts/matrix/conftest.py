"""One world for everything that is asked of it: making it takes longer than most questions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import databases
from tests.contracts.matrix.answers import Asker
from tests.contracts.matrix.rows import World, make_world


@pytest.fixture(scope="package")
def world(django_db_setup: None, django_db_blocker) -> Iterator[World]:
    """People, rows and canaries. Whoever changes any of it takes it back."""
    with django_db_blocker.unblock(), databases.committed():
        yield make_world()


@pytest.fixture
def asker(world: World) -> Asker:
    """Its people log in anew for each test: all that they do is taken back, so that they would seem idle, and be out."""
    return Asker(world)
