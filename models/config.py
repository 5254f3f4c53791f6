"""The `[models]` table of a study file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from models.embeddings.spaces import SHIPPED, check_name


def _space(name: str) -> str:
    problem = check_name(name)
    if problem is not None:
        raise PydanticCustomError("literal_error", "{problem}", {"problem": problem, "expected": ", ".join(SHIPPED)})
    return name


class ModelsConfig(BaseModel):
    """Which networks a study uses.

    Attributes
    ----------
    base, finetuned : str
        MusicGen checkpoints: a shipped name (``nano-base``, ``nano-taste``), a pulled one
        (``facebook/musicgen-small``), or a directory in audiocraft's or transformers' format.
    captioner : str
        ``nano``, or a directory of a SonicVerse projector.
    embedders : list of str
        Spaces in which Fréchet Audio Distance is measured: ``yamnet``, ``musicnn``, ``codec``, and by checkpoint
        ``vggish:FILE``, ``encodec:NAME``, ``clap:NAME`` (`models.embeddings.spaces`).
    engine : {"transformers", "audiocraft"}
        What generates. Both compute the same; transformers' weights run in our own decoder, which is faster.
    precision : {"float32", "bfloat16", "int8"}
        Of the transformers engine. Lower ones draw other clips for the same seeds.
    batch : int, optional
        Clips of one prompt at a time; None takes 8, or what memory allows. Part of what a clip is made of.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str = "nano-base"
    finetuned: str = "nano-taste"
    captioner: str = "nano"
    embedders: list[Annotated[str, AfterValidator(_space)]] = Field(
        default=["yamnet", "musicnn", "codec"], min_length=1
    )
    engine: Literal["transformers", "audiocraft"] = "transformers"
    precision: Literal["float32", "bfloat16", "int8"] = "float32"
    batch: int | None = Field(default=None, ge=1, le=256)
    top_k: int = Field(default=120, ge=1)
    temperature: float = Field(default=0.9, gt=0)
    guidance: float = Field(default=5.0, ge=1)
