"""The one error that a user's mistake about an analysis raises."""

from __future__ import annotations


class AnalysisError(Exception):
    """A user's mistake about data or analysis: what is wrong, where, what to do, in one line."""
