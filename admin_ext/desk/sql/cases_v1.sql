-- An act that asks for a review is noted as a case, by triggers that `cases.py` installs.
CREATE FUNCTION public.desk_open_case() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO public.desk_case (act_id, opened_at) VALUES (NEW.id, clock_timestamp()) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

-- The same for acts that wrote rows into a history table: any row, or changes of the columns that are the arguments.
CREATE FUNCTION public.desk_open_cases() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO public.desk_case (act_id, opened_at)
    SELECT DISTINCT n.change_set_id, clock_timestamp() FROM new_rows n
    WHERE n.change_set_id IS NOT NULL AND (TG_NARGS = 0 OR n.history_type <> '~' OR n.changed && TG_ARGV)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION public.desk_open_case(), public.desk_open_cases() FROM PUBLIC;
