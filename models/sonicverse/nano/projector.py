"""The dual-pathway projector of SonicVerse (Chopra et al. 2025, arXiv 2506.15154), in its nano size.

Content path: layers weighted by softmax(alpha) -> MLP -> content tokens. Feature path: layers weighted by softmax(beta)
-> task heads -> probabilities -> one MLP a head -> feature tokens (eq. 3-7). Both are put in front of a frozen
language model. Single-label heads use softmax and cross-entropy, multi-label heads sigmoid and binary cross-entropy.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from models.sonicverse.nano.encoder import LAYERS
from models.sonicverse.nano.labels import HEADS


@dataclass(frozen=True)
class ProjectorConfig:
    """Shape of the projector; `llm_width` is the hidden size of the frozen language model.

    Attributes
    ----------
    features : {"probabilities", "logits", "off"}
        What the feature tokens are made of; off: content tokens alone (the paper's model A).
    layer_weights : {"learned", "uniform", "last"}
        How the encoder's layers are mixed.
    heads : tuple of str
        The tasks, out of `models.sonicverse.labels.HEADS`.
    """

    layers: dict[str, int] = field(default_factory=lambda: dict(LAYERS))
    width: int = 192
    hidden: int = 128
    llm_width: int = 576
    content_tokens: int = 8
    tokens_per_head: int = 2
    dropout: float = 0.2
    features: Literal["probabilities", "logits", "off"] = "probabilities"
    layer_weights: Literal["learned", "uniform", "last"] = "learned"
    heads: tuple[str, ...] = tuple(HEADS)

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dictionary for a JSON file."""
        return asdict(self)


class Projector(nn.Module):
    """Layer vectors of a clip -> head logits and language tokens."""

    temperature: torch.Tensor

    def __init__(self, config: ProjectorConfig):
        super().__init__()
        self.config = config
        c = config
        for name, width in c.layers.items():
            self.register_buffer(f"mean_{name}", torch.zeros(width))
            self.register_buffer(f"scale_{name}", torch.ones(width))
        self.adapters = nn.ModuleDict({n: nn.Linear(w, c.width) for n, w in c.layers.items()})
        self.alpha = nn.Parameter(torch.zeros(len(c.layers)))
        self.beta = nn.Parameter(torch.zeros(len(c.heads), len(c.layers)))
        self.content = nn.Sequential(
            nn.Linear(c.width, c.hidden),
            nn.GELU(),
            nn.Dropout(c.dropout),
            nn.Linear(c.hidden, c.content_tokens * c.llm_width),
        )
        self.heads = nn.ModuleDict()
        self.feature = nn.ModuleDict()
        # Divides a trained head's logits where its probabilities are read (Guo et al. 2017); set by `calibrate`.
        self.register_buffer("temperature", torch.ones(len(c.heads)))
        for name in c.heads:
            names, _ = HEADS[name]
            self.heads[name] = nn.Sequential(
                nn.GELU(), nn.Dropout(c.dropout), nn.Linear(c.width, 128), nn.GELU(), nn.Linear(128, len(names))
            )
            self.feature[name] = nn.Sequential(
                nn.Linear(len(names), 32), nn.GELU(), nn.Linear(32, c.tokens_per_head * c.llm_width)
            )
        # Language tokens start at the scale of word embeddings; the frozen model was never shown others.
        self.gain = nn.Parameter(torch.tensor(0.1))

    def normalise_by(self, layers: dict[str, np.ndarray]) -> None:
        """Set the standardisation of each layer from training vectors (clips, width)."""
        for name, rows in layers.items():
            getattr(self, f"mean_{name}").copy_(torch.from_numpy(rows.mean(0)))
            getattr(self, f"scale_{name}").copy_(torch.from_numpy(1 / (rows.std(0) + 1e-3)))

    def stack(self, layers: dict[str, torch.Tensor]) -> torch.Tensor:
        """Standardised layers in one width, (batch, layers, width)."""
        rows = []
        for name in self.config.layers:
            x = (layers[name] - getattr(self, f"mean_{name}")) * getattr(self, f"scale_{name}")
            rows.append(self.adapters[name](x.clamp(-5, 5)))
        return torch.stack(rows, dim=1)

    def _mix(self, raw: torch.Tensor) -> torch.Tensor:
        """Weights of the layers, which sum to one."""
        if self.config.layer_weights == "learned":
            return torch.softmax(raw, dim=0)
        if self.config.layer_weights == "uniform":
            return torch.full_like(raw, 1 / len(raw)).detach()
        return torch.eye(len(raw))[-1]

    def layer_weights(self) -> dict[str, dict[str, float]]:
        """Softmax of alpha (``content``) and of each head's beta, by name of the layer."""
        raw = {"content": self.alpha, **dict(zip(self.config.heads, self.beta, strict=True))}
        return {
            path: dict(zip(self.config.layers, (float(w) for w in self._mix(values).detach()), strict=True))
            for path, values in raw.items()
        }

    def head_logits(self, layers: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Logits per head, (batch, labels)."""
        stacked = self.stack(layers)
        return {name: self.head_of(name, stacked) for name in self.heads}

    def head_of(self, name: str, stacked: torch.Tensor) -> torch.Tensor:
        """Logits of one head from `stack`'s output, (batch, labels)."""
        weights = self._mix(self.beta[self.config.heads.index(name)])
        logits: torch.Tensor = self.heads[name]((weights[None, :, None] * stacked).sum(dim=1))
        return logits

    def forward(
        self, layers: dict[str, torch.Tensor], features: dict[str, torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return language tokens (batch, tokens, llm_width) and head logits.

        Parameters
        ----------
        features : dict, optional
            What the feature tokens are made of instead of the heads' own values: the truth (oracle), another clip's
            (shuffled), or noise.
        """
        logits = self.head_logits(layers)
        weights = self._mix(self.alpha)
        content = self.content((weights[None, :, None] * self.stack(layers)).sum(dim=1))
        tokens = [content.unflatten(1, (self.config.content_tokens, -1))]
        if self.config.features != "off":
            own = self.probabilities(logits) if self.config.features == "probabilities" else logits
            for name, values in (own if features is None else features).items():
                tokens.append(self.feature[name](values).unflatten(1, (self.config.tokens_per_head, -1)))
        return self.gain * torch.cat(tokens, dim=1), logits

    @staticmethod
    def probabilities(logits: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Sigmoid for multi-label heads, softmax for the others."""
        return {n: torch.sigmoid(x) if HEADS[n][1] else torch.softmax(x, dim=-1) for n, x in logits.items()}

    def calibrated(self, logits: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Probabilities after each head's temperature: as often right as they say."""
        return self.probabilities({n: x / self.temperature[i] for i, (n, x) in enumerate(logits.items())})

    def calibrate(self, logits: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> dict[str, float]:
        """Fit the temperatures on clips that were not trained on, by the smallest loss; returns them by head."""
        from scipy.optimize import minimize_scalar

        for i, (name, x) in enumerate(logits.items()):
            known = ~wanted[name].isnan().any(dim=1)
            if known.sum() < 20:
                continue

            def loss(
                log_t: float, name: str = name, x: torch.Tensor = x[known], y: torch.Tensor = wanted[name][known]
            ) -> float:
                return float(head_loss(name, x / float(np.exp(log_t)), y))

            self.temperature[i] = float(np.exp(minimize_scalar(loss, bounds=(-2.5, 2.5), method="bounded").x))
        return {name: float(self.temperature[i]) for i, name in enumerate(logits)}

    @staticmethod
    def head_loss(logits: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> torch.Tensor:
        """Sum over heads of `head_loss`; clips whose truth is not known (NaN) are left out."""
        total = torch.zeros(())
        for name, x in logits.items():
            known = ~wanted[name].isnan().any(dim=1)
            if known.any():
                total = total + head_loss(name, x[known], wanted[name][known])
        return total


def head_loss(name: str, logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy of a multi-label head (labels may be soft), cross-entropy of a single-label one."""
    if HEADS[name][1]:
        return F.binary_cross_entropy_with_logits(logits, wanted) * logits.shape[-1] / 4
    return F.cross_entropy(logits, wanted.argmax(dim=-1))
