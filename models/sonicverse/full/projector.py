"""SonicVerse at its full size (Chopra et al. 2025, arXiv 2506.15154): two presets of one projector.

``paper`` is the system of the article: 13 layers of MERT weighted by learned alpha (content) and beta (each head), mean over
the frames that are there, six heads (sigmoid, binary cross-entropy), their probabilities as feature tokens, 30 + 30 tokens.
``released`` is the public checkpoint's: five heads, 40 + 20 tokens, raw logits into the feature tokens, means over padding
too, layer weights of the heads without effect (a softmax over an axis of size one: all ones), token MLPs that begin with a
GELU. Their parameter counts are held to the published ones by tests. The nano captioner (`models.sonicverse.model`) has the same
two pathways in a small size.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional as F

from models.errors import ModelError

# Labels a head: MTG-Jamendo's instrument, mood/theme and genre tags; 12 major and 12 minor keys; voice or not; whose voice.
PAPER_HEADS = {"key": 24, "instrument": 40, "mood": 56, "genre": 87, "vocals": 2, "gender": 2}
RELEASED_HEADS = {"instrument": 40, "mood": 56, "genre": 87, "key": 24, "vocals": 3}


@dataclass(frozen=True)
class DualConfig:
    """Shape and switches.

    Attributes
    ----------
    features : {"probabilities", "logits", "off"}
        What feature tokens are made of.
    layer_weights : {"learned", "uniform", "last", "ones"}
        How layers are mixed; ones: their sum, as the release's heads do.
    masked : bool
        Mean over the frames that are there; else over padding too.
    leading_gelu : bool
        Token MLPs begin with a GELU, as the release's do.
    """

    heads: dict[str, int] = field(default_factory=lambda: dict(PAPER_HEADS))
    layers: int = 13
    width: int = 768
    llm_width: int = 4096
    content_tokens: int = 30
    tokens_per_head: int = 5
    backbone: int = 512
    head_width: int = 256
    dropout: float = 0.2
    features: Literal["probabilities", "logits", "off"] = "probabilities"
    layer_weights: Literal["learned", "uniform", "last", "ones"] = "learned"
    masked: bool = True
    leading_gelu: bool = False

    @property
    def tokens(self) -> int:
        """Language tokens in front of the text."""
        return self.content_tokens + (0 if self.features == "off" else self.tokens_per_head * len(self.heads))


PRESETS = {
    "paper": DualConfig(),
    "paper-35-25": DualConfig(
        heads={k: v for k, v in PAPER_HEADS.items() if k != "gender"}, content_tokens=35, tokens_per_head=5
    ),
    "released": DualConfig(
        heads=dict(RELEASED_HEADS), content_tokens=40, tokens_per_head=4, features="logits", layer_weights="ones",
        masked=False, leading_gelu=True,
    ),
}  # fmt: skip


def _token_mlp(width: int, llm_width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, llm_width), nn.GELU(), nn.Linear(llm_width, llm_width))


class Content(nn.Module):
    """Weighted layers -> one MLP a token."""

    def __init__(self, c: DualConfig):
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(c.layers))
        self.tokens = nn.ModuleList(_token_mlp(c.width, c.llm_width) for _ in range(c.content_tokens))


class Head(nn.Module):
    """A task's own layer weights and classifier, on the shared backbone."""

    def __init__(self, c: DualConfig, labels: int):
        super().__init__()
        self.beta = nn.Parameter(torch.zeros(c.layers))
        self.classify = nn.Sequential(
            nn.Linear(c.backbone, c.head_width), nn.ReLU(), nn.Dropout(c.dropout), nn.Linear(c.head_width, labels)
        )


class DualProjector(nn.Module):
    """Hidden layers of an audio encoder -> language tokens and head logits."""

    def __init__(self, config: DualConfig):
        super().__init__()
        self.config = c = config
        self.content = Content(c)
        self.backbone = nn.Sequential(nn.Linear(c.width, c.backbone), nn.ReLU(), nn.Dropout(c.dropout))
        self.heads = nn.ModuleDict({name: Head(c, n) for name, n in c.heads.items()})
        self.features = nn.ModuleDict()
        if c.features != "off":
            for name, n in c.heads.items():
                self.features[name] = nn.ModuleList(_token_mlp(n, c.llm_width) for _ in range(c.tokens_per_head))

    def _mixed(self, means: torch.Tensor, raw: torch.Tensor, kind: str) -> torch.Tensor:
        """Layers (batch, layers, width) to one vector, by weights that sum to one (but ``ones``)."""
        if kind == "learned":
            weights = torch.softmax(raw, dim=0)
        elif kind == "uniform":
            weights = torch.full_like(raw, 1 / len(raw)).detach()
        elif kind == "last":
            weights = torch.eye(len(raw), dtype=raw.dtype, device=raw.device)[-1]
        else:
            weights = torch.softmax(raw[:, None], dim=1)[:, 0]  # over an axis of size one: ones, and no gradient
        return torch.einsum("l,blw->bw", weights, means)

    def layer_weights(self) -> dict[str, dict[str, float]]:
        """Softmax of alpha (``content``) and of each head's beta, by number of the layer; 1 each where layers are summed up."""
        c = self.config
        raw: dict[str, tuple[torch.Tensor, str]] = {
            "content": (self.content.alpha, "learned" if c.layer_weights == "ones" else c.layer_weights)
        }
        for name, head in self.heads.items():
            assert isinstance(head, Head)
            raw[name] = head.beta, c.layer_weights
        eye = torch.eye(c.layers)[None]
        return {
            path: {str(i): float(w) for i, w in enumerate(self._mixed(eye, beta.detach(), kind)[0])}
            for path, (beta, kind) in raw.items()
        }

    def _means(self, hidden: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Mean over time of hidden layers (batch, layers, frames, width)."""
        if mask is None or not self.config.masked:
            return hidden.mean(dim=2)
        kept = mask[:, None, :, None].to(hidden.dtype)
        return (hidden * kept).sum(dim=2) / kept.sum(dim=2).clamp(min=1)

    def head_logits(self, hidden: torch.Tensor, mask: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        """Logits of each head, (batch, labels)."""
        means = self._means(hidden, mask)
        out = {}
        for name, head in self.heads.items():
            assert isinstance(head, Head)
            out[name] = head.classify(self.backbone(self._mixed(means, head.beta, self.config.layer_weights)))
        return out

    def forward(
        self,
        hidden: torch.Tensor,
        mask: torch.Tensor | None = None,
        features: dict[str, torch.Tensor] | None = None,
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Language tokens (batch, tokens, llm_width), content first, and head logits.

        Parameters
        ----------
        hidden : Tensor
            (batch, layers, frames, width).
        mask : Tensor, optional
            (batch, frames), true where there is audio.
        features : dict, optional
            What feature tokens are made of instead: the truth, another clip's, or noise.
        """
        c = self.config
        content_kind = "learned" if c.layer_weights == "ones" else c.layer_weights
        content = self._mixed(self._means(hidden, mask), self.content.alpha, content_kind)
        content = F.gelu(content) if c.leading_gelu else content
        tokens = [mlp(content) for mlp in self.content.tokens]
        logits = self.head_logits(hidden, mask)
        if c.features != "off":
            own = logits if c.features == "logits" else {k: torch.sigmoid(v) for k, v in logits.items()}
            for name, values in (own if features is None else features).items():
                mlps = self.features[name]
                assert isinstance(mlps, nn.ModuleList)
                entry = F.gelu(values) if c.leading_gelu else values
                tokens += [mlp(entry) for mlp in mlps]
        return torch.stack(tokens, dim=1), logits

    def head_loss(
        self, logits: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], weights: dict[str, float] | None = None
    ) -> torch.Tensor:
        """Sum over heads, by their weights, of binary cross-entropy against labels in [0, 1]: the extractors' may be soft."""
        total = torch.zeros((), device=next(iter(logits.values())).device)
        for name, x in logits.items():
            total = total + (weights or {}).get(name, 1.0) * F.binary_cross_entropy_with_logits(x, wanted[name])
        return total

    def stage(self, number: int) -> None:
        """Set what learns: 1 the heads; 2 heads and token MLPs; 3 token MLPs with heads frozen (the paper's three stages)."""
        if number not in (1, 2, 3):
            raise ModelError(f"stage {number} is not known; there are 1 (heads), 2 (all) and 3 (projectors)")
        for module, learns in (
            (self.backbone, number < 3), (self.heads, number < 3), (self.content, number > 1), (self.features, number > 1),
        ):  # fmt: skip
            module.requires_grad_(learns)


def parameter_counts(model: DualProjector) -> dict[str, int]:
    """Numbers of parameters by part, as they were published of the release."""

    def count(module: nn.Module) -> int:
        return sum(p.numel() for p in module.parameters())

    return {
        "content": count(model.content),
        **{f"features.{name}": count(m) for name, m in model.features.items()},
        "backbone": count(model.backbone),
        **{f"heads.{name}": count(m) for name, m in model.heads.items()},
        "all": count(model),
    }


def describe_config(config: DualConfig) -> dict[str, Any]:
    """Plain dictionary for a JSON file."""
    return asdict(config)
