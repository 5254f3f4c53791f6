"""SonicVerse at its full size: the article's projector and the public checkpoint's, as configurations.

``paper`` is the system of arXiv 2506.15154: 13 layers of MERT weighted by learned alpha (content) and beta (each head), mean over
the frames that are there, six heads (sigmoid, binary cross-entropy), their probabilities as feature tokens, 30 + 30 tokens.
``released`` is the public checkpoint's (AMAAI-Lab/SonicVerse at 1538f1b, multi_task_projector_shared.py): five heads, 40 + 20
tokens; hidden layers padded with zeros to 760 frames; heads read the backbone of every frame, summed over frames and averaged
over layers (layer weights of the heads have no effect: a softmax over an axis of size one); raw logits into the feature tokens;
content by means over padding too; token MLPs that begin with a GELU. Its parameter counts are held to the published ones by
tests, its arithmetic to a plain reference.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from models.errors import ModelError
from models.sonicverse.projector import DualProjector, ProjectorConfig

# Labels a head: MTG-Jamendo's instrument, mood/theme and genre tags; 12 major and 12 minor keys; voice or not; whose voice.
PAPER_HEADS = {"key": 24, "instrument": 40, "mood": 56, "genre": 87, "vocals": 2, "gender": 2}
RELEASED_HEADS = {"instrument": 40, "mood": 56, "genre": 87, "key": 24, "vocals": 3}
PAPER = ProjectorConfig(
    heads=PAPER_HEADS, layers=13, width=768, llm_width=4096, content_tokens=30, tokens_per_head=5,
    content=("llm", "gelu"), feature=("llm", "gelu"), backbone=(512, "relu", "dropout"), head=(256, "relu", "dropout"),
)  # fmt: skip
PRESETS = {
    "paper": PAPER,
    "paper-35-25": replace(PAPER, heads={k: n for k, n in PAPER_HEADS.items() if k != "gender"}, content_tokens=35),
    "released": replace(
        PAPER, heads=RELEASED_HEADS, content_tokens=40, tokens_per_head=4, features="logits", layer_weights="ones",
        masked=False, frames=760, summed=True, content=("gelu", "llm", "gelu"), feature=("gelu", "llm", "gelu"),
    ),
}  # fmt: skip


def described_config(described: dict[str, Any]) -> ProjectorConfig:
    """A full-size projector's configuration from the ``dual`` of a ``config.json``: what differs from its ``preset``, the paper's.

    Version 0.1 wrote the widths of the MLPs (``backbone``, ``head_width``) and whether those of the tokens begin with a GELU.
    """
    own = dict(described)
    preset = own.pop("preset", "paper")
    if preset not in PRESETS:
        raise ModelError(f"preset {preset!r} is not known; there are: {', '.join(PRESETS)}")
    if own.pop("leading_gelu", False):
        own |= {"content": PRESETS["released"].content, "feature": PRESETS["released"].feature}
    if isinstance(own.get("backbone"), int):
        own["backbone"] = (own["backbone"], *PAPER.backbone[1:])
    if "head_width" in own:
        own["head"] = (own.pop("head_width"), *PAPER.head[1:])
    return PRESETS[preset].but(own)


def parameter_counts(model: DualProjector) -> dict[str, int]:
    """Numbers of parameters by part, as they were published of the release: a path's layer weights are counted with it."""

    def count(module: Any) -> int:
        return sum(p.numel() for p in module.parameters())

    layers = model.alpha.numel()
    return {
        "content": layers + count(model.content),
        **{f"features.{name}": count(m) for name, m in model.feature.items()},
        "backbone": count(model.backbone),
        **{f"heads.{name}": layers + count(m) for name, m in model.heads.items()},
        "all": count(model),
    }
