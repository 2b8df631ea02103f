-- The signed context. The web and the worker share a key with the owner of the database; the runtime role cannot read
-- it. An act is begun by a claim signed with that key. The database then names the act to itself in a setting of the
-- transaction, signed with a key that never leaves it and bound to the transaction's id: copied elsewhere it is void.

-- HMAC-SHA256 (RFC 2104) with the first key for a purpose, whose pads were worked out when the key was installed.
-- (This file runs at every write. A plain expression costs a tenth of a query, so there are as few queries as can be.)
CREATE FUNCTION public.opsadmin_hmac(purpose text, message text) RETURNS bytea
LANGUAGE plpgsql STABLE AS $$
DECLARE
    inner_key bytea;
    outer_key bytea;
BEGIN
    SELECT k.inner_pad, k.outer_pad INTO inner_key, outer_key FROM public.audit_contextkey k
    WHERE k.purpose = opsadmin_hmac.purpose ORDER BY k.id LIMIT 1;
    RETURN sha256(outer_key || sha256(inner_key || convert_to(message, 'UTF8')));
END $$;

-- The claim as JSON, if one of the application's keys signed it for this purpose within the last ten minutes.
CREATE FUNCTION public.opsadmin_claim(purpose text, claim text, signature bytea) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    message text := purpose || '|' || claim;
    claimed jsonb;
BEGIN
    IF public.opsadmin_hmac('application', message) IS DISTINCT FROM signature AND NOT EXISTS (
        -- While a secret is being changed there are keys that were believed before.
        SELECT FROM public.audit_contextkey k WHERE k.purpose = 'application'
        AND sha256(k.outer_pad || sha256(k.inner_pad || convert_to(message, 'UTF8'))) = signature
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = 'The context of this act is not signed by a key that the database knows.',
            HINT = 'Run `migrate` with the SECRET_KEY (or AUDIT_CONTEXT_KEY) that the web and the worker use.';
    END IF;
    claimed := claim::jsonb;
    IF abs(extract(epoch FROM clock_timestamp()) - (claimed ->> 'at')::numeric) > 600 THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = 'The signed context of this act is too old, or the clocks differ by more than ten minutes.';
    END IF;
    RETURN claimed;
END $$;

-- The parts of the act of this transaction: change set, actor, acting as, door, lasting, begun at (seconds). NULL when
-- none is named.
CREATE FUNCTION public.opsadmin_named_act() RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    -- After a COMMIT a local setting reads '' and not NULL. The signature is its last 64 letters, after a bar.
    named text := nullif(current_setting('opsadmin.act', true), '');
    act text := left(named, -65);
BEGIN
    IF named IS NULL THEN
        RETURN NULL;
    END IF;
    IF right(named, 64) IS DISTINCT FROM
        encode(public.opsadmin_hmac('transaction', act || '|' || pg_current_xact_id()::text), 'hex')
    THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = 'The context of this write was not begun in this transaction: opsadmin.act was set by hand.';
    END IF;
    RETURN string_to_array(act, '|');
END $$;

-- Names an act to this very transaction, signed, with the story that is known of it. Nothing is recorded for it yet.
CREATE FUNCTION public.opsadmin_name_act(act text, story text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM set_config('opsadmin.act', act || '|' || encode(
            public.opsadmin_hmac('transaction', act || '|' || pg_current_xact_id()::text), 'hex'
        ), true),
        set_config('opsadmin.story', story, true);
    IF current_setting('opsadmin.rows', true) <> '' THEN
        PERFORM set_config('opsadmin.rows', '', true);
    END IF;
END $$;

-- Writes the change set of an act. `story` is what is known of it by then.
CREATE FUNCTION public.opsadmin_write_change_set(
    parts text[], story jsonb, recorded bigint, done boolean, asked boolean
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.audit_changeset (
        id, actor_id, acting_as_id, door, lasting, verb, reason, ticket, selection, file_sha256, rows, counts,
        request_id, address, db_user, parent_id, asks_reason, started_at, finished_at, xid
    ) VALUES (
        parts[1]::bigint, nullif(parts[2], '')::bigint, nullif(parts[3], '')::bigint, parts[4], parts[5] = 't',
        coalesce(story ->> 'verb', ''), coalesce(story ->> 'reason', ''), coalesce(story ->> 'ticket', ''),
        nullif(story -> 'selection', 'null'::jsonb), coalesce(story ->> 'file_sha256', ''), recorded,
        coalesce(story -> 'counts', '{}'), (story ->> 'request_id')::uuid, (story ->> 'address')::inet,
        session_user, (story ->> 'parent_id')::bigint, asked,
        to_timestamp(parts[6]::numeric), CASE WHEN done THEN clock_timestamp() END,
        pg_current_xact_id()::text::bigint
    );
END $$;

-- Begins the act that a signed claim describes, or takes up one that lasts over many transactions. Returns its id.
CREATE FUNCTION public.opsadmin_begin(claim text, signature bytea) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    claimed jsonb := public.opsadmin_claim('act', claim, signature);
    id bigint := coalesce((claimed ->> 'resume')::bigint, nextval('public.audit_changeset_id_seq'));
    act text := concat_ws('|', id, coalesce(claimed ->> 'actor', ''), coalesce(claimed ->> 'acting_as', ''),
        claimed ->> 'door', coalesce(left(claimed ->> 'lasting', 1), 'f'), extract(epoch FROM clock_timestamp()));
BEGIN
    PERFORM public.opsadmin_name_act(act, claim);
    IF claimed ? 'lasting' AND NOT claimed ? 'resume' THEN
        PERFORM public.opsadmin_write_change_set(string_to_array(act, '|'), claimed, 0, false, false);
    END IF;
    RETURN id;
END $$;

-- The named act is over: nothing more is written in its name.
CREATE FUNCTION public.opsadmin_forget_act() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('opsadmin.act', '', true), set_config('opsadmin.rows', '', true),
        set_config('opsadmin.story', '', true);
END $$;

-- Ends the act in this transaction: its change set is complete from here on, unless it lasts. `said` fills what the
-- claim left open. Returns the rows recorded.
CREATE FUNCTION public.opsadmin_finish(said jsonb, always boolean) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    parts text[] := public.opsadmin_named_act();
    recorded bigint := coalesce(nullif(current_setting('opsadmin.rows', true), ''), '0')::bigint;
    story jsonb;
BEGIN
    IF parts IS NULL THEN
        RAISE EXCEPTION 'No act is open in this transaction.' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF parts[5] = 'f' THEN
        story := current_setting('opsadmin.story')::jsonb;
        story := said || jsonb_strip_nulls(jsonb_build_object(
            'verb', nullif(story ->> 'verb', ''), 'reason', nullif(story ->> 'reason', ''),
            'request_id', story ->> 'request_id', 'address', story ->> 'address'
        ));
        IF EXISTS (SELECT FROM public.audit_changeset WHERE id = parts[1]::bigint) THEN
            UPDATE public.audit_changeset SET
                verb = coalesce(story ->> 'verb', ''), reason = coalesce(story ->> 'reason', ''),
                ticket = coalesce(story ->> 'ticket', ''), selection = nullif(story -> 'selection', 'null'::jsonb),
                file_sha256 = coalesce(story ->> 'file_sha256', ''), parent_id = (story ->> 'parent_id')::bigint,
                counts = coalesce(story -> 'counts', '{}'), rows = recorded, finished_at = clock_timestamp()
            WHERE id = parts[1]::bigint;
        ELSIF always THEN
            PERFORM public.opsadmin_write_change_set(parts, story, recorded, true, false);
        END IF;
    END IF;
    PERFORM public.opsadmin_forget_act();
    RETURN recorded;
END $$;

-- Completes the change set of an act that lasted, taken up by a signed claim in this transaction.
CREATE FUNCTION public.opsadmin_complete(recorded bigint, outcome jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    parts text[] := public.opsadmin_named_act();
BEGIN
    IF parts IS NULL OR parts[5] <> 't' THEN
        RAISE EXCEPTION 'No lasting act is open in this transaction.' USING ERRCODE = 'insufficient_privilege';
    END IF;
    UPDATE public.audit_changeset
    SET rows = recorded, counts = outcome, finished_at = clock_timestamp(), xid = pg_current_xact_id()::text::bigint
    WHERE id = parts[1]::bigint AND finished_at IS NULL;
    PERFORM public.opsadmin_forget_act();
END $$;

-- The act that a recorded row belongs to. A login of its own (psql as the owner) that names none gets a change set of
-- the door 'sql'. The runtime role gets NULLs, which opsadmin_recorded refuses as soon as a row was really changed.
CREATE OR REPLACE FUNCTION public.opsadmin_act(OUT change_set_id bigint, OUT actor_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    parts text[] := public.opsadmin_named_act();
    act text;
BEGIN
    IF parts IS NULL THEN
        IF NOT pg_has_role(session_user, 'opsadmin_owner', 'MEMBER') THEN
            RETURN;
        END IF;
        act := concat_ws(
            '|', nextval('public.audit_changeset_id_seq'), '', '', 'sql', 'f', extract(epoch FROM clock_timestamp())
        );
        parts := string_to_array(act, '|');
        PERFORM public.opsadmin_name_act(
            act, jsonb_build_object('reason', coalesce(current_setting('opsadmin.reason', true), ''))::text
        );
    END IF;
    change_set_id := parts[1]::bigint;
    actor_id := nullif(parts[2], '')::bigint;
END $$;

-- No context, no write. Otherwise holds the rules about reasons, sees to it that the change set is there, and counts the
-- rows recorded for it. Most acts are one statement: their change set is written once, complete. One that goes on, or
-- still lacks a reason, is completed when it ends (opsadmin_finish, or acts_end at commit).
CREATE OR REPLACE FUNCTION public.opsadmin_recorded(recorded bigint, change_set_id bigint, table_name text)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    before text := nullif(current_setting('opsadmin.rows', true), '');
    parts text[];
    story jsonb;
    rule public.audit_reasonrule;
    asked boolean := false;
BEGIN
    IF change_set_id IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = 'No context, no write: ' || table_name || ' was changed outside a change set.',
            HINT = 'Write inside admin_ext.audit.context.change_set(actor=..., door=...), or call a service.';
    END IF;
    -- opsadmin_act has just found the setting genuine.
    parts := string_to_array(current_setting('opsadmin.act'), '|');
    SELECT * INTO rule FROM public.audit_reasonrule r WHERE r.table_name = opsadmin_recorded.table_name;
    IF FOUND AND parts[4] <> 'sql' THEN
        asked := rule.columns IS NULL;
        IF NOT asked THEN
            EXECUTE format(
                'SELECT EXISTS (SELECT FROM public.%I WHERE change_set_id = $1 AND changed && $2)', rule.history_table
            ) INTO asked USING change_set_id, rule.columns;
        END IF;
    END IF;
    IF before IS NULL AND parts[5] = 'f' THEN
        story := current_setting('opsadmin.story');
        PERFORM public.opsadmin_write_change_set(
            parts, story, recorded, NOT (asked AND coalesce(story ->> 'reason', '') = ''), asked
        );
    ELSIF parts[5] = 'f' THEN
        -- It goes on: acts_end completes it. (Anybody can set a setting: that it was written is seen, not believed.)
        UPDATE public.audit_changeset SET finished_at = NULL WHERE id = change_set_id AND finished_at IS NOT NULL;
        IF NOT FOUND AND NOT EXISTS (SELECT FROM public.audit_changeset WHERE id = change_set_id) THEN
            PERFORM public.opsadmin_write_change_set(parts, current_setting('opsadmin.story')::jsonb, 0, false, asked);
        END IF;
    END IF;
    PERFORM set_config('opsadmin.rows', (coalesce(before, '0')::bigint + recorded)::text, true);
    IF asked AND (before IS NOT NULL OR parts[5] = 't') THEN
        UPDATE public.audit_changeset SET asks_reason = true WHERE id = change_set_id AND NOT asks_reason;
        IF EXISTS (SELECT FROM public.audit_changeset WHERE id = change_set_id AND lasting AND reason = '') THEN
            RAISE EXCEPTION USING ERRCODE = 'check_violation',
                CONSTRAINT = 'a_change_that_asks_for_a_reason_has_one',
                MESSAGE = 'A change of ' || table_name || ' asks for a reason, and none was given.';
        END IF;
    END IF;
END $$;

-- Whether this transaction wrote a tombstone for this table and named it: the one way in which the owner, and nobody
-- else, may blank or remove rows of the record.
CREATE FUNCTION public.opsadmin_tombstone_named(name text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT pg_has_role(session_user, 'opsadmin_owner', 'MEMBER') AND EXISTS (
        SELECT FROM public.audit_tombstone t
        WHERE t.id = nullif(current_setting('opsadmin.tombstone', true), '')::bigint
        AND t.table_name = name AND t.xid = pg_current_xact_id()::text::bigint
    )
$$;

-- Notes that something was read, or that access was tried: a signed payload, so that nobody else can be named.
CREATE FUNCTION public.opsadmin_note_access(claim text, signature bytea) RETURNS bigint
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

-- An act that went on ends with its transaction, if it did not before: at commit every change set is complete, or lasts.
CREATE FUNCTION public.opsadmin_acts_end() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE public.audit_changeset SET
        rows = coalesce(nullif(current_setting('opsadmin.rows', true), ''), '0')::bigint,
        finished_at = clock_timestamp()
    WHERE id = NEW.id AND finished_at IS NULL;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER acts_end AFTER INSERT OR UPDATE OF finished_at ON public.audit_changeset
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.finished_at IS NULL AND NOT NEW.lasting) EXECUTE FUNCTION public.opsadmin_acts_end();
ALTER TABLE public.audit_changeset ENABLE ALWAYS TRIGGER acts_end;

REVOKE ALL ON FUNCTION public.opsadmin_hmac(text, text), public.opsadmin_claim(text, text, bytea),
    public.opsadmin_name_act(text, text), public.opsadmin_named_act(), public.opsadmin_forget_act(),
    public.opsadmin_write_change_set(text[], jsonb, bigint, boolean, boolean), public.opsadmin_begin(text, bytea),
    public.opsadmin_finish(jsonb, boolean), public.opsadmin_complete(bigint, jsonb), public.opsadmin_act(),
    public.opsadmin_recorded(bigint, bigint, text), public.opsadmin_tombstone_named(text),
    public.opsadmin_note_access(text, bytea), public.opsadmin_acts_end() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.opsadmin_begin(text, bytea), public.opsadmin_finish(jsonb, boolean),
    public.opsadmin_complete(bigint, jsonb), public.opsadmin_note_access(text, bytea) TO opsadmin_app;
