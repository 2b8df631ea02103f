"""A list opened with a saved view: its address is filled in, and what was changed since is told."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin.views.main import ORDER_VAR
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from unfold.widgets import CHECKBOX_CLASSES, INPUT_CLASSES

from admin_ext.access.rights import can
from admin_ext.admin.changelist import NO_FILTERS, TOTALS, FilterSetChangeList, ordered_by
from admin_ext.admin.chosen_columns import ChosenColumnsMixin
from admin_ext.admin.instants import PARAMETERS
from admin_ext.admin.totals import totals_of
from admin_ext.filtering.list_state import (
    COLUMNS,
    DENSITY,
    NO_VIEW,
    PAGE_SIZES,
    SIZE,
    SORT,
    VIEW,
    ListState,
    ViewVeiled,
)
from admin_ext.filtering.models import SavedView
from admin_ext.filtering.views import ViewNotThere, default_view, find_view, views_at_hand

# What an address may carry beside the name of a view without saying what the list shows.
BESIDE = frozenset({VIEW, "p", "e", *PARAMETERS, TOTALS})
# The form of the columns posts each by itself.
PICKED, WIDTH = "_column", "_width_"
MOST_SORT_FIELDS = 3


class OpenedViewsMixin(ChosenColumnsMixin):
    """For ModelAdmins: `?view=KEY`."""

    model: type[models.Model]

    list_totals: ClassVar[dict[str, str]] = {}
    """What is summed below the list where it is shown, by path, with the path of its unit: {"net_total": "currency"}."""

    def led_to_view(self, request: HttpRequest) -> HttpResponse | None:
        """Where the address leads to another that says more, the way there. Raises Http404 for no view."""
        if PICKED in request.GET:
            return HttpResponseRedirect(f"?{self._said_at_once(request).urlencode()}")
        opening = request.method == "GET" and not request.GET and self.get_changelist(request).takes_views
        if opening and (view := default_view(request.user, self.model)):
            return HttpResponseRedirect(f"?{VIEW}={view.pk}")
        self.fill_in(request)
        return None

    def with_toolbar(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """The page of a list, with the ways to its views, columns and sums."""
        context = getattr(response, "context_data", None) or {}
        changelist = context.get("cl")
        if isinstance(changelist, FilterSetChangeList) and changelist.takes_views and not changelist.is_popup:
            context["toolbar"] = Toolbar.of(self, request, changelist)
            context["input_classes"], context["checkbox_classes"] = " ".join(INPUT_CLASSES), " ".join(CHECKBOX_CLASSES)
            context["totals"] = totals_of(self, request, changelist)
        return response

    def fill_in(self, request: HttpRequest) -> None:
        """Where the address only names a view, let it say what the view says. Raises Http404 where there is none."""
        key = request.GET.get(VIEW, "")
        if not key or key == NO_VIEW or _opened(request) is not None:
            return
        try:
            view = find_view(key, user=request.user, model=self.model._meta.label)
        except ViewNotThere:
            raise Http404 from None
        request._opsadmin_view = view  # type: ignore[attr-defined]
        if set(request.GET) <= BESIDE:
            filled = request.GET.copy()
            try:
                for name, values in ListState.of_view(view, request.user).parameters().items():
                    filled.setlist(name, values)
            except ViewVeiled as veiled:
                messages.error(request, str(veiled))
                request._opsadmin_no_rows = True  # type: ignore[attr-defined]
            filled._mutable = False
            request.GET = filled  # type: ignore[assignment]

    def _said_at_once(self, request: HttpRequest) -> QueryDict:
        """What the form of the columns sends one by one, as a list's address says it."""
        said = request.GET.copy()
        picked = [name for name in dict.fromkeys(said.pop(PICKED, [])) if name in self.offered_columns(request)]
        widths = {name.removeprefix(WIDTH): said.pop(name)[-1] for name in list(said) if name.startswith(WIDTH)}
        state = ListState.of_address(
            [(COLUMNS, [",".join(f"{name}:{widths[name]}" if widths.get(name) else name for name in picked)])],
            not_filters=(),
        )
        if state.columns == tuple((name, 0) for name in self.own_columns(request)):
            state = ListState()
        sorts = ",".join(dict.fromkeys(path for path in said.getlist(SORT) if path))
        said[COLUMNS], said[SORT] = state.parameters()[COLUMNS][0], sorts
        given = [(name, value) for name, values in said.lists() for value in values if value != "" or name == COLUMNS]
        return QueryDict(urlencode(given))

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        rows = super().get_queryset(request)
        return rows.none() if getattr(request, "_opsadmin_no_rows", False) else rows


@dataclasses.dataclass
class Toolbar:
    """What stands above a list: the view it was opened with, what was changed since, and the ways to change it."""

    view: SavedView | None
    state: ListState
    is_changed: bool
    may_save: bool
    views: list[tuple[str, list[SavedView]]]
    address: str
    columns: list[dict[str, Any]]
    sorts: list[dict[str, Any]]
    sort_chips: list[dict[str, str]]
    kept: list[tuple[str, str]]
    label: str
    is_pasted: bool

    page_sizes = PAGE_SIZES
    densities = SavedView.Density.choices

    @classmethod
    def of(cls, model_admin: Any, request: HttpRequest, changelist: Any) -> Toolbar:
        view, state = _opened(request), state_of(changelist, request)
        _tell_what_is_missing(model_admin, request, state)
        own = _state_of_view(view, request)
        at_hand = [each for each in views_at_hand(request.user) if each.model == model_admin.model._meta.label]
        mine = [each for each in at_hand if each.owner_id == request.user.pk]
        shared = [each for each in at_hand if each.owner_id != request.user.pk]
        kept = [
            (name, value)
            for name, values in request.GET.lists()
            for value in values
            if name not in (COLUMNS, SORT, SIZE, DENSITY, ORDER_VAR, "p", "e", TOTALS) and value != ""
        ]
        return cls(
            view=view,
            state=state,
            is_changed=view is not None and own != state,
            may_save=view is not None and can(request.user, "change", view),
            views=[(title, views) for title, views in (("Yours", mine), ("Shared with you", shared)) if views],
            address=urlencode(state.parameters(), doseq=True),
            columns=_choices(model_admin, request, changelist, state),
            sorts=_sort_fields(model_admin, request, state),
            sort_chips=_sort_chips(model_admin, request, changelist, state),
            kept=kept,
            label=model_admin.model._meta.label,
            is_pasted=changelist.pasted is not None,
        )

    @property
    def save_url(self) -> str:
        return reverse("admin:filtering_savedview_save")

    @property
    def widths(self) -> list[tuple[str, int]]:
        return [(name, width) for name, width in self.state.columns if width]

    @property
    def first(self) -> str:
        """The name of the column that stays in sight."""
        return self.columns[0]["name"] if self.columns else ""

    @property
    def is_compact(self) -> bool:
        return self.state.density == SavedView.Density.COMPACT

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing that would be worth saving."""
        return self.view is None and self.state == ListState()


def state_of(changelist: Any, request: HttpRequest) -> ListState:
    """What the list shows; a sort by the number of a column is told by what it sorts by."""
    state = ListState.of_address(request.GET.lists(), not_filters=NO_FILTERS)
    if changelist.params.get(ORDER_VAR):
        paths = []
        for part in changelist.params[ORDER_VAR].split("."):
            minus, number = ("-", part[1:]) if part.startswith("-") else ("", part)
            if number.isdecimal() and len(number) < 4 and int(number) < len(changelist.list_display):
                path = ordered_by(changelist.get_ordering_field(changelist.list_display[int(number)]) or "")
                if path:
                    paths.append(path.removeprefix("-") if minus and path.startswith("-") else minus + path)
        state = dataclasses.replace(state, ordering=tuple(paths))
    return state


def _opened(request: HttpRequest) -> SavedView | None:
    return getattr(request, "_opsadmin_view", None)


def _state_of_view(view: SavedView | None, request: HttpRequest) -> ListState | None:
    try:
        return ListState.of_view(view, request.user) if view else None
    except ViewVeiled:
        return None


def _tell_what_is_missing(model_admin: Any, request: HttpRequest, state: ListState) -> None:
    """Columns and orders that there are no more, or not for this person, are left out, and it is said."""
    offered, sortable = model_admin.offered_columns(request), model_admin.sortable_paths(request)
    missing = [name for name, _ in state.columns if name not in offered]
    missing += [path.removeprefix("-") for path in state.ordering if path.removeprefix("-") not in sortable]
    if missing:
        names = ", ".join(dict.fromkeys(missing))
        messages.warning(request, f"There is no column {names} here, or none that you may read. It was left out.")


def _choices(model_admin: Any, request: HttpRequest, changelist: Any, state: ListState) -> list[dict[str, Any]]:
    """The columns on offer: those that are shown first, in their order."""
    offered, widths = model_admin.offered_columns(request), dict(state.columns)
    shown = []
    for entry in changelist.list_display:
        name = entry if isinstance(entry, str) else getattr(entry, "__name__", "")
        if name in offered:
            shown.append(name)
    names = [*shown, *(name for name in offered if name not in shown)]
    return [
        {
            "name": name,
            "label": offered[name].label,
            "shown": name in shown,
            "width": widths.get(name) or "",
            "fixed": bool(shown) and name == shown[0],
        }
        for name in names
    ]


def _sort_fields(model_admin: Any, request: HttpRequest, state: ListState) -> list[dict[str, Any]]:
    """As many fields to sort by as are used, and one more."""
    choices = _sort_labels(model_admin, request)
    count = min(max(len(state.ordering) + 1, 1), max(MOST_SORT_FIELDS, len(state.ordering)))
    chosen = [*state.ordering, *[""] * count][:count]
    return [{"number": n, "chosen": path, "choices": choices} for n, path in enumerate(chosen, start=1)]


def _sort_labels(model_admin: Any, request: HttpRequest) -> list[tuple[str, str]]:
    found = []
    for path, label in labels_by_path(model_admin, request).items():
        capital = label[:1].upper() + label[1:]
        found += [(path, f"{capital}, upwards"), (f"-{path}", f"{capital}, downwards")]
    return found


def labels_by_path(model_admin: Any, request: HttpRequest) -> dict[str, str]:
    """What rows can be sorted by; where several columns sort alike, the one of that name says what by."""
    found: dict[str, str] = {}
    for column in model_admin.offered_columns(request).values():
        if column.path and not column.path.startswith("-") and (column.path not in found or column.name == column.path):
            found[column.path] = column.label
    return found


def _sort_chips(model_admin: Any, request: HttpRequest, changelist: Any, state: ListState) -> list[dict[str, str]]:
    """What the rows are sorted by, first to last, each with the address of the list without it, and the other way round."""
    labels = labels_by_path(model_admin, request)
    chips = []
    for position, path in enumerate(state.ordering):
        column = path.removeprefix("-")
        if column not in labels:
            continue
        left = [each for n, each in enumerate(state.ordering) if n != position]
        turned = list(state.ordering)
        turned[position] = column if path.startswith("-") else f"-{column}"
        chips.append(
            {
                "label": labels[column],
                "arrow": "arrow_downward" if path.startswith("-") else "arrow_upward",
                "way": "downwards" if path.startswith("-") else "upwards",
                "turned": _sorted_by(changelist, turned),
                "without": _sorted_by(changelist, left),
            }
        )
    return chips


def _sorted_by(changelist: Any, paths: list[str]) -> str:
    return changelist.get_query_string({SORT: ",".join(paths)} if paths else {}, [ORDER_VAR, SORT])
