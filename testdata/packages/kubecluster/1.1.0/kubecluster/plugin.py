"""Plans a Kubernetes cluster of one control node and a number of workers."""

import copy

MAX_WORKERS = 50


class KubeClusterPlugin:
    """CloudLaunch makes a new object for every call, so nothing is kept here."""

    def validate_app_config(self, provider, name, cloud_config, app_config):
        """The checked configuration; ValueError says what to change."""
        config = app_config.get("config_kube", {})
        workers = config.get("workers", 2)
        if isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= MAX_WORKERS:
            raise ValueError(f"config_kube.workers is {workers!r}: give a number from 1 to {MAX_WORKERS}")
        return {
            "workers": workers,
            "release": str(config.get("release", "1.30")),
            "flavour": config.get("flavour", "m1.medium"),
            "join_token": config.get("join_token", ""),
        }

    def sanitise_app_config(self, app_config):
        """The configuration without what must not be stored."""
        clean = copy.deepcopy(app_config)
        if "join_token" in clean.get("config_kube", {}):
            clean["config_kube"]["join_token"] = "********"
        return clean

    def deploy(self, name, task, app_config, provider_config):
        """Plans the nodes and reports them."""
        settings = self.validate_app_config(None, name, None, app_config)
        return self._plan(name, task, settings)

    def health_check(self, provider, deployment):
        nodes = deployment.get("launch_result", {}).get("nodes", [])
        return {"instance_status": "running" if nodes else "unknown", "nodes": len(nodes)}

    def restart(self, provider, deployment):
        return True

    def delete(self, provider, deployment):
        return True

    # The names of CloudLaunch 2.0.
    process_app_config = validate_app_config

    def launch_app(self, provider, task, name, cloud_config, app_config, user_data):
        return self._plan(name, task, user_data)

    def _plan(self, name, task, settings):
        nodes = [f"{name}-control"] + [f"{name}-worker-{n + 1}" for n in range(settings["workers"])]
        task.update_state(state="PROGRESSING", meta={"action": f"planning {len(nodes)} nodes"})
        return {
            "cloudLaunch": {"hostname": nodes[0], "applicationURL": f"https://{nodes[0]}.example.org:6443/"},
            "release": settings["release"],
            "nodes": nodes,
        }
