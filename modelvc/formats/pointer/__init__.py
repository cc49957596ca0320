"""The pointer, its metrics, and their text for people. This package has the standard library alone."""
