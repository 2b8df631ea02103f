"""Roles, and who holds them where, as YAML: written so that two versions compare well, read with the line of each error.

    roles:
      Shipper:
        rights: [orders.ship_order, orders.view_order]
        places: {region: [NORDICS]}
    people:
      olga: {roles: [Shipper], places: {warehouse: [LUND]}}

A file says everything about whom it names, and nothing about others: a role or person that is missing stays as it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import yaml
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from admin_ext.access.rights import restrict
from admin_ext.access.scopes import scope_models
from admin_ext.granting.people import entry_to_any, named, role_model
from admin_ext.services import Refused

LARGEST = 1_000_000


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is wrong with a file, and where. Lines count from 1."""

    line: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}"


class FileNotUnderstood(Refused):
    """A file of roles names what does not exist, or is no such file. `problems` has all of it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


@dataclasses.dataclass
class Wanted:
    """What a file says about one role or person: names of rights or roles, and of places by dimension."""

    line: int
    names: list[tuple[str, int]] = dataclasses.field(default_factory=list)
    places: list[tuple[str, str, int]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Contents:
    """A file, read: nothing of it was looked up yet."""

    roles: dict[str, Wanted]
    people: dict[str, Wanted]


def write_roles(*, seen_by: Any = None) -> str:
    """Every role and everybody's roles and places, sorted; as far as `seen_by` may see them, if given."""
    roles: dict[str, Any] = {}
    for role in _seen(role_model(), seen_by).order_by("name"):
        rights = Permission.objects.filter(group=role.pk).select_related("content_type")
        roles[role.name] = _tidy(rights=sorted(map(named, rights)), places=_places(role, seen_by))
    people: dict[str, Any] = {}
    # A superuser has no need of a role, and no file touches one.
    everybody = _seen(get_user_model(), seen_by).filter(is_superuser=False).prefetch_related("groups")
    for user in everybody.order_by(get_user_model().USERNAME_FIELD):
        held = sorted(group.name for group in user.groups.all() if group.name in roles)
        if entry := _tidy(roles=held, places=_places(user, seen_by)):
            people[user.get_username()] = entry
    return yaml.dump(
        {"roles": roles, "people": people}, Dumper=_Indented, sort_keys=False, allow_unicode=True, width=120
    )


def read_roles(text: str) -> Contents:
    """What a file says. Raises FileNotUnderstood, with every problem there is in its shape."""
    if len(text) > LARGEST:
        raise FileNotUnderstood([Problem(1, f"A file of roles has at most {LARGEST:,} characters.")])
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.AliasToken | yaml.AnchorToken | yaml.TagToken):
                line = token.start_mark.line + 1
                raise FileNotUnderstood([Problem(line, "Write names out: anchors, aliases and tags are not taken.")])
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise FileNotUnderstood([Problem(mark.line + 1 if mark else 1, error.problem or "This is no YAML.")]) from error
    except yaml.YAMLError as error:
        raise FileNotUnderstood([Problem(1, f"This is no YAML: {error}")]) from error
    except RecursionError:
        raise FileNotUnderstood([Problem(1, "This is nested too deeply.")]) from None
    reading = _Reading()
    sections = reading.mapping(root, "A file of roles") if root is not None else {}
    reading.only(sections, ("roles", "people"))
    contents = Contents(
        {name: reading.entry(name, key, node, "rights") for name, key, node in reading.named(sections, "roles")},
        {name: reading.entry(name, key, node, "roles") for name, key, node in reading.named(sections, "people")},
    )
    if reading.problems:
        raise FileNotUnderstood(sorted(reading.problems, key=lambda each: each.line))
    return contents


class _Indented(yaml.SafeDumper):
    """A line for each name, so that a comparison of two files shows what was given and what was taken."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)


class _Reading:
    """Goes through the nodes of a file and keeps what is wrong."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def mapping(self, node: Any, what: str) -> dict[str, tuple[Any, Any]]:
        if not isinstance(node, yaml.MappingNode):
            if not (isinstance(node, yaml.ScalarNode) and node.value in ("", "null", "~")):
                self._wrong(node, f"{what} is a list of names with what they have, written “name: …”.")
            return {}
        found: dict[str, tuple[Any, Any]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._wrong(key, "A name is a word.")
            elif key.value in found:
                self._wrong(key, f"“{key.value}” stands here twice.")
            else:
                found[key.value] = key, value
        return found

    def named(self, sections: dict[str, tuple[Any, Any]], section: str) -> list[tuple[str, Any, Any]]:
        if section not in sections:
            return []
        entries = self.mapping(sections[section][1], f"“{section}”")
        return [(name, key, node) for name, (key, node) in entries.items()]

    def only(self, found: dict[str, tuple[Any, Any]], known: Iterable[str]) -> None:
        for name, (key, _) in found.items():
            if name not in known:
                self._wrong(key, f"“{name}” is not known here; known are {' and '.join(known)}.")

    def entry(self, name: str, key: Any, node: Any, what: str) -> Wanted:
        wanted = Wanted(key.start_mark.line + 1)
        parts = self.mapping(node, f"“{name}”")
        self.only(parts, (what, "places"))
        if what in parts:
            wanted.names = self.words(parts[what][1])
        if "places" in parts:
            for dimension, (_, node) in self.mapping(parts["places"][1], "“places”").items():
                wanted.places += [(dimension, place, line) for place, line in self.words(node)]
        return wanted

    def words(self, node: Any) -> list[tuple[str, int]]:
        if isinstance(node, yaml.ScalarNode) and node.value in ("", "null", "~"):
            return []
        if not isinstance(node, yaml.SequenceNode):
            self._wrong(node, "Here stands a list: one name a line, each after “- ”.")
            return []
        found = []
        for each in node.value:
            if isinstance(each, yaml.ScalarNode):
                found.append((each.value, each.start_mark.line + 1))
            else:
                self._wrong(each, "Here stands a name.")
        return found

    def _wrong(self, node: Any, message: str) -> None:
        self.problems.append(Problem(node.start_mark.line + 1, message))


def _seen(model: Any, seen_by: Any) -> Any:
    rows = model._default_manager.all()
    return rows if seen_by is None else restrict(rows, seen_by, "view")


def _places(holder: Any, seen_by: Any) -> dict[str, list[str]]:
    """The places given to a person or a role as such, by dimension."""
    found = {}
    for model in scope_models():
        rows = _seen(model, seen_by).filter(pk__in=entry_to_any(model, holder).values("content_object_id"))
        if names := sorted(str(row.natural_key()[0]) for row in rows):
            found[model.dimension] = names  # type: ignore[attr-defined]
    return found


def _tidy(**parts: Any) -> dict[str, Any]:
    """Without what is empty."""
    return {name: part for name, part in parts.items() if part}
