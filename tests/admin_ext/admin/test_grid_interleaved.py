"""Two people, one grid: whatever the order of what they do, no edit is lost and none is silently reverted.

A model keeps what stands in every cell and what each of them has been shown of it. From it follows, for every save, what
must be told: which cells are conflicts and with what, which are saved, and that a refused save changed nothing.
"""

from __future__ import annotations

import random

import pytest
from django.test import Client

from apps.customers.models import Customer
from tests.admin_ext.admin.grids import Grid
from tests.contracts.world import person_for
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db
COLUMNS = ("city", "phone", "payment_terms_days")
ROWS, STEPS = 2, 14
Cell = tuple[int, str]


class World:
    """The cells as they must be, and for each person which writing of a cell they have last been shown."""

    def __init__(self, rows: list[Customer]) -> None:
        self.stands: dict[Cell, str] = {}
        # Cells are told apart by their writings: the same value written twice is two writings.
        self.history: dict[Cell, list[str]] = {}
        for row in rows:
            for name in COLUMNS:
                self.stands[row.pk, name] = str(getattr(row, name))
                self.history[row.pk, name] = [str(getattr(row, name))]

    def check(self, rows: list[Customer]) -> None:
        now = {row.pk: Customer.objects.get(pk=row.pk) for row in rows}
        assert {cell: str(getattr(now[cell[0]], cell[1])) for cell in self.stands} == self.stands


class Colleague:
    """Somebody with the grid open: what they typed, and for each row the values that they were shown."""

    def __init__(self, client: Client, world: World) -> None:
        self.client, self.world = client, world
        self.open()

    def open(self) -> None:
        self.grid = Grid(self.client, Customer)
        self.shown = dict(self.world.stands)
        self.mine: dict[Cell, str] = {}

    def type(self, row: Customer, name: str, value: str) -> None:
        cell = row.pk, name
        self.grid.theirs.pop(cell, None)
        self.grid.type(row, **{name: value})
        if value == self.shown[cell]:
            self.mine.pop(cell, None)
        else:
            self.mine[cell] = value

    def save(self) -> str:
        """What came of it; everything that was told is held against the world."""
        stands, expected = self.world.stands, {}
        for cell, mine in self.mine.items():
            if stands[cell] != self.shown[cell] and mine != stands[cell]:
                expected[cell] = stands[cell]
        writes = {cell: mine for cell, mine in self.mine.items() if mine != stands[cell]}
        answer = self.grid.save()
        assert not answer["errors"] and not answer["error"]
        told = {(int(k), n): each["value"] for k, row in answer["conflicts"].items() for n, each in row.items()}
        assert told == expected, "each conflict is told, with what stands there, and nothing else is"
        if expected:
            assert answer["saved"] == 0
        else:
            assert answer["saved"] == len({key for key, _ in writes})
            for cell, mine in writes.items():
                stands[cell] = mine
                self.world.history[cell].append(mine)
        # Of every row that they had touched they now see what stands there.
        for cell in stands:
            if cell[0] in {key for key, _ in self.mine}:
                self.shown[cell] = stands[cell]
                assert self.grid.was[cell] == stands[cell]
        self.mine = {c: mine for c, mine in self.mine.items() if expected and mine != stands[c]}
        assert {**self.grid.mine} == self.mine, "what was not saved is still in its cells"
        return "refused" if expected else "saved" if writes else "nothing"

    def choose(self, lots: random.Random) -> int:
        """Choose for every conflict; how many there were."""
        open_ = list(self.grid.theirs)
        for cell in open_:
            if lots.random() < 0.5:
                self.grid.put_back(cell)
                self.mine.pop(cell, None)
            else:
                self.grid.theirs.pop(cell)
        return len(open_)


def interleave(seed: int, rows: list[Customer], clients: list[Client]) -> dict[str, int]:
    """One evening of two people: they open, type, save and choose in an order drawn by chance."""
    lots, counts = random.Random(seed), {"saved": 0, "refused": 0, "nothing": 0, "chosen": 0}
    world = World([Customer.objects.get(pk=row.pk) for row in rows])
    people = [Colleague(client, world) for client in clients]
    for step in range(STEPS):
        who = lots.choice(people)
        if who.grid.theirs:
            counts["chosen"] += who.choose(lots)
            continue
        what = lots.choices(["type", "save", "open"], [6, 4, 0.5])[0]
        if what == "type":
            name = lots.choice(COLUMNS)
            few = ("7", "14", "21") if name == "payment_terms_days" else ("a", "b", f"{seed}-{step}")
            who.type(lots.choice(rows), name, lots.choice(few))
        elif what == "save" and who.mine:
            counts[who.save()] += 1
            world.check(rows)
        elif what == "open":
            who.open()
    for who in people:  # everybody goes home with their work done
        while who.mine:
            counts["chosen"] += who.choose(lots)
            if who.mine:
                counts[who.save()] += 1
    world.check(rows)
    written = {row.pk: _written(row) for row in rows}
    for (key, name), told in world.history.items():
        assert written[key][name][-len(told) :] == told, "the record has every writing, and no other"
    return counts


def _written(row: Customer) -> dict[str, list[str]]:
    """What the record has of each column, in order, each writing once."""
    found: dict[str, list[str]] = {name: [] for name in COLUMNS}
    for past in row.history.order_by("history_id"):
        for name in COLUMNS:
            value = str(getattr(past, name))
            if past.history_type == "+" or name in (past.changed or ()):
                found[name].append(value)
    return found


@pytest.fixture
def rows():
    return [CustomerFactory(city="Lund", phone=str(n)) for n in range(ROWS)]


@pytest.fixture
def clients():
    found = []
    for _ in range(2):
        client = Client()
        client.force_login(person_for(Customer))
        found.append(client)
    return found


def run(seeds, rows, clients) -> dict[str, int]:
    total: dict[str, int] = {}
    for seed in seeds:
        for name, number in interleave(seed, rows, clients).items():
            total[name] = total.get(name, 0) + number
    return total


def test_a_sample_loses_and_reverts_nothing(rows, clients):
    total = run(range(12), rows, clients)
    assert min(total["saved"], total["refused"], total["chosen"]) > 3, total


@pytest.mark.parametrize(
    "chunk", [pytest.param(n, marks=pytest.mark.matrix if n < 4 else pytest.mark.long) for n in range(20)]
)
def test_a_thousand_interleavings_lose_and_revert_nothing(rows, clients, chunk):
    total = run(range(chunk * 50, chunk * 50 + 50), rows, clients)
    print(f"grid: 50 interleavings: {total}")
    assert min(total["saved"], total["refused"], total["chosen"]) > 10, total
