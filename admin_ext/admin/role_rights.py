"""The page on which a role's rights are ticked, kind by kind, in the words of work."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.widgets import CHECKBOX_CLASSES

from admin_ext.access.rights import can
from admin_ext.admin.holders import PlacesViewMixin, answer_to
from admin_ext.admin.looks import styled
from admin_ext.admin.ticks import why_not
from admin_ext.admin.verbs import ReasonForm
from admin_ext.granting.assigning import Outcome
from admin_ext.granting.giving import set_role_rights
from admin_ext.granting.holding import not_held
from admin_ext.granting.people import memberships
from admin_ext.granting.telling import WORDS, in_words, rows_of_rights, sentence, told_right

NOT_YOURS = "You do not hold it yourself."


class RoleRightsMixin(PlacesViewMixin):
    """For the ModelAdmin of roles: `rights/` of one of them."""

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_rights"
        rights = path("<path:object_id>/rights/", self.admin_site.admin_view(self.rights_view), name=name)
        return [rights, *super().get_urls()]

    def _verb_buttons(self, request: HttpRequest, row: Any) -> list[dict[str, Any]]:
        buttons = super()._verb_buttons(request, row)
        if row is None or not can(request.user, "grant", row):
            return buttons
        address = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_rights", args=[row.pk])
        return [{"label": "Rights", "icon": "key", "danger": False, "url": address}, *buttons]

    def rights_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ticks for every right there is; shows what a change would do to the holders, and does it."""
        role = self.get_object(request, object_id)
        if role is None:
            raise Http404
        if not can(request.user, "grant", role):
            raise PermissionDenied
        every = {right.pk: right for right in Permission.objects.select_related("content_type")}
        held = set(role.permissions.values_list("pk", flat=True))
        apps = rows_of_rights(every.values(), kinds=self.admin_site._registry)
        shown = {right.pk for app in apps for row in app["rows"] for right in [*row["plain"].values(), *row["verbs"]]}
        locked = {right.pk for right in not_held(request.user, every.values())}
        closed = why_not(request.user, role)
        ticked = held
        form = styled(ReasonForm(request.POST if request.method == "POST" else None))
        page: dict[str, Any] = {"form": form, "closed": closed}
        if request.method == "POST" and not closed:
            # What the page does not show, or shows closed, stays as it is; a post made by hand is for the service to refuse.
            posted = {int(key) for key in request.POST.getlist("rights") if key.isdigit()} & every.keys()
            ticked = posted | (held - shown) | (held & locked)

            def act() -> list[Outcome]:
                rights = [every[key] for key in ticked]
                set_role_rights(actor=request.user, role=role, rights=rights, reason=form.cleaned_data["reason"])
                given = [Outcome(role, f"“{told_right(every[key])}”", "given") for key in sorted(ticked - held)]
                return [
                    *given,
                    *(Outcome(role, f"“{told_right(every[key])}”", "taken") for key in sorted(held - ticked)),
                ]

            touched = list(memberships().filter(group_id=role.pk).values_list("user_id", flat=True))
            verb = f"{self.opts.app_label}.set_rights"
            if answer := answer_to(request, form, page, act, touched, verb=verb, then=self._change_url(role)):
                return answer
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": role,
            "title": f"Rights: {role}",
            "sentence": sentence(every[key] for key in ticked),
            "columns": [word.capitalize() for word in WORDS.values()],
            "apps": [_told(app, ticked, locked) for app in apps],
            "checkbox_classes": " ".join(CHECKBOX_CLASSES),
            "back": self._change_url(role),
            **page,
        }
        return TemplateResponse(request, "admin_ext/role_rights.html", context)


def _told(app: dict[str, Any], ticked: set[int], locked: set[int]) -> dict[str, Any]:
    """One app's rights for the page: a cell for each plain right, empty where there is none, and the verbs by name."""

    def cell(right: Permission, label: str) -> dict[str, Any]:
        why = NOT_YOURS if right.pk in locked else ""
        return {"value": right.pk, "label": label, "ticked": right.pk in ticked, "why": why}

    rows = [
        {
            "kind": row["kind"],
            "plain": [
                cell(row["plain"][action], f"{word.capitalize()} {row['kind'].lower()}")
                if action in row["plain"]
                else None
                for action, word in WORDS.items()
            ],
            "verbs": [cell(right, in_words(right).capitalize()) for right in row["verbs"]],
        }
        for row in app["rows"]
    ]
    return {"name": app["app"], "rows": rows}
