"""What a captioner of either size says of clips: a caption and features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.sonicverse.llm import with_prompt
from models.sonicverse.projector import DualProjector, Layers

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SINGLE = frozenset({"tempo", "key", "register", "articulation", "harmony", "vocals", "gender"})  # one label at a time


@dataclass(frozen=True)
class Description:
    """What the captioner says of one clip: a sentence, and per head the probability of every label."""

    caption: str
    features: dict[str, dict[str, float]]

    def top(self, head: str) -> list[str]:
        """Labels over one half (multi-label heads), or the likeliest label."""
        scores = self.features[head]
        if head == "gender" and self.features.get("vocals", {}).get("vocals", 1.0) <= 0.5:
            return []  # nobody sings
        if head not in SINGLE:
            return [name for name, p in sorted(scores.items(), key=lambda kv: -kv[1]) if p > 0.5]
        return [max(scores, key=lambda name: scores[name])]


@dataclass(frozen=True)
class Wording:
    """How words are drawn where captions are not greedy: the same seed gives the same words for the same batch."""

    temperature: float
    top_p: float = 0.9
    seed: int = 0


class Captioner(ABC):
    """Frozen encoder, trained projector, frozen language model; one size of it says how it is read, and what it hears.

    Attributes
    ----------
    rate : int
        Hz of the clips that it describes.
    new_tokens : int
        Most language tokens of a caption.
    labels : dict
        Names of each head's labels.
    prompt : str
        Words between the language tokens and the caption.
    device : torch.device
        Where its networks are; see `to`.
    """

    rate: int
    new_tokens: int
    projector: DualProjector
    labels: dict[str, tuple[str, ...]]
    llm: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    sha256: str
    prompt: str = ""
    sampling: Wording | None = None
    device = torch.device("cpu")

    def to(self, device: torch.device) -> Captioner:
        """Move the networks to a device; returns the captioner."""
        self.device = device
        self.projector.to(device)
        moved: Any = self.llm
        moved.to(device)
        return self

    @abstractmethod
    def encode(self, clip: np.ndarray) -> dict[str, np.ndarray]:
        """Layer vectors of one mono float32 clip at `rate` Hz."""

    def given(self, layers: dict[str, np.ndarray]) -> Layers:
        """Layer vectors of clips, (clips, ...) each, as the projector takes them."""
        return {name: torch.from_numpy(rows).to(self.device) for name, rows in layers.items()}

    def tidied(self, text: str) -> str:
        """A caption as it is shown."""
        return text

    def layer_weights(self) -> dict[str, dict[str, float]]:
        """Weight of each of the encoder's layers: in the content path, then in every head."""
        return self.projector.layer_weights()

    @torch.no_grad()
    def hear(self, layers: list[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """Head probabilities of clips from their layer vectors: no language model is asked."""
        x = self.given({name: np.stack([row[name] for row in layers]) for name in layers[0]})
        found = self.projector.calibrated(self.projector.head_logits(x))
        return [{head: p[i].cpu().numpy() for head, p in found.items()} for i in range(len(layers))]

    @torch.no_grad()
    def describe_layers(
        self, layers: dict[str, np.ndarray], features: dict[str, np.ndarray] | None = None
    ) -> list[Description]:
        """Describe clips from their layer vectors, (clips, ...) each.

        `features` replaces what the feature tokens are made of: the truth, another clip's, or noise.
        """
        other = (
            None
            if features is None
            else {head: torch.from_numpy(v).float().to(self.device) for head, v in features.items()}
        )
        tokens, logits = self.projector(self.given(layers), features=other)
        probabilities = self.projector.calibrated(logits)
        out = []
        for i, text in enumerate(self.write(with_prompt(self.llm, self.tokenizer, tokens, self.prompt))):
            heard = {
                head: {label: round(float(p), 4) for label, p in zip(self.labels[head], rows[i], strict=True)}
                for head, rows in probabilities.items()
            }
            out.append(Description(self.tidied(" ".join(text.split())), heard))
        return out

    def write(self, tokens: torch.Tensor) -> list[str]:
        """Texts after language tokens (batch, tokens, width); greedy, or drawn by `sampling`."""
        generate: Any = self.llm.generate
        how: dict[str, Any] = {"do_sample": False}
        if self.sampling is not None:
            how = {
                "do_sample": True,
                "temperature": self.sampling.temperature,
                "top_p": self.sampling.top_p,
                "top_k": 0,
            }
            torch.manual_seed(self.sampling.seed)
        ids = generate(
            inputs_embeds=tokens.to(self.llm.dtype),
            attention_mask=torch.ones(tokens.shape[:2], dtype=torch.long, device=tokens.device),
            max_new_tokens=self.new_tokens,
            pad_token_id=self.tokenizer.eos_token_id,
            **how,
        )
        return [str(t) for t in self.tokenizer.batch_decode(ids, skip_special_tokens=True)]

    def describe(self, clips: list[np.ndarray], batch: int = 8) -> list[Description]:
        """Describe mono float32 clips at `rate` Hz."""
        return list(self.stream(clips, batch))

    def stream(self, clips: Iterable[np.ndarray], batch: int = 8) -> Iterator[Description]:
        """Describe clips as they come; no more than `batch` of them are held at a time."""
        waiting = iter(clips)
        while part := list(islice(waiting, batch)):
            rows = [self.encode(clip) for clip in part]
            yield from self.describe_layers({name: np.stack([r[name] for r in rows]) for name in rows[0]})
