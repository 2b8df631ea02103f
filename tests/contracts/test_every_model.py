"""What holds for every record of the product, whoever wrote it: rights that agree, and a history without holes."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection, models
from django.db.models import F

from admin_ext.access.rights import can, permission, restrict, whole_of
from admin_ext.access.scopes import scope_model
from admin_ext.audit.checks import every_table_is_recorded
from admin_ext.audit.context import change_set
from admin_ext.audit.history import tracked_models
from admin_ext.audit.models import ChangeSet
from admin_ext.audit.triggers import unguarded
from admin_ext.models import Record
from tests.contracts.world import everywhere, make
from tests.factories import UserFactory, give_role, grant

pytestmark = pytest.mark.django_db
records = sorted((m for m in apps.get_models() if issubclass(m, Record)), key=lambda m: m._meta.label)
every_record = pytest.mark.parametrize("model", records, ids=lambda m: m._meta.label)
wholes = pytest.mark.parametrize("model", [m for m in records if not m.part_of], ids=lambda m: m._meta.label)


def agree(user, action, row, expected):
    """`can`, `restrict` and the expectation say the same."""
    restricted = restrict(type(row)._default_manager.all(), user, action)
    assert (row in restricted) == can(user, action, row) == expected, (action, expected)


def place_of(model, row, dimension):
    """The row's place in a dimension, found by its own declaration."""
    path = model.scopes[dimension]
    key = model._default_manager.filter(pk=row.pk).values_list(path, flat=True).get()
    return scope_model(dimension).objects.get(pk=key)


@wholes
class TestRightsAgree:
    def test_without_any_grant(self, model):
        agree(UserFactory(), "view", make(model), False)

    def test_for_somebody_inactive(self, model):
        user = give_role(UserFactory(is_active=False), permission(model, "view"), *everywhere(model))
        agree(user, "view", make(model), False)

    def test_with_a_role_and_every_scope(self, model):
        row = make(model)
        user = give_role(UserFactory(), permission(model, "change"), *everywhere(model))
        agree(user, "change", row, True)
        agree(user, "delete", row, False)

    def test_with_a_role_and_the_place_of_the_row(self, model):
        if not model.scopes:
            pytest.skip("hangs from no scope")
        row, elsewhere = make(model), make(model)
        user = give_role(UserFactory(), permission(model, "view"))
        agree(user, "view", row, False)
        for dimension in model.scopes:
            user = grant(user, f"access_{dimension}", place_of(model, row, dimension))
        agree(user, "view", row, True)
        agree(user, "view", elsewhere, False)

    def test_a_place_without_a_role_gives_nothing(self, model):
        if not model.scopes:
            pytest.skip("hangs from no scope")
        row = make(model)
        user = UserFactory()
        for dimension in model.scopes:
            user = grant(user, f"access_{dimension}", place_of(model, row, dimension))
        agree(user, "view", row, False)

    def test_with_a_grant_on_the_row_alone(self, model):
        row, other = make(model), make(model)
        user = grant(UserFactory(), "view", row)
        agree(user, "view", row, True)
        agree(user, "change", row, False)
        agree(user, "view", other, False)


@every_record
class TestTheRecordHasNoHoles:
    def write(self, model, work):
        actor = UserFactory()
        with change_set(actor=actor, door="shell", verb="tests.write", reason="Because") as act:
            work()
        rows = list(model.history.filter(change_set_id=act.id))
        assert len({row.id for row in rows}) == len(rows)
        assert all(row.history_user_id == actor.pk and row.xid and row.db_user for row in rows)
        if rows:
            written = ChangeSet.objects.get(pk=act.id)
            assert (written.actor, written.door, written.reason) == (actor, "shell", "Because")
        return rows

    def test_creating_is_recorded(self, model):
        made = []
        (row,) = [each for each in self.write(model, lambda: made.append(make(model))) if each.id == made[0].pk]
        assert row.history_type == "+"

    def test_queryset_update_with_f_is_recorded_with_version_and_columns(self, model):
        row = make(model)
        field = _some_column(model)
        rows = self.write(model, lambda: _touch(model, row, field))
        if not rows and _is_append_only(model):
            return
        (history,) = rows
        assert (history.history_type, history.changed) == ("~", [field.column])
        assert history.version == 2 == model._base_manager.get(pk=row.pk).version

    def test_an_update_without_a_change_is_not_recorded(self, model):
        row = make(model)
        field = _some_column(model)
        if _is_append_only(model):
            pytest.skip("is only ever appended to")
        assert (
            self.write(model, lambda: model._base_manager.filter(pk=row.pk).update(**{field.name: F(field.name)})) == []
        )

    def test_bulk_and_raw_deletion_are_recorded(self, model):
        row = make(model)
        if _is_append_only(model):
            pytest.skip("is only ever appended to")
        try:
            rows = self.write(model, lambda: model._base_manager.filter(pk=row.pk).delete())
        except (models.ProtectedError, models.RestrictedError):
            pytest.skip("is kept by what refers to it")
        assert [each.history_type for each in rows if each.id == row.pk] == ["-"]


def test_every_table_is_recorded_or_exempt_with_a_reason():
    assert every_table_is_recorded(None) == []


def test_every_declared_trigger_is_installed_and_cannot_be_switched_off():
    assert unguarded(connection) == []


@pytest.mark.parametrize("model", tracked_models(), ids=lambda m: m._meta.label)
def test_history_columns_take_any_value(model):
    """A later NOT NULL on the row's column must never touch old history."""
    own = {"history_id", "history_date", "history_type"}
    assert [f.name for f in model.history.model._meta.concrete_fields if not f.null and f.name not in own] == []


@every_record
def test_every_whole_has_its_rights(model):
    from django.contrib.auth.models import Permission

    whole = whole_of(model)
    held = set(
        Permission.objects.filter(content_type__app_label=whole._meta.app_label).values_list("codename", flat=True)
    )
    for action in ("view", "add", "change", "delete", "import", "export", "handover", "grant"):
        assert f"{action}_{whole._meta.model_name}" in held, f"{whole._meta.label}: derive its Meta from Record.Meta"


def _some_column(model):
    """A plain column that can be moved without breaking a rule."""
    for kind in (models.TextField, models.CharField):
        for field in model._meta.concrete_fields:
            told = any(f.name == field.name for f in model.history.model._meta.fields)
            if (
                isinstance(field, kind)
                and told
                and not (field.choices or field.unique)
                and field.name not in _keyed(model)
            ):
                return field
    for field in model._meta.concrete_fields:
        if isinstance(field, models.DateTimeField) and field.name not in ("created_at", "updated_at"):
            return field
    for field in model._meta.concrete_fields:
        if (
            isinstance(field, models.DecimalField | models.IntegerField)
            and not field.primary_key
            and field.editable
            and not field.null
        ):
            return field
    return next(f for f in model._meta.concrete_fields if isinstance(f, models.ForeignKey))


def _keyed(model):
    return {name for constraint in model._meta.constraints for name in getattr(constraint, "fields", ())}


def _touch(model, row, field):
    from django.db import DatabaseError, transaction

    rows = model._base_manager.filter(pk=row.pk)
    try:
        with transaction.atomic():
            if isinstance(field, models.CharField | models.TextField):
                rows.update(**{field.name: "touched"})
            elif isinstance(field, models.DateTimeField):
                rows.update(**{field.name: "2026-01-01T00:00Z"})
            elif isinstance(field, models.ForeignKey):
                rows.update(**{field.name: make(field.related_model)})
            else:
                rows.update(**{field.name: F(field.name) + 1})
    except DatabaseError:
        if not _is_append_only(model):
            raise


def _is_append_only(model):
    return getattr(model, "append_only", False)
