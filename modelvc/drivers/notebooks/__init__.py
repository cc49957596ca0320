"""The notebook drivers. They need the standard library alone, because `mvc install` copies them into clones."""
