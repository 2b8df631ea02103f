"""The admin room: the one place where unfold, filters, rights, verbs, history and transfers meet."""

from django.contrib.admin import action, register
from unfold.decorators import display

from admin_ext.admin.amounts import money
from admin_ext.admin.documents import Document
from admin_ext.admin.forms import RecordForm
from admin_ext.admin.holders import AssignViewMixin
from admin_ext.admin.inlines import ReadOnlyInline, StackedInline, TabularInline
from admin_ext.admin.options import ModelAdmin, ReadOnlyModelAdmin
from admin_ext.admin.related import RelatedList, hide_related, link
from admin_ext.admin.role_files import RoleFileViewsMixin
from admin_ext.admin.role_rights import RoleRightsMixin
from admin_ext.admin.verbs import DayField, OptionalReasonForm, ReasonForm, RecordField, RowForm, Verb
from admin_ext.audit.past import day_looked_at

__all__ = [
    "AssignViewMixin",
    "DayField",
    "Document",
    "ModelAdmin",
    "OptionalReasonForm",
    "ReadOnlyInline",
    "ReadOnlyModelAdmin",
    "ReasonForm",
    "RecordField",
    "RecordForm",
    "RelatedList",
    "RoleFileViewsMixin",
    "RoleRightsMixin",
    "RowForm",
    "StackedInline",
    "TabularInline",
    "Verb",
    "action",
    "day_looked_at",
    "display",
    "hide_related",
    "link",
    "money",
    "register",
]
