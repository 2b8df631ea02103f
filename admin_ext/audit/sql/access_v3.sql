-- Notes that something was read, or that access was tried: a signed payload, so that nobody else can be named.
-- `once_in`: not again what was noted of this person within so many seconds, as far as their last 50 events tell; then
-- it returns NULL.
CREATE OR REPLACE FUNCTION public.opsadmin_note_access(claim text, signature bytea) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    claimed jsonb := public.opsadmin_claim('access', claim, signature);
    noted bigint;
BEGIN
    IF claimed ? 'once_in' AND EXISTS (
        SELECT FROM (
            SELECT e.kind, e.subject, e.at FROM public.audit_accessevent e
            WHERE e.actor_id = (claimed ->> 'actor')::bigint ORDER BY e.id DESC LIMIT 50
        ) recent
        WHERE recent.kind = claimed ->> 'kind' AND recent.subject = claimed ->> 'subject'
        AND recent.at > clock_timestamp() - make_interval(secs => (claimed ->> 'once_in')::float)
    ) THEN
        RETURN NULL;
    END IF;
    -- Who looks at a page does not wait for the disk. The setting lasts as long as the transaction, so it is made only
    -- where this statement is all of it: a transaction of somebody's work began with a statement of its own.
    IF claimed ->> 'kind' = 'view' AND statement_timestamp() = transaction_timestamp() THEN
        PERFORM set_config('synchronous_commit', 'off', true);
    END IF;
    INSERT INTO public.audit_accessevent (
        kind, actor_id, acting_as_id, at, model, object_id, subject, reason, detail, request_id, address, db_user, xid
    ) VALUES (
        claimed ->> 'kind', (claimed ->> 'actor')::bigint, (claimed ->> 'acting_as')::bigint, clock_timestamp(), coalesce(claimed ->> 'model', ''),
        (claimed ->> 'object_id')::bigint, coalesce(claimed ->> 'subject', ''), coalesce(claimed ->> 'reason', ''),
        coalesce(claimed -> 'detail', '{}'), (claimed ->> 'request_id')::uuid, (claimed ->> 'address')::inet,
        session_user, pg_current_xact_id()::text::bigint
    ) RETURNING id INTO noted;
    RETURN noted;
END $$;
