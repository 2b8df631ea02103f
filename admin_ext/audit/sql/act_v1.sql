-- The act that the current transaction belongs to: change set and actor, set by change_set() for this transaction alone.
-- A login of its own (psql as the owner) that names none gets a change set of the door 'sql'. The runtime role gets
-- NULLs, which opsadmin_recorded refuses as soon as a row was really changed.
CREATE OR REPLACE FUNCTION public.opsadmin_act(OUT change_set_id bigint, OUT actor_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    -- After a COMMIT a local setting reads '' and not NULL.
    act text := nullif(current_setting('opsadmin.act', true), '');
BEGIN
    IF act IS NOT NULL THEN
        change_set_id := split_part(act, '|', 1)::bigint;
        actor_id := nullif(split_part(act, '|', 2), '')::bigint;
        RETURN;
    END IF;
    IF NOT pg_has_role(session_user, 'opsadmin_owner', 'MEMBER') THEN
        RETURN;
    END IF;
    INSERT INTO public.audit_changeset (door, verb, reason, ticket, file_sha256, rows, counts, db_user, finished_at)
    VALUES ('sql', '', '', '', '', 0, '{}', session_user, statement_timestamp())
    RETURNING id INTO change_set_id;
    PERFORM set_config('opsadmin.act', change_set_id || '|', true);
END $$;

-- No context, no write. Otherwise counts the rows recorded in this transaction, for the change set.
CREATE OR REPLACE FUNCTION public.opsadmin_recorded(recorded bigint, change_set_id bigint, table_name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF change_set_id IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = 'No context, no write: ' || table_name || ' was changed outside a change set.',
            HINT = 'Write inside admin_ext.audit.context.change_set(actor=..., door=...), or call a service.';
    END IF;
    PERFORM set_config(
        'opsadmin.rows',
        (coalesce(nullif(current_setting('opsadmin.rows', true), ''), '0')::bigint + recorded)::text,
        true
    );
END $$;

REVOKE ALL ON FUNCTION public.opsadmin_act() FROM PUBLIC;
REVOKE ALL ON FUNCTION public.opsadmin_recorded(bigint, bigint, text) FROM PUBLIC;
