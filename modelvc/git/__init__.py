"""All access to Git: its folders, index, history, refs, hooks and configuration."""
