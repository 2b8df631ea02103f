"""From which column a field probably comes: by its name, by what else people call it, by what was said of such files
before, and by what stands in the column. A suggestion says why; a person decides."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db import models

from admin_ext.access.fields import fields
from admin_ext.access.rights import restrict
from admin_ext.plans.models import Plan
from admin_ext.plans.values import Cleaner, Wrong
from admin_ext.transfers.mapping import folded
from admin_ext.transfers.models import Profile
from admin_ext.transfers.reading import Cell, CellError
from admin_ext.transfers.resources import ModelResource
from admin_ext.transfers.transforms import numbered

LOOKED_BACK = 20
DATES = ("%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y%m%d", "%d.%m.%y", "%d %b %Y", "%d-%b-%y")
NUMBERS = ({"decimal": ",", "thousands": "."}, {"decimal": ".", "thousands": ","}, {"decimal": ",", "thousands": " "})
SURE, LIKELY, POSSIBLE = 1.0, 0.7, 0.5
FITTING = 0.8


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """A field, what the mapping would say of it, and why."""

    field: str
    rule: dict[str, Any]
    why: str
    score: float


def suggest(
    resource: type[ModelResource], header: list[str], sample: Sequence[Sequence[Cell]], *, actor: Any
) -> dict[str, Suggestion]:
    """The best suggestion for each field that has one; a column is suggested once. Only what `actor` may read."""
    model = resource.get_model()
    unread = fields(actor, "import", model).unread | fields(actor, "view", model).unread
    names = [name for name in resource.importable() if name not in unread]
    known = _called(resource, names) + _remembered(resource, names, actor)
    offers = []
    for position, column in enumerate(header):
        values = [row[position] for row in sample if position < len(row)]
        for name in names:
            offers += _offer(model._meta.get_field(name), column, values, known, actor)
    chosen: dict[str, Suggestion] = {}
    taken: set[str] = set()
    for offer in sorted(offers, key=lambda each: -each.score):
        if offer.field not in chosen and offer.rule["from"] not in taken:
            chosen[offer.field] = offer
            taken.add(offer.rule["from"])
    return {name: chosen[name] for name in names if name in chosen}


_Known = list[tuple[str, str, float, str]]  # folded name of a column, field, score, why


def _called(resource: type[ModelResource], names: list[str]) -> _Known:
    model, synonyms = resource.get_model(), resource.synonyms()
    known: _Known = []
    for name in names:
        known += [
            (folded(each), name, SURE, "called so") for each in (name, str(model._meta.get_field(name).verbose_name))
        ]
        known += [(folded(each), name, 0.9, "another word for it") for each in synonyms.get(name, ())]
    return known


def _remembered(resource: type[ModelResource], names: list[str], actor: Any) -> _Known:
    """What profiles that the person may see, and their own last imports, say of columns."""
    label = resource.get_model()._meta.label
    profiles = restrict(Profile.objects.filter(resource=label), actor, "view").order_by("-pk")[:LOOKED_BACK]
    plans = Plan.objects.filter(source="import", model=label, created_by=actor, state=Plan.State.APPLIED)
    said = [(each.mapping, 0.95, f"as in the profile {each}") for each in profiles]
    said += [(each.parameters.get("mapping"), 0.92, "as in your last imports") for each in plans[:LOOKED_BACK]]
    return [
        (folded(str(column)), name, score, why)
        for mapping, score, why in said
        for name, rule in ((mapping or {}).get("columns") or {}).items()
        if name in names and "from" in rule
        for column in [rule["from"], *rule.get("aliases", ())]
    ]


def _offer(field: Any, column: str, values: list[Cell], known: _Known, actor: Any) -> list[Suggestion]:
    told = folded(column)
    if not told:
        return []
    score, why = max(
        ((score, why) for each, name, score, why in known if name == field.name and each == told), default=(0.0, "")
    )
    if not score:
        close = max((_closeness(told, each) for each, name, _, _ in known if name == field.name), default=0.0)
        score, why = (LIKELY * close, "a similar name") if close > 0.75 else (0.0, "")
    filled: list[Cell] = [
        each for each in values if each is not None and not isinstance(each, CellError) and str(each).strip()
    ]
    steps, fit = _fitting(field, filled, actor)
    if not score and fit is not None and fit >= 0.9 and len({str(each) for each in filled}) > 1 and _is_telling(field):
        score, why = POSSIBLE, "by what stands in it"
    elif score and fit is not None and fit < FITTING / 2:
        score, why = score * 0.6, f"{why}, though few of its values fit"
    if not score:
        return []
    return [Suggestion(field.name, {"from": column, **steps}, why, score)]


def _fitting(field: Any, values: list[Cell], actor: Any) -> tuple[dict[str, Any], float | None]:
    """How values of a column must be read for most of them to fit a field, and the share that then does."""
    if not values:
        return {}, None
    if isinstance(field, models.ForeignKey):
        return {}, _share_found(field, values, actor)
    texts = [each for each in values if isinstance(each, str)]
    if isinstance(field, models.DateField) and texts:
        for pattern in DATES:
            if all(_is_date(text, pattern) for text in texts):
                return {"date": pattern}, 1.0
    cleaner = Cleaner(field)
    fit = _share_right(cleaner, values)
    if fit < FITTING and isinstance(field, models.DecimalField | models.IntegerField) and texts:
        for marks in NUMBERS:
            step = numbered({"number": marks})
            assert step is not None
            read = [value for value, error in map(step, values) if error is None]
            better = _share_right(cleaner, read) * len(read) / len(values)
            if better > max(fit, FITTING):
                return {"number": marks}, better
    return {}, fit


def _share_right(cleaner: Cleaner, values: list[Any]) -> float:
    """The share of values that a field takes."""
    column, _ = cleaner.column(values)
    return sum(type(value) is not Wrong for value in column) / max(len(values), 1)


def _share_found(field: Any, values: list[Cell], actor: Any) -> float:
    related = field.related_model
    natural = getattr(related, "natural_key_fields", ("pk",))[0]
    if isinstance(related._meta.get_field(natural), models.ForeignKey) or natural == "pk":
        return 0.0
    texts = {str(each).strip() for each in values}
    rows = restrict(related._default_manager.filter(**{f"{natural}__in": list(texts)}), actor, "view")
    return len(set(rows.values_list(natural, flat=True))) / len(texts)


def _is_telling(field: Any) -> bool:
    """Do few values fit the field, so that those which do tell something?"""
    return isinstance(field, models.ForeignKey | models.DateField | models.EmailField | models.URLField) or bool(
        field.choices
    )


def _closeness(told: str, known: str) -> float:
    if len(known) > 3 and (told.startswith(known) or told.endswith(known)):
        return 0.9
    return difflib.SequenceMatcher(None, told, known).ratio()


def _is_date(text: str, pattern: str) -> bool:
    try:
        return isinstance(datetime.strptime(text.strip(), pattern).date(), date)
    except ValueError:
        return False
