"""Administers a running Slurm cluster."""

from .launch import SlurmLaunchPlugin


class SlurmAdminPlugin(SlurmLaunchPlugin):
    """Adds what the page of a running cluster needs."""

    def drain(self, node, reason):
        """The command that takes a node out of service."""
        return ["scontrol", "update", f"NodeName={node}", "State=DRAIN", f"Reason={reason}"]

    def resume(self, node):
        """The command that puts a drained node back into service."""
        return ["scontrol", "update", f"NodeName={node}", "State=RESUME"]
