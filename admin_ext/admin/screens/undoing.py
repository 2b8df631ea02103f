"""Undo on the pages where somebody finds out that they want it: a reason is asked for, a plan is made, nothing else."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from admin_ext.access.rights import NotPermitted, restrict
from admin_ext.admin.looks import styled
from admin_ext.admin.verbs import ReasonForm
from admin_ext.audit.models import ChangeSet, Door
from admin_ext.plans.models import Action, Plan
from admin_ext.plans.undoing import can_undo, check_can_undo, undo_change_set
from admin_ext.services import Refused


class UndoViewsMixin:
    """For the admin of change sets: `<key>/undo/`."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [path("<int:key>/undo/", wrap(self.undo_view), name="audit_changeset_undo"), *super().get_urls()]

    def undo_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Asks why, and has the plan made that takes the change set back."""
        change_set = self.get_object(request, str(key))
        if change_set is None:
            raise Http404
        form: Any = styled(ReasonForm(request.POST if "_go" in request.POST else None))
        against = _against(request.user, change_set)
        if request.method == "POST" and not against and form.is_valid():
            try:
                plan = undo_change_set(actor=request.user, change_set=change_set, reason=form.cleaned_data["reason"])
                return HttpResponseRedirect(reverse("admin:plans_plan_change", args=[plan.pk]))
            except (Refused, NotPermitted) as error:
                form.add_error(None, str(error))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": change_set,
            "title": f"Undo change set {change_set}",
            "form": form,
            "notes": [against] if against else WHAT_IT_DOES,
            "possible": not against,
            "button": "Show me what would change",
            "back": reverse("admin:audit_changeset_change", args=[key]),
        }
        return TemplateResponse(request, "admin_ext/revert.html", context)


WHAT_IT_DOES = [
    "What it changed is changed back, what it made is deleted, what it deleted is made again.",
    "Rows that somebody has changed since stay as they are, and you are told by whom.",
]


def undo_url(user: Any, change_set: ChangeSet | None) -> str:
    """Where this person can undo the change set; empty when there is no point in offering it."""
    return (
        reverse("admin:audit_changeset_undo", args=[change_set.pk]) if change_set and can_undo(user, change_set) else ""
    )


def undone_by(user: Any, change_set: ChangeSet) -> list[ChangeSet]:
    """The change sets that took this one back, as far as the person may see them."""
    return list(restrict(ChangeSet.objects.filter(parent=change_set.pk, door=Door.UNDO), user, "view"))


def buckets_of(plan: Plan) -> list[dict[str, Any]]:
    """What becomes of the rows of an undo, in words: restored, kept, impossible; and what is neither."""
    if plan.source != "undo":
        return []
    is_done = plan.state == Plan.State.APPLIED
    ways = {Action.UPDATE: "changed back", Action.DELETE: "deleted", Action.CREATE: "made again"}
    how = ", ".join(f"{plan.counts[way]:,} {said}" for way, said in ways.items() if plan.counts.get(way))
    told = [
        ("Restored" if is_done else "To be restored", f"{how}.", tuple(ways)),
        ("Kept", "Somebody has changed them since. Each row says who, and when.", (Action.DRIFTED,)),
        ("Cannot be restored", "Each row says why.", (Action.REFUSED, Action.INVALID)),
        ("Left alone", "You may not see them, or they were not reached.", (Action.LEFT,)),
        ("As they were already", "Nothing needs to be done.", (Action.UNCHANGED,)),
    ]
    counted = [(name, says, sum(plan.counts.get(each, 0) for each in actions)) for name, says, actions in told]
    return [{"name": name, "says": says, "number": number} for name, says, number in counted if number]


def _against(user: Any, change_set: ChangeSet) -> str:
    try:
        check_can_undo(user, change_set)
    except (Refused, NotPermitted) as error:
        return str(error)
    return ""
