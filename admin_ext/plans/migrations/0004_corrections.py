from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("plans", "0003_rows_of_several_models"),
    ]

    operations = [
        migrations.AddField(
            model_name="planrow",
            name="corrections",
            field=models.JSONField(
                help_text=(
                    "What its reviewer did to it: {cells: {position: text}, was: the action before it was dropped, "
                    "log: [{by, name, at, did, column, before, after}]}."
                ),
                null=True,
            ),
        ),
        AddIndexConcurrently(
            model_name="planrow",
            index=models.Index(
                condition=models.Q(("outcome", ""), _negated=True), fields=["plan", "number"], name="plan_row_outcome"
            ),
        ),
        AddIndexConcurrently(
            model_name="planrow",
            index=models.Index(
                condition=models.Q(("corrections__isnull", False)), fields=["plan", "number"], name="plan_row_corrected"
            ),
        ),
    ]
