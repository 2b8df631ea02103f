-- Notes that something was read, or that access was tried: a signed payload, so that nobody else can be named.
CREATE OR REPLACE FUNCTION public.opsadmin_note_access(claim text, signature bytea) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    claimed jsonb := public.opsadmin_claim('access', claim, signature);
    noted bigint;
BEGIN
    INSERT INTO public.audit_accessevent (
        kind, actor_id, at, model, object_id, subject, reason, detail, request_id, address, db_user, xid
    ) VALUES (
        claimed ->> 'kind', (claimed ->> 'actor')::bigint, clock_timestamp(), coalesce(claimed ->> 'model', ''),
        (claimed ->> 'object_id')::bigint, coalesce(claimed ->> 'subject', ''), coalesce(claimed ->> 'reason', ''),
        coalesce(claimed -> 'detail', '{}'), (claimed ->> 'request_id')::uuid, (claimed ->> 'address')::inet,
        session_user, pg_current_xact_id()::text::bigint
    ) RETURNING id INTO noted;
    RETURN noted;
END $$;
