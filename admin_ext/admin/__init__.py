"""The admin room: the one place where unfold, filters, rights, verbs, history and transfers meet."""

from django.contrib.admin import action, register
from unfold.decorators import display

from admin_ext.admin.inlines import StackedInline, TabularInline
from admin_ext.admin.options import ModelAdmin, ReadOnlyModelAdmin
from admin_ext.admin.verbs import OptionalReasonForm, ReasonForm, Verb

__all__ = [
    "ModelAdmin",
    "OptionalReasonForm",
    "ReadOnlyModelAdmin",
    "ReasonForm",
    "StackedInline",
    "TabularInline",
    "Verb",
    "action",
    "display",
    "register",
]
