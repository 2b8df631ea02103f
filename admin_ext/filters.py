"""How the platform's own rows are narrowed down."""

from __future__ import annotations

from admin_ext.audit.models import ChangeSet
from admin_ext.filtering.filterset import FilterSet
from admin_ext.jobs.models import Job
from admin_ext.notices.models import Notice
from admin_ext.plans.models import Plan
from admin_ext.transfers.models import Profile


class ChangeSetFilterSet(FilterSet):
    class Meta:
        model = ChangeSet
        fields = ["actor", "door", "verb", "reason", "started_at"]


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
