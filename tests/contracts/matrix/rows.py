"""What there is to see: rows in people's own places and elsewhere, deleted ones, and canaries in all their texts."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Iterator
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.db import DatabaseError, models, transaction
from django.db.models import ProtectedError

from admin_ext.access.scopes import scope_models
from admin_ext.audit.access_log import note_access
from admin_ext.audit.context import change_set
from admin_ext.audit.history import tracked_models
from admin_ext.audit.models import AccessEvent, ChangeSet
from admin_ext.desk.models import Review
from admin_ext.filtering.models import SavedView
from admin_ext.granting.models import AccessReview, AccessReviewItem, Elevation
from admin_ext.jobs.models import Job, JobFile, Schedule
from admin_ext.models import Attachment, Note, Record
from admin_ext.transfers.models import ExportDefinition
from tests.contracts.matrix.people import Person, grant_row, let_into, make_people, note_policies, set_policies
from tests.contracts.world import make, registered
from tests.factories import UserFactory

CANARY = "QZX"
MISSING = 99_999_977


@dataclasses.dataclass
class Row:
    """A row and the facts that decide who may see it. `places` by dimension, `owner` by key."""

    model: type[models.Model]
    key: int
    state: str
    places: dict[str, int | None] = dataclasses.field(default_factory=dict)
    owner: int | None = None
    instance: Any = None
    deleted: bool = False
    attachment: int = MISSING
    first_history: int = MISSING
    file: int = MISSING
    item: int = MISSING


@dataclasses.dataclass
class World:
    """People, rows by model and state, and whose every canary is."""

    people: dict[str, Person] = dataclasses.field(default_factory=dict)
    rows: dict[tuple[type[models.Model], str], Row] = dataclasses.field(default_factory=dict)
    owned: dict[tuple[type[models.Model], str], Row] = dataclasses.field(default_factory=dict)
    canaries: dict[str, tuple[Row, str]] = dataclasses.field(default_factory=dict)
    columns: dict[str, tuple[type[models.Model], str]] = dataclasses.field(default_factory=dict)
    """The model and the column in which each canary stands, of a part as of a whole."""
    not_written: dict[str, str] = dataclasses.field(default_factory=dict)
    numbers: Iterator[int] = dataclasses.field(default_factory=lambda: itertools.count(10_001))

    def row(self, model: type[models.Model], state: str, person: Person) -> Row | None:
        """The row of a state as it is meant for a person; None where the model has none of that state."""
        if state == "missing":
            return Row(model, MISSING, state)
        if state == "own" and (model, person.name) in self.owned:
            return self.owned[model, person.name]
        return self.rows.get((model, state))

    def states(self, model: type[models.Model]) -> list[str]:
        return [state for state in STATES if state == "missing" or (model, state) in self.rows]


STATES = ("own", "foreign", "half", "missing", "deleted", "deleted-foreign")


def make_world() -> World:
    """Written for good: call inside `databases.committed()`."""
    # Factories go in order, so that two workers make the same world.
    random.seed(20260101)
    world = World()
    with change_set(actor=None, door="shell", verb="tests.arrange"):
        world.people = make_people()
    records = [each.model for each in registered() if not getattr(each.model, "owner_field", "")]
    owned = [each.model for each in registered() if getattr(each.model, "owner_field", "")]
    for model in records:
        _add(world, model, "own")
        _add(world, model, "foreign")
        _add(world, model, "deleted")
        _add(world, model, "deleted-foreign")
    for model in records:
        if len(getattr(model, "scopes", {})) > 1:
            _add(world, model, "half")
    _add_items(world)
    set_policies(world.people)
    _let_people_in(world)
    _write_down(world)
    _delete(world)
    note_policies(world.people)
    stranger = UserFactory(username="matrix-stranger")
    for model in owned:
        world.rows[model, "foreign"] = _owned(world, model, stranger, "foreign")
        world.rows[model, "own"] = world.rows[model, "foreign"]
        for person in world.people.values():
            if person.user:
                world.owned[model, person.name] = _owned(world, model, person.user, "own")
    return world


def _add(world: World, model: type[models.Model], state: str) -> None:
    instance = make(model, **_texts_at_birth(world, model))
    row = world.rows[model, state] = Row(model, instance.pk, state, instance=instance)
    row.places = _places_of(instance)
    if _is_written_once(model):
        _claim(world, row)


def _add_items(world: World) -> None:
    """Something to decide in every review of access."""
    with change_set(actor=None, door="shell", verb="tests.arrange"):
        for (model, _), row in world.rows.items():
            if model is AccessReview:
                holder = UserFactory()
                row.item = AccessReviewItem.objects.create(review_id=row.key, person=holder, kind="role").pk


def _texts_at_birth(world: World, model: type[models.Model]) -> dict[str, str]:
    """A ledger's texts are written once."""
    if not _is_written_once(model):
        return {}
    return {field.name: f"{CANARY}{next(world.numbers)}" for field in texts_of(model) if field.editable}


def _is_written_once(model: type[models.Model]) -> bool:
    return getattr(model, "append_only", False) or model is Review


def _claim(world: World, row: Row) -> None:
    for field in texts_of(row.model):
        value = getattr(row.instance, field.attname)
        if isinstance(value, str) and value.startswith(CANARY):
            world.canaries[value] = (row, field.name)
            world.columns[value] = (row.model, field.name)


def _places_of(instance: Any) -> dict[str, int | None]:
    rows = type(instance)._base_manager.filter(pk=instance.pk)
    scopes = getattr(instance, "scopes", {})
    return {dimension: rows.values_list(path, flat=True).get() for dimension, path in scopes.items()}


def _let_people_in(world: World) -> None:
    """Everybody at home works in the places of the rows that are their own; of a half one, in all but the first."""
    models_by_dimension = {model.dimension: model for model in scope_models()}
    for (_, state), row in list(world.rows.items()):
        dimensions = list(row.places)
        at_home = {"own": dimensions, "deleted": dimensions, "half": dimensions[1:]}.get(state, [])
        for dimension in at_home:
            place = models_by_dimension[dimension]._default_manager.get(pk=row.places[dimension])
            for person in world.people.values():
                if person.name != "guest":
                    let_into(person, place)
        if state == "own" and hasattr(row.model, "user_grants_model"):
            grant_row(world.people["guest"], "view", row.instance)


def texts_of(model: type[models.Model]) -> list[models.Field]:
    """Columns that hold words, wherever they come from."""
    return [
        field
        for field in model._meta.concrete_fields
        if isinstance(field, models.CharField | models.TextField | models.FileField)
        and not field.choices
        and not getattr(field, "generated", False)
        and field.name != "password"
    ]


def _write_down(world: World) -> None:
    """Put a canary into every text of every row there is, one after the other, so that history holds some that the row
    has no more; leave a note and a file on every record.
    """
    author = UserFactory(username="matrix-author")
    for row in list(world.rows.values()):
        if isinstance(row.instance, Record):
            with change_set(actor=None, door="shell", verb="tests.arrange"):
                text = f"{CANARY}{next(world.numbers)}"
                Note.objects.create(record=row.instance, author=author, text=text)
                world.canaries[text] = (row, "note")
                name = f"{CANARY}{next(world.numbers)}"
                attachment = Attachment(record=row.instance, author=author, name=name, size=1, sha256="0" * 64)
                attachment.file.save(f"matrix-{row.model._meta.model_name}-{row.key}", ContentFile(b"x"), save=False)
                attachment.save()
                row.attachment = attachment.pk
                world.canaries[name] = (row, "attachment")
    for model in tracked_models():
        if _is_written_once(model) or not _is_told(model):
            continue
        for instance in model._base_manager.filter(pk__gte=0):
            row = _row_of(world, instance)
            if row is not None:
                _put_canaries(world, row, instance)
    for row in world.rows.values():
        if hasattr(row.model, "history"):
            row.first_history = row.model.history.filter(id=row.key).order_by("history_id").first().pk


def _is_told(model: type[models.Model]) -> bool:
    """Not people's logins and roles by name: who did something is told to everybody. Those are put in by hand."""
    return model not in (Note, Attachment) and bool(texts_of(model))


def _row_of(world: World, instance: Any) -> Row | None:
    """The facts about any row of the database: those of its whole, if it is a part."""
    model = type(instance)
    for row in world.rows.values():
        if row.model is model and row.key == instance.pk:
            return row
    if part_of := getattr(model, "part_of", ""):
        return _row_of(world, getattr(instance, part_of))
    if not hasattr(model, "scopes") or model._meta.label in ("accounts.User", "accounts.Role"):
        return None
    return Row(model, instance.pk, "beside", _places_of(instance), instance=instance)


def _put_canaries(world: World, row: Row, instance: Any) -> None:
    model = type(instance)
    for turn in range(2):
        for field in texts_of(model):
            told_to_all = model._meta.label == "accounts.User" and field.name in ("first_name", "last_name", "username")
            if told_to_all or (turn and field.unique):
                continue
            canary = f"{CANARY}{next(world.numbers)}"
            if len(canary) > (field.max_length or 99):
                world.not_written[f"{model._meta.label}.{field.name}"] = "too short"
                continue
            try:
                with (
                    transaction.atomic(),
                    change_set(actor=None, door="shell", verb="tests.arrange", reason="Canaries"),
                ):
                    model._base_manager.filter(pk=instance.pk).update(**{field.name: canary})
            except DatabaseError as error:
                world.not_written[f"{model._meta.label}.{field.name}"] = str(error).splitlines()[0]
                continue
            world.canaries[canary] = (row, field.name)
            world.columns[canary] = (model, field.name)
        if turn == 0 and row.state == "beside":
            return


def _delete(world: World) -> None:
    for (model, state), row in list(world.rows.items()):
        if not state.startswith("deleted"):
            continue
        try:
            with transaction.atomic(), change_set(actor=None, door="shell", verb="tests.arrange", reason="Canaries"):
                model._default_manager.get(pk=row.key).delete()
            row.deleted = True
        except (DatabaseError, ProtectedError):
            del world.rows[model, state]  # never deleted: its canaries stay those of a row elsewhere


def _owned(world: World, model: type[models.Model], owner: Any, state: str) -> Row:
    """A row that is its owner's, with canaries."""
    names_of_texts = ("verb", "reason", "subject", "title", "text", "name", "search", "paused_because")
    texts = {name: f"{CANARY}{next(world.numbers)}" for name in names_of_texts}
    said: dict[type[models.Model], tuple[str, ...]] = {
        ChangeSet: ("verb", "reason"),
        AccessEvent: ("subject", "reason"),
        Elevation: ("reason",),
        SavedView: ("name", "search"),
        Schedule: ("name", "paused_because"),
        ExportDefinition: ("search",),
    }
    names = said.get(model) or tuple(name for name in ("title", "text") if _has(model, name))
    owner_field: str = model.owner_field  # type: ignore[attr-defined]
    if model is AccessEvent:
        key = note_access("download", actor=owner, **{name: texts[name] for name in names})
        instance = model._default_manager.get(pk=key)
    else:
        instance = make(model, **{owner_field: owner}, **{name: texts[name] for name in names})
    row = Row(model, instance.pk, state, owner=owner.pk, instance=instance)
    for name in names:
        world.canaries[texts[name]] = (row, name)
    if model is Job:
        name = f"{CANARY}{next(world.numbers)}"
        kept = JobFile(job=instance, owner=owner, kind="output", name=name, size=1, sha256="0" * 64)
        kept.file.save(f"matrix-{instance.pk}", ContentFile(b"x"), save=False)
        kept.save()
        row.file = kept.pk
        world.canaries[name] = (row, "file")
    return row


def _has(model: type[models.Model], name: str) -> bool:
    return any(field.name == name for field in model._meta.fields)


def content_type_of(model: type[models.Model]) -> int:
    return ContentType.objects.get_for_model(model, for_concrete_model=False).pk
