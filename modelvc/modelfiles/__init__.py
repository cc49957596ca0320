"""Containers of model formats: where tensors lie, and whether bytes were compressed. Pure."""
