"""Looking at the product as somebody else, and breaking the glass: the pages that begin and end it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from admin_ext.access.rights import NotPermitted, can
from admin_ext.admin.looks import styled
from admin_ext.admin.options import ReadOnlyModelAdmin, explain
from admin_ext.admin.verbs import ReasonForm
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Door
from admin_ext.granting.elevating import LONGEST, break_glass, end_elevation, may_break_glass, set_emergency_roles
from admin_ext.granting.impersonating import end_impersonation, start_impersonation
from admin_ext.services import Refused


class GlassForm(forms.Form):
    """Which role, for how long, why; and the password again."""

    role: Any = forms.ModelChoiceField(queryset=None, label="Role")
    minutes = forms.IntegerField(min_value=1, label="For how many minutes")
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), label="What the emergency is")
    password = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}), strip=False, label="Your password"
    )

    def __init__(self, data: Any = None, *, request: HttpRequest) -> None:
        super().__init__(data)
        self.request = request
        self.fields["role"].queryset = Group.objects.filter(emergency__isnull=False).order_by("name")
        longest = min(settings.ELEVATION_MINUTES, LONGEST)
        self.fields["minutes"].initial = self.fields["minutes"].max_value = longest
        self.fields["minutes"].help_text = f"At most {longest}. You can end it before."

    def clean_minutes(self) -> int:
        minutes, longest = self.cleaned_data["minutes"], self.fields["minutes"].max_value
        if minutes > longest:
            raise forms.ValidationError(f"At most {longest} minutes.")
        return minutes

    def clean_password(self) -> str:
        """Through the same door as a login, so that guessing is throttled in the same way."""
        user, password = self.request.user, self.cleaned_data["password"]
        known = authenticate(self.request, username=user.get_username(), password=password)
        if known is None or known.pk != user.pk:
            raise forms.ValidationError("This is not your password.")
        return password


class EmergencyRolesForm(ReasonForm):
    """The roles that an elevated session may take on."""

    roles = forms.ModelMultipleChoiceField(
        queryset=Group.objects.order_by("name"), required=False, widget=forms.CheckboxSelectMultiple
    )
    field_order = ["roles", "reason"]


def impersonate_view(request: HttpRequest, key: int) -> HttpResponse:
    """Asks why, and begins to look as the person."""
    person = get_user_model()._default_manager.filter(pk=key).first()
    may = person is not None and can(request.user, "impersonate", person)
    # Who may neither look as them nor see them does not learn that there is somebody.
    if person is None or not (may or can(request.user, "view", person)):
        raise Http404
    if not may:
        raise PermissionDenied("You have no right to look at the product as somebody else.")
    form = styled(ReasonForm(request.POST or None))
    if request.method == "POST" and form.is_valid():
        try:
            start_impersonation(
                actor=request.user, person=person, session=request.session, reason=form.cleaned_data["reason"]
            )
        except (Refused, NotPermitted) as error:
            form.add_error(None, explain(error))
        else:
            return HttpResponseRedirect(reverse("admin:index"))
    return _asked(
        request,
        form,
        title=f"Look at the product as {person}",
        button="Look",
        said=f"You see what they see, for {settings.IMPERSONATION_MINUTES} minutes at most. Nothing can be changed or "
        "taken out; what you open is recorded under both your names.",
    )


@require_POST
def impersonate_end_view(request: HttpRequest) -> HttpResponse:
    end_impersonation(actor=request.user, session=request.session)
    messages.success(request, "You are yourself again.")
    return HttpResponseRedirect(reverse("admin:index"))


@sensitive_post_parameters("password")
def glass_view(request: HttpRequest) -> HttpResponse:
    """Asks for the role, the reason and the password, and elevates the session."""
    if not may_break_glass(request.user):
        raise PermissionDenied("You have no right to break the glass.")
    form = GlassForm(request.POST or None, request=request)
    if request.method == "POST" and form.is_valid():
        said = {name: form.cleaned_data[name] for name in ("role", "reason", "minutes")}
        try:
            break_glass(actor=request.user, session=request.session, **said)
        except (Refused, NotPermitted) as error:
            form.add_error(None, explain(error))
        else:
            # Whoever knew the session before does not know the elevated one.
            request.session.cycle_key()
            return HttpResponseRedirect(reverse("admin:index"))
    return _asked(
        request,
        styled(form),
        title="Break the glass",
        button="Break the glass",
        said="For an emergency that cannot wait for somebody with the right. The other administrators are told, every page "
        "you open is recorded, and somebody else reviews it. Jobs you start run with your own rights.",
    )


@require_POST
def glass_end_view(request: HttpRequest) -> HttpResponse:
    end_elevation(actor=request.user, session=request.session)
    messages.success(request, "The elevated session is over.")
    return HttpResponseRedirect(reverse("admin:index"))


def standing_in_urls(site: Any) -> list[URLPattern]:
    wrap = site.admin_view
    return [
        path("access/impersonate/<int:key>/", wrap(impersonate_view), name="access_impersonate"),
        path("access/impersonate/end/", wrap(impersonate_end_view), name="access_impersonate_end"),
        path("access/glass/", wrap(glass_view), name="access_glass"),
        path("access/glass/end/", wrap(glass_end_view), name="access_glass_end"),
    ]


class ElevationAdmin(ReadOnlyModelAdmin):
    """The elevated sessions there were, and the roles that are there for them."""

    list_display = ["id", "person", "role", "reason", "started_at", "ends_at", "ended_at"]
    list_select_related = ["person", "role"]
    fields = ["person", "role", "reason", "started_at", "ends_at", "ended_at"]
    search_fields = ["reason"]
    in_palette = False

    def get_urls(self) -> list[URLPattern]:
        roles = path("roles/", self.admin_site.admin_view(self.roles_view), name="granting_elevation_roles")
        return [roles, *super().get_urls()]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return (queryset.filter(reason__icontains=search_term) if search_term else queryset), False

    def transfer_buttons(self, request: HttpRequest) -> list[dict[str, str]]:
        buttons = []
        if request.user.has_perm("granting.grant_emergencyrole"):
            address = reverse("admin:granting_elevation_roles")
            buttons.append({"label": "Emergency roles", "icon": "badge", "url": address})
        if may_break_glass(request.user):
            buttons.append({"label": "Break the glass", "icon": "e911_emergency", "url": reverse("admin:access_glass")})
        return buttons

    def roles_view(self, request: HttpRequest) -> HttpResponse:
        """Which roles there are for emergencies."""
        if not request.user.has_perm("granting.grant_emergencyrole"):
            raise PermissionDenied
        known = Group.objects.filter(emergency__isnull=False)
        form = EmergencyRolesForm(request.POST or None, initial={"roles": known})
        if request.method == "POST" and form.is_valid():
            try:
                with change_set(actor=request.user, door=Door.FORM, reason=form.cleaned_data["reason"]):
                    set_emergency_roles(actor=request.user, **form.cleaned_data)
            except (Refused, NotPermitted) as error:
                form.add_error(None, explain(error))
            else:
                messages.success(request, "The roles for emergencies are set.")
                return HttpResponseRedirect(reverse("admin:granting_elevation_changelist"))
        back = reverse("admin:granting_elevation_changelist")
        return _asked(request, styled(form), title="Emergency roles", button="Save", back=back, said="")


def _asked(request: HttpRequest, form: Any, **said: Any) -> HttpResponse:
    context = {**admin.site.each_context(request), "back": reverse("admin:index"), "form": form, **said}
    return TemplateResponse(request, "admin_ext/asked.html", context)
