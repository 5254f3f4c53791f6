"""The nano language model: audiocraft's LMModel with delay pattern, conditioned on MiniLM token states.

MusicGen (Copet et al. 2023, arXiv 2306.05284) conditions on T5; T5 needs a download, so the nano model reads the token
states of a frozen MiniLM that ships inside a pinned package. Its vocabulary is open all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from models.errors import ModelError
from models.musicgen.positions import POSITIONS, settle_rotary

if TYPE_CHECKING:
    from audiocraft.models.lm import LMModel

TEXT_TOKENS = 64
EMBEDDING_STD = 0.5
HEAD_SCALE = 0.12


@dataclass(frozen=True)
class LanguageConfig:
    """Shape of a nano language model over `n_q` codebooks of `bins` codes; see `positions` for `positional_embedding`."""

    n_q: int = 6
    bins: int = 512
    width: int = 256
    layers: int = 5
    heads: int = 4
    hidden_scale: int = 3
    dropout: float = 0.0
    cfg_dropout: float = 0.15
    cfg_coef: float = 3.0
    positional_embedding: str = "sin"

    def __post_init__(self) -> None:
        if self.positional_embedding not in POSITIONS:
            raise ModelError(
                f"positional_embedding {self.positional_embedding!r} is not known; there are: {', '.join(POSITIONS)}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dictionary for a JSON file."""
        return asdict(self)


def text_states(
    texts: Sequence[str | None], known: dict[str, torch.Tensor], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """States (texts, `TEXT_TOKENS`, 384) of frozen MiniLM and their mask, zeros where there is no text; `known` keeps what was read."""
    from models.minilm import WIDTH, shared_minilm

    states, mask = torch.zeros(len(texts), TEXT_TOKENS, WIDTH), torch.zeros(len(texts), TEXT_TOKENS)
    for i, text in enumerate(texts):
        if text:
            if text not in known:
                known[text] = shared_minilm().token_states(text, TEXT_TOKENS)
            states[i, : len(known[text])] = known[text]
            mask[i, : len(known[text])] = 1
    return states.to(device), mask.to(device)


def build_language_model(config: LanguageConfig) -> LMModel:
    """Build an untrained language model from audiocraft's own classes.

    Text is padded to a fixed 64 tokens of zeros, because audiocraft's cross-attention also attends to padding: a
    prompt then means the same whatever else is in its batch.
    """
    from audiocraft.models.lm import LMModel
    from audiocraft.modules.codebooks_patterns import DelayedPatternProvider
    from audiocraft.modules.conditioners import ConditionFuser, ConditioningProvider, TextConditioner

    from models.minilm import WIDTH

    class MiniLMConditioner(TextConditioner):
        """Token states of a frozen MiniLM, projected; empty text is all zeros."""

        def __init__(self) -> None:
            super().__init__(dim=WIDTH, output_dim=config.width)
            self._cache: dict[str, torch.Tensor] = {}

        def tokenize(self, x: list[str | None]) -> dict[str, torch.Tensor]:
            states, mask = text_states(x, self._cache, self.output_proj.weight.device)
            return {"states": states, "mask": mask}

        def forward(self, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
            projected = self.output_proj(inputs["states"].to(self.output_proj.weight))
            return projected * inputs["mask"].unsqueeze(-1), inputs["mask"]

    lm = LMModel(
        pattern_provider=DelayedPatternProvider(config.n_q),
        condition_provider=ConditioningProvider({"description": MiniLMConditioner()}),
        fuser=ConditionFuser({"cross": ["description"], "sum": [], "prepend": [], "input_interpolate": []}),
        n_q=config.n_q,
        card=config.bins,
        dim=config.width,
        num_heads=config.heads,
        hidden_scale=config.hidden_scale,
        norm="layer_norm",
        norm_first=True,
        bias_proj=False,
        weight_init="gaussian",
        depthwise_init="current",
        zero_bias_init=True,
        cfg_dropout=config.cfg_dropout,
        cfg_coef=config.cfg_coef,
        activation="gelu",
        num_layers=config.layers,
        dropout=config.dropout,
        bias_ff=False,
        bias_attn=False,
        causal=True,
        memory_efficient=True,
        cross_attention=True,
        positional_embedding=config.positional_embedding,
    )
    # audiocraft's gaussian init leaves code embeddings at 1 / sqrt(width), far under the positions' amplitude of 1: a
    # small model then sees positions and hardly the codes for thousands of steps.
    # Outputs start along the inputs' embeddings: at 25 Hz half of the first codes repeat the one before.
    embedding: Any
    head: Any
    for embedding, head in zip(lm.emb, lm.linears, strict=True):
        torch.nn.init.normal_(embedding.weight, std=EMBEDDING_STD)
        with torch.no_grad():
            head.weight.copy_(embedding.weight[: config.bins] * HEAD_SCALE)
    return settle_rotary(lm)
