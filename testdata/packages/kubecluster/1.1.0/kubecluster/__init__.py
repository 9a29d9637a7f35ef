"""The back end of the KubeCluster plugin."""

from .plugin import KubeClusterPlugin

__all__ = ["KubeClusterPlugin"]
__version__ = "1.1.0"
