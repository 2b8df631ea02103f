"""What the runtime role may do, given anew after every migrate by the role that owns the tables.

Everything of the business may be read and written; the record may be read, and appended to only by the owner's
triggers; nothing may be truncated.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connections, transaction

from admin_ext.audit.history import tracked_models
from admin_ext.audit.past import make_views
from admin_ext.audit.seals.sources import name_sources, sources

APP = "opsadmin_app"
OWNER = "opsadmin_owner"
SEALER = "opsadmin_sealer"
# What the sealer appends to.
SEALS = {"audit_leaf", "audit_block"}
# Read by the runtime role, written by the owner's functions, the sealer and migrations alone.
CLOSED = {
    "audit_changeset",
    "audit_accessevent",
    "audit_tombstone",
    "audit_reasonrule",
    "audit_sealedtable",
    "audit_recordedcolumn",
    *SEALS,
}
# Not even read.
HIDDEN = {"audit_contextkey"}


def grant_to_app(*, using: str = "default", **kwargs: Any) -> None:
    """Receiver of post_migrate. Does nothing for a login that does not own the tables."""
    connection = connections[using]
    # In one transaction: at no instant does the runtime role hold what is taken back below.
    with transaction.atomic(using=using), connection.cursor() as cursor:
        cursor.execute("SELECT current_user = %s OR pg_has_role(current_user, %s, 'MEMBER')", [OWNER, OWNER])
        if not cursor.fetchone()[0]:
            return
        if "audit_changeset" not in connection.introspection.table_names(cursor):
            return
        cursor.execute(f"GRANT USAGE ON SCHEMA public TO {APP}")
        cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {APP}")
        cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {APP}")
        # Tables made outside migrations start closed to writing.
        cursor.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {APP}")
        there = set(connection.introspection.table_names(cursor))
        for table in record_tables():
            if table not in there:  # migrated back to before it
                continue
            cursor.execute(f'REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON "{table}" FROM {APP}')
        for table in closed_tables() & there:
            cursor.execute(f'REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON "{table}" FROM {APP}')
        for table in HIDDEN & there:
            cursor.execute(f'REVOKE ALL ON "{table}" FROM {APP}')
        cursor.execute(f"REVOKE INSERT, UPDATE, DELETE ON django_migrations, django_content_type FROM {APP}")
        make_views(cursor, reader=APP)


def grant_to_sealer(*, using: str = "default", **kwargs: Any) -> None:
    """Receiver of post_migrate: the sealer reads what it seals and appends seals, nothing else."""
    connection = connections[using]
    with transaction.atomic(using=using), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_has_role(current_user, %s, 'MEMBER') AND EXISTS (SELECT FROM pg_roles WHERE rolname = %s)",
            [OWNER, SEALER],
        )
        ours = cursor.fetchone()[0]
        there = set(connection.introspection.table_names(cursor))
        if not ours or not there >= SEALS:
            return
        name_sources()
        read = sorted({*sources(), "audit_sealedtable", *SEALS} & there)
        cursor.execute(f"GRANT USAGE ON SCHEMA public TO {SEALER}")
        cursor.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {SEALER}")
        cursor.execute(f"GRANT SELECT ON {', '.join(read)} TO {SEALER}")
        cursor.execute(f"GRANT INSERT ON {', '.join(sorted(SEALS))} TO {SEALER}")


def install_rules(*, using: str = "default", **kwargs: Any) -> None:
    """Receiver of post_migrate: the keys that sign acts, and the models that ask for reasons, as the owner."""
    from admin_ext.audit.reasons import install_reason_rules
    from admin_ext.audit.signing import install_keys

    connection = connections[using]
    with transaction.atomic(using=using), connection.cursor() as cursor:
        cursor.execute("SELECT pg_has_role(current_user, %s, 'MEMBER')", [OWNER])
        owner = cursor.fetchone()[0]
        if owner and "audit_contextkey" in connection.introspection.table_names(cursor):
            install_keys()
            install_reason_rules()


def closed_tables() -> set[str]:
    """What the runtime role reads and the owner's functions write: the record's own tables, and those that say so."""
    saying = {model._meta.db_table for model in apps.get_models() if getattr(model, "written_by_the_database", False)}
    return CLOSED | saying


def record_tables() -> list[str]:
    """The history tables, which only the owner's triggers write."""
    return sorted(model.history.model._meta.db_table for model in tracked_models())
