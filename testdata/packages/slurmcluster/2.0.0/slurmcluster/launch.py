"""Launches a Slurm cluster: a head node, and partitions of compute nodes."""

import copy

from .conf import slurm_conf


class SlurmLaunchPlugin:
    """CloudLaunch makes a new object for every call, so nothing is kept here."""

    def validate_app_config(self, provider, name, cloud_config, app_config):
        """The partitions; ValueError says what to change."""
        partitions = app_config.get("config_slurm", {}).get("partitions", [])
        if not partitions:
            raise ValueError("config_slurm.partitions is empty: name at least one partition")
        for at, partition in enumerate(partitions):
            missing = {"name", "nodes", "cpus"} - partition.keys()
            if missing:
                raise ValueError(f"config_slurm.partitions[{at}] has no {', '.join(sorted(missing))}")
        return {"partitions": copy.deepcopy(partitions)}

    def sanitise_app_config(self, app_config):
        """The configuration without what must not be stored."""
        clean = copy.deepcopy(app_config)
        clean.get("config_slurm", {}).pop("munge_key", None)
        return clean

    def deploy(self, name, task, app_config, provider_config):
        """Plans the nodes and reports them."""
        return self._plan(name, task, self.validate_app_config(None, name, None, app_config))

    def health_check(self, provider, deployment):
        nodes = deployment.get("launch_result", {}).get("nodes", 0)
        return {"instance_status": "running" if nodes else "unknown", "nodes": nodes}

    def restart(self, provider, deployment):
        return True

    def delete(self, provider, deployment):
        return True

    # The names of CloudLaunch 2.0.
    process_app_config = validate_app_config

    def launch_app(self, provider, task, name, cloud_config, app_config, user_data):
        return self._plan(name, task, user_data)

    def _plan(self, name, task, settings):
        nodes = 1 + sum(partition["nodes"] for partition in settings["partitions"])
        task.update_state(state="PROGRESSING", meta={"action": f"planning {nodes} nodes"})
        return {
            "cloudLaunch": {"hostname": f"{name}-head", "applicationURL": f"https://{name}-head.example.org/"},
            "nodes": nodes,
            "slurm_conf": slurm_conf(name, settings["partitions"]),
        }
