"""The change set: one act of a person, by which all rows of the record that it wrote are tied together."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex, GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models.functions import Now

from admin_ext.audit.seals.models import Block, Leaf, RecordedColumn, SealedTable
from admin_ext.audit.triggers import RefuseTrigger

__all__ = [
    "Access",
    "AccessEvent",
    "Block",
    "ChangeSet",
    "ContextKey",
    "Door",
    "Leaf",
    "ReasonRule",
    "RecordedColumn",
    "SealedTable",
    "Tombstone",
]


class Door(models.TextChoices):
    """Through which door a change came in."""

    FORM = "form", "Form"
    INLINE = "inline", "Inline"
    GRID = "grid", "Grid edit"
    BULK = "bulk", "Bulk action"
    IMPORT = "import", "Import"
    TASK = "task", "Task"
    UNDO = "undo", "Undo"
    COMMAND = "command", "Command"
    SHELL = "shell", "Shell"
    SQL = "sql", "SQL"


class ChangeSet(models.Model):
    """One act: who, when, why, through which door. History rows carry its id.

    The database writes it (`sql/act_v2.sql`): when the act's first row is recorded, complete; where the act goes on, it
    is completed at its end. The change set of a job lasts over many transactions. Nobody else writes it, and the
    triggers below refuse every change by a later transaction.
    """

    owner_field = "actor"

    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="+",
        help_text="Who did it. Empty only for a database login of its own (door SQL).",
    )
    acting_as = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        blank=True,
        related_name="+",
        help_text="Whom the actor impersonated, if anybody.",
    )
    door = models.CharField(max_length=8, choices=Door.choices)
    verb = models.CharField(max_length=100, blank=True, help_text="The stored name of what was done, e.g. orders.ship.")
    reason = models.TextField(blank=True)
    ticket = models.CharField(max_length=100, blank=True)
    selection = models.JSONField(null=True, blank=True, help_text="Which rows were meant, as data.")
    file_sha256 = models.CharField(max_length=64, blank=True, help_text="The file that was read, if one was.")
    rows = models.BigIntegerField(default=0, help_text="Rows of the record written under this change set.")
    counts = models.JSONField(default=dict, blank=True, help_text="Outcomes by name, e.g. created, updated, refused.")
    request_id = models.UUIDField(null=True, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    db_user = models.CharField(max_length=63, blank=True, help_text="The database login that wrote it.")
    parent = models.ForeignKey(
        "self", on_delete=models.DO_NOTHING, null=True, blank=True, related_name="children", db_index=False
    )
    lasting = models.BooleanField(default=False, help_text="A job's: written when it starts, completed when it ends.")
    asks_reason = models.BooleanField(default=False, help_text="Something was changed that asks for a reason.")
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)
    xid = models.BigIntegerField(null=True, editable=False, help_text="The transaction that completed it.")

    class Meta:
        ordering = ["-id"]
        get_latest_by = "id"
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["actor", "-id"], name="audit_changeset_actor"),
            models.Index(fields=["verb", "-id"], name="audit_changeset_verb"),
            models.Index(fields=["parent"], condition=models.Q(parent__isnull=False), name="audit_changeset_children"),
            models.Index(fields=["started_at"], name="audit_changeset_started"),
            BrinIndex(fields=["xid"], autosummarize=True, name="audit_changeset_xid"),
            # Nothing that an act's end writes stands in an index, so that it costs no new entry in any of them.
            models.Index(fields=["id"], condition=models.Q(lasting=True), name="audit_changeset_lasting"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(finished_at=None) | models.Q(asks_reason=False) | ~models.Q(reason=""),
                name="a_change_that_asks_for_a_reason_has_one",
            )
        ]
        triggers = [
            RefuseTrigger(
                name="change_set_is_final",
                operations="UPDATE",
                unless="OLD.finished_at IS NULL OR OLD.xid = pg_current_xact_id()::text::bigint",
                message="A finished change set is final.",
            ),
            RefuseTrigger(
                name="change_set_stays", operations="DELETE", message="The record is append-only: change sets stay."
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.verb or self.get_door_display()}"


class Access(models.TextChoices):
    """What somebody read, or tried to."""

    LOGIN = "login", "Logged in"
    LOGOUT = "logout", "Logged out"
    LOGIN_FAILED = "login_failed", "Login failed"
    DENIED = "denied", "Access denied"
    VIEW = "view", "Viewed"
    REVEAL = "reveal", "Revealed a masked value"
    EXPORT = "export", "Exported"
    DOWNLOAD = "download", "Downloaded a file"
    EVIDENCE = "evidence", "Took evidence"
    RIGHTS = "rights", "Rights changed"
    IMPERSONATE = "impersonate", "Looked as somebody else"
    ELEVATION = "elevation", "Elevated session"


class AccessEvent(models.Model):
    """A read worth knowing. Written by the database from a signed claim (`access_log.py`), only ever appended to."""

    owner_field = "actor"
    search_words = ("subject", "reason")
    folds_words = False  # the record knows no room that could

    kind = models.CharField(max_length=12, choices=Access.choices)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="+",
    )
    acting_as = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        blank=True,
        related_name="+",
        help_text="As whom the actor looked at the product, if as somebody else.",
    )
    at = models.DateTimeField()
    model = models.CharField(max_length=100, blank=True, help_text="The model that was read, e.g. accounts.User.")
    object_id = models.BigIntegerField(null=True, blank=True)
    subject = models.CharField(max_length=255, blank=True, help_text="What it was, in words: a file, a page, a role.")
    reason = models.TextField(blank=True)
    detail = models.JSONField(default=dict, blank=True)
    request_id = models.UUIDField(null=True, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    db_user = models.CharField(max_length=63, blank=True)
    xid = models.BigIntegerField(null=True, editable=False)

    class Meta:
        ordering = ["-id"]
        get_latest_by = "id"
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["actor", "-id"], name="audit_access_actor"),
            models.Index(fields=["kind", "-id"], name="audit_access_kind"),
            models.Index(fields=["model", "object_id", "-id"], name="audit_access_object"),
            BrinIndex(fields=["xid"], autosummarize=True, name="audit_access_xid"),
            models.Index(fields=["at"], name="audit_access_when"),
            GinIndex(SearchVector("subject", "reason", config="simple"), name="audit_access_words"),
        ]
        triggers = [
            RefuseTrigger(
                name="append_only", operations="UPDATE DELETE TRUNCATE", message="The record is append-only."
            ),
        ]

    def __str__(self) -> str:
        # Not what it was about: that is told within the rights of whom it is told to.
        return f"#{self.pk} {self.get_kind_display()}"


class Tombstone(models.Model):
    """Why rows of the record are blank or gone: the only way in which the owner may touch them, and itself sealed."""

    class Kind(models.TextChoices):
        ERASURE = "erasure", "Values erased"
        RETENTION = "retention", "Rows past their time removed"

    kind = models.CharField(max_length=9, choices=Kind.choices)
    table_name = models.CharField(max_length=63, help_text="The table of the record that was touched.")
    row_ids = ArrayField(models.BigIntegerField(), help_text="The rows of that table, by history_id.")
    columns = ArrayField(models.TextField(), help_text="What was blanked; empty where whole rows were removed.")
    reason = models.TextField()
    ordered_by = models.CharField(max_length=255, help_text="Who asked for it.")
    db_user = models.CharField(max_length=63)
    written_at = models.DateTimeField(db_default=Now())
    xid = models.BigIntegerField()

    class Meta:
        ordering = ["-id"]
        default_permissions = ("view",)
        indexes = [models.Index(fields=["table_name"], name="audit_tombstone_table")]
        triggers = [
            RefuseTrigger(name="append_only", operations="UPDATE DELETE TRUNCATE", message="Tombstones stay."),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.get_kind_display()} in {self.table_name}"


class ReasonRule(models.Model):
    """A table whose changes ask for a reason, as declared on its model (`reason_required`); kept by `migrate`."""

    table_name = models.CharField(max_length=63, primary_key=True)
    history_table = models.CharField(max_length=63)
    columns = ArrayField(models.TextField(), null=True, help_text="Only changes of these; every change where empty.")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.table_name


class ContextKey(models.Model):
    """A key by which the database checks who acts. Read by the owner's functions alone."""

    class Purpose(models.TextChoices):
        APPLICATION = "application", "Signs the claims of web and worker"
        TRANSACTION = "transaction", "Signs the act within its transaction"

    purpose = models.CharField(max_length=11, choices=Purpose.choices)
    inner_pad = models.BinaryField()
    outer_pad = models.BinaryField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.get_purpose_display()
