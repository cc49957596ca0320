"""Shims for Git's hooks and drivers: shell scripts that `mvc install` copies into a clone."""
