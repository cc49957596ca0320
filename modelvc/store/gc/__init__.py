"""Collect garbage on a remote while others use it."""
