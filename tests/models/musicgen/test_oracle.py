"""What an engine is asked beside audiocraft, and what is said where they differ: engines that only write down, and small checkpoints."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch

from models.errors import ModelError
from models.musicgen import engines
from models.musicgen import oracle as oracle_module
from models.musicgen.checkpoints import Checkpoint
from models.musicgen.oracle import oracle_difference
from tests.models.musicgen.test_generate import CARD, Engine, generator


@pytest.fixture
def oracle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A checkpoint of 1,000 bytes, memory for three of it, and audiocraft's engine: another that writes down."""
    (tmp_path / "one").write_bytes(b"x" * 600)
    (tmp_path / "two").write_bytes(b"x" * 400)
    found = Checkpoint("mine", tmp_path, "transformers", (tmp_path / "one", tmp_path / "two"))
    kept: dict[str, Any] = {"memory": 3000, "other": Engine()}
    monkeypatch.setattr(oracle_module, "find", lambda name: found)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=kept["memory"]))
    monkeypatch.setattr(oracle_module, "TransformersEngine", Engine)
    monkeypatch.setattr(engines, "AudiocraftEngine", lambda checkpoint, device: kept["other"])
    return kept


def test_the_oracle_is_asked_with_the_same_tokens_of_which_any_may_be_special(oracle: dict[str, Any]) -> None:
    model = generator()
    assert oracle_difference(model, "sweet") == 0.0
    ours, theirs = model.engine, oracle["other"]
    assert ours.begun == theirs.begun == [(["sweet"], True, 6)]
    assert torch.equal(torch.stack(ours.heard), torch.stack(theirs.heard))
    tokens = torch.stack(ours.heard)
    assert tokens.shape == (6, 1, 2)
    assert int(tokens.min()) >= 0
    assert int(tokens.max()) <= CARD


def test_tokens_of_the_oracles_question_reach_from_the_first_to_the_special(
    oracle: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []
    drawn = torch.randint
    monkeypatch.setattr(
        torch, "randint", lambda low, high, *a, **k: asked.append((low, high)) or drawn(low, high, *a, **k)
    )
    oracle_difference(generator(), "sweet")
    assert asked == [(0, CARD + 1), (0, CARD)]  # what is decoded has no special token


def test_engines_that_differ_are_told(oracle: dict[str, Any]) -> None:
    oracle["other"] = Engine(off=1e-5)
    assert oracle_difference(generator(), "sweet") == pytest.approx(6e-5, rel=0.1)
    oracle["other"] = Engine(off=-0.002)
    with pytest.raises(ModelError, match=r"mine: .* off audiocraft's by 0\.012; use engine = 'audiocraft'"):
        oracle_difference(generator(), "sweet")


@pytest.mark.parametrize(
    "other", [lambda sound: sound * 1.001, lambda sound: sound[..., :-1], lambda sound: sound * float("nan")]
)
def test_other_sound_of_the_same_codes_is_told(
    other: Any, oracle: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = oracle["other"].decode
    monkeypatch.setattr(oracle["other"], "decode", lambda codes: other(decode(codes)))
    with pytest.raises(ModelError, match=r"mine: .* makes other sound of the same codes than audiocraft"):
        oracle_difference(generator(), "sweet")
    monkeypatch.setattr(oracle["other"], "decode", lambda codes: decode(codes) * 1.00001)
    assert oracle_difference(generator(), "sweet") == 0.0


def test_of_a_second_of_music_codes_and_sound_are_compared(oracle: dict[str, Any]) -> None:
    """4 frames of two codebooks, all 7: a peak of 14."""
    assert oracle_module.one_second(generator(), "sweet") == (0.0, oracle_module.Second(8, 8, 0.0, 14.0))
    drawn = [(prompts, steps) for prompts, _, steps in oracle["other"].begun]
    assert drawn == [(["sweet"], 6), (["sweet"], 5)]
    oracle["memory"] = 2999
    assert oracle_module.one_second(generator(), "sweet") is None


def test_where_there_is_nothing_to_compare(oracle: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    model = generator()
    oracle["memory"] = 2999
    assert oracle_difference(model, "sweet") is None
    oracle["memory"] = 3000
    monkeypatch.setattr(Engine, "decoder", SimpleNamespace(precision="bfloat16"))
    assert oracle_difference(model, "sweet") is None
    monkeypatch.setattr(Engine, "decoder", SimpleNamespace(precision="float32"))
    assert oracle_difference(model, "sweet") == 0.0
    monkeypatch.setattr(oracle_module, "TransformersEngine", type("Other", (), {}))
    assert oracle_difference(model, "sweet") is None
