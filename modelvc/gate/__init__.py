"""Statistics of paired comparisons: how two versions of a model differ, by the predictions of both.

This package knows no policy: models/measures asks it, and makes verdicts of the answers.
"""
