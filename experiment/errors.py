"""The one error that a user's mistake about sessions raises."""

from __future__ import annotations


class ExperimentError(Exception):
    """A user's mistake about a session or its data: what is wrong, where, what to do, in one line."""


class NoDatabaseError(ExperimentError):
    """There is no such database: it may not have been made yet, or its name is wrong."""
