"""Which rows of CloudLaunch's catalogue came from an AppStore.

A row of CloudLaunch without one of these belongs to the CloudLaunch itself and
is never touched. They go when CloudLaunch's row goes, so a new app that takes
the slug of a deleted one is not taken for ours.
"""

from django.db import models


class SyncedApplication(models.Model):
    application = models.OneToOneField(
        "cloudlaunch.Application", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    source = models.CharField(max_length=2048, help_text="Address of the AppStore that it comes from.")

    def __str__(self):
        return "%s from %s" % (self.application_id, self.source)


class SyncedVersion(models.Model):
    version = models.OneToOneField(
        "cloudlaunch.ApplicationVersion", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )

    def __str__(self):
        return str(self.version)
