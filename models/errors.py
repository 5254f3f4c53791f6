"""The one error that bad input to models raises."""

from __future__ import annotations


class ModelError(Exception):
    """A user's mistake about a model or its weights: what is wrong, where, what to do, in one line."""
