"""A plugin of a few lines."""

__version__ = "1.0.0"


class Kube:
    def delete(self):
        pass
