"""What `mvc install` sets up in a clone: hooks and drivers."""
