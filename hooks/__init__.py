"""Git hook shims: shell scripts, installed by `mvc install`."""
