"""What a user did wrong, in one line."""

from __future__ import annotations


class UserError(Exception):
    """A user's mistake: what is wrong, where, what to do. Printed as one line; exit status 2."""
