"""Record measurements of a version, and judge them by a policy."""
