"""Where objects live: the local store, and the backends of remotes."""
