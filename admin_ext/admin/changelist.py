"""A changelist whose filters are one django-filter FilterSet."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR
from django.db import models
from django.http import HttpRequest
from django.utils.http import urlencode
from unfold import widgets
from unfold.views import ChangeList

from admin_ext.access.fields import treatment_of
from admin_ext.admin.filter_panel import FilterSetSpec
from admin_ext.admin.instants import PARAMETERS, in_this_time
from admin_ext.admin.kept_selections import kept
from admin_ext.admin.paging import LAST, KeysetPaginator, Page, page_of
from admin_ext.admin.related import hide_related
from admin_ext.admin.results import ResultTable, can_show
from admin_ext.filtering.counting import Count, count
from admin_ext.filtering.facets import facets
from admin_ext.filtering.filterset import FilterSet
from admin_ext.filtering.list_state import COLUMNS, DENSITY, SIZE, SORT, VIEW, ListState
from admin_ext.filtering.patience import within

# Set on a request that wants the question of a list, and none of its rows.
ONLY_COUNTED = "_opsadmin_only_counted"
# The token of a pasted list, in the address of a list that shows its rows alone.
PASTED = "pasted"
# How long one of the counts beside the choices of the filters may take.
FACETS_PATIENCE_MS = 500
# Sums all rows of the list, not only those of the page.
TOTALS = "_totals"
# Parameters of a list's address that are no filters.
NO_FILTERS = frozenset(
    {PASTED, "q", "o", "p", "e", "all", "_facets", "_changelist_filters", "_popup", "_to_field", TOTALS, *PARAMETERS}
) | {VIEW, COLUMNS, SORT, SIZE, DENSITY}


class FilterSetChangeList(ChangeList):
    """Filters through the ModelAdmin's FilterSet; a value that cannot be understood shows no rows, never all."""

    filterset: FilterSet | None = None
    pasted: list[int] | None = None
    formset: Any = None
    page: Page
    result_count: Count
    _asked: tuple[str, ...] = ()
    takes_views = True
    """Whether saved views, columns and orders can be chosen for it."""
    paginator: Any

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.user: Any = request.user
        self.request = request
        super().__init__(request, *args, **kwargs)

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        left = super().get_filters_params(params)
        known = self._known()
        return {name: value for name, value in left.items() if name not in known and name not in NO_FILTERS}

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> models.QuerySet:
        self.list_per_page = ListState.of_address(request.GET.lists(), not_filters=()).page_size or self.list_per_page
        return super().get_queryset(request, exclude_parameters)

    def get_filters(self, request: HttpRequest) -> tuple[Any, ...]:
        # Django would look for a column of that name, and tell by its answer whether there is one.
        unknown = self.get_filters_params()
        self.filter_params = {
            name: value for name, value in self.filter_params.items() if name not in (*unknown, TOTALS)
        }
        specs, has_filters, lookups, may_duplicate, is_active = super().get_filters(request)
        if unknown:
            messages.error(request, f"There is no filter {', '.join(sorted(unknown))}, so no rows are shown.")
            self.root_queryset = self.root_queryset.none()
        self._keep_to_the_pasted(request)
        filterset_class = self.model_admin.get_filterset_class()
        if filterset_class is None:
            return specs, has_filters, lookups, may_duplicate, is_active
        self.filterset = filterset_class(request.GET, queryset=self.root_queryset, request=request)
        if not self.filterset.is_valid():
            messages.error(request, "A filter was not understood, so no rows are shown: " + _told(self.filterset))
        return (
            [FilterSetSpec(self.filterset, request), *specs],
            True,
            lookups,
            may_duplicate,
            bool(self.filterset.described()),
        )

    def _keep_to_the_pasted(self, request: HttpRequest) -> None:
        token = request.GET.get(PASTED, "")
        if not token:
            return
        self.filter_params.pop(PASTED, None)
        selection = kept(request, token)
        if selection is None or selection.model != self.opts.label:
            messages.error(request, "That pasted list is not kept any more, so no rows are shown. Paste it again.")
            self.root_queryset = self.root_queryset.none()
        else:
            self.pasted = selection.keys or []
            self.root_queryset = self.root_queryset.filter(pk__in=self.pasted)

    def get_ordering(self, request: HttpRequest, queryset: models.QuerySet) -> list[Any]:
        """Without what the person may not read: the order of rows would tell it."""
        asked = self._asked_order(request)
        ordering = [*asked, *queryset.query.order_by] if asked else super().get_ordering(request, queryset)
        told = [each for each in ordering if not treatment_of(request.user, self.model, ordered_by(each))]
        return self._get_deterministic_ordering(told)

    def get_ordering_field_columns(self) -> dict[int, str]:
        if not (asked := self._asked_order(None)):
            return super().get_ordering_field_columns()
        ways = {each.removeprefix("-"): "desc" if each.startswith("-") else "asc" for each in asked}
        found: dict[int, str] = {}
        for path in ways:
            shown = (n for n, entry in enumerate(self.list_display) if self.get_ordering_field(entry) == path)
            if (number := next(shown, None)) is not None:
                found[number] = ways[path]
        return found

    def _asked_order(self, request: HttpRequest | None) -> tuple[str, ...]:
        """What `_sort` asks for, as far as the list can be sorted by it; none when `o` says it by the numbers of columns."""
        if request is not None:
            sortable = self.model_admin.sortable_paths(request)
            said = ListState.of_address(request.GET.lists(), not_filters=()).ordering
            self._asked = tuple(each for each in said if each.removeprefix("-") in sortable)
        return () if self.params.get(ORDER_VAR) else self._asked

    def get_results(self, request: HttpRequest) -> None:
        """One page by key, and how many rows there are as far as that is cheap."""
        if getattr(request, ONLY_COUNTED, False):
            return
        page = page_of(
            self.queryset, list(self.queryset.query.order_by), request.GET.get(PAGE_VAR, ""), self.list_per_page
        )
        if page.said:
            messages.info(request, page.said)
        self.page = page
        whole = page.counted and not page.next
        self.result_count = Count(page.ends_at or 0) if whole else count(self.queryset, at_least=page.ends_at or 0)
        narrowed = self.query or self.has_active_filters or self.pasted is not None
        self.full_result_count = None if narrowed else self.result_count
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = True
        # A grid of Django's asks for a query.
        rows: Any = self.queryset.filter(pk__in=[row.pk for row in page.rows]) if self.list_editable else page.rows
        self.result_list = rows
        self.paginator = KeysetPaginator(page.rows, self.list_per_page)
        hide_related(self.result_list, request.user)

    def to_page(self, asked: str) -> str:
        """The address of this list at another page."""
        return self.get_query_string({PAGE_VAR: asked} if asked else {}) if asked != "1" else self.get_query_string()

    @property
    def pages(self) -> dict[str, str]:
        """The addresses of the pages that can be gone to from this one."""
        page = self.page
        found: dict[str, str] = {}
        if page.previous:
            found |= {"first": self.to_page("1"), "previous": self.to_page(page.previous)}
        if page.next:
            found |= {"next": self.to_page(page.next), "last": self.to_page(LAST)}
        return found

    @property
    def kept_parameters(self) -> list[tuple[str, str]]:
        """What a form that leads to another page of this list carries on."""
        return [(name, value) for name, values in self.filter_params.items() for value in values]

    @property
    def input_classes(self) -> str:
        return " ".join(widgets.INPUT_CLASSES)

    @property
    def counting(self) -> str:
        """The address that counts the rows exactly; "" where they are counted."""
        return "" if self.result_count.exact else f"count/{self.get_query_string()}"

    def facets(self) -> dict[str, dict[str, Count]]:
        """How many rows each choice of a filter would leave. Raises TookTooLong."""
        if self.filterset is None:
            return {}
        with within(FACETS_PATIENCE_MS):
            return facets(self.filterset, self.root_queryset, narrow=self._searched)

    def _searched(self, rows: models.QuerySet) -> models.QuerySet:
        return self.model_admin.get_search_results(self.request, rows, self.query)[0]

    @property
    def table(self) -> ResultTable | None:
        """The rows, made once per column; None for a list that only unfold's own rows can show."""
        return ResultTable(self) if can_show(self) else None

    @property
    def chips(self) -> list[dict[str, str]]:
        """What is active, each with the address of the list without it."""
        if self.filterset is None:
            return []
        chips = []
        if self.pasted is not None:
            others = {key: values for key, values in self.filterset.request.GET.lists() if key not in (PASTED, "p")}
            told = f"{len(self.pasted):,} rows"
            chips.append({"label": "Pasted", "value": told, "without": "?" + urlencode(others, doseq=True)})
        for name, label, value in self.filterset.described():
            left = {
                key: values
                for key, values in self.filterset.request.GET.lists()
                if key != name and not (key.startswith(f"{name}_") and key not in self.filterset.filters) and key != "p"
            }
            chips.append({"label": label, "value": value, "without": "?" + urlencode(left, doseq=True)})
        return chips

    @property
    def without_filters(self) -> str:
        """The address of the whole list, in the time, the columns and the order that it shows."""
        left = {
            name: values
            for name, values in self.filter_params.items()
            if name in NO_FILTERS - {"p", "q", PASTED, "_totals"}
        }
        return "?" + urlencode(left, doseq=True) if left else in_this_time("") or "?"

    def _known(self) -> set[str]:
        filterset_class = self.model_admin.get_filterset_class()
        return filterset_class.parameters(self.user) if filterset_class else set()


def ordered_by(order: Any) -> str:
    """The ORM path that an entry of an ordering looks at; "" for one that looks at more than one column."""
    expression = getattr(order, "expression", order)
    return str(getattr(expression, "name", "") if not isinstance(expression, str) else expression)


def _told(filterset: FilterSet) -> str:
    return "; ".join(f"{name}: {' '.join(errors)}" for name, errors in filterset.errors.items())
