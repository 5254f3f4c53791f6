"""The `[models]` table of a study file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ModelsConfig(BaseModel):
    """Which networks a study uses.

    Attributes
    ----------
    base, finetuned : str
        MusicGen checkpoints: a shipped name (``nano-base``, ``nano-taste``) or a directory in audiocraft's format
        (``state_dict.bin`` and ``compression_state_dict.bin``).
    captioner : str
        ``nano``, or a directory of a SonicVerse projector.
    embedders : list of str
        Spaces in which Fréchet Audio Distance is measured.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str = "nano-base"
    finetuned: str = "nano-taste"
    captioner: str = "nano"
    embedders: list[Literal["yamnet", "musicnn", "codec"]] = Field(default=["yamnet", "musicnn", "codec"], min_length=1)
    engine: Literal["audiocraft"] = "audiocraft"
    top_k: int = Field(default=120, ge=1)
    temperature: float = Field(default=0.95, gt=0)
    guidance: float = Field(default=2.2, ge=1)
