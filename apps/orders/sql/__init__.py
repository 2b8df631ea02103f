"""Triggers of the orders, from the texts beside."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pgtrigger

from admin_ext.audit.triggers import GuardedTrigger


def sql(name: str, **words: str) -> str:
    """The text of a trigger's function, with its `:words` filled in."""
    text = (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")
    for word, meaning in words.items():
        text = text.replace(f":{word}", meaning)
    return text


class LinesTrigger(GuardedTrigger):
    """Keeps an order's totals equal to its lines after one kind of statement, and refuses lines that come too late."""

    level = pgtrigger.Statement
    when = pgtrigger.After

    # Where the changed rows of each kind of statement are found.
    CHANGED: ClassVar = {
        "insert": "new_rows",
        "delete": "old_rows",
        "update": """(
    SELECT unnest(ARRAY[o.order_id, n.order_id]) AS order_id FROM old_rows o JOIN new_rows n ON n.id = o.id
    WHERE (o.order_id, o.product_id, o.quantity, o.unit_price, o.discount)
        IS DISTINCT FROM (n.order_id, n.product_id, n.quantity, n.unit_price, n.discount)
) changed""",
    }

    def __init__(self, event: str) -> None:
        operation, referencing = {
            "insert": (pgtrigger.Insert, pgtrigger.Referencing(new="new_rows")),
            "update": (pgtrigger.Update, pgtrigger.Referencing(old="old_rows", new="new_rows")),
            "delete": (pgtrigger.Delete, pgtrigger.Referencing(old="old_rows")),
        }[event]
        super().__init__(
            name=f"totals_{event}",
            operation=operation,
            referencing=referencing,
            declare=[("touched", "bigint[]"), ("settled", "record")],
            func=sql("totals_follow_lines", changed=self.CHANGED[event]),
        )
