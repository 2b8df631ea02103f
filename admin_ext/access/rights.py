"""The one place where a right is decided: asked for one row with `can`, for many with `restrict`.

A role (group) says what somebody may do, a scope says where, a grant on the row itself is the exception that needs no
role. `can` asks `restrict` about the one row, so the two cannot disagree. Nothing is remembered beyond the `user`
object, which lives for one request or one chunk of a job.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.db.models import Q

from admin_ext.access.guards import ask_guards
from admin_ext.access.now import READING, visible_now
from admin_ext.access.policies import Policies, read_policies
from admin_ext.access.roles import roles_held
from admin_ext.access.row_grants import GrantedRows, GrantTable, rights_granted, rows_granted
from admin_ext.access.scopes import granted_places, scope_model
from admin_ext.audit.past import instant_looked_at

M = TypeVar("M", bound=models.Model)

NOTHING = Q(pk__in=[])
# Stands for the key of a row in a question: no row has it, and the smallest kind of key could.
STAND_IN = -2_146_712_531


class NotPermitted(Exception):
    """The actor has no right to do this, or no right to know that the row exists."""


class OutOfScope(NotPermitted):
    """A write would leave a row where its writer may not work."""


def permission(model: type[models.Model], action: str) -> str:
    """The Django permission that a role needs for `action` on `model`; a part asks for its whole's."""
    whole = whole_of(model)
    if whole is not model:
        action = on_whole(action)
    return f"{whole._meta.app_label}.{action}_{whole._meta.model_name}"


def whole_of(model: type[models.Model]) -> type[models.Model]:
    """The model of which `model` is a part (an order for its lines), or `model` itself."""
    while part_of := getattr(model, "part_of", ""):
        whole = model._meta.get_field(part_of).related_model
        assert whole is not None
        model = whole
    return model


def can(user: Any, action: str, target: models.Model | type[models.Model]) -> bool:
    """May `user` do `action` to this row? For a model instead of a row: to any row at all?"""
    if not user.is_active or not _possible(action):
        return False
    if isinstance(target, type):
        return access_of(user).holds_any(target, action)
    if target.pk is None:
        return access_of(user).holds(type(target), action)
    if instant_looked_at():
        return restrict(type(target)._default_manager.filter(pk=target.pk), user, action).exists()
    access, asked = access_of(user), (type(target), action)
    if asked not in access.questions:
        access.questions[asked] = Question.about(*asked, user)
    return access.questions[asked].is_answered(target)


def may_add(user: Any, model: type[models.Model]) -> bool:
    """May `user` make rows of `model` anywhere at all? A grant on a whole lets its parts be made; what is no part is
    nobody's before it is made, and takes a role."""
    return access_of(user).holds(model, "add") or (whole_of(model) is not model and can(user, "add", model))


@dataclasses.dataclass(frozen=True)
class Question:
    """What `restrict` asks about one row, as SQL: put into words once, asked of any row."""

    sql: str
    parameters: tuple[Any, ...]
    place: int
    """Which of the parameters is the key of the row; -1 where no row could pass."""

    @classmethod
    def about(cls, model: type[models.Model], action: str, user: Any) -> Question:
        query = restrict(model._default_manager.filter(pk=STAND_IN), user, action).query.exists()
        try:
            sql, parameters = query.get_compiler(connection=connection).as_sql()
        except EmptyResultSet:
            return cls("", (), -1)
        return cls(sql, parameters, parameters.index(STAND_IN))

    def is_answered(self, row: models.Model) -> bool:
        if self.place < 0:
            return False
        parameters = list(self.parameters)
        parameters[self.place] = row._meta.pk.get_prep_value(row.pk)
        with connection.cursor() as cursor:
            cursor.execute(self.sql, parameters)
            return cursor.fetchone() is not None


def restrict(queryset: models.QuerySet[M], user: Any, action: str = "view") -> models.QuerySet[M]:
    """The rows of `queryset` to which `user` may do `action`; of rows of the past, those to which they may now."""
    if user is None or not user.is_active or not _possible(action):
        return queryset.none()
    access, model = access_of(user), queryset.model
    where = access.where(model, action)
    if where and instant_looked_at():
        where = visible_now(model, where, access.whole_where(model, action))
    return queryset.filter(where) if where else queryset


def check_inside(user: Any, model: type[models.Model], keys: Iterable[int], action: str) -> None:
    """After a write, in its transaction: every touched row is still where the writer may do `action`.

    Raises OutOfScope. A holder of the model's `handover_…` permission may hand rows to another scope. Rows that rights
    are read from have guards beside it (see `guards`), which raise what they refuse with.
    """
    keys = set(keys)
    ask_guards(user, model, keys, action)
    if user.has_perm(permission(whole_of(model), "handover")):
        return
    rows = model._default_manager.filter(pk__among_few=keys).order_by()
    if (allowed := restrict(rows, user, action)) is rows:
        return
    inside = allowed.count()
    if inside != len(keys):
        raise OutOfScope(
            f"{len(keys) - inside} {model._meta.verbose_name_plural} would end up outside your scope. "
            "Nothing was saved. Choose a place where you work, or ask somebody who may hand over."
        )


def access_of(user: Any) -> Access:
    """What this user object may do; worked out once for as long as the object lives."""
    access = getattr(user, "_opsadmin_access", None)
    if access is None:
        access = user._opsadmin_access = Access(user)
    return access


class Access:
    """The rights of one user during one request or chunk."""

    def __init__(self, user: Any) -> None:
        self.user = user
        self._places: dict[str, list[int] | None] = {}
        self._granted: dict[tuple[type[models.Model], str], list[GrantedRows]] = {}
        self._rights_granted: dict[GrantTable, dict[str, int]] | None = None
        self._roles: list[int] | None = None
        self._policies: Policies | None = None
        self._any: dict[tuple[type[models.Model], str], bool] = {}
        self.questions: dict[tuple[type[models.Model], str], Question] = {}
        """What `can` asked about rows, by model and action."""
        self.field_rights: dict[tuple[type[models.Model], str], Any] = {}
        """What `fields` answered, by model and action."""

    def policies(self) -> Policies:
        """The field policies of every role, and which rights the user's roles give."""
        if self._policies is None:
            self._policies = read_policies(self.user)
        return self._policies

    def holds(self, model: type[models.Model], action: str) -> bool:
        """Does a role give this action on the model?"""
        return self.user.has_perm(permission(model, action))

    def holds_any(self, model: type[models.Model], action: str) -> bool:
        """Does a role, or a grant on some row, give this action on the model?"""
        if (model, action) not in self._any:
            self._any[model, action] = (
                self.holds(model, action)
                or bool(owner_field(model) and action in ("view", "change"))
                or self._is_granted_any(model, action)
            )
        return self._any[model, action]

    def _is_granted_any(self, model: type[models.Model], action: str) -> bool:
        whole = whole_of(model)
        return bool(self.granted(whole, on_whole(action) if whole is not model else action))

    def where(self, model: type[models.Model], action: str, prefix: str = "") -> Q:
        """The condition on rows of `model`; an empty Q means every row. Superusers hold every right there is."""
        if part_of := getattr(model, "part_of", ""):
            whole = model._meta.get_field(part_of).related_model
            assert whole is not None
            return self.where(whole, on_whole(action), f"{prefix}{part_of}__")
        by_role = self._where_by_role(model, action, prefix)
        if by_role is not None and not by_role:
            return by_role
        alternatives = by_role if by_role is not None else Q(**{f"{prefix}pk__in": []})
        if owner := owner_field(model):
            alternatives |= Q(**{f"{prefix}{owner}": self.user.pk})
        for rows in self.granted(model, action):
            alternatives |= Q(**{f"{prefix}pk__in": rows})
        return alternatives

    def whole_where(self, model: type[models.Model], action: str) -> tuple[str, type[models.Model], Q] | None:
        """The foreign key of a part to its whole, with that one's model and condition; None for a whole."""
        part_of = getattr(model, "part_of", "")
        if not part_of:
            return None
        whole = model._meta.get_field(part_of).related_model
        assert whole is not None
        return part_of, whole, self.where(whole, on_whole(action))

    def places(self, dimension: str) -> list[int] | None:
        """Keys of the places of a dimension where the user may work; None means everywhere."""
        if dimension not in self._places:
            model = scope_model(dimension)
            everywhere = self.user.has_perm(f"{model._meta.app_label}.access_all_{dimension}")
            self._places[dimension] = None if everywhere else granted_places(self.user, dimension)
        return self._places[dimension]

    def granted(self, model: Any, action: str) -> list[GrantedRows]:
        """The rows granted one by one, to the person and to their roles."""
        if not hasattr(model, "user_grants_model"):
            return []
        if (model, action) not in self._granted:
            roles = self.roles()
            holders = (
                (model.user_grants_model, "user_id", [self.user.pk]),
                (model.group_grants_model, "group_id", roles),
            )
            if self._rights_granted is None:
                self._rights_granted = rights_granted(self.user, roles)
            codename, known = f"{action}_{model._meta.model_name}", self._rights_granted
            found = [
                rows_granted(grants, holder, keys, known[grants][codename])
                for grants, holder, keys in holders
                if codename in known.get(grants, ())
            ]
            # A grant may be gone since rights were asked for: with the row itself.
            self._granted[model, action] = [rows for rows in found if rows != []]
        return self._granted[model, action]

    def roles(self) -> list[int]:
        """The keys of the roles that the user holds."""
        if self._roles is None:
            self._roles = list(roles_held(self.user).values_list("pk", flat=True))
        return self._roles

    def _where_by_role(self, model: type[models.Model], action: str, prefix: str) -> Q | None:
        """None when no role gives the action; an empty Q when one gives it everywhere."""
        if not self.holds(model, action):
            return None
        condition = Q()
        for dimension, path in getattr(model, "scopes", {}).items():
            places = self.places(dimension)
            if places is not None:
                condition &= Q(**{f"{prefix}{path}__in": places})
        return condition


def _possible(action: str) -> bool:
    """The past is read, never written."""
    return action in READING or instant_looked_at() is None


def on_whole(action: str) -> str:
    """What a person must hold on the whole to do `action` to a part: to see it, or to change it."""
    return action if action in ("view", "export", "import", "reveal") else "change"


def owner_field(model: type[models.Model]) -> str:
    """The foreign key that makes a row somebody's own; the owner needs no role to see it."""
    return getattr(model, "owner_field", "")
