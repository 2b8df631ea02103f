"""Which acts ask for a review: declared on models and doors, noted by the database.

An act asks for a review if it asked for a reason, came through a door that passes the product by, or changed rows of a
model that says `review_required = True` (every change) or names columns (`("is_superuser",)`: a change of one of them,
and every row made or deleted). `migrate` installs the triggers that note it, and looks back once at what was there.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connections, models, transaction
from django.utils import timezone

from admin_ext.access.rights import restrict
from admin_ext.audit.history import tracked_models
from admin_ext.audit.models import ChangeSet, Door
from admin_ext.audit.privileges import OWNER
from admin_ext.audit.triggers import BESIDE_MODELS
from admin_ext.desk.models import Case

DOORS = (Door.SQL, Door.SHELL)
PAGE = 50
ACTS = "audit_changeset"
ASKS = f"door IN ({', '.join(repr(str(door)) for door in DOORS)}) OR asks_reason"
ON_ROWS = "desk_open_cases"


def open_cases(user: Any, *, after: int = 0) -> list[ChangeSet]:
    """A page of the acts that wait for a review and that `user` may see, oldest first, and one more if there are more."""
    acts = restrict(ChangeSet.objects.select_related("actor", "acting_as", "case"), user, "view")
    waiting = acts.filter(case__review=None, case__act_id__gt=after)
    return list(waiting.order_by("case__act_id")[: PAGE + 1])


def count_open(*, overdue: bool = False) -> int:
    """How many acts wait for a review; those that have waited for too long."""
    waiting = Case.objects.filter(review=None)
    return (waiting.filter(opened_at__lt=overdue_since()) if overdue else waiting).count()


def overdue_since() -> Any:
    """What was opened before is overdue."""
    return timezone.now() - timedelta(days=settings.REVIEW_DAYS)


def declared_triggers() -> dict[tuple[str, str], str]:
    """Table and name of every trigger that notes cases, with the SQL that makes it."""
    name = "desk_reason_asked"
    made = {
        (ACTS, "desk_act_asks"): "AFTER INSERT ON {table} FOR EACH ROW WHEN "
        f"({ASKS.replace('door', 'NEW.door').replace('asks_reason', 'NEW.asks_reason')}) "
        "EXECUTE FUNCTION public.desk_open_case()",
        (ACTS, name): "AFTER UPDATE OF asks_reason ON {table} FOR EACH ROW "
        "WHEN (NEW.asks_reason AND NOT OLD.asks_reason) EXECUTE FUNCTION public.desk_open_case()",
    }
    for model, columns in _declared().items():
        arguments = ", ".join(f"'{column}'" for column in columns)
        made[model.history.model._meta.db_table, ON_ROWS] = (
            "AFTER INSERT ON {table} REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT "
            f"EXECUTE FUNCTION public.desk_open_cases({arguments})"
        )
    return made


def install_triggers(*, using: str = "default", **kwargs: Any) -> None:
    """Receiver of post_migrate: what is declared is installed, what no longer is, removed; as the owner."""
    connection = connections[using]
    with transaction.atomic(using=using), connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
        cursor.execute("SELECT pg_has_role(current_user, %s, 'MEMBER')", [OWNER])
        if not cursor.fetchone()[0] or Case._meta.db_table not in there:
            return
        cursor.execute(
            "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
            "JOIN pg_proc p ON p.oid = t.tgfoid WHERE p.proname IN ('desk_open_case', 'desk_open_cases')"
        )
        installed = set(cursor.fetchall())
        wanted = {key: sql for key, sql in declared_triggers().items() if key[0] in there}
        for table, name in installed - wanted.keys():
            cursor.execute(f'DROP TRIGGER {name} ON public."{table}"')
        for (table, name), sql in wanted.items():
            cursor.execute(f'CREATE OR REPLACE TRIGGER {name} {sql.format(table=f"""public."{table}" """)}')
            cursor.execute(f'ALTER TABLE public."{table}" ENABLE ALWAYS TRIGGER {name}')
        _look_back(cursor, {table for table, _ in wanted.keys() - installed})


def guard_triggers() -> None:
    """Have the check of the record's triggers look at these as well."""
    BESIDE_MODELS.update(declared_triggers())


def _look_back(cursor: Any, tables: set[str]) -> None:
    """Open cases for what was on the record before the triggers were."""
    noted = "INSERT INTO public.desk_case (act_id, opened_at)"
    if ACTS in tables:
        cursor.execute(f"{noted} SELECT id, started_at FROM public.{ACTS} WHERE {ASKS} ON CONFLICT DO NOTHING")
    for model, columns in _declared().items():
        table = model.history.model._meta.db_table
        if table in tables:
            cursor.execute(
                f'{noted} SELECT change_set_id, min(history_date) FROM public."{table}" WHERE change_set_id IS NOT NULL '
                "AND (%s = '{}'::text[] OR history_type <> '~' OR changed && %s) GROUP BY 1 ON CONFLICT DO NOTHING",
                [columns, columns],
            )


def _declared() -> dict[type[models.Model], list[str]]:
    """The models whose changes ask for a review, with the columns that matter; none named: all."""
    declared = {}
    for model in tracked_models():
        rule = getattr(model, "review_required", False)
        if rule:
            names = () if rule is True else rule
            declared[model] = [str(model._meta.get_field(name).column) for name in names]
    return declared
