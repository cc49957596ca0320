"""Versions in history: which a command means, which are reachable, how they descend."""
