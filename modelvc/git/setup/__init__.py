"""Set up hooks and drivers in a clone, for `mvc install`."""
