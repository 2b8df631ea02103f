"""What searches look into: words without accents and capitals. No extension is needed, and no index yet."""

from django.db import migrations

# Text in ASCII alone has nothing to fold; most has not, and an import folds every row. NFKD takes accents off their
# letters; what it leaves whole, such as ø, stays as it is. Both functions name nothing outside pg_catalog.
FOLDED = r"""
    CREATE FUNCTION public.opsadmin_folded(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN octet_length(value) = length(value) THEN lower(value)
        ELSE lower(regexp_replace(normalize(value, NFKD), '[\u0300-\u036f]', '', 'g')) END;
"""

# The text, if every word is somewhere in it; else NULL. The planner cannot see through it, and expects that hardly
# anything IS NULL: what it expects of the words themselves stays as it was.
IF_CONTAINS = """
    CREATE FUNCTION public.opsadmin_if_contains(value text, words text[]) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 1 AS $$
    DECLARE
        word text;
    BEGIN
        FOREACH word IN ARRAY words LOOP
            IF strpos(value, word) = 0 THEN RETURN NULL; END IF;
        END LOOP;
        RETURN value;
    END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("admin_ext", "0002_record_indexes")]

    operations = [
        migrations.RunSQL(FOLDED, "DROP FUNCTION public.opsadmin_folded(text)", elidable=False),
        migrations.RunSQL(IF_CONTAINS, "DROP FUNCTION public.opsadmin_if_contains(text, text[])", elidable=False),
    ]
