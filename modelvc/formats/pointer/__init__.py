"""The pointer, its metrics, and how both are shown. The standard library alone."""
