"""The functions by which the triggers learn the act that they belong to."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql" / "act_v1.sql"


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [
        migrations.RunSQL(
            sql=SQL.read_text(encoding="utf-8"),
            reverse_sql=[
                "DROP FUNCTION public.opsadmin_recorded(bigint, bigint, text)",
                "DROP FUNCTION public.opsadmin_act()",
            ],
        )
    ]
