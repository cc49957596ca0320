"""The environment that a version needs: which Python, which packages. Read by a probe, kept in the pointer."""
