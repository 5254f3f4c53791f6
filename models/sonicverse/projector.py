"""The dual-pathway projector of SonicVerse (Chopra et al. 2025, arXiv 2506.15154): one network, whose sizes are configurations.

Content path: layers of an audio encoder weighted by softmax(alpha) -> content tokens. Feature path: layers weighted by
softmax(beta), a row a task -> task heads -> their probabilities (or logits) -> feature tokens (eq. 3-7). Both stand in front of
a frozen language model, content first. Every MLP is given as its steps, so that a configuration says what is computed; the nano
size is `models.sonicverse.nano.captioner.NANO`, the paper's and the release's are in `models.sonicverse.full.presets`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from models.errors import ModelError

HEAD_WEIGHT = 0.1  # the paper's weight of the head losses beside the caption loss
Step = int | Literal["llm", "gelu", "relu", "dropout"]
Steps = tuple[Step, ...]
Layers = dict[str, torch.Tensor] | torch.Tensor
ENOUGH = 20  # clips of known truth that a temperature is fitted to at least


@dataclass(frozen=True)
class ProjectorConfig:
    """Shape and switches.

    MLPs are tuples of steps: a number is a linear layer of that width, ``"llm"`` one of the language model's, the others are
    what they say; a last linear layer to the MLP's outputs follows by itself.

    Attributes
    ----------
    heads : dict
        The tasks, and how many labels each has; their order is that of the feature tokens.
    layers : dict or int
        The encoder's layers. By name and width: vectors, each standardised and brought to `width` by a linear layer; a number:
        hidden layers of `width` over time, whose mean over time is taken.
    backbone : tuple
        Steps in front of every head, shared by all; it ends where they end.
    mlp_a_token : bool
        Every token has an MLP of its own; else one MLP a path (or head) gives all its tokens.
    features : {"probabilities", "logits", "off"}
        What feature tokens are made of; off: content tokens alone (the paper's model A).
    layer_weights : {"learned", "uniform", "last", "ones"}
        How layers are mixed; ones: in the heads their sum, in the content path by learned weights, as the release does.
    masked : bool
        Mean over the frames that are there; else over padding too.
    frames : int, optional
        Hidden layers are brought to so many frames, by zeros or by leaving out the rest; None: as they are.
    summed : bool
        The backbone reads every frame of every layer, and the heads its sum over frames and mean over layers, as the release
        does; else the backbone reads one mixture of the layers' means.
    single : tuple of str
        Heads of which one label at a time is true: softmax and cross-entropy; the others have sigmoid and binary cross-entropy.
    labels_a_unit : int, optional
        Binary cross-entropy of a head counts once for so many of its labels; None: once a head.
    gain : float, optional
        Scale that the tokens begin with, and learn; None: there is none.
    calibrated : bool
        Temperatures of the heads are kept with the weights.
    by_head : bool
        A head and its tokens are drawn one after the other, used or not; else all heads, then all tokens.
    """

    heads: dict[str, int]
    layers: dict[str, int] | int
    width: int
    llm_width: int
    content_tokens: int
    tokens_per_head: int
    content: Steps
    feature: Steps
    head: Steps
    backbone: Steps = ()
    mlp_a_token: bool = True
    dropout: float = 0.2
    features: Literal["probabilities", "logits", "off"] = "probabilities"
    layer_weights: Literal["learned", "uniform", "last", "ones"] = "learned"
    masked: bool = True
    frames: int | None = None
    summed: bool = False
    single: tuple[str, ...] = ()
    labels_a_unit: int | None = None
    gain: float | None = None
    calibrated: bool = False
    by_head: bool = False

    @property
    def tokens(self) -> int:
        """Language tokens in front of the text."""
        return self.content_tokens + (0 if self.features == "off" else self.tokens_per_head * len(self.heads))

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Names of the encoder's layers, numbers where they have none."""
        return tuple(self.layers) if isinstance(self.layers, dict) else tuple(map(str, range(self.layers)))

    def but(self, described: dict[str, Any]) -> ProjectorConfig:
        """This configuration with what a file says (plain values) in the place of its own."""
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in described.items()}
        return replace(self, **given)


def mlp(width: int, steps: Steps, out: int | None, config: ProjectorConfig) -> nn.Sequential:
    """Steps as modules, from vectors of `width` on, with a last linear layer to `out` where it is given."""
    modules: list[nn.Module] = []
    for step in (*steps, *([] if out is None else [out])):
        if step == "gelu":
            modules.append(nn.GELU())
        elif step == "relu":
            modules.append(nn.ReLU())
        elif step == "dropout":
            modules.append(nn.Dropout(config.dropout))
        else:
            wide = config.llm_width if step == "llm" else int(step)
            modules.append(nn.Linear(width, wide))
            width = wide
    return nn.Sequential(*modules)


class DualProjector(nn.Module):
    """Layers of an audio encoder -> language tokens and head logits."""

    temperature: torch.Tensor

    def __init__(self, config: ProjectorConfig):
        super().__init__()
        self.config = c = config
        names = c.layer_names
        if isinstance(c.layers, dict):
            for name, width in c.layers.items():
                self.register_buffer(f"mean_{name}", torch.zeros(width))
                self.register_buffer(f"scale_{name}", torch.ones(width))
            self.adapters = nn.ModuleDict({n: nn.Linear(w, c.width) for n, w in c.layers.items()})
        self.alpha = nn.Parameter(torch.zeros(len(names)))
        self.beta = nn.Parameter(torch.zeros(len(c.heads), len(names)))
        self.content = self._token_mlps(c.width, c.content, c.content_tokens)
        self.backbone = mlp(c.width, c.backbone, None, c)
        shared = next((step for step in reversed(c.backbone) if isinstance(step, int)), c.width)
        self.heads, self.feature = nn.ModuleDict(), nn.ModuleDict()
        # Divides a trained head's logits where its probabilities are read (Guo et al. 2017); set by `calibrate`.
        self.register_buffer("temperature", torch.ones(len(c.heads)), persistent=c.calibrated)
        parts: dict[str, Callable[[int], nn.Module]] = {"heads": lambda n: mlp(shared, c.head, n, c)}
        if c.features != "off" or c.by_head:
            parts["feature"] = lambda n: self._token_mlps(n, c.feature, c.tokens_per_head)
        drawn = product(c.heads, parts) if c.by_head else ((head, part) for part, head in product(parts, c.heads))
        for head, part in drawn:
            getattr(self, part)[head] = parts[part](c.heads[head])
        if c.gain is not None:
            # Language tokens start at the scale of word embeddings; the frozen model was never shown others.
            self.gain = nn.Parameter(torch.tensor(c.gain))

    def _token_mlps(self, width: int, steps: Steps, tokens: int) -> nn.Module:
        """What makes `tokens` language tokens of vectors of `width`."""
        c = self.config
        if c.mlp_a_token:
            return nn.ModuleList(mlp(width, steps, c.llm_width, c) for _ in range(tokens))
        return mlp(width, steps, tokens * c.llm_width, c)

    def normalise_by(self, layers: dict[str, np.ndarray]) -> None:
        """Set the standardisation of each named layer from training vectors (clips, width)."""
        for name, rows in layers.items():
            getattr(self, f"mean_{name}").copy_(torch.from_numpy(rows.mean(0)))
            getattr(self, f"scale_{name}").copy_(torch.from_numpy(1 / (rows.std(0) + 1e-3)))

    def stack(self, layers: Layers, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Layers without time, (batch, layers, width).

        Parameters
        ----------
        layers : dict or Tensor
            Vectors (batch, width) by name of the layer, hidden layers (batch, layers, frames, width), or `summary` of them.
        mask : Tensor, optional
            (batch, frames), true where there is audio.
        """
        if isinstance(layers, dict) and isinstance(self.config.layers, int):
            return layers["means"]
        if isinstance(layers, dict):
            rows = []
            for name in self.config.layer_names:
                x = (layers[name] - getattr(self, f"mean_{name}")) * getattr(self, f"scale_{name}")
                rows.append(self.adapters[name](x.clamp(-5, 5)))
            return torch.stack(rows, dim=1)
        if mask is None or not self.config.masked:
            return layers.mean(dim=2)
        kept = mask[:, None, :, None].to(layers.dtype)
        return (layers * kept).sum(dim=2) / kept.sum(dim=2).clamp(min=1)

    def _weights(self, path: str) -> torch.Tensor:
        """Weights of the layers in the content path or in a head; they sum to one, but for ``ones``."""
        kind = self.config.layer_weights
        raw = self.alpha if path == "content" else self.beta[list(self.config.heads).index(path)]
        if kind == "learned" or (kind == "ones" and path == "content"):
            return torch.softmax(raw, dim=0)
        if kind == "uniform":
            return torch.full_like(raw, 1 / len(raw)).detach()
        if kind == "last":
            return torch.eye(len(raw), dtype=raw.dtype, device=raw.device)[-1]
        return torch.softmax(raw[:, None], dim=1)[:, 0]  # over an axis of size one: ones, and no gradient

    def _mixed(self, stacked: torch.Tensor, path: str) -> torch.Tensor:
        return (self._weights(path)[None, :, None] * stacked).sum(dim=1)

    def layer_weights(self) -> dict[str, dict[str, float]]:
        """Weight of each layer in the content path (``content``) and in each head, by name of the layer."""
        return {
            path: dict(zip(self.config.layer_names, map(float, self._weights(path).detach()), strict=True))
            for path in ("content", *self.config.heads)
        }

    def summary(self, hidden: torch.Tensor) -> dict[str, torch.Tensor]:
        """All that a ``summed`` projector needs of hidden layers (batch, layers, frames, width).

        ``means`` (batch, layers, width) over the frames, padding too, for the content path; ``pooled`` (batch, backbone's width),
        the backbone of every frame, summed over frames and averaged over layers. A frame of zeros counts: its backbone is
        that of its bias.
        """
        c = self.config
        if c.frames is not None:
            hidden = F.pad(hidden, (0, 0, 0, max(0, c.frames - hidden.shape[2])))[:, :, : c.frames]
        return {"means": hidden.mean(dim=2), "pooled": self.backbone(hidden).sum(dim=2).mean(dim=1)}

    def head_of(self, name: str, stacked: torch.Tensor) -> torch.Tensor:
        """Logits of one head from `stack`'s output, (batch, labels)."""
        logits: torch.Tensor = self.heads[name](self.backbone(self._mixed(stacked, name)))
        return logits

    def head_logits(self, layers: Layers, mask: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        """Logits of each head, (batch, labels)."""
        if self.config.summed:
            shared = (layers if isinstance(layers, dict) else self.summary(layers))["pooled"]
            return {name: head(shared) for name, head in self.heads.items()}
        stacked = self.stack(layers, mask)
        return {name: self.head_of(name, stacked) for name in self.heads}

    def forward(
        self, layers: Layers, mask: torch.Tensor | None = None, features: dict[str, torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Language tokens (batch, tokens, llm_width), content first, and head logits.

        Parameters
        ----------
        layers, mask
            As in `stack`.
        features : dict, optional
            What feature tokens are made of instead of the heads' own values: the truth (oracle), another clip's (shuffled), or
            noise.
        """
        c = self.config
        if c.summed and not isinstance(layers, dict):
            layers = self.summary(layers)
        logits = self.head_logits(layers, mask)
        tokens = [self._tokens(self.content, self._mixed(self.stack(layers, mask), "content"))]
        if c.features != "off":
            own = logits if c.features == "logits" else self.probabilities(logits)
            tokens += [
                self._tokens(self.feature[name], v) for name, v in (own if features is None else features).items()
            ]
        every = torch.cat(tokens, dim=1)
        return every if c.gain is None else self.gain * every, logits

    def _tokens(self, mlps: nn.Module, x: torch.Tensor) -> torch.Tensor:
        """Language tokens of vectors (batch, width): (batch, tokens, llm_width)."""
        if isinstance(mlps, nn.ModuleList):
            return torch.stack([one(x) for one in mlps], dim=1)
        every: torch.Tensor = mlps(x)
        return every.unflatten(1, (-1, self.config.llm_width))

    def probabilities(self, logits: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Softmax for single-label heads, sigmoid for the others."""
        single = self.config.single
        return {n: torch.softmax(x, dim=-1) if n in single else torch.sigmoid(x) for n, x in logits.items()}

    def calibrated(self, logits: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Probabilities after each head's temperature: as often right as they say."""
        return self.probabilities({n: x / self.temperature[i] for i, (n, x) in enumerate(logits.items())})

    def calibrate(self, logits: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> dict[str, float]:
        """Fit the temperatures on clips that were not trained on, by the smallest loss; returns them by head."""
        from scipy.optimize import minimize_scalar

        for i, (name, x) in enumerate(logits.items()):
            known = ~wanted[name].isnan().any(dim=1)
            if known.sum() < ENOUGH:
                continue

            def loss(
                log_t: float, name: str = name, x: torch.Tensor = x[known], y: torch.Tensor = wanted[name][known]
            ) -> float:
                return float(self._loss_of(name, x / float(np.exp(log_t)), y))

            self.temperature[i] = float(np.exp(minimize_scalar(loss, bounds=(-2.5, 2.5), method="bounded").x))
        return {name: float(self.temperature[i]) for i, name in enumerate(logits)}

    def _loss_of(self, name: str, logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """Cross-entropy of a single-label head, binary cross-entropy of another, whose labels may be soft."""
        if name in self.config.single:
            return F.cross_entropy(logits, wanted.argmax(dim=-1))
        unit = self.config.labels_a_unit
        share = 1.0 if unit is None else logits.shape[-1] / unit
        return F.binary_cross_entropy_with_logits(logits, wanted) * share

    def head_loss(
        self, logits: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], weights: dict[str, float] | None = None
    ) -> torch.Tensor:
        """Sum of the heads' losses by their weights (1 where none is given); clips whose truth is not known (NaN) are left out."""
        total = torch.zeros((), device=next(iter(logits.values())).device)
        for name, x in logits.items():
            known = ~wanted[name].isnan().any(dim=1)
            if known.any():
                total = total + (weights or {}).get(name, 1.0) * self._loss_of(name, x[known], wanted[name][known])
        return total

    def stage(self, number: int) -> None:
        """Set what learns: 1 the heads; 2 heads and tokens; 3 tokens with heads frozen (the paper's three stages)."""
        if number not in (1, 2, 3):
            raise ModelError(f"stage {number} is not known; there are 1 (heads), 2 (all) and 3 (projectors)")
        for parts, learns in (
            ((self.backbone, self.heads, self.beta), number < 3), ((self.content, self.feature, self.alpha), number > 1),
        ):  # fmt: skip
            for part in parts:
                part.requires_grad_(learns)
