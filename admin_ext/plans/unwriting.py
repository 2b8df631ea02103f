"""Writing the rows of an undo: sets as in `writing`, step by step, and with an eye for what the undo itself moved."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from django.apps import apps
from django.db import connection

from admin_ext.audit.context import current_act
from admin_ext.plans.models import Action
from admin_ext.plans.writing import Failures, PlannedRow, SetBased, Table


class Undoing(SetBased):
    """Creates, updates and deletes as sets, step by step as the plan numbers them."""

    def __call__(self, rows: Sequence[PlannedRow], actor: Any) -> Failures:
        failures: Failures = {}
        for (label, _), group in groupby(rows, key=lambda row: (row.model or self.plan.model, row.action)):
            if label not in self.tables:
                written = self.plan.parameters["written"].get(label, {})
                self.tables[label] = UndoTable(
                    self.plan, apps.get_model(label), written, may_be_taken=self.may_be_taken
                )
            failures |= self.tables[label].apply(list(group), actor)
        return failures


class UndoTable(Table):
    """Writes the rows of one model back, or away."""

    def _apply(self, rows: list[PlannedRow], actor: Any) -> Failures:
        if rows[0].action != Action.CREATE:
            self._follow_own_changes(rows)
        return super()._apply(rows, actor)

    def _follow_own_changes(self, rows: list[PlannedRow]) -> None:
        """An order whose lines this undo took back has moved since the plan saw it, and by nobody else's hand.

        Rows that moved are locked before their history is asked, so that nobody moves them in between.
        """
        keys = [row.pk for row in rows]
        with connection.cursor() as cursor:
            cursor.execute(
                f'SELECT t.id FROM plans_planrow p JOIN "{self.name}" t ON t.id = p.target_id '
                "WHERE p.id = ANY(%s) AND t.version <> p.version ORDER BY t.id FOR NO KEY UPDATE OF t",
                [keys],
            )
            if not (moved := [row[0] for row in cursor.fetchall()]):
                return
            history = self.model.history.model._meta.db_table  # type: ignore[attr-defined]
            cursor.execute(
                f'UPDATE plans_planrow p SET version = t.version FROM "{self.name}" t '
                "WHERE p.id = ANY(%s) AND t.id = ANY(%s) AND t.id = p.target_id AND NOT EXISTS ("
                f'SELECT FROM "{history}" h WHERE h.id = t.id AND h.version > p.version '
                "AND h.change_set_id IS DISTINCT FROM %s)",
                [keys, moved, current_act().id],
            )
