"""The matrix: every address, person and row answers as the declared rights say, and tells nobody else's secrets."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest
from django.db import models
from django.urls import path

from tests.contracts.matrix.addresses import (
    Address,
    NoExpectation,
    addresses,
    cases,
    expectation_of,
    without_expectation,
)
from tests.contracts.matrix.answers import Answer, Asker
from tests.contracts.matrix.expectations import LIST_ACTIONS, TELL_WHAT_IS_THERE, Case, expected, holds_any, may_know
from tests.contracts.matrix.rows import World, texts_of
from tests.contracts.world import registered

ADDRESSES = addresses()
SHOWN = 25  # of each chunk
TOLD = ("edit", "act", "life", "who", "why")  # what one address can be asked for


def deviations(asker: Asker, address: Address, each: Case) -> Iterator[str]:
    """What is wrong with the answer to one request."""
    wanted = expected(each, address.rule)
    try:
        answer = asker.ask(each)
    except Exception as error:  # a fault of the product is a deviation like any other; all are told at once
        yield f"{_told(each)}: {type(error).__name__}: {error}"
        return
    # Of the addresses that need no login it matters that they tell nothing.
    if answer.looks != wanted and wanted != "public":
        yield f"{_told(each)}: expected {wanted}, got {answer.looks} ({answer.status} {answer.location})"
    for secret in asker.leaked(each, answer):
        yield f"{_told(each)}: tells {secret}"
    asker.last = answer  # type: ignore[attr-defined]


def _told(each: Case) -> str:
    row = f" on the {each.row.state} {each.row.model._meta.label}" if each.row else ""
    return f"{each.person} {each.method} {each.url[:120]}{row}"


def walk(asker: Asker, address: Address) -> tuple[int, list[str]]:
    """All requests of one address; and: a row elsewhere answers as one that never was."""
    count, wrong = 0, []
    seen: dict[tuple, dict[str, Answer]] = {}
    for each in cases(address, asker.world):
        count += 1
        asker.last = None  # type: ignore[attr-defined]
        wrong += deviations(asker, address, each)
        if each.row is not None and asker.last is not None and each.method in ("GET", "POST"):  # type: ignore[attr-defined]
            verb = getattr(each.chosen, "name", each.chosen if each.chosen in TOLD else "")
            place = (each.person.name, each.method, each.row.model, verb)
            seen.setdefault(place, {})[each.row.state] = asker.last, each  # type: ignore
    for there in seen.values():
        wrong += _told_apart(there)
    return count, wrong


def _told_apart(there: dict) -> Iterator[str]:
    """Somebody who may not see a row must not be able to tell it from one that is missing."""
    if "missing" not in there:
        return
    missing, never = there["missing"]
    for state in ("foreign", "half"):
        if state not in there:
            continue
        answer, each = there[state]
        keys = each.row.key, never.row.key
        one, other = answer.normal(*keys), missing.normal(*keys)
        if not may_know(each.person, each.row) and not _may_know_it_is_there(each) and one != other:
            yield f"{_told(each)}: a row that is not there answers otherwise: {_difference(one, other)}"


def _may_know_it_is_there(case: Case) -> bool:
    right = TELL_WHAT_IS_THERE.get(case.name)
    return right is not None and (case.person.is_superuser or right in case.person.rights)


def _difference(one: tuple, other: tuple) -> str:
    if one[:2] != other[:2]:
        return f"{one[:2]} / {other[:2]}"
    pairs = zip(one[2].splitlines(), other[2].splitlines(), strict=False)
    return next((f"{a.strip()[:200]!r} / {b.strip()[:200]!r}" for a, b in pairs if a != b), "lengths")


def _chunks() -> list:
    """The addresses of one admin together, those of the site alone: so that workers share them out."""
    by_admin: dict[str, list[Address]] = {}
    for each in ADDRESSES:
        key = each.model_admin.opts.label if each.model_admin else f"site {each.name}"
        by_admin.setdefault(key, []).append(each)
    return [pytest.param(chunk, id=key) for key, chunk in by_admin.items()]


@pytest.mark.matrix
@pytest.mark.parametrize("chunk", _chunks())
def test_every_answer_is_the_one_that_the_rights_ask_for(asker, chunk, record_property):
    count, wrong = 0, []
    for address in chunk:
        made, found = walk(asker, address)
        assert made, f"No request was made of {address.route}: say in addresses.py what to fill in."
        count, wrong = count + made, wrong + found
    record_property("cases", count)
    assert not wrong, f"{len(wrong)} deviations in {count} cases:\n" + "\n".join(wrong[:SHOWN])
    print(f"matrix: {count:,} cases, 0 deviations")


def test_every_address_has_an_expectation():
    assert not without_expectation(), "\n".join(without_expectation())


def test_there_are_enough_cases(asker):
    counts = Counter({each.name or each.route: sum(1 for _ in cases(each, asker.world)) for each in ADDRESSES})
    assert min(counts.values()) > 0, [name for name, count in counts.items() if not count]
    total = sum(counts.values())
    print(f"matrix: {total:,} cases over {len(ADDRESSES)} addresses")
    assert total >= 20_000


def test_a_sample_answers_as_the_rights_ask_for(asker):
    """Every address once, by a person and on a row that chance picked, the same ones every day."""
    lots = random.Random(4)
    wrong: list[str] = []
    for address in ADDRESSES:
        among = [each for each in cases(address, asker.world) if each.person.enters]
        wrong += deviations(asker, address, lots.choice(among))
    assert not wrong, f"{len(wrong)} deviations:\n" + "\n".join(wrong[:SHOWN])


# Columns of words in which no canary can be: each with the reason.
NO_CANARY: dict[str, str] = {
    "access.FieldPolicy.model": "it names a model, by a constraint",
    "access.FieldPolicy.field": "it names a field, by a constraint",
}


class TestCanaries:
    def test_are_in_every_text_of_every_model(self, asker):
        """A new column of words that takes no canary is named here, with its reason."""
        world: World = asker.world
        unknown = {name: why for name, why in world.not_written.items() if name not in NO_CANARY and why != "too short"}
        assert not unknown, f"Say in NO_CANARY why these hold no canary: {unknown}"

    def test_are_there_for_every_list(self, asker):
        world: World = asker.world
        held = {row.model for row, _ in world.canaries.values()}
        for model_admin in registered():
            label = model_admin.opts.label
            if any(f"{label}.{field.name}" not in NO_CANARY for field in texts_of(model_admin.model)):
                assert model_admin.model in held, model_admin.opts.label


def test_every_action_of_a_list_has_an_expectation(rf, asker):
    """What a list offers is a verb of its admin, the edit of columns or in LIST_ACTIONS; nothing else has an expectation."""
    for person in [each for each in asker.world.people.values() if each.enters]:
        request = rf.get("/")
        request.user = person.user
        for model_admin in registered():
            others = LIST_ACTIONS.get(model_admin.opts.label, {})
            known = {verb.name for verb in model_admin.verbs} | {"edit", *others}
            offered = set(model_admin.get_actions(request))
            assert offered <= known, (
                f"{model_admin.opts.label} offers {offered - known}: make it a Verb, or teach expectations.py its right."
            )
            for name, right in others.items():
                assert (name in offered) == holds_any(person, right, model_admin.model), (person, name)


def test_every_foreign_key_of_a_form_is_asked_of_the_autocomplete(asker):
    address = next(each for each in ADDRESSES if each.name == "autocomplete")
    urls = "\n".join(each.url for each in cases(address, asker.world))
    for model_admin in registered():
        for field in model_admin.model._meta.fields:
            if isinstance(field, models.ForeignKey):
                name = f"model_name={model_admin.opts.model_name}&field_name={field.name}"
                assert name in urls, name


class TestTheJudge:
    """It sees what it is to see."""

    def test_asks_for_the_expectation_of_an_address(self):
        for name in ("orders_order_peek", "peek", None):
            pattern = path("orders/order/<path:object_id>/peek/", lambda request: None, name=name)
            with pytest.raises(NoExpectation, match=r"expectations\.py"):
                expectation_of("orders/order/<path:object_id>/peek/", pattern)

    def test_sees_a_canary_of_a_row_elsewhere(self, asker):
        world: World = asker.world
        canary, (row, _) = next(
            each for each in world.canaries.items() if each[1][0].state == "foreign" and each[1][0].places
        )
        own = next(each for each, (found, _) in world.canaries.items() if found is world.rows[row.model, "own"])
        case = Case("search", "/search/", "GET", world.people["manager"])
        assert len(asker.leaked(case, Answer("ok", 200, "", f"<p>{canary}</p>"))) == 1
        assert asker.leaked(case, Answer("ok", 200, "", f"<p>{own}</p>")) == []
        assert len(asker.leaked(case.of(world.people["no rights"]), Answer("ok", 200, "", own))) == 1
        assert asker.leaked(case.of(world.people["superuser"]), Answer("ok", 200, "", canary)) == []

    def test_tells_two_answers_apart(self, asker):
        world: World = asker.world
        model = next(model for model, state in world.rows if state == "foreign" and model._meta.label == "orders.Order")
        row, never = world.rows[model, "foreign"], world.row(model, "missing", world.people["manager"])
        cases_ = [Case("x", "/", "GET", world.people["manager"], row=each) for each in (row, never)]
        same = [Answer("not there", 404, "", f"no {each.row.key}") for each in cases_]
        there = {"foreign": (same[0], cases_[0]), "missing": (same[1], cases_[1])}
        assert list(_told_apart(there)) == []
        there["foreign"] = (Answer("not there", 404, "", f"not for you: {row.key}"), cases_[0])
        assert len(list(_told_apart(there))) == 1
