"""Statistics of the gate: whether a version of a model is worse than another, by the predictions of both."""
