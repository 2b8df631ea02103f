"""The tables of the seals. The sealer appends to them; nobody changes them."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from admin_ext.audit.triggers import RefuseTrigger


class SealedTable(models.Model):
    """A table whose rows are sealed, by the name that goes into its leaves. `migrate` adds to them."""

    id = models.SmallAutoField(primary_key=True)
    name = models.CharField(max_length=63, unique=True)

    class Meta:
        default_permissions = ()
        triggers = [
            RefuseTrigger(name="append_only", operations="UPDATE DELETE TRUNCATE", message="Names of seals stay.")
        ]

    def __str__(self) -> str:
        return self.name


# A leaf's salt may be forgotten, which erases: nobody can try values against the hash any more.
FORGETS_ITS_SALT = (
    "NEW.salt IS NULL AND ROW(NEW.seq, NEW.source_id, NEW.row_id, NEW.hash) "
    "= ROW(OLD.seq, OLD.source_id, OLD.row_id, OLD.hash) AND public.opsadmin_tombstone_named("
    "(SELECT s.name FROM public.audit_sealedtable s WHERE s.id = OLD.source_id))"
)


class Leaf(models.Model):
    """One sealed row: its salted hash, and its place among all. The formula is `sources.Source.leaf_hash`."""

    seq = models.BigIntegerField(primary_key=True, help_text="Counted from 1 without a gap, within an epoch.")
    source = models.ForeignKey(
        SealedTable, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    row_id = models.BigIntegerField()
    salt = models.BinaryField(null=True, help_text="16 random bytes; forgotten when the row was erased or removed.")
    hash = models.BinaryField()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["source", "row_id"], name="nothing_is_sealed_twice")]
        triggers = [
            RefuseTrigger(
                name="append_only", operations="UPDATE", unless=FORGETS_ITS_SALT, message="Seals are append-only."
            ),
            RefuseTrigger(name="seals_stay", operations="DELETE TRUNCATE", message="Seals are append-only."),
        ]

    def __str__(self) -> str:
        return f"#{self.seq}"


class Block(models.Model):
    """Leaves under one root, chained to the block before and signed. `checkpoints.Header` is what is hashed."""

    number = models.BigIntegerField(primary_key=True)
    epoch = models.IntegerField(help_text="Raised after a restore or on a new server, by whoever holds the key.")
    first_seq = models.BigIntegerField()
    size = models.IntegerField()
    root = models.BinaryField()
    previous = models.BinaryField(help_text="The hash of the block before.")
    hash = models.BinaryField()
    horizon = models.BigIntegerField(help_text="All rows of earlier transactions are sealed. 0: not all yet.")
    cluster = models.BigIntegerField(help_text="The system identifier of the server.")
    sealed_at = models.DateTimeField()
    note = models.TextField(blank=True, help_text="Why a new epoch began.")
    key_id = models.CharField(max_length=16)
    signature = models.BinaryField()

    class Meta:
        ordering = ["-number"]
        get_latest_by = "number"
        default_permissions = ("view",)
        indexes = [models.Index(fields=["sealed_at"], name="audit_block_sealed")]
        triggers = [
            RefuseTrigger(name="append_only", operations="UPDATE DELETE TRUNCATE", message="Seals are append-only.")
        ]

    def __str__(self) -> str:
        return f"Block {self.number}"


class RecordedColumn(models.Model):
    """A column that a history table gained later, and what the rows that were there got for it.

    With it the last history row of a record can be compared with the record itself: a migration that adds a column
    changes rows without a trigger, so older history rows cannot carry the value.
    """

    table_name = models.CharField(max_length=63)
    column = models.CharField(max_length=63)
    after = models.BigIntegerField(help_text="The newest history row that does not carry it.")
    value = models.JSONField(null=True, help_text="What every row got that was there.")
    uniform = models.BooleanField(help_text="Whether they all got the same; if not, it cannot be compared.")
    noted_at = models.DateTimeField(db_default=Now())
    xid = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["table_name", "column"], name="a_column_appears_once")]
        triggers = [
            RefuseTrigger(name="append_only", operations="UPDATE DELETE TRUNCATE", message="The record is append-only.")
        ]

    def __str__(self) -> str:
        return f"{self.table_name}.{self.column}"
