"""Version models in Git without putting them in Git."""

__version__ = "0.1.0"
