"""Lines of one document go in together or not at all: half an invoice would be a wrong one.

That also keeps the file of failed rows whole: what is corrected there and imported again has all lines of its documents,
each at its place.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.db.models import Count

from admin_ext.plans.models import Action, Plan
from admin_ext.plans.rows import problem
from admin_ext.transfers.entities import Entities
from admin_ext.transfers.gathered import Gathered

DONE = (Action.CREATE, Action.UPDATE, Action.UNCHANGED)


def refuse_together(plan: Plan, kept: Gathered, leaves_from: int, called: str) -> None:
    """Refuse the rows of documents of which a line cannot be; rows from `leaves_from` on are lines.

    A whole that is there already stays as it is; a line that is there is refused with the others.
    """
    for name, line, numbers in kept.spoilt():
        if len(numbers) == 1:
            continue
        said = problem(
            f"Line {line} cannot be imported, and lines of one {called} go in together or not at all.",
            column=called,
            value=name,
            advice=f"Correct line {line}.",
        )
        lines = [number for number in numbers if number >= leaves_from]
        wholes = [number for number in numbers if number < leaves_from]
        refused: dict[str, Any] = {"action": Action.REFUSED, "before": None, "after": None, "errors": [said]}
        plan.rows.filter(number__in=lines, action__in=DONE).update(**refused)
        plan.rows.filter(number__in=wholes, action__in=[Action.CREATE, Action.UPDATE]).update(**refused)


def tally(plan: Plan) -> None:
    """Write into the plan what became of the rows of each entity, and of the lines of the file; to be saved by who asks.

    `plan.parameters["entities"]`: [{"model", "counts"}]; `plan.parameters["lines"]`: {"read", "accepted", "rejected"},
    and "dropped" where a reviewer left lines out: the first is the sum of the others.
    """
    entities = Entities.from_json(plan.parameters["mapping"])
    leaves = {each.label for each in entities.leaves}
    counts: dict[str, Counter[str]] = {}
    dropped = 0
    for model, action, outcome, rows in (
        plan.rows.order_by().values_list("model", "action", "outcome").annotate(n=Count("id"))
    ):
        counts.setdefault(model, Counter())[outcome or action] += rows
        dropped += rows if action == Action.LEFT and model in leaves else 0
    lines = sum((of_model for model, of_model in counts.items() if model in leaves), Counter[str]())
    accepted = sum(lines[action] for action in DONE)
    plan.parameters["entities"] = [
        {"model": model, "counts": dict(counts[model])}
        for model in (each._meta.label for each in entities.columns)
        if model in counts
    ]
    plan.parameters["lines"] = {
        "read": lines.total(),
        "accepted": accepted,
        "rejected": lines.total() - accepted - dropped,
        **({"dropped": dropped} if dropped else {}),
    }
