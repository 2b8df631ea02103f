"""How the platform's own rows are narrowed down."""

from __future__ import annotations

from django.contrib.auth.models import Group

from admin_ext.access.models import FieldPolicy
from admin_ext.access.naming import policed_models
from admin_ext.audit.history import tracked_models
from admin_ext.audit.models import AccessEvent, ChangeSet
from admin_ext.desk.models import Review
from admin_ext.filtering.filters import AppendedDaysFilter, OneOfFilter
from admin_ext.filtering.filterset import FilterSet
from admin_ext.filtering.models import SavedView
from admin_ext.granting.models import AccessReview, Elevation
from admin_ext.jobs.models import Job, Schedule
from admin_ext.notices.models import Notice
from admin_ext.plans.models import Plan
from admin_ext.transfers.models import ExportDefinition, Profile


def _models() -> list[tuple[str, str]]:
    """What events may be about, by the names that people know."""
    known = [each._meta for each in tracked_models() if each._meta.default_permissions]
    return sorted(
        ((each.label, str(each.verbose_name_plural).capitalize()) for each in known), key=lambda pair: pair[1]
    )


class AccessEventFilterSet(FilterSet):
    model = OneOfFilter(choices=_models, label="Kind of record")
    at = AppendedDaysFilter(label="When")

    class Meta:
        model = AccessEvent
        fields = ["kind", "actor", "acting_as", "model", "at"]


class ChangeSetFilterSet(FilterSet):
    class Meta:
        model = ChangeSet
        fields = ["actor", "door", "verb", "reason", "started_at"]


def _policed() -> list[tuple[str, str]]:
    named = ((each._meta.label, str(each._meta.verbose_name_plural).capitalize()) for each in policed_models())
    return sorted(named, key=lambda pair: pair[1])


def _roles() -> list[tuple[int, str]]:
    return list(Group.objects.order_by("name").values_list("pk", "name"))


class FieldPolicyFilterSet(FilterSet):
    role = OneOfFilter(choices=_roles, label="Role")
    model = OneOfFilter(choices=_policed, label="Kind of record")

    class Meta:
        model = FieldPolicy
        fields = ["role", "model", "kind"]


class JobFilterSet(FilterSet):
    class Meta:
        model = Job
        fields = ["state", "requested_by", "kind", "title", "queued_at"]


class NoticeFilterSet(FilterSet):
    class Meta:
        model = Notice
        fields = ["level", "text", "made_at"]


class PlanFilterSet(FilterSet):
    class Meta:
        model = Plan
        fields = ["state", "source", "created_by", "model", "title", "created_at"]


class ProfileFilterSet(FilterSet):
    class Meta:
        model = Profile
        fields = ["name", "title", "resource"]


class ExportDefinitionFilterSet(FilterSet):
    class Meta:
        model = ExportDefinition
        fields = ["name", "resource", "format"]


class ScheduleFilterSet(FilterSet):
    class Meta:
        model = Schedule
        fields = ["name", "every", "paused_at"]


class ReviewFilterSet(FilterSet):
    class Meta:
        model = Review
        fields = ["verdict", "reviewer", "note", "signed_at"]


class AccessReviewFilterSet(FilterSet):
    class Meta:
        model = AccessReview
        fields = ["title", "due_on", "opened_by", "closed_at"]


class ElevationFilterSet(FilterSet):
    class Meta:
        model = Elevation
        fields = ["person", "role", "reason", "started_at"]


class SavedViewFilterSet(FilterSet):
    model = OneOfFilter(choices=_models, label="List")

    class Meta:
        model = SavedView
        fields = ["model", "name", "owner", "updated_at"]
