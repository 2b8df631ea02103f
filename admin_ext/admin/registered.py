"""Registers the platform's own screens; imported once everything is loaded."""

from django.contrib import admin

from admin_ext.admin.screens import change_sets, jobs, notices, plans, profiles
from admin_ext.audit.models import ChangeSet
from admin_ext.jobs.models import Job
from admin_ext.notices.models import Notice
from admin_ext.plans.models import Plan
from admin_ext.transfers.models import Profile

admin.site.register(ChangeSet, change_sets.ChangeSetAdmin)
admin.site.register(Job, jobs.JobAdmin)
admin.site.register(Notice, notices.NoticeAdmin)
admin.site.register(Plan, plans.PlanAdmin)
admin.site.register(Profile, profiles.ProfileAdmin)
