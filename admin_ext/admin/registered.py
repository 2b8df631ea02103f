"""Registers the platform's own screens; imported once everything is loaded."""

from django.contrib import admin

from admin_ext.access.models import FieldPolicy
from admin_ext.admin.screens import (
    access_events,
    access_reviews,
    change_sets,
    definitions,
    jobs,
    notices,
    plans,
    policies,
    profiles,
    reviews,
    schedules,
    standing_in,
    views,
)
from admin_ext.audit.models import AccessEvent, ChangeSet
from admin_ext.desk.models import Review
from admin_ext.filtering.models import SavedView
from admin_ext.granting.models import AccessReview, Elevation
from admin_ext.jobs.models import Job, Schedule
from admin_ext.notices.models import Notice
from admin_ext.plans.models import Plan
from admin_ext.transfers.models import ExportDefinition, Profile

admin.site.register(AccessReview, access_reviews.AccessReviewAdmin)
admin.site.register(Elevation, standing_in.ElevationAdmin)
admin.site.register(AccessEvent, access_events.AccessEventAdmin)
admin.site.register(ChangeSet, change_sets.ChangeSetAdmin)
admin.site.register(ExportDefinition, definitions.ExportDefinitionAdmin)
admin.site.register(FieldPolicy, policies.FieldPolicyAdmin)
admin.site.register(Job, jobs.JobAdmin)
admin.site.register(Notice, notices.NoticeAdmin)
admin.site.register(Plan, plans.PlanAdmin)
admin.site.register(Profile, profiles.ProfileAdmin)
admin.site.register(Review, reviews.ReviewAdmin)
admin.site.register(SavedView, views.SavedViewAdmin)
admin.site.register(Schedule, schedules.ScheduleAdmin)
