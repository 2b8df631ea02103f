"""Reviews: somebody else looked at what was done and says so, for good."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from pgtrigger import After, Before, Insert, Row

from admin_ext.audit.history import History
from admin_ext.audit.models import ChangeSet
from admin_ext.audit.triggers import GuardedTrigger, RefuseTrigger, read_sql


class Review(models.Model):
    """What a person says of one act, or of every act of others in a range. It stays; a later one may supersede it.

    The database fills in when it was signed and what was sealed by then, refuses a signature in another's name or
    under one's own act, and closes the cases that it covers (`Case`).
    """

    class Verdict(models.TextChoices):
        IN_ORDER = "in_order", "In order"
        QUESTION = "question", "Question"
        OBJECTION = "objection", "Objection"

    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    first_act = models.BigIntegerField(help_text="The change set it is about, or the first one of a range.")
    last_act = models.BigIntegerField(help_text="The same change set, or the last one of a range.")
    verdict = models.CharField(max_length=9, choices=Verdict.choices)
    note = models.TextField(blank=True)
    signed_at = models.DateTimeField(db_default=Now(), editable=False)
    block = models.BigIntegerField(null=True, editable=False, help_text="The newest sealed block when it was signed.")
    block_hash = models.CharField(max_length=64, blank=True, editable=False)

    history = History()

    class Meta:
        ordering = ["-id"]
        default_permissions = ("view", "add")
        permissions = [
            ("take_evidence", "Can take evidence out of the record"),
            ("verify_record", "Can have the record verified"),
        ]
        indexes = [
            models.Index(fields=["reviewer", "-id"], name="desk_review_reviewer"),
            models.Index(fields=["first_act", "last_act"], name="desk_review_range"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(first_act__lte=F("last_act")), name="a_review_ends_after_it_begins"),
            models.CheckConstraint(
                condition=Q(verdict="in_order") | ~Q(note=""), name="a_question_or_objection_says_what_it_is"
            ),
        ]
        triggers = [
            RefuseTrigger(name="append_only", operations="UPDATE DELETE TRUNCATE", message="A signed review stays."),
            GuardedTrigger(
                name="sign", when=Before, operation=Insert, level=Row, func=read_sql(__file__, "review_is_signed")
            ),
            GuardedTrigger(
                name="close", when=After, operation=Insert, level=Row, func=read_sql(__file__, "review_closes_cases")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_verdict_display()}: {self.acts}"

    @property
    def acts(self) -> str:
        """Which acts it is about, in words."""
        one = self.first_act == self.last_act
        return f"change set #{self.first_act}" if one else f"change sets #{self.first_act} to #{self.last_act}"


class Case(models.Model):
    """An act that asks for a review, and the newest review that covers it. Written by the database alone (`cases.py`)."""

    written_by_the_database = True

    act = models.OneToOneField(
        ChangeSet, on_delete=models.DO_NOTHING, db_constraint=False, primary_key=True, related_name="case"
    )
    opened_at = models.DateTimeField()
    review = models.ForeignKey(
        Review, on_delete=models.DO_NOTHING, db_constraint=False, null=True, related_name="cases", db_index=False
    )

    class Meta:
        ordering = ["act"]
        default_permissions = ()
        indexes = [
            models.Index(fields=["act"], condition=Q(review=None), name="desk_case_open"),
            models.Index(fields=["opened_at"], condition=Q(review=None), name="desk_case_waiting"),
            models.Index(fields=["review"], condition=Q(review__isnull=False), name="desk_case_review"),
        ]

    def __str__(self) -> str:
        return f"Case of change set #{self.act_id}"
