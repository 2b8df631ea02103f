from django.db import migrations, models

# Plans that wait for their review say which columns they write by action alone; now it is by model, then by action.
BY_MODEL = """
    UPDATE plans_plan
    SET parameters = jsonb_set(parameters, '{written}', jsonb_build_object(model, parameters -> 'written'))
    WHERE parameters ? 'written'
"""
BY_ACTION = """
    UPDATE plans_plan
    SET parameters = jsonb_set(parameters, '{written}', coalesce(parameters -> 'written' -> model, '{}'))
    WHERE parameters ? 'written'
"""


class Migration(migrations.Migration):
    dependencies = [
        ("plans", "0002_left_alone"),
    ]

    operations = [
        migrations.AddField(
            model_name="planrow",
            name="model",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="The model of the row; blank: that of the plan.",
                max_length=100,
            ),
        ),
        migrations.AlterField(
            model_name="plan",
            name="source",
            field=models.CharField(
                help_text="Which source makes its rows: import, verb, edit, revert, restore.", max_length=20
            ),
        ),
        migrations.AlterField(
            model_name="planrow",
            name="target_id",
            field=models.BigIntegerField(
                help_text="The key of the row; of a new one, the key that it is to have again.", null=True
            ),
        ),
        migrations.RunSQL(BY_MODEL, BY_ACTION),
    ]
