import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    # Both generations of CloudLaunch have this one, and the two models in it.
    dependencies = [("cloudlaunch", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="SyncedApplication",
            fields=[
                (
                    "application",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="cloudlaunch.Application",
                    ),
                ),
                ("source", models.CharField(help_text="Address of the AppStore that it comes from.", max_length=2048)),
            ],
        ),
        migrations.CreateModel(
            name="SyncedVersion",
            fields=[
                (
                    "version",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="cloudlaunch.ApplicationVersion",
                    ),
                ),
            ],
        ),
    ]
