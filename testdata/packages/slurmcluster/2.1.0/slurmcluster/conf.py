"""Writes slurm.conf."""


def slurm_conf(cluster, partitions):
    """The file's text; a partition is a dict of name, nodes and cpus."""
    lines = [f"ClusterName={cluster}", f"SlurmctldHost={cluster}-head", "ProctrackType=proctrack/cgroup"]
    for partition in partitions:
        nodes = f"{cluster}-{partition['name']}[1-{partition['nodes']}]"
        lines.append(f"NodeName={nodes} CPUs={partition['cpus']} State=CLOUD")
        lines.append(f"PartitionName={partition['name']} Nodes={nodes} MaxTime=INFINITE State=UP")
    return "\n".join(lines) + "\n"
