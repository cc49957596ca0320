"""Versions in history: those that a command selects, those that are reachable, and how they descend."""
