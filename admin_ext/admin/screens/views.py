"""Saved views: the page of each, where it is shared, renamed and deleted; how a list is saved; what the sidebar counts."""

from __future__ import annotations

import dataclasses
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_safe
from unfold.decorators import display

from admin_ext.access.rights import NotPermitted, can, restrict
from admin_ext.admin.changelist import NO_FILTERS
from admin_ext.admin.looks import styled
from admin_ext.admin.opened_views import labels_by_path
from admin_ext.admin.options import ModelAdmin
from admin_ext.admin.queues import queue_urls
from admin_ext.admin.sharing import SharingForm
from admin_ext.admin.times import ExportTimesForm, TimesForm
from admin_ext.admin.verbs import RowForm, Verb
from admin_ext.admin.view_links import address_of, counts_view
from admin_ext.filtering.filterset import as_querydict
from admin_ext.filtering.list_state import VIEW, ListState, ViewVeiled
from admin_ext.filtering.models import SavedView
from admin_ext.filtering.views import (
    ViewNotThere,
    find_view,
    model_of,
    open_with,
    opens_for,
    save_view,
    share_view,
    shared_with,
)
from admin_ext.filtering.watches import MOST, Condition, watch_view
from admin_ext.granting.people import role_model
from admin_ext.services import Refused
from admin_ext.transfers.formats import FORMATS
from admin_ext.transfers.view_schedules import schedule_view


class ShareForm(SharingForm):
    """Who sees a view beside its owner."""

    told_of_roles = "Whoever opens the view sees the rows and columns that are theirs to see, and no more."

    def shared_with(self) -> tuple[list[Any], list[Group]]:
        return shared_with(self.row)


class OpensForm(RowForm):
    """For whom a list opens with a view."""

    mine = forms.BooleanField(required=False, label="My list opens with it")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mine, roles = opens_for(self.row, self.user)
        self.initial = {"mine": mine, "roles": [str(key) for key in roles]}
        administered = restrict(role_model()._default_manager.all(), self.user, "grant")
        if (keys := _keys(administered)) and can(self.user, "grant", self.row):
            names = Group.objects.filter(pk__in={*keys, *roles}).order_by("name")
            self.fields["roles"] = forms.MultipleChoiceField(
                widget=forms.CheckboxSelectMultiple,
                required=False,
                label="It opens with it for",
                choices=[(str(role.pk), role.name) for role in names],
                help_text="Unless somebody chose another view for themselves. The view is shared with these roles.",
            )

    def clean_roles(self) -> list[Group]:
        return list(Group.objects.filter(pk__in=self.cleaned_data["roles"]))


class ScheduleForm(ExportTimesForm):
    """When a view is written to a file, and how."""

    format = forms.ChoiceField(
        choices=[(each.name, each.label) for each in FORMATS.values()], initial="csv", label="Format"
    )


class WatchForm(TimesForm):
    """What to be told of a view, and when it is looked at."""

    condition = forms.ChoiceField(choices=Condition.choices, label="Tell me when", initial=Condition.ENTERS)
    number = forms.IntegerField(
        required=False, min_value=1, max_value=MOST, label="Number", help_text="Of rows, or of days."
    )
    field_order = ("condition", "number", "every", "at", "on_day", "mail")


class SaveForm(forms.Form):
    """What a view is called."""

    name = forms.CharField(max_length=100, label="Name of the view")
    mine = forms.BooleanField(required=False, label="My list opens with it")


class SavedViewAdmin(ModelAdmin):
    list_display = ["name", "shown_list", "owner", "updated_at"]
    list_select_related = ["owner"]
    in_palette = False
    fieldsets = [
        (None, {"fields": ["name", ("shown_list", "owner")]}),
        (
            "What it shows",
            {"fields": ["shown_filters", "search", "shown_columns", "shown_order", "page_size", "density"]},
        ),
        ("Who sees it", {"fields": ["shown_sharing"]}),
    ]
    readonly_fields = [
        "owner",
        "shown_list",
        "shown_filters",
        "search",
        "shown_columns",
        "shown_order",
        "page_size",
        "density",
        "shown_sharing",
    ]
    verbs = (
        Verb(share_view, "Share", "group_add", ShareForm, bulk=False),
        Verb(open_with, "Opens with it", "home_pin", OpensForm, bulk=False),
        Verb(watch_view, "Watch", "notifications_active", WatchForm, bulk=False),
        Verb(schedule_view, "Schedule", "schedule", ScheduleForm, bulk=False),
    )

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("save/", wrap(self.save_list_view), name="filtering_savedview_save"),
            path("counts/", wrap(require_safe(counts_view)), name="filtering_savedview_counts"),
            *queue_urls(wrap),
            *super().get_urls(),
        ]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Views are made where they are looked at.
        return False

    def _way_buttons(self, request: HttpRequest, row: Any) -> list[dict[str, Any]]:
        ways = super()._way_buttons(request, row)
        address = address_of(row, request.user) if row is not None else ""
        return [{"label": "Open the list", "icon": "visibility", "url": address}, *ways] if address else ways

    def save_list_view(self, request: HttpRequest) -> HttpResponse:
        """Keeps what a list shows, as its page says it, under a name."""
        said = request.POST if request.method == "POST" else request.GET
        listed = _list_of(said.get("list", ""), request)
        state = ListState.of_address(QueryDict(said.get("_state", "")).lists(), not_filters=NO_FILTERS)
        view = self._saved_over(request, said.get(VIEW, ""), listed.opts.label)
        form = SaveForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                saved = save_view(
                    actor=request.user,
                    model=listed.model,
                    state=state,
                    columns=listed.offered_columns(request).keys(),
                    sortable=listed.sortable_paths(request),
                    name=form.cleaned_data["name"],
                    view=view,
                )
                if form.cleaned_data["mine"]:
                    open_with(actor=request.user, view=saved, mine=True)
            except (Refused, NotPermitted) as refusal:
                form.add_error("name" if view is None else None, str(refusal))
            else:
                messages.success(request, f"The view “{saved}” was saved.")
                return HttpResponseRedirect(address_of(saved, request.user) or reverse("admin:index"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Save this list of {listed.opts.verbose_name_plural} as a view",
            "form": styled(form),
            "button": "Save",
            "kept": [("list", listed.opts.label), ("_state", said.get("_state", "")), (VIEW, view.pk if view else "")],
            "back": reverse(f"admin:{listed.opts.app_label}_{listed.opts.model_name}_changelist"),
        }
        return TemplateResponse(request, "admin_ext/save_view.html", context)

    def _saved_over(self, request: HttpRequest, key: str, label: str) -> SavedView | None:
        if not key:
            return None
        try:
            return find_view(key, user=request.user, model=label)
        except ViewNotThere:
            raise Http404 from None

    @display(description="list", ordering="model")
    def shown_list(self, view: SavedView) -> str:
        model = model_of(view)
        return str(model._meta.verbose_name_plural).capitalize() if model else view.model

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        view = super().get_object(request, object_id, from_field)
        if view is not None:
            view.in_words = Told.of(view, request)
        return view

    @display(description="filters", ordering="filters")
    def shown_filters(self, view: Any) -> str:
        return view.in_words.filters or "None"

    @display(description="columns", ordering="columns")
    def shown_columns(self, view: Any) -> str:
        return view.in_words.columns or "Those of the list"

    @display(description="order", ordering="ordering")
    def shown_order(self, view: Any) -> str:
        return view.in_words.order or "That of the list"

    @display(description="shared with")
    def shown_sharing(self, view: SavedView) -> str:
        people, roles = shared_with(view)
        return ", ".join([*(role.name for role in roles), *(str(person) for person in people)]) or "Nobody"


@dataclasses.dataclass(frozen=True)
class Told:
    """What a view asks for in the words of its list, to who may open that; "" for nothing."""

    filters: str = ""
    columns: str = ""
    order: str = ""

    @classmethod
    def of(cls, view: SavedView, request: HttpRequest) -> Told:
        try:
            state = ListState.of_view(view, request.user)
            listed = _list_of(view.model, request)
        except (ViewVeiled, Http404):
            return cls("Those of a list that you may not open")
        labels = {each.name: each.label for each in listed.offered_columns(request).values()}
        sorts = labels_by_path(listed, request)
        known = listed.get_filterset_class()
        filters = [(name, name, ", ".join(values)) for name, values in state.filters.items()]
        if known is not None and state.filters.keys() <= known.parameters(request.user):
            filterset = known(as_querydict(dict(state.filters)), request=request)
            filters = filterset.described() or filters
        return cls(
            filters="; ".join(f"{label}: {value}" for _, label, value in filters),
            columns=", ".join(labels.get(name, name) for name, _ in state.columns),
            order=", ".join(
                f"{sorts.get(path.removeprefix('-'), path)}{', downwards' if path.startswith('-') else ''}"
                for path in state.ordering
            ),
        )


def _list_of(label: str, request: HttpRequest) -> Any:
    """The admin of a list that the person may open. Raises Http404."""
    for model, model_admin in admin.site._registry.items():
        if model._meta.label == label and model_admin.has_view_permission(request):
            return model_admin
    raise Http404


def _keys(rows: Any) -> set[int]:
    return set(rows.values_list("pk", flat=True))
