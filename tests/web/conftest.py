"""No test here runs a network: torch, which takes seconds to load, is left alone."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Instead of the one that sets torch's threads."""
