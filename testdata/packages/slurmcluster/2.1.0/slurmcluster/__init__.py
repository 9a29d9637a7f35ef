"""The back ends of the slurm-cluster plugin."""

__version__ = "2.1.0"
