"""What an import left, told without surrogate keys, transaction ids and instants: two that did the same tell the same."""

from __future__ import annotations

from tests.databases import owner_connection

ACT = (
    "(SELECT jsonb_build_array(c.verb, c.door, c.reason, c.rows, c.counts, "
    "(SELECT username FROM accounts_user WHERE id = c.actor_id)) FROM audit_changeset c WHERE c.id = t.change_set_id)"
)
PLACE = "'region', (SELECT code FROM customers_region WHERE id = t.region_id)"
WHEN = "created_at,updated_at,started_at,finished_at,queued_at,due_at,applied_at,history_date,lease_until,made_at"
KEYS = "id,history_id,xid,change_set_id,region_id,plan_id,making_id,applying_id,file_id,job_id,request_id,parent_id"
# How often a job was taken is what the fire changes.
TRIES = "fence,attempts,arguments,file"

TOLD = {
    "customers_customer": ("t.code", f"jsonb_build_object({PLACE})"),
    "customers_historicalcustomer": (
        "t.code, t.version, t.history_type",
        f"jsonb_build_object({PLACE}, 'act', {ACT})",
    ),
    "plans_planrow": ("t.plan_id, t.number", "'{}'"),
    "plans_plan": ("t.id", "'{}'"),
    "audit_changeset": ("t.id", "jsonb_build_object('finished', t.finished_at IS NOT NULL)"),
    "jobs_job": (
        "t.id",
        "jsonb_build_object('finished', t.finished_at IS NOT NULL, 'leased', t.lease_until IS NOT NULL)",
    ),
    "jobs_jobfile": ("t.id", "'{}'"),
}

# Told in full: what differs is seen at once.
SHORT = ("jobs_job", "plans_plan", "audit_changeset")


def tell() -> dict[str, str]:
    """A checksum of each table that the import writes, and the number of rows of every table there is."""
    told = {}
    with owner_connection() as connection, connection.cursor() as cursor:
        for table, (order, added) in TOLD.items():
            row = f"((to_jsonb(t) - %s::text[]) || {added}::jsonb)::text"
            checksum = f"md5(string_agg(md5({row}), '' ORDER BY {order}))"
            if table in SHORT:
                checksum = f"string_agg({row}, ' ' ORDER BY {order})"
            cursor.execute(
                f"SELECT count(*), {checksum} FROM {table} t",
                [f"{{{WHEN},{KEYS},{TRIES}}}"],
            )
            told[table] = "{} rows {}".format(*(cursor.fetchone() or ()))
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'jobs_jobevent'")
        for (table,) in cursor.fetchall():
            if table not in told:
                cursor.execute(f'SELECT count(*) FROM "{table}"')
                told[table] = "{} rows".format(*(cursor.fetchone() or ()))
    return told
