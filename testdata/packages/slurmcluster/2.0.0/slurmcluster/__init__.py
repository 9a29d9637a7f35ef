"""The back ends of the slurm-cluster plugin."""

__version__ = "2.0.0"
