"""Notebooks: read, stripped, shown as text, merged. Standard library only, apart from `rich`, which knows nbdime."""
