"""Model files: what they are and where their tensors lie, read without running anything. Pure."""
