"""Containers of model formats: the positions of tensors, and whether bytes are compressed. Pure."""
