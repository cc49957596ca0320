"""Verbs that merge pointers and folders, resolve conflicts, and find committed conflicts."""
