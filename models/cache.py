"""Where converted weights are kept between runs: TASTELAB_CACHE, else the user's cache directory."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_directory() -> Path:
    """Return the cache directory (made if needed)."""
    configured = os.environ.get("TASTELAB_CACHE")
    if configured:
        path = Path(configured)
    elif sys.platform == "win32":
        path = Path(os.environ.get("LOCALAPPDATA", Path.home())) / "tastelab"
    else:
        path = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tastelab"
    path.mkdir(parents=True, exist_ok=True)
    return path
