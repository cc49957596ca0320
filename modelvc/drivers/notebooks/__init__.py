"""What Git runs for notebooks. The standard library alone: `mvc install` copies this package into clones."""
