"""Reviews: what waits for one, signing, and what was signed; and the page that verifies the record."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import authenticate
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from unfold.decorators import display

from admin_ext.access.rights import NotPermitted
from admin_ext.admin.looks import styled
from admin_ext.admin.options import ReadOnlyModelAdmin, explain
from admin_ext.admin.screens.jobs import STATE_COLOURS
from admin_ext.audit.context import change_set
from admin_ext.audit.models import Block, Door
from admin_ext.audit.seals.keys import NoKey, public_text
from admin_ext.audit.seals.standing import count_unsealed, newest_checkpoint, public_keys, seal_lag
from admin_ext.desk.cases import PAGE, count_open, open_cases, overdue_since
from admin_ext.desk.lives import who_did
from admin_ext.desk.models import Case, Review
from admin_ext.desk.reviewing import sign_review
from admin_ext.desk.verification import check_may_verify, last_verifications, submit_verification
from admin_ext.services import Refused

VERDICTS = {"in_order": "success", "question": "warning", "objection": "danger"}


class ReviewForm(forms.Form):
    """A verdict, signed with the password."""

    first_act = forms.IntegerField(min_value=1, label="From change set")
    last_act = forms.IntegerField(min_value=1, label="To change set")
    verdict = forms.ChoiceField(choices=Review.Verdict.choices)
    note = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}),
        required=False,
        help_text="A question or an objection says what it is.",
    )
    password = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        strip=False,
        label="Your password",
        help_text="You sign with it.",
    )

    def __init__(self, data: Any = None, *, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.request = request

    def clean_password(self) -> str:
        """Through the same door as a login, so that guessing is throttled in the same way."""
        user, password = self.request.user, self.cleaned_data["password"]
        known = authenticate(self.request, username=user.get_username(), password=password)
        if known is None or known.pk != user.pk:
            raise forms.ValidationError("This is not your password.")
        return password


class ReviewAdmin(ReadOnlyModelAdmin):
    list_display = ["id", "shown_acts", "shown_verdict", "note", "reviewer", "signed_at", "block"]
    list_display_links = ["id", "shown_acts"]
    list_select_related = ["reviewer"]
    search_fields = ["note"]

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("open/", wrap(self.open_view), name="desk_review_open"),
            path("sign/", wrap(self.sign_view), name="desk_review_sign"),
            path("verify/", wrap(self.verify_view), name="desk_review_verify"),
            path("verify/checkpoint/", wrap(self.checkpoint_view), name="desk_review_checkpoint"),
            path("verify/public-key/", wrap(self.public_key_view), name="desk_review_public_key"),
            path("verify/<int:key>/report/", wrap(self.report_view), name="desk_review_report"),
            *super().get_urls(),
        ]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return (queryset.filter(note__icontains=search_term) if search_term else queryset), False

    def transfer_buttons(self, request: HttpRequest) -> list[dict[str, str]]:
        return [{"label": "Open reviews", "icon": "pending_actions", "url": reverse("admin:desk_review_open")}]

    @display(description="what")
    def shown_acts(self, review: Review) -> str:
        return review.acts

    @display(description="verdict", ordering="verdict", label=VERDICTS)
    def shown_verdict(self, review: Review) -> tuple[str, str]:
        return review.verdict, review.get_verdict_display()

    # -- reviews -----------------------------------------------------------------------------------

    def open_view(self, request: HttpRequest) -> HttpResponse:
        """What waits for a review, oldest first."""
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        after = request.GET.get("after", "")
        acts = open_cases(request.user, after=int(after) if after.isdecimal() and int(after) < 2**63 else 0)
        late = overdue_since()
        for act in acts:
            act.who = who_did(act, act.db_user)
            act.is_overdue = act.case.opened_at < late
            act.is_mine = request.user.pk in (act.actor_id, act.acting_as_id)
        context = {
            **self._context(request),
            "title": "Open reviews",
            "acts": acts[:PAGE],
            "more": acts[PAGE - 1].pk if len(acts) > PAGE else None,
            "continued": bool(after),
            "open": count_open(),
            "overdue": count_open(overdue=True),
            "may_sign": request.user.has_perm("desk.add_review"),
        }
        return TemplateResponse(request, "admin_ext/reviews_open.html", context)

    @method_decorator(sensitive_post_parameters("password"))
    def sign_view(self, request: HttpRequest) -> HttpResponse:
        """Asks for a verdict on an act or a range, and for the password."""
        if not request.user.has_perm("desk.add_review"):
            raise PermissionDenied
        if request.method == "POST":
            form = ReviewForm(request.POST, request=request)
            if form.is_valid() and (review := self._sign(request, form)):
                closed = Case.objects.filter(review=review).count()
                cases = "1 open review is closed" if closed == 1 else f"{closed:,} open reviews are closed"
                messages.success(request, f"Signed: {review}. {cases}.")
                one = review.first_act == review.last_act
                page = reverse("admin:audit_changeset_change", args=[review.first_act])
                return HttpResponseRedirect(page if one else reverse("admin:desk_review_open"))
        else:
            said = {name: value for name, value in request.GET.items() if value.isdecimal()}
            first = said.get("first", "")
            form = ReviewForm(request=request, initial={"first_act": first, "last_act": said.get("last", first)})
        context = {
            **self._context(request),
            "title": "Sign a review",
            "form": styled(form),
            "button": "Sign",
            "back": reverse("admin:desk_review_open"),
        }
        return TemplateResponse(request, "admin_ext/review_sign.html", context)

    def _sign(self, request: HttpRequest, form: ReviewForm) -> Review | None:
        said = {name: form.cleaned_data[name] for name in ("first_act", "last_act", "verdict", "note")}
        try:
            with change_set(actor=request.user, door=Door.FORM):
                return sign_review(actor=request.user, **said)
        except (Refused, NotPermitted, IntegrityError) as error:
            form.add_error(None, explain(error))
            return None

    # -- verifying ---------------------------------------------------------------------------------

    def verify_view(self, request: HttpRequest) -> HttpResponse:
        """How far the record is sealed, what the last verifications said, and a button for another."""
        self._check_may_verify(request)
        if request.method == "POST":
            try:
                submit_verification(actor=request.user)
                messages.success(request, "The record is being verified.")
            except Refused as error:
                messages.error(request, str(error))
            return HttpResponseRedirect(reverse("admin:desk_review_verify"))
        runs = last_verifications()
        running = next((run.job for run in runs if not run.job.has_ended), None)
        context = {
            **self._context(request),
            "title": "Verify the record",
            "newest": Block.objects.first(),
            "lag": seal_lag(),
            "unsealed": int(count_unsealed()),
            "runs": runs,
            "verdict": next((run for run in runs if run.report), None),
            "running": running,
            "job": running if running and running.requested_by_id == request.user.pk else None,
            "colour": STATE_COLOURS.get(running.state) if running else "",
        }
        return TemplateResponse(request, "admin_ext/verify.html", context)

    def checkpoint_view(self, request: HttpRequest) -> HttpResponse:
        """The newest checkpoint, as it is published."""
        self._check_may_verify(request)
        note = newest_checkpoint()
        if not note:
            raise Http404("Nothing is sealed yet.")
        number = note.partition("block ")[2].partition("\n")[0]
        return _file(note, f"checkpoint-{number}.txt")

    def public_key_view(self, request: HttpRequest) -> HttpResponse:
        self._check_may_verify(request)
        try:
            keys = public_keys()
        except NoKey as error:
            raise Http404(str(error)) from error
        return _file("".join(public_text(key) for key in keys.values()), "public_key.pem")

    def report_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """The whole report of one of the last verifications, as data."""
        self._check_may_verify(request)
        run = next((run for run in last_verifications() if run.job.pk == key and run.report), None)
        if run is None:
            raise Http404
        response = JsonResponse(run.report, json_dumps_params={"indent": 1})
        response["Content-Disposition"] = f'attachment; filename="verification-{key}.json"'
        return response

    def _check_may_verify(self, request: HttpRequest) -> None:
        try:
            check_may_verify(request.user)
        except NotPermitted as error:
            raise PermissionDenied(str(error)) from error

    def _context(self, request: HttpRequest) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "opts": self.opts}


def _file(text: str, name: str) -> HttpResponse:
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
