"""The shipped captioner: the nano encoder, a small projector, SmolLM2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import ModelError
from models.sonicverse.captioner import Captioner
from models.sonicverse.llm import load_llm
from models.sonicverse.nano.encoder import LAYERS, RATE, encode
from models.sonicverse.nano.labels import HEADS, without_repeats
from models.sonicverse.projector import DualProjector, ProjectorConfig
from models.weights import file_sha256, load_tensors

FIRST = 21  # instruments that a captioner of version 0.1 knows: those before the bands'
NANO = ProjectorConfig(
    heads={head: len(names) for head, (names, _) in HEADS.items()}, single=tuple(h for h, (_, several) in HEADS.items() if not several),
    layers=dict(LAYERS), width=192, llm_width=576, content_tokens=8, tokens_per_head=2,
    content=(128, "gelu", "dropout"), feature=(32, "gelu"), head=("gelu", "dropout", 128, "gelu"),
    mlp_a_token=False, labels_a_unit=4, gain=0.1, calibrated=True, by_head=True,
)  # fmt: skip


def described_config(described: dict[str, Any]) -> ProjectorConfig:
    """A nano projector's configuration from the ``projector`` of its ``config.json``: what differs from `NANO`.

    Version 0.1 wrote the width of the content path's MLP as ``hidden``, and of the heads their names; its instruments were `FIRST`.
    """
    own = dict(described)
    if "hidden" in own:
        own["content"] = (own.pop("hidden"), *NANO.content[1:])
    if isinstance(own.get("heads"), list):
        own["heads"] = {head: FIRST if head == "instrument" else len(HEADS[head][0]) for head in own["heads"]}
    return NANO.but(own)


class NanoCaptioner(Captioner):
    """A captioner of the nano size, from its directory."""

    rate = RATE
    new_tokens = 72

    def __init__(self, directory: Path):
        config = directory / "config.json"
        if not config.exists():
            raise ModelError(f"no captioner in {directory}: config.json is missing")
        described: dict[str, Any] = json.loads(config.read_text())
        self.projector = DualProjector(described_config(described["projector"]))
        weights = directory / "model.safetensors"
        given = {k: v.float() for k, v in load_tensors(weights).items()}
        try:
            self.projector.load_state_dict(given)
        except RuntimeError as error:
            raise ModelError(
                f"{weights} is no projector of this version: {str(error).splitlines()[-1].strip()}"
            ) from None
        self.projector.eval()
        self.labels = {head: HEADS[head][0][:n] for head, n in self.projector.config.heads.items()}
        self.sha256 = file_sha256(weights)
        self.llm, self.tokenizer = load_llm(described["llm"])

    def encode(self, clip: np.ndarray) -> dict[str, np.ndarray]:
        """Layer vectors of one mono float32 clip at 16 kHz."""
        return encode(clip)

    def tidied(self, text: str) -> str:
        """A caption that lists nothing twice."""
        return without_repeats(text)
