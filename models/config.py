"""The `[models]` table of a study file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from models.conditions import Condition, earlier, told_apart, with_conditions
from models.devices import check_name as check_device
from models.embeddings.spaces import SHIPPED, check_name


def _space(name: str) -> str:
    problem = check_name(name)
    if problem is not None:
        raise PydanticCustomError("literal_error", "{problem}", {"problem": problem, "expected": ", ".join(SHIPPED)})
    return name


def _device(name: str) -> str:
    problem = check_device(name)
    if problem is not None:
        raise PydanticCustomError(
            "literal_error", "{problem}", {"problem": problem, "expected": "auto, cpu, cuda, cuda:N, mps"}
        )
    return name


class ModelsConfig(BaseModel):
    """Which networks a study uses, and its conditions.

    Attributes
    ----------
    conditions : list of Condition
        In the order of figures. Files of version 0.1 name two checkpoints, `base` and `finetuned`, instead.
    captioner : str
        ``nano``, or a directory of a SonicVerse projector.
    embedders : list of str
        Spaces in which Fréchet Audio Distance is measured: ``yamnet``, ``musicnn``, ``codec``, and by checkpoint
        ``vggish:FILE``, ``encodec:NAME``, ``clap:NAME`` (`models.embeddings.spaces`).
    engine : {"transformers", "audiocraft"}
        What generates. Both compute the same; transformers' weights run in our own decoder, which is faster.
    precision : {"float32", "bfloat16", "int8"}
        Of the transformers engine. Lower ones draw other clips for the same seeds.
    device : str
        Where networks run: ``auto`` (a card where there is one), ``cpu``, ``cuda``, ``cuda:N``, ``mps`` (`models.devices`).
    batch : int, optional
        Clips of one prompt at a time; None takes 8, or what memory allows. Part of what a clip is made of.
    top_k : int
        Of how many likeliest codes the next one is drawn.
    temperature : float
        How freely it is drawn; under 1 the likeliest win more often.
    guidance : float
        How closely a prompt is followed (classifier-free guidance); 1 is not at all closer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    conditions: list[Condition] = Field(default_factory=earlier, min_length=1)
    captioner: str = "nano"
    embedders: list[Annotated[str, AfterValidator(_space)]] = Field(
        default=["yamnet", "musicnn", "codec"], min_length=1
    )
    engine: Literal["transformers", "audiocraft"] = "transformers"
    precision: Literal["float32", "bfloat16", "int8"] = "float32"
    device: Annotated[str, AfterValidator(_device)] = "auto"
    batch: int | None = Field(default=None, ge=1, le=256)
    top_k: int = Field(default=120, ge=1)
    temperature: float = Field(default=0.9, gt=0)
    guidance: float = Field(default=5.0, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _of_version_0_1(cls, raw: Any) -> Any:
        """`base` and `finetuned` name the checkpoints of two conditions."""
        return with_conditions(raw) if isinstance(raw, dict) else raw

    @field_validator("conditions")
    @classmethod
    def _told_apart(cls, conditions: list[Condition]) -> list[Condition]:
        told_apart(conditions)
        return conditions

    @model_validator(mode="after")
    def _can_blend(self) -> ModelsConfig:
        blends = [c.name for c in self.conditions if c.blend is not None]
        if blends and self.engine != "transformers":
            raise ValueError(f"condition {blends[0]!r}: blends need engine = 'transformers'")
        return self

    @property
    def names(self) -> list[str]:
        """Names of the conditions, in their order."""
        return [c.name for c in self.conditions]

    def condition(self, name: str) -> Condition:
        """Return the condition of that name."""
        return next(c for c in self.conditions if c.name == name)
