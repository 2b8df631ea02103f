"""Lists that only ever grow: newest first, a page at a time by key, without a count, however long they are."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest

from admin_ext.admin.changelist import FilterSetChangeList
from admin_ext.admin.related import hide_related
from admin_ext.filtering.counting import Count

BEFORE = "before"


class EndlessPaginator(Paginator):
    """Shown as "Newest" and "Older"; it never counts."""

    template_name = "admin_ext/endless.html"
    count = 0


class EndlessChangeList(FilterSetChangeList):
    """The rows before the one that `?before=` names."""

    newest = older = ""
    takes_views = False

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        return {name: value for name, value in super().get_filters_params(params).items() if name != BEFORE}

    def get_ordering(self, request: HttpRequest, queryset: Any) -> list[str]:
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        rows, size = self.queryset, self.list_per_page
        before = request.GET.get(BEFORE, "")
        if before:
            rows = rows.filter(pk__lt=int(before)) if before.isdigit() else rows.none()
            self.newest = self.get_query_string(remove=[BEFORE])
        page = list(rows[: size + 1])
        self.result_list = page[:size]
        if len(page) > size:
            self.older = self.get_query_string({BEFORE: self.result_list[-1].pk})
        self.result_count = self.full_result_count = Count(len(self.result_list))
        self.show_full_result_count = self.show_admin_actions = False
        self.can_show_all = self.multi_page = False
        self.paginator: Any = EndlessPaginator(self.result_list, size)
        hide_related(self.result_list, request.user)
