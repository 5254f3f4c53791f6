"""Options of trainings: a recipe by its name, and what differs from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tastelab.errors import UserError

if TYPE_CHECKING:
    from models.musicgen.finetune import FinetuneSettings
    from models.sonicverse.full.train import FullSettings


@dataclass(frozen=True)
class NanoRecipe:
    """What differs from a nano network's recipe."""

    steps: Annotated[int | None, typer.Option(min=1, help="Steps; default: the recipe's.")] = None
    batch: Annotated[int | None, typer.Option(min=1, help="Clips a step (base); default: the recipe's.")] = None
    positions: Annotated[str, typer.Option(help="sin, rope or sin_rope (base).")] = "rope"
    layers: Annotated[int, typer.Option(min=1, help="Of the transformer (base).")] = 10
    width: Annotated[int, typer.Option(min=64, help="Of the transformer (base): a head for every 64.")] = 256
    codebooks: Annotated[
        str | None, typer.Option(help="Weight of each codebook's loss (base); default: 3,2,1.5,1,0.5,0.25.")
    ] = None

    def codebook_weights(self) -> tuple[float, ...]:
        """Weight of each codebook's loss; none where all count alike."""
        try:
            return tuple(float(x) for x in self.codebooks.split(",")) if self.codebooks else ()
        except ValueError:
            raise UserError(f"--codebooks {self.codebooks!r} is not numbers with commas between them") from None


@dataclass(frozen=True)
class TasteRecipe:
    """What is learned in fine-tuning, by a preset and what differs from it."""

    preset: Annotated[
        str,
        typer.Option(
            help="paper (the text's numbers), script (the authors' script's), or nano (ways from the words alone)."
        ),
    ] = "paper"
    method: Annotated[str | None, typer.Option(help="full, lora or conditioning; default: the preset's.")] = None
    replay: Annotated[Path | None, typer.Option(help="The base's own corpus: half as many of its clips a step.")] = None
    blend: Annotated[float | None, typer.Option(min=0, max=1, help="Share of the change taken.")] = None
    rank: Annotated[int, typer.Option(min=1, help="Of the low-rank factors.")] = 8
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: the preset's.")] = None
    batch: Annotated[int | None, typer.Option(min=1, help="Default: the preset's.")] = None
    lr: Annotated[float | None, typer.Option(min=0, help="Default: the preset's.")] = None
    ema: Annotated[float | None, typer.Option(min=0, max=1, help="Decay of the weights' moving average; 0: none.")] = (
        None
    )
    patience: Annotated[int | None, typer.Option(min=1, help="Epochs without a better held-out loss.")] = None
    without_taste_words: Annotated[bool, typer.Option(help="Ablation: captions lose their taste words.")] = False
    enrich: Annotated[str | None, typer.Option(help="Ablation: draw tracks of this taste more often.")] = None
    tracker: Annotated[str, typer.Option(help="none, tensorboard or wandb.")] = "none"

    def check(self) -> None:
        """Refuse what is not known."""
        if self.preset not in ("paper", "script", "nano"):
            raise UserError(f"--preset {self.preset!r} is not known; there are: paper, script, nano")
        if self.tracker not in ("none", "tensorboard", "wandb"):
            raise UserError(f"--tracker {self.tracker!r} is not known; there are: none, tensorboard, wandb")

    def settings(self, seed: int) -> FinetuneSettings:
        """The preset's numbers, but for those that are given."""
        from models.musicgen.finetune import PRESETS

        given: dict[str, Any] = {
            "epochs": self.epochs, "batch": self.batch, "lr": self.lr, "method": self.method, "ema": self.ema, "patience": self.patience,
            "enrich": self.enrich, "blend": self.blend,
        }  # fmt: skip
        own = replace(PRESETS[self.preset], **{k: v for k, v in given.items() if v is not None})
        return replace(
            own,
            rank=self.rank,
            without_taste_words=self.without_taste_words,
            tracker=self.tracker,
            seed=seed,
            replay=max(1, own.batch // 2),
        )


@dataclass(frozen=True)
class FullRecipe:
    """How SonicVerse is trained at full size: stages, batches, and what differs from a preset's projector."""

    epochs: Annotated[str, typer.Option(help="Of the three stages.")] = "3,3,3"
    batch: Annotated[int, typer.Option(min=1, help="Effective, over all processes.")] = 32
    accumulate: Annotated[int, typer.Option(min=1, help="Lots a step.")] = 1
    lr: Annotated[float, typer.Option(min=0)] = 1e-4
    lora: Annotated[int, typer.Option(min=0, help="Rank of factors in the language model; 0: frozen.")] = 0
    prompt: Annotated[str, typer.Option(help="Words between the tokens and the caption.")] = ""
    content_tokens: Annotated[int | None, typer.Option(min=1, help="Default: the preset's.")] = None
    tokens_per_head: Annotated[int | None, typer.Option(min=1, help="Default: the preset's.")] = None
    features: Annotated[str | None, typer.Option(help="probabilities, logits or off; default: the preset's.")] = None
    layers: Annotated[str | None, typer.Option(help="learned, uniform, last; default: the preset's.")] = None
    task_weight: Annotated[list[str] | None, typer.Option(help="HEAD=WEIGHT of a head's loss.")] = None
    seed: Annotated[int, typer.Option("--seed")] = 0

    def settings(self, preset: str) -> FullSettings:
        """The same as the training takes it."""
        from models.sonicverse.full.train import FullSettings

        stages = [int(e) for e in self.epochs.split(",") if e.strip().isdigit()]
        if len(stages) != 3:
            raise UserError(f"--epochs {self.epochs!r}: three whole numbers are needed, e.g. 3,3,3")
        change = {
            "content_tokens": self.content_tokens, "tokens_per_head": self.tokens_per_head, "features": self.features,
            "layer_weights": self.layers,
        }  # fmt: skip
        for name, value, known in (
            ("features", self.features, ("probabilities", "logits", "off")),
            ("layers", self.layers, ("learned", "uniform", "last")),
        ):
            if value not in (None, *known):
                raise UserError(f"--{name} {value!r} is not known; there are: {', '.join(known)}")
        return FullSettings(
            preset=preset, epochs=(stages[0], stages[1], stages[2]), batch=self.batch, accumulate=self.accumulate, lr=self.lr,
            lora_rank=self.lora, prompt=self.prompt, seed=self.seed, task_weights=self._weights(),
            change={k: v for k, v in change.items() if v is not None},
        )  # fmt: skip

    def _weights(self) -> dict[str, float]:
        weights = {}
        for pair in self.task_weight or []:
            head, _, number = pair.partition("=")
            try:
                weights[head] = float(number)
            except ValueError:
                raise UserError(f"--task-weight {pair!r} is not HEAD=WEIGHT") from None
        return weights
