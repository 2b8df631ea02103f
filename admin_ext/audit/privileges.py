"""What the runtime role may do, given anew after every migrate by the role that owns the tables.

Everything of the business may be read and written; the record may be read, and appended to only by the owner's
triggers; nothing may be truncated.
"""

from __future__ import annotations

from typing import Any

from django.db import connections

from admin_ext.audit.history import tracked_models

APP = "opsadmin_app"
OWNER = "opsadmin_owner"
# Columns of a change set that its own job may still complete.
COMPLETABLE = ("rows", "counts", "finished_at")


def grant_to_app(*, using: str = "default", **kwargs: Any) -> None:
    """Receiver of post_migrate. Does nothing for a login that does not own the tables."""
    connection = connections[using]
    with connection.cursor() as cursor:
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
        completable = ", ".join(f'"{column}"' for column in COMPLETABLE)
        cursor.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON audit_changeset FROM {APP}")
        cursor.execute(f"GRANT UPDATE ({completable}) ON audit_changeset TO {APP}")
        cursor.execute(f"REVOKE INSERT, UPDATE, DELETE ON django_migrations, django_content_type FROM {APP}")


def record_tables() -> list[str]:
    """The history tables, which only the owner's triggers write."""
    return sorted(model.history.model._meta.db_table for model in tracked_models())
