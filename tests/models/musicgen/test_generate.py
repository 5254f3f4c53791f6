"""What the generator asks of its engine, and what it makes of the answer: an engine that only writes down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from models.musicgen.generate import MusicGenerator
from models.musicgen.sampling import Sampling

CARD = 10


class Engine:
    """20 Hz of sound, 4 frames a second, two codebooks a frame apart; every token likeliest is 7."""

    rate, frame_rate, delays, special, cache_bytes = 20, 4.0, [0, 1], CARD, 100
    decoder = SimpleNamespace(precision="float32")
    device = torch.device("cpu")

    def __init__(self, *_: Any, off: float = 0.0) -> None:
        self.begun: list[tuple[list[str], bool, int]] = []
        self.heard: list[torch.Tensor] = []
        self.off = off

    @contextmanager
    def start(self, prompts: list[str], guided: bool, steps: int) -> Iterator[Any]:
        self.begun.append((list(prompts), guided, steps))

        def step(tokens: torch.Tensor) -> torch.Tensor:
            self.heard.append(tokens.clone())
            logits = torch.zeros(len(prompts) * (2 if guided else 1), 2, CARD)
            logits[..., 7] = 5.0
            return logits + self.off * len(self.heard)

        yield step

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        return codes.sum(1).double().repeat_interleave(5, -1)[:, None]


def generator(**how: Any) -> MusicGenerator:
    return MusicGenerator("mine", Engine(**how), "sha")


@pytest.mark.parametrize(("guidance", "guided"), [(3.0, True), (1.0, False)])
def test_an_engine_is_begun_with_every_prompt_and_enough_steps(guidance: float, guided: bool) -> None:
    model = generator()
    codes = model.codes(["one", "two"], 6, [0, 1], Sampling(top_k=1, guidance=guidance))
    assert codes.shape == (2, 2, 6)
    assert (codes == 7).all()
    assert model.engine.begun == [(["one", "two"], guided, 7)]  # six frames, and the second codebook's delay
    assert len(model.engine.heard) == 7
    assert model.rate == 20


def test_clips_last_as_long_as_asked() -> None:
    """Half a second and a bit: 3 frames of a quarter; 11 of their 15 samples."""
    model = generator()
    codes, audio = model.clips(["one"], 0.56, [4], Sampling(top_k=1))
    assert codes.shape == (1, 2, 3)
    assert (audio.dtype, audio.shape) == (np.float32, (1, 1, 11))
    assert (audio == 14).all()
    assert model.clips(["one"], 0.5, [4], Sampling(top_k=1))[0].shape == (1, 2, 2)


def test_one_prompt_is_for_every_seed_and_several_are_one_each() -> None:
    model = generator()
    told: list[tuple[int, int]] = []
    audio = model.generate("sweet", 1.0, [3, 4, 5], Sampling(top_k=1), lambda done, total: told.append((done, total)))
    assert audio.shape == (3, 1, 20)
    assert told == [(k + 1, 5) for k in range(5)]
    model.generate(["a", "b"], 1.0, [3, 4])
    assert [prompts for prompts, _, _ in model.engine.begun] == [["sweet"] * 3, ["a", "b"]]
    assert model.engine.begun[1][1]  # guided, where nothing else is said


@pytest.mark.parametrize(
    ("megabytes", "clips"), [(4 * 100 * 41 * 8, 8), (4 * 100 * 41 * 8 - 8, 4), (4 * 100 * 41 * 3, 2), (1, 1), (10**9, 8)]
)  # fmt: skip
def test_as_many_clips_at_a_time_as_a_quarter_of_memory_holds(
    megabytes: int, clips: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten seconds are 40 frames and one of delay, a megabyte each hundred: powers of two up to eight."""
    model = generator()
    model.engine.cache_bytes = 100 * 2**20
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=megabytes * 2**20))
    assert model.batch_size(10.0) == clips
