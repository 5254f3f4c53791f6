"""Captions and features of clips from trained weights."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.errors import ModelError
from models.sonicverse.llm import load_llm
from models.sonicverse.nano.encoder import RATE, encode
from models.sonicverse.nano.labels import HEADS, without_repeats
from models.sonicverse.nano.projector import Projector, ProjectorConfig
from models.weights import file_sha256, load_tensors

NEW_TOKENS = 72
SINGLE = frozenset(("tempo", "key", "register", "articulation", "harmony", "vocals", "gender"))  # one label at a time


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

    temperature: float = 0.7
    top_p: float = 0.9
    seed: int = 0


class Captioner:
    """Frozen encoder, trained projector, frozen language model."""

    rate = RATE
    sampling: Wording | None = None

    def __init__(self, directory: Path):
        config = directory / "config.json"
        if not config.exists():
            raise ModelError(f"no captioner in {directory}: config.json is missing")
        described: dict[str, Any] = json.loads(config.read_text())
        self.projector = Projector(ProjectorConfig(**described["projector"]))
        weights = directory / "model.safetensors"
        given = {k: v.float() for k, v in load_tensors(weights).items()}
        try:
            self.projector.load_state_dict(given)
        except RuntimeError as error:
            raise ModelError(
                f"{weights} is no projector of this version: {str(error).splitlines()[-1].strip()}"
            ) from None
        self.projector.eval()
        self.sha256 = file_sha256(weights)
        self.llm, self.tokenizer = load_llm(described["llm"])

    def encode(self, clip: np.ndarray) -> dict[str, np.ndarray]:
        """Layer vectors of one mono float32 clip at 16 kHz."""
        return encode(clip)

    def layer_weights(self) -> dict[str, dict[str, float]]:
        """Weight of each of the encoder's layers: in the content path, then in every head; each sums to one."""
        return self.projector.layer_weights()

    @torch.no_grad()
    def hear(self, layers: list[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """Head probabilities of clips from their layer vectors: no language model is asked."""
        x = {name: torch.from_numpy(np.stack([row[name] for row in layers])) for name in layers[0]}
        found = self.projector.calibrated(self.projector.head_logits(x))
        return [{head: p[i].numpy() for head, p in found.items()} for i in range(len(layers))]

    @torch.no_grad()
    def describe_layers(
        self, layers: dict[str, np.ndarray], features: dict[str, np.ndarray] | None = None
    ) -> list[Description]:
        """Describe clips from their layer vectors, each (clips, width).

        `features` replaces what the feature tokens are made of: the truth, another clip's, or noise.
        """
        x = {name: torch.from_numpy(rows) for name, rows in layers.items()}
        other = None if features is None else {head: torch.from_numpy(v).float() for head, v in features.items()}
        tokens, logits = self.projector(x, other)
        probabilities = self.projector.calibrated(logits)
        texts = self.write(tokens, NEW_TOKENS)
        out = []
        for i, text in enumerate(texts):
            heard = {
                head: {
                    label: round(float(p), 4) for label, p in zip(HEADS[head][0], probabilities[head][i], strict=True)
                }
                for head in probabilities
            }
            out.append(Description(without_repeats(" ".join(text.split())), heard))
        return out

    def write(self, tokens: torch.Tensor, most: int) -> list[str]:
        """Texts after language tokens (batch, tokens, width), at most so many new tokens each; greedy, or drawn by `sampling`."""
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
            attention_mask=torch.ones(tokens.shape[:2], dtype=torch.long),
            max_new_tokens=most,
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
