"""The one error that bad input to stimuli raises."""

from __future__ import annotations


class StimulusError(Exception):
    """A user's mistake about stimuli: what is wrong, where, what to do, in one line."""
