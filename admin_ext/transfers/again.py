"""The same file again, and a changed one: what is known of it from before."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.utils import timezone

from admin_ext.access.rights import restrict
from admin_ext.plans.models import Plan

COMPARED = """
    WITH {of_this}, {of_last}
    SELECT count(*) FILTER (WHERE before.key IS NULL), count(*) FILTER (WHERE now.key IS NULL),
           count(*) FILTER (WHERE now.said <> before.said), count(*) FILTER (WHERE now.said = before.said)
    FROM now FULL JOIN before USING (key)
"""
ROWS = """{name} AS (
    SELECT key, md5(string_agg(raw::text || coalesce(corrections ->> 'cells', ''), '|' ORDER BY number)) AS said
    FROM plans_planrow WHERE plan_id = %s GROUP BY key
)"""


def applied_before(*, actor: Any, sha256: str, model: str) -> Plan | None:
    """The last plan that brought the very same file into the same records, as far as the person may see it."""
    plans = restrict(Plan.objects.all(), actor, "view")
    applied = plans.filter(source="import", model=model, file__sha256=sha256, state=Plan.State.APPLIED)
    return applied.order_by("-pk").first()


def told_again(plan: Plan) -> str:
    """That a file was read before, as a question."""
    applied = f" on {timezone.localtime(plan.applied_at):%Y-%m-%d at %H:%M}" if plan.applied_at else ""
    profile = f", with the profile {plan.parameters['profile']}" if plan.parameters.get("profile") else ""
    return (
        f"This very file was applied already{applied} by {plan.created_by}{profile} (plan {plan.pk}). "
        "Read it again only if what it says should be put back where it was changed since."
    )


def told_difference(plan: Plan, *, actor: Any) -> str:
    """How the rows of an import differ from those of the last one through its profile; nothing where there is none.

    By key and as the files have them: what became of the records since does not count.
    """
    if not plan.parameters.get("profile"):
        return ""
    plans = restrict(Plan.objects.filter(pk__lt=plan.pk), actor, "view")
    last = (
        plans.filter(source="import", model=plan.model, state=Plan.State.APPLIED)
        .filter(parameters__profile=plan.parameters["profile"])
        .order_by("-pk")
        .first()
    )
    if last is None:
        return ""
    with connection.cursor() as cursor:
        cursor.execute(
            COMPARED.format(of_this=ROWS.format(name="now"), of_last=ROWS.format(name="before")), [plan.pk, last.pk]
        )
        new, gone, changed, same = cursor.fetchone()
    if not new and not gone and not changed:
        return f"The rows are those of the last import with this profile (plan {last.pk})."
    return (
        f"Since the last import with this profile (plan {last.pk}): {new:,} new, {changed:,} changed, "
        f"{gone:,} gone, {same:,} the same."
    )
