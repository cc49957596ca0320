"""Text files of a repository, a clone or a store: configuration, policy, metrics, lists."""
