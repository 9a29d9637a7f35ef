"""Keeps CloudLaunch's catalogue in step with an AppStore."""

__version__ = "1.0.0"
