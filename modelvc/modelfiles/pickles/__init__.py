"""Pickles, read by a machine that imports and calls nothing; what joblib and torch add to them. Pure."""
