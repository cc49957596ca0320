"""Whether a version of a model is worse than another one, told from what both predicted."""
