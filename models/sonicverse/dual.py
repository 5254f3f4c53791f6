"""SonicVerse at its full size (Chopra et al. 2025, arXiv 2506.15154): two presets of one projector.

``paper`` is the system of the article: 13 layers of MERT weighted by learned alpha (content) and beta (each head), mean over
the frames that are there, six heads (sigmoid, binary cross-entropy), their probabilities as feature tokens, 30 + 30 tokens.
``released`` is the public checkpoint's: five heads, 40 + 20 tokens, raw logits into the feature tokens, means over padding
too, layer weights of the heads without effect (a softmax over an axis of size one: all ones). Their parameter counts are
held to the published ones by tests. The nano captioner (`models.sonicverse.model`) has the same two pathways in a small size.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
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
        masked=False,
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
        tokens = [mlp(content) for mlp in self.content.tokens]
        logits = self.head_logits(hidden, mask)
        if c.features != "off":
            own = logits if c.features == "logits" else {k: torch.sigmoid(v) for k, v in logits.items()}
            for name, values in (own if features is None else features).items():
                mlps = self.features[name]
                assert isinstance(mlps, nn.ModuleList)
                tokens += [mlp(values) for mlp in mlps]
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


def load_released(path: Path, config: DualConfig | None = None) -> DualProjector:
    """Read a projector's state dict: our own names, or others' whose tensors have the same shapes in the same order.

    The public checkpoint names its modules otherwise. Its tensors are taken part by part in the order of the modules; every
    tensor must find its place and every place its tensor.

    Raises
    ------
    ModelError
        In one line, if the file is broken, or shapes do not fit.
    """
    from models.weights import load_pickle, load_tensors

    if not path.is_file():
        raise ModelError(f"projector {path} does not exist")
    given = load_tensors(path) if path.suffix == ".safetensors" else load_pickle(path)
    with torch.device("meta"):
        model = DualProjector(config or PRESETS["released"])
    wanted = model.state_dict()
    if set(given) == set(wanted):
        matched: dict[str, torch.Tensor] = given
    else:
        matched = _by_shape(given, wanted, path)
    for name, tensor in wanted.items():
        if matched[name].numel() != tensor.numel():
            raise ModelError(f"{path}: {name} has shape {tuple(matched[name].shape)}, not {tuple(tensor.shape)}")
    model.load_state_dict({k: matched[k].reshape(wanted[k].shape) for k in wanted}, assign=True)
    return model.eval()


def _by_shape(given: dict[str, Any], wanted: dict[str, torch.Tensor], path: Path) -> dict[str, torch.Tensor]:
    """Match tensors in order within each shape (dimensions of size one apart)."""

    def shape(t: torch.Tensor) -> tuple[int, ...]:
        return tuple(n for n in t.shape if n != 1) or (1,)

    waiting: dict[tuple[int, ...], list[torch.Tensor]] = {}
    for tensor in given.values():
        if not isinstance(tensor, torch.Tensor):
            raise ModelError(f"{path} holds more than tensors; it is no projector's state dict")
        waiting.setdefault(shape(tensor), []).append(tensor)
    out = {}
    for name, tensor in wanted.items():
        there = waiting.get(shape(tensor), [])
        if not there:
            raise ModelError(
                f"{path} is no SonicVerse projector of this shape: nothing is left for {name} {tuple(tensor.shape)}"
            )
        out[name] = there.pop(0)
    left = sum(len(t) for t in waiting.values())
    if left:
        raise ModelError(f"{path} is no SonicVerse projector of this shape: {left} tensors are left over")
    return out


def describe_config(config: DualConfig) -> dict[str, Any]:
    """Plain dictionary for a JSON file."""
    return asdict(config)
