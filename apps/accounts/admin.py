"""What an administrator sees of people, roles and teams."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db.models import Prefetch

from admin_ext.access.rights import restrict
from admin_ext.access.scopes import scope_models
from admin_ext.admin import (
    AssignViewMixin,
    ModelAdmin,
    ReasonForm,
    RoleFileViewsMixin,
    RoleRightsMixin,
    TabularInline,
    Verb,
    display,
    register,
)
from admin_ext.admin.reasons import posted_reason
from admin_ext.granting.telling import sentence
from apps.accounts import services
from apps.accounts.models import Membership, Role, Team, TeamMembership, User

# A role is a group on the record; Django's own page for groups writes past it.
admin.site.unregister(Group)


class PasswordForm(forms.Form):
    password = forms.CharField(widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), strip=False)
    reason = forms.CharField(widget=forms.Textarea, required=False)


@register(User)
class UserAdmin(AssignViewMixin, ModelAdmin):
    list_display = ["username", "full_name", "email", "shown_roles", "is_active", "last_login"]
    readonly_fields = ["shown_roles", "shown_places", "last_login", "date_joined", "password_changed_at", "is_active"]
    verbs = (
        Verb(services.set_password, "Set password", "password", PasswordForm, bulk=False),
        Verb(services.deactivate_user, "Deactivate", "person_off", ReasonForm, danger=True),
        Verb(services.reactivate_user, "Reactivate", "person"),
    )
    fieldsets = [
        (None, {"fields": [("username", "email"), ("first_name", "last_name"), "time_zone"]}),
        (
            "Access",
            {
                "fields": [
                    "shown_roles",
                    "shown_places",
                    "is_active",
                    ("last_login", "password_changed_at", "date_joined"),
                ]
            },
        ),
    ]

    def get_queryset(self, request: Any) -> Any:
        people = super().get_queryset(request).prefetch_related("groups")
        for model in scope_models():
            seen = restrict(model._default_manager.all(), request.user, "view")
            grants = model.user_grants_model.objects.filter(content_object__in=seen)
            people = people.prefetch_related(Prefetch(_grants(model), grants.select_related("content_object")))
        return people

    def has_delete_permission(self, request: Any, obj: Any = None) -> bool:
        return False  # the record names people for ever

    def save_model(self, request: Any, obj: User, form: Any, change: bool) -> None:
        if not change:
            obj.is_staff = True  # whoever has an account works here
        super().save_model(request, obj, form, change)

    @display(description="name", ordering="last_name")
    def full_name(self, user: User) -> str:
        return user.get_full_name()

    @display(description="roles")
    def shown_roles(self, user: User) -> str:
        return ", ".join(sorted(group.name for group in user.groups.all())) or "none"

    @display(description="places")
    def shown_places(self, user: User) -> str:
        places = [
            str(grant.content_object) for model in scope_models() for grant in getattr(user, _grants(model)).all()
        ]
        return ", ".join(sorted(places)) or "none that you may see"


def _grants(model: Any) -> str:
    """The name under which a person has their grants on the places of a scope dimension."""
    return model.user_grants_model._meta.get_field("user").remote_field.get_accessor_name()


class MembershipInline(TabularInline):
    model = Membership
    fields = ["user"]
    can_delete = False

    def has_add_permission(self, request: Any, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        return False


@register(Role)
class RoleAdmin(RoleFileViewsMixin, RoleRightsMixin, ModelAdmin):
    list_display = ["name", "shown_rights"]
    search_fields = ["name"]
    fields = ["name", "shown_rights_whole"]
    readonly_fields = ["shown_rights_whole"]
    inlines = [MembershipInline]

    def get_queryset(self, request: Any) -> Any:
        return (
            super()
            .get_queryset(request)
            .prefetch_related(Prefetch("permissions", Permission.objects.select_related("content_type")))
        )

    def delete_model(self, request: Any, obj: Role) -> None:
        services.delete_role(actor=request.user, role=obj, reason=posted_reason(request))

    @display(description="what its holders may do")
    def shown_rights(self, role: Role) -> str:
        return sentence(role.permissions.all(), kinds=3)

    @display(description="what its holders may do")
    def shown_rights_whole(self, role: Role) -> str:
        return sentence(role.permissions.all())


class TeamMembershipInline(TabularInline):
    model = TeamMembership
    fields = ["user"]


@register(Team)
class TeamAdmin(ModelAdmin):
    list_display = ["code", "name", "lead"]
    list_select_related = ["lead"]
    fields = ["code", "name", "lead"]
    bulk_edit_fields = ("lead",)
    inlines = [TeamMembershipInline]
