"""A pasted list of references: which rows are meant, and which references mean none, or more than one."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from django.db import models

from admin_ext.access.fields import treatment_of
from admin_ext.access.rights import restrict

MOST_REFERENCES = 20_000


class TooManyReferences(ValueError):
    """More references were pasted than are taken at once."""


@dataclasses.dataclass(frozen=True)
class Pasted:
    """What a list of references came to. A row that the person may not see is as unmatched as one that never was."""

    keys: list[int]
    unmatched: list[str]
    ambiguous: list[str]
    repeated: int


def references_of(model: type[models.Model], user: Any) -> list[str]:
    """The columns by which people name rows of a model, as far as the person may read them."""
    named = (*getattr(model, "natural_key_fields", ())[:1], *getattr(model, "search_references", ()))
    return [name for name in dict.fromkeys(named) if "__" not in name and not treatment_of(user, model, name)]


def match_references(model: type[models.Model], text: str, *, actor: Any) -> Pasted:
    """Find the rows that a pasted text names: one reference a line, or with tabs, commas or semicolons between them.

    Raises TooManyReferences.
    """
    pasted = [each for each in (part.strip().strip('"') for part in re.split(r"[\r\n\t,;]+", text)) if each]
    wanted = list(dict.fromkeys(pasted))
    if len(wanted) > MOST_REFERENCES:
        raise TooManyReferences(f"There are {len(wanted):,} references; at most {MOST_REFERENCES:,} are taken at once.")
    found: dict[str, set[int]] = {}
    rows = restrict(model._default_manager.all(), actor, "view").order_by()
    spelt = list(dict.fromkeys(each for text in wanted for each in (text, text.upper())))
    for name in references_of(model, actor):
        for told, key in rows.filter(**{f"{name}__any_of": spelt}).values_list(name, "pk"):
            found.setdefault(str(told), set()).add(key)
    meant = {each: found.get(each) or found.get(each.upper()) or set() for each in wanted}
    matched = [next(iter(each)) for each in meant.values() if len(each) == 1]
    keys = sorted(set(matched))
    return Pasted(
        keys=keys,
        unmatched=[each for each in wanted if not meant[each]],
        ambiguous=[each for each in wanted if len(meant[each]) > 1],
        repeated=len(pasted) - len(wanted) + len(matched) - len(keys),
    )
