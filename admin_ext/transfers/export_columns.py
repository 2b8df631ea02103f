"""Which columns an export has, under one person's rights, and how the database gives them.

A column is a field of the resource, or a path along its foreign keys to a field of a related row's resource:
`customer`, `customer__name`, `customer__region__code`. Of a related row that the person may not see nothing is told.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import models
from django.db.models import BooleanField, Case, F, Q, Value, When

from admin_ext.access.fields import fields as field_rights
from admin_ext.access.fields import treatment_of
from admin_ext.access.hidden import NOT_VISIBLE
from admin_ext.access.rights import access_of, restrict
from admin_ext.filtering.telling import has_rights
from admin_ext.plans.three_way import VERSION, is_versioned
from admin_ext.transfers.resources import ModelResource, has_resource, resource_for
from admin_ext.transfers.writing.cells_in_sql import ROW, Cell, Kind

DEEPEST = 3
"""How many foreign keys a column may follow."""
_DIGITS = {"SmallIntegerField": 5, "PositiveSmallIntegerField": 5, "IntegerField": 10, "PositiveIntegerField": 10}
_KINDS: dict[type[models.Field], Kind] = {
    models.BooleanField: Kind.BOOLEAN,
    models.DecimalField: Kind.DECIMAL,
    models.FloatField: Kind.FLOAT,
    models.IntegerField: Kind.INTEGER,
    models.DateTimeField: Kind.INSTANT,
    models.DateField: Kind.DATE,
    models.JSONField: Kind.JSON,
    models.CharField: Kind.TEXT,
    models.TextField: Kind.TEXT,
    models.FileField: Kind.TEXT,
}


class UnknownColumn(Exception):
    """An export asks for a column that its resource does not have, or that the person may not see."""


def offered_columns(resource: type[ModelResource], actor: Any) -> list[str]:
    """The resource's own columns that the person may read, in their declared order."""
    readable = field_rights(actor, "export", resource.get_model()).readable
    return [name for name in resource.field_names() if name in readable]


def related_columns(resource: type[ModelResource], actor: Any, *, deepest: int = 1) -> list[str]:
    """The columns of related rows that the person may read, as far as `deepest` foreign keys away."""
    found = []
    for name in offered_columns(resource, actor):
        field = resource.get_model()._meta.get_field(name)
        if not isinstance(field, models.ForeignKey) or not has_resource(field.related_model):
            continue
        related = resource_for(field.related_model._meta.label)
        own = [f"{name}__{each}" for each in offered_columns(related, actor)]
        further = related_columns(related, actor, deepest=deepest - 1) if deepest > 1 else []
        found += [*own, *(f"{name}__{each}" for each in further)]
    natural = {resource.path(name) for name in resource.field_names()}
    return [path for path in found if path not in natural and not treatment_of(actor, resource.get_model(), path)]


def check_columns(resource: type[ModelResource], actor: Any, columns: list[str] | None) -> list[str]:
    """The columns to write, all of the resource's unless said; within what the person may read. Raises UnknownColumn."""
    known = offered_columns(resource, actor)
    if unknown := [name for name in columns or () if name not in known and not _is_related(resource, actor, name)]:
        raise UnknownColumn(f"There is no column {', '.join(unknown)}. There are: {', '.join(known)}.")
    return list(dict.fromkeys(columns or known))


def _is_related(resource: type[ModelResource], actor: Any, name: str) -> bool:
    steps = name.count("__")
    return 0 < steps <= DEEPEST and name in {
        *related_columns(resource, actor, deepest=steps),
        *(resource.path(each) for each in offered_columns(resource, actor)),
    }


def label_of(model: type[models.Model], path: str) -> str:
    """What people call a column."""
    labels = []
    for step in path.split("__"):
        field: Any = model._meta.get_field(step)
        labels.append(str(field.verbose_name))
        model = field.related_model or model
    label = ": ".join(labels)
    return label[:1].upper() + label[1:]


@dataclasses.dataclass(frozen=True)
class Query:
    """A query of the rows to be exported, as SQL and its parameters, and what its columns are.

    Whoever reads from it names the rows ROW.
    """

    sql: str
    parameters: tuple[Any, ...]
    cells: list[Cell]


def query_of(
    rows: models.QuerySet,
    resource: type[ModelResource],
    columns: Iterable[str],
    actor: Any,
    *,
    headers: Mapping[str, str] | None = None,
    with_version: bool = False,
) -> Query:
    """How the database gives `columns` of `rows`, which are within the actor's rights already; with the version of each
    row at the end, where it has one, so that a file that comes back can be compared with it."""
    columns = list(columns)
    annotations: dict[str, Any] = {}
    cells = []
    may_come_back = set(resource.importable())
    for number, name in enumerate(columns):
        path = resource.path(name)
        field, hidden = _end_of(rows.model, path, actor)
        annotations[f"export_{number}"] = F(path)
        told = ""
        if hidden:
            annotations[f"told_{number}"] = _is_told(hidden, actor)
            told = f'{ROW}."told_{number}"'
        cells.append(
            _cell(
                field,
                header=(headers or {}).get(name) or name,
                sql=f'{ROW}."export_{number}"',
                told=told,
                stand_in=NOT_VISIBLE,
                comes_back=name in may_come_back,
                locked=name not in may_come_back or name in resource.key(),
            )
        )
    if with_version and is_versioned(rows.model):
        annotations["export_version"] = F("version")
        field = rows.model._meta.get_field("version")
        cells.append(
            _cell(
                field, header=VERSION, sql=f'{ROW}."export_version"', told="", stand_in="", comes_back=True, locked=True
            )
        )
    # Django drops annotations that nothing reads; these are all read.
    rows = rows.annotate(**annotations).values_list(*annotations)
    sql, parameters = _compiled(rows)
    return Query(sql, parameters, cells)


def _compiled(rows: models.QuerySet) -> tuple[str, tuple[Any, ...]]:
    from django.core.exceptions import EmptyResultSet

    try:
        return rows.query.sql_with_params()
    except EmptyResultSet:
        names = ", ".join(f'NULL::text AS "{name}"' for name in rows.query.annotation_select)
        return f"SELECT {names} WHERE false ORDER BY 1", ()


def _end_of(model: type[models.Model], path: str, actor: Any) -> tuple[models.Field, list[tuple[str, Any]]]:
    """The field at the end of a path, and the foreign keys on the way whose rows are not all for the actor to see."""
    hidden = []
    walked: list[str] = []
    field: Any = None
    for step in path.split("__"):
        field = model._meta.pk if step == "pk" else model._meta.get_field(step)
        walked.append(step)
        if field.related_model is None:
            break
        model = field.related_model
        if has_rights(model) and not actor.is_superuser and access_of(actor).where(model, "view"):
            hidden.append(("__".join(walked), model))
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    return field, hidden


def _is_told(hidden: list[tuple[str, Any]], actor: Any) -> Case:
    """True where the actor may see every row on the way, or there is none."""
    refused = []
    for path, model in hidden:
        visible = restrict(model._default_manager.all(), actor, "view").order_by().values("pk")
        refused.append(When(Q(**{f"{path}__isnull": False}) & ~Q(**{f"{path}__in": visible}), then=Value(False)))
    return Case(*refused, default=Value(True), output_field=BooleanField())


def _cell(field: Any, **said: Any) -> Cell:
    if isinstance(field, models.GeneratedField):
        field = field.output_field
    kind = next((kind for cls, kind in _KINDS.items() if isinstance(field, cls)), Kind.OTHER)
    if isinstance(field, models.GenericIPAddressField):
        kind, said["sql"] = Kind.TEXT, f"host({said['sql']})"
    digits = getattr(field, "max_digits", None) or _DIGITS.get(field.get_internal_type())
    choices: Any = getattr(field, "flatchoices", ())
    return Cell(
        kind=kind,
        longest=field.max_length if isinstance(field, models.CharField) else None,
        digits=digits,
        choices=tuple(str(value) for value, _ in choices if value not in (None, "")) if kind is Kind.TEXT else (),
        **said,
    )
