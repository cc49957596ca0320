"""The border with Git: layout, index, history, hooks, configuration."""
