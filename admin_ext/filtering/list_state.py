"""What a list is narrowed to and how it is shown, as data: in an address, in a saved view, and compared."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

from admin_ext.access.fields import fields as field_rights
from admin_ext.filtering.models import SavedView

# The parameters of an address that are no filters. `_columns` is written even when it is empty: it tells an address that
# says all from one that only names a view.
VIEW, COLUMNS, SORT, SIZE, DENSITY, SEARCH = "view", "_columns", "_sort", "_size", "_density", "q"
NO_VIEW = "all"
"""`?view=all`: the list as it is, whatever view it would open with."""
PAGE_SIZES = (25, 50, 100, 200)
NARROWEST, WIDEST = 40, 800
MOST_COLUMNS, MOST_SORTED = 60, 5
KEPT = ("filters", "search", "columns", "ordering", "page_size", "density")


class ViewVeiled(Exception):
    """A field policy keeps from the reader what the view asks for."""


@dataclasses.dataclass(frozen=True)
class ListState:
    """`filters` as in an address, without blanks; `columns` by name with a width in pixels, 0 for none in particular, and
    none for the list's own; `ordering` ORM paths, with - for downwards; `page_size` 0 for the list's own.
    """

    filters: Mapping[str, list[str]] = dataclasses.field(default_factory=dict)
    search: str = ""
    columns: tuple[tuple[str, int], ...] = ()
    ordering: tuple[str, ...] = ()
    page_size: int = 0
    density: str = SavedView.Density.COMFORTABLE.value

    @classmethod
    def of_view(cls, view: SavedView, reader: Any) -> ListState:
        """What a view says, to who may read all of it. Raises ViewVeiled."""
        if field_rights(reader, "view", SavedView).unread & {*KEPT, "model"}:
            raise ViewVeiled(f"You may not read what the view {view} asks for, so no rows are shown.")
        return cls(
            filters=_filled(view.filters.items() if isinstance(view.filters, dict) else ()),
            search=view.search.strip(),
            columns=_columns(each.get("name", "") + _width(each) for each in _dicts(view.columns)),
            ordering=_paths(each for each in _list(view.ordering) if isinstance(each, str)),
            page_size=view.page_size if view.page_size in PAGE_SIZES else 0,
            density=_density(view.density),
        )

    @classmethod
    def of_address(cls, parameters: Iterable[tuple[str, list[str]]], *, not_filters: Iterable[str]) -> ListState:
        """What an address says. What means nothing in it is left out; of filters, nothing is."""
        said = dict(parameters)
        size = _last(said, SIZE)
        ignored = {VIEW, COLUMNS, SORT, SIZE, DENSITY, SEARCH, *not_filters}
        return cls(
            filters=_filled((name, values) for name, values in said.items() if name not in ignored),
            search=_last(said, SEARCH).strip(),
            columns=_columns(_last(said, COLUMNS).split(",")),
            ordering=_paths(_last(said, SORT).split(",")),
            page_size=int(size) if size in map(str, PAGE_SIZES) else 0,
            density=_density(_last(said, DENSITY)),
        )

    def parameters(self) -> dict[str, list[str]]:
        """The same as parameters of an address."""
        said = {name: list(values) for name, values in self.filters.items()}
        if self.search:
            said[SEARCH] = [self.search]
        said[COLUMNS] = [",".join(f"{name}:{width}" if width else name for name, width in self.columns)]
        if self.ordering:
            said[SORT] = [",".join(self.ordering)]
        if self.page_size:
            said[SIZE] = [str(self.page_size)]
        if self.density != SavedView.Density.COMFORTABLE:
            said[DENSITY] = [self.density]
        return said

    def put_into(self, view: SavedView) -> None:
        """Let a view say this."""
        view.filters = {name: list(values) for name, values in sorted(self.filters.items())}
        view.search = self.search
        view.columns = [{"name": name, "width": width} if width else {"name": name} for name, width in self.columns]
        view.ordering = list(self.ordering)
        view.page_size = self.page_size or None
        view.density = self.density


def _filled(pairs: Iterable[tuple[str, Any]]) -> dict[str, list[str]]:
    """Filters with something in them. The order of several values means nothing."""
    found = {}
    for name, values in pairs:
        texts = sorted({str(each) for each in _list(values) if str(each) != ""})
        if texts:
            found[str(name)] = texts
    return dict(sorted(found.items()))


def _columns(said: Iterable[str]) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    for each in said:
        name, _, width = each.strip().partition(":")
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", name) and len(found) < MOST_COLUMNS:
            wide = int(width) if re.fullmatch(r"[0-9]{1,4}", width) else 0
            found.setdefault(name, min(max(wide, NARROWEST), WIDEST) if wide else 0)
    return tuple(found.items())


def _paths(said: Iterable[str]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for each in said:
        path = each.strip()
        if re.fullmatch(r"-?[A-Za-z_][A-Za-z0-9_]{0,199}", path) and len(found) < MOST_SORTED:
            found.setdefault(path.removeprefix("-"), path)
    return tuple(found.values())


def _width(column: dict[str, Any]) -> str:
    return f":{column['width']}" if column.get("width") else ""


def _density(said: Any) -> str:
    return said if said in SavedView.Density.values else SavedView.Density.COMFORTABLE.value


def _last(said: dict[str, list[str]], name: str) -> str:
    values = said.get(name) or [""]
    return str(values[-1])


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in _list(value) if isinstance(each, dict) and isinstance(each.get("name"), str)]
