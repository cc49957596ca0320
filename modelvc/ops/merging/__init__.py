"""Verbs that merge: pointers, folders, conflicts and their markers."""
