"""Taking evidence and drawing samples: pages beside the timeline."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils import timezone

from admin_ext.access.rights import NotPermitted
from admin_ext.admin.looks import styled
from admin_ext.admin.screens.questions import TimelineForm
from admin_ext.admin.verbs import OptionalReasonForm
from admin_ext.audit.history import tracked_models
from admin_ext.desk.asking import Asked, Of, check_may_ask
from admin_ext.desk.packs import submit_evidence
from admin_ext.desk.sampling import MOST, draw_sample, new_seed
from admin_ext.desk.timeline import with_rows

SIZE = 25
# So many acts of a sample are shown on its page; all are in its pack.
SHOWN = 100


class NotUnderstood(Exception):
    """The address does not say what evidence is wanted."""


class SampleForm(forms.Form):
    """How many acts to draw, and with which seed."""

    size = forms.IntegerField(min_value=1, max_value=MOST, initial=SIZE, label="How many acts")
    seed = forms.CharField(
        max_length=64, required=False, label="Seed", help_text="Leave it empty for a new one; type one to draw again."
    )
    drawn_at = forms.CharField(required=False, widget=forms.HiddenInput)


class EvidenceViewsMixin:
    """For the admin of change sets: `evidence/` and `sample/`."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("evidence/", wrap(self.evidence_view), name="audit_changeset_evidence"),
            path("sample/", wrap(self.sample_view), name="audit_changeset_sample"),
            *super().get_urls(),
        ]

    def evidence_view(self, request: HttpRequest) -> HttpResponse:
        """Says what the pack will hold, asks why, and hands the job in."""
        try:
            asked = _asked(request)
            check_may_ask(request.user, asked)
        except NotUnderstood as error:
            raise Http404(str(error)) from error
        except NotPermitted as error:
            raise PermissionDenied(str(error)) from error
        form = styled(OptionalReasonForm(request.POST or None))
        if request.method == "POST" and form.is_valid():
            job = submit_evidence(actor=request.user, asked=asked, reason=form.cleaned_data["reason"])
            messages.success(request, "The evidence is being written. You will find the pack here.")
            return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[job.pk]))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Take evidence",
            "in_words": asked.describe(),
            "asked": asked,
            "form": form,
            "back": _origin(asked, request),
        }
        return TemplateResponse(request, "admin_ext/evidence.html", context)

    def sample_view(self, request: HttpRequest) -> HttpResponse:
        """Draws acts at random. The address carries seed and instant, so that it shows the same acts again."""
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        question, form = TimelineForm(request.GET, user=request.user), SampleForm(request.GET)
        kept = [(name, request.GET[name]) for name in question.fields if request.GET.get(name)]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Random sample",
            "kept": kept,
            "form": styled(form),
            "question": f"{reverse('admin:audit_changeset_timeline')}?{urlencode(kept)}",
        }
        if form.is_valid() and question.is_valid():
            if not (form.cleaned_data["seed"] and form.cleaned_data["drawn_at"]):
                return HttpResponseRedirect("?" + urlencode([*kept, *_lots(form.cleaned_data)]))
            try:
                asked = _asked(request, Of.SAMPLE)
            except NotUnderstood as error:
                raise Http404(str(error)) from error
            context |= self._drawn(request, asked)
        return TemplateResponse(request, "admin_ext/sample.html", context)

    def _drawn(self, request: HttpRequest, asked: Asked) -> dict[str, Any]:
        assert asked.drawn_at is not None
        sample = draw_sample(
            asked.question, size=asked.size, seed=asked.seed, drawn_at=asked.drawn_at, user=request.user
        )
        packed = f"{reverse('admin:audit_changeset_evidence')}?of=sample&{request.GET.urlencode()}"
        return {
            "asked": asked,
            "sample": sample,
            "in_words": asked.describe(),
            "acts": [shown_act(act) for act in with_rows(sample.acts[:SHOWN], asked.question, request.user)],
            "cut": len(sample.acts) > SHOWN,
            "evidence": packed if request.user.has_perm("desk.take_evidence") else "",
        }


def shown_act(act: Any) -> Any:
    """An act of the timeline whose rows lead to their histories."""
    for row in act.rows:
        row.url = history_url(row.recorded.model, row.recorded.key)
    return act


def history_url(model: type[models.Model], key: int) -> str:
    """The history page of a record, '' where it has none of its own."""
    try:
        return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_history", args=[key])
    except NoReverseMatch:
        return ""


def _asked(request: HttpRequest, of: Of | None = None) -> Asked:
    """What the address asks for. Raises NotUnderstood."""
    said = request.GET
    try:
        of = of or Of(said.get("of", ""))
    except ValueError as error:
        raise NotUnderstood("This address does not say what evidence is wanted.") from error
    if of == Of.ACT:
        return Asked(of, act=_number(said.get("act", "")))
    if of == Of.LIFE:
        model = next((each for each in tracked_models() if each._meta.label == said.get("model")), None)
        if model is None:
            raise NotUnderstood("There is no such kind of record.")
        return Asked(of, model=model, key=_number(said.get("key", "")))
    form = TimelineForm(said, user=request.user)
    if not form.is_valid():
        raise NotUnderstood("The question was not understood.")
    if of == Of.TIMELINE:
        return Asked(of, question=form.question())
    try:
        drawn_at = datetime.fromisoformat(said.get("drawn_at", ""))
    except ValueError as error:
        raise NotUnderstood("A sample is drawn at an instant.") from error
    lots = SampleForm(said)
    if not lots.is_valid() or not lots.cleaned_data["seed"] or timezone.is_naive(drawn_at):
        raise NotUnderstood("A sample has a size and a seed.")
    size, seed = lots.cleaned_data["size"], lots.cleaned_data["seed"]
    return Asked(of, question=form.question(), size=size, seed=seed, drawn_at=drawn_at)


def _lots(said: dict[str, Any]) -> list[tuple[str, Any]]:
    """The parameters of a sample that can be drawn again."""
    drawn_at = said["drawn_at"] or timezone.now().isoformat()
    return [("size", said["size"]), ("seed", said["seed"] or new_seed()), ("drawn_at", drawn_at)]


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**63:
        raise NotUnderstood("This address names no record.")
    return int(text)


def _origin(asked: Asked, request: HttpRequest) -> str:
    """The page that led here."""
    if asked.of == Of.ACT:
        return reverse("admin:audit_changeset_change", args=[asked.act])
    if asked.of == Of.LIFE:
        assert asked.model is not None
        assert asked.key is not None
        return history_url(asked.model, asked.key)
    view = "sample" if asked.of == Of.SAMPLE else "timeline"
    left = [(name, value) for name, value in request.GET.items() if name != "of"]
    return f"{reverse(f'admin:audit_changeset_{view}')}?{urlencode(left)}"
