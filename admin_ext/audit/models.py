"""The change set: one act of a person, by which all rows of the record that it wrote are tied together."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from admin_ext.audit.triggers import RefuseTrigger


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

    Written once, when the act is done; the change set of a job is written when the job starts and completed
    once, when it ends. The database refuses every other change (see `privileges.py` and the triggers below).
    """

    owner_field = "actor"

    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        related_name="+",
        help_text="Who did it. Empty only for a database login of its own (door SQL).",
    )
    acting_as = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
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
    parent = models.ForeignKey("self", on_delete=models.DO_NOTHING, null=True, blank=True, related_name="children")
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        get_latest_by = "id"
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["actor", "-id"], name="audit_changeset_actor"),
            models.Index(fields=["verb", "-id"], name="audit_changeset_verb"),
            models.Index(fields=["parent"], name="audit_changeset_parent"),
            models.Index(fields=["started_at"], name="audit_changeset_started"),
        ]
        triggers = [
            RefuseTrigger(
                name="change_set_is_final",
                operations="UPDATE",
                unless="OLD.finished_at IS NULL",
                message="A finished change set is final.",
            ),
            RefuseTrigger(
                name="change_set_stays", operations="DELETE", message="The record is append-only: change sets stay."
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.verb or self.get_door_display()}"
