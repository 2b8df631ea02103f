"""What every business model is: a `Record`; and what people leave on any record: notes and files."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.core.validators import MinLengthValidator
from django.db import models
from django.db.models.functions import Now

from admin_ext.access.grants import Grants
from admin_ext.access.scopes import scope_permissions
from admin_ext.access.trees import TreeTrigger
from admin_ext.audit.history import History
from admin_ext.querysets import RecordQuerySet

__all__ = ["Attachment", "Note", "Record", "Scope", "Shared", "scope_permissions"]

# `import` and `export` are rights of their own: who may see a row may not carry all of them away.
RECORD_PERMISSIONS = ("view", "add", "change", "delete", "import", "export", "handover", "grant", "reveal")


class Record(models.Model):
    """A row that is on the record: history by trigger, a version raised on every path, rights by role, scope and grant.

    Subclasses that give a Meta derive it from `Record.Meta`, so that the nine rights exist for them.
    """

    scopes: ClassVar[dict[str, str]] = {}
    """How a row hangs from each scope dimension: {"region": "customer__region"}."""
    part_of: ClassVar[str] = ""
    """The foreign key to the whole whose rights a part follows; a part has no rights or grants of its own."""
    natural_key_fields: ClassVar[tuple[str, ...]] = ("code",)
    """The columns by which people name a row: in files, links and searches."""
    search_words: ClassVar[tuple[str, ...]] = ()
    """Text columns whose words a search finds; a big table gives them a `words_index`."""
    controlled_fields: ClassVar[tuple[str, ...]] = ()
    """Columns that only services write: states, totals. An import may bring them in with a new row."""

    derived_fields: ClassVar[dict[str, tuple[str, ...]]] = {}
    """What querysets add to rows, and columns that others keep, with the ORM paths from which they are worked out:
    {"late_by": ("state", "required_on")}. Who may not read one of these is not told the result either. Generated columns
    need no mention."""

    reason_required: ClassVar[bool | tuple[str, ...]] = False
    """Whether a change asks for a reason: every change, or one of the columns that are named. Held by the database."""

    watched: ClassVar[bool] = False
    """Whether the ledger of reads keeps who opened a row's pages."""

    search_references: ClassVar[tuple[str, ...]] = ()
    """Columns by whose beginning a search finds a row, beside the first of its natural key."""

    has_past: ClassVar[bool] = True
    """Whether rows can be read as of an instant of the past. Not for tables that rights are read from."""

    version = models.PositiveIntegerField(db_default=1, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    history = History(inherit=True)
    grants = Grants()
    objects = RecordQuerySet.as_manager()

    class Meta:
        abstract = True
        default_permissions = RECORD_PERMISSIONS

    def save(self, *args: Any, **kwargs: Any) -> None:
        updating = not self._state.adding
        super().save(*args, **kwargs)
        if updating:
            self._forget_what_the_database_decides()

    def natural_key(self) -> tuple[Any, ...]:
        values: list[Any] = []
        for name in self.natural_key_fields:
            value: Any = self
            for step in name.split("__"):
                value = getattr(value, step)
            values.append(value)
        return tuple(values)

    def settled_fields(self) -> tuple[str, ...]:
        """Columns, and relations to parts, that stay as they are in the state the row is in: pages show them only."""
        return ()

    def _forget_what_the_database_decides(self) -> None:
        """Version, instants and generated columns moved in the database: load them again when next asked for."""
        for field in self._meta.concrete_fields:
            if field.name in ("version", "updated_at") or getattr(field, "generated", False):
                self.__dict__.pop(field.attname, None)


class Scope(Record):
    """A model that divides the world. A grant of `access_<dimension>` on a row covers all rows below it."""

    dimension: ClassVar[str] = ""

    parent = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        help_text="What it is part of.",
    )

    class Meta(Record.Meta):
        abstract = True
        triggers = [TreeTrigger()]


class Shared(Record):
    """What a person made for their own work and may let others see.

    Its owner does everything with it and needs no role; whoever it is shared with has a grant to view it, so that
    sharing is decided, recorded and explained as every other right is.
    """

    owner_field: ClassVar[str] = "owner"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta(Record.Meta):
        abstract = True


class Note(models.Model):
    """Something a person wrote down on a record."""

    has_past: ClassVar[bool] = True
    about = ("record",)

    content_type = models.ForeignKey(ContentType, on_delete=models.PROTECT, related_name="+")
    object_id = models.BigIntegerField()
    record = GenericForeignKey("content_type", "object_id")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(validators=[MinLengthValidator(1)])
    written_at = models.DateTimeField(db_default=Now(), editable=False)

    history = History()

    class Meta:
        ordering = ["-id"]
        default_permissions = ()
        indexes = [models.Index(fields=["content_type", "object_id"], name="note_record")]

    def __str__(self) -> str:
        return self.text[:80]


class Attachment(models.Model):
    """A file that a person attached to a record."""

    has_past: ClassVar[bool] = True
    about = ("record",)

    content_type = models.ForeignKey(ContentType, on_delete=models.PROTECT, related_name="+")
    object_id = models.BigIntegerField()
    record = GenericForeignKey("content_type", "object_id")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    file = models.FileField(upload_to="attachments/%Y/%m/")
    name = models.CharField(max_length=255, help_text="What the file was called when it came.")
    size = models.BigIntegerField(help_text="Bytes.")
    sha256 = models.CharField(max_length=64)
    attached_at = models.DateTimeField(db_default=Now(), editable=False)

    history = History()

    class Meta:
        ordering = ["-id"]
        default_permissions = ()
        indexes = [models.Index(fields=["content_type", "object_id"], name="attachment_record")]

    def __str__(self) -> str:
        return self.name
