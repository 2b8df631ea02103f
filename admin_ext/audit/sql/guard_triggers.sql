-- Refuses to switch off a trigger of the record, for the owner of the tables too. Only a superuser can install this, and
-- only a superuser can remove it.
CREATE OR REPLACE FUNCTION public.opsadmin_guard_triggers() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    off text;
BEGIN
    -- Ours run with the owner's rights; a trigger is installed and made ALWAYS in one go.
    SELECT string_agg(t.tgrelid::regclass || '.' || t.tgname, ', ') INTO off
    FROM pg_event_trigger_ddl_commands() c
    JOIN pg_trigger t ON t.tgrelid = c.objid AND c.classid = 'pg_class'::regclass
    JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE NOT t.tgisinternal AND t.tgenabled <> 'A' AND p.prosecdef AND t.tgname ~ '^(pgtrigger_|acts_end$)';
    IF off IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = 'The triggers of the record stay on: ' || off;
    END IF;
END $$;
REVOKE ALL ON FUNCTION public.opsadmin_guard_triggers() FROM PUBLIC;
DROP EVENT TRIGGER IF EXISTS opsadmin_guard_triggers;
CREATE EVENT TRIGGER opsadmin_guard_triggers ON ddl_command_end WHEN TAG IN ('ALTER TABLE')
    EXECUTE FUNCTION public.opsadmin_guard_triggers();
