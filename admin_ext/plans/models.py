"""A plan: what would change, row by row, before anything does; applied once, only where the row is still as planned."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from admin_ext.audit.reasons import asks_reason, told_rule


class Action(models.TextChoices):
    """What a plan proposes for a row, or why it proposes nothing."""

    CREATE = "create", "New"
    UPDATE = "update", "Changed"
    UNCHANGED = "unchanged", "Unchanged"
    DELETE = "delete", "Deleted"
    REFUSED = "refused", "Refused"
    INVALID = "invalid", "Invalid"
    DRIFTED = "drifted", "Moved since"
    LEFT = "left", "Left alone"


class Mode(models.TextChoices):
    """What happens to the good rows when some are not."""

    ALL_OR_NOTHING = "all_or_nothing", "All or nothing"
    KEEP_GOOD = "keep_good", "Keep the good rows"


class Plan(models.Model):
    """Proposed rows and where they came from; once applied, the receipt of what was done."""

    owner_field = "created_by"

    class State(models.TextChoices):
        MAKING = "making", "Being made"
        READY = "ready", "Ready for review"
        APPLYING = "applying", "Being applied"
        APPLIED = "applied", "Applied"
        DISCARDED = "discarded", "Discarded"
        FAILED = "failed", "Could not be made"

    source = models.CharField(
        max_length=20, help_text="Which source makes its rows: import, verb, edit, revert, restore."
    )
    title = models.CharField(max_length=200)
    model = models.CharField(max_length=100, help_text="The model whose rows it is about, e.g. customers.Customer.")
    parameters = models.JSONField(default=dict, blank=True)
    file = models.ForeignKey("jobs.JobFile", on_delete=models.PROTECT, null=True, blank=True, related_name="plans")
    notes = models.JSONField(default=list, blank=True, help_text="What a reviewer should know, in sentences.")
    header = models.JSONField(default=list, blank=True, help_text="The columns of the file, as they came.")
    columns = models.JSONField(default=list, blank=True, help_text="The fields that its rows may change.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.MAKING)
    mode = models.CharField(max_length=15, choices=Mode.choices, blank=True)
    counts = models.JSONField(default=dict, blank=True, help_text="Rows by proposed action; by outcome once applied.")
    making = models.ForeignKey("jobs.Job", on_delete=models.PROTECT, null=True, related_name="plans_made")
    applying = models.ForeignKey(
        "jobs.Job", on_delete=models.PROTECT, null=True, blank=True, related_name="plans_applied"
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="plans")
    created_at = models.DateTimeField(db_default=Now())
    applied_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        default_permissions = ("view",)
        indexes = [models.Index(fields=["created_by", "-id"], name="plan_of_person")]

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"

    def get_model(self) -> type[models.Model]:
        return apps.get_model(self.model)

    def model_of(self, row: PlanRow) -> type[models.Model]:
        """The model of one of its rows."""
        return apps.get_model(row.model or self.model)

    def count_outcomes(self) -> dict[str, int]:
        """Rows by what became of them: the receipt. They add up to the rows that came in."""
        told = models.Case(models.When(outcome="", then="action"), default="outcome")
        rows = self.rows.annotate(told=told).values("told").annotate(n=models.Count("id"))
        return {row["told"]: row["n"] for row in rows.order_by("told")}

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def good(self) -> int:
        """Rows that an apply would write."""
        return sum(self.counts.get(action, 0) for action in (Action.CREATE, Action.UPDATE, Action.DELETE))

    @property
    def revision(self) -> int:
        """How often it was corrected or made again since it was made, where rows get other numbers by that."""
        return self.parameters.get("revision", 0)

    @property
    def is_unchecked(self) -> bool:
        """Does something that its reviewer put in wait to be checked?"""
        return "unchecked" in self.parameters

    @property
    def reason(self) -> str:
        """Why it is to be applied, as far as that was said."""
        return self.parameters.get("reason", "")

    @property
    def asks_reason(self) -> bool:
        """Would applying it change something that asks for a reason?"""
        if self.good and asks_reason(self.get_model()):
            return True
        written = {apps.get_model(label): columns for label, columns in self.parameters.get("written", {}).items()}
        return any(
            asks_reason(model) or asks_reason(model, columns.get(Action.UPDATE, ()))
            for model, columns in written.items()
            if self.good
        )

    @property
    def told_rule(self) -> str:
        return told_rule(self.get_model())

    @property
    def bad(self) -> int:
        return sum(self.counts.get(action, 0) for action in (Action.REFUSED, Action.INVALID, Action.DRIFTED))


class PlanRow(models.Model):
    """One row of a plan: a target row, what it is and what it would become."""

    plan = models.ForeignKey(
        Plan,
        on_delete=models.CASCADE,
        related_name="rows",
        db_index=False,
        # Rows are only written by the job that makes their plan; to ask for each whether there is one costs a third.
        db_constraint=False,
    )
    number = models.BigIntegerField(help_text="Position in the plan, from 1.")
    line = models.BigIntegerField(null=True, help_text="Line of the file, or row of the sheet, where it stood.")
    key = models.TextField(blank=True, help_text="By what name people know the row.")
    action = models.CharField(max_length=10, choices=Action.choices)
    model = models.CharField(
        max_length=100,
        blank=True,
        default="",
        db_default="",
        help_text="The model of the row; blank: that of the plan.",
    )
    target_id = models.BigIntegerField(
        null=True, help_text="The key of the row; of a new one, the key that it is to have again."
    )
    version = models.IntegerField(null=True, help_text="The version of the target that the plan saw.")
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    errors = models.JSONField(null=True, help_text="[{column, value, message, advice}]")
    raw = models.JSONField(null=True, help_text="The cells as they came.")
    corrections = models.JSONField(
        null=True,
        help_text="What its reviewer did to it: {cells: {position: text}, was: the action before it was dropped, "
        "log: [{by, name, at, did, column, before, after}]}.",
    )
    outcome = models.CharField(max_length=10, blank=True, choices=Action.choices, help_text="What applying it came to.")

    class Meta:
        ordering = ["number"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["plan", "number"], name="a_plan_row_has_one_number")]
        indexes = [
            models.Index(
                fields=["plan", "number"],
                condition=Q(action__in=["refused", "invalid", "drifted"]),
                name="plan_row_bad",
            ),
            models.Index(fields=["plan", "number"], condition=~Q(outcome=""), name="plan_row_outcome"),
            models.Index(fields=["plan", "number"], condition=Q(corrections__isnull=False), name="plan_row_corrected"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.key}"

    @property
    def cells(self) -> list[Any]:
        """The cells as they came, with those put in that its reviewer corrected."""
        cells = list(self.raw or [])
        for position, text in (self.corrections or {}).get("cells", {}).items():
            cells += [None] * (int(position) + 1 - len(cells))
            cells[int(position)] = text
        return cells
