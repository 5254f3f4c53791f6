"""The recipes of the shipped networks: what each trains on, for how long, and where its weights go; nothing is trained here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models.musicgen import recipe
from models.musicgen.codec import CodecConfig


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    given: list[tuple[Any, ...]] = []

    def taken(name: str) -> Any:
        return lambda *values, **named: given.append((name, *values, named)) or f"the {name}"

    for name in ("train_codec", "train_decoder", "save_codec"):
        monkeypatch.setattr(recipe, name, taken(name))
    return given


def test_the_codec_and_then_its_decoder(asked: list[tuple[Any, ...]]) -> None:
    """1,900 steps, then 1,800 against critics, as the card of codec-nano says."""
    assert recipe.train_nano_codec(Path("c"), Path("o")) == Path("o/codec-nano")
    assert recipe.train_nano_decoder(Path("c"), Path("o")) == Path("o/codec-nano")
    codec, saved, decoder, again = asked
    assert codec == ("train_codec", Path("c"), Path("o/state"), 1900, 0, CodecConfig(), {"report": None})
    assert saved == ("save_codec", "the train_codec", CodecConfig(), Path("o/codec-nano"), {})
    assert decoder == ("train_decoder", Path("c"), Path("o/codec-nano"), Path("o/state"), 1800, 1, None, {})
    assert again == ("save_codec", "the train_decoder", CodecConfig(), Path("o/codec-nano"), {})
    asked.clear()
    recipe.train_nano_codec(Path("c"), Path("o"), 7, 3)
    recipe.train_nano_decoder(Path("c"), Path("o"), 8, 4)
    assert (asked[0][3], asked[0][4], asked[2][4], asked[2][5]) == (7, 3, 8, 4)


def test_a_base_model_learns_its_corpora_and_is_held_against_48_clips_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[tuple[str, str, int]] = []
    learned: list[Any] = []

    def load_training_set(
        codec: str, corpus: Path, cache: Path, shift: int = 0
    ) -> tuple[list[str], list[list[str]], None]:
        assert codec == "codec of k"
        read.append((str(corpus), str(cache), shift))
        return [f"{corpus}{i}" for i in range(60)], [[f"{corpus}{i} said"] for i in range(60)], None

    monkeypatch.setattr(recipe, "load_codec", lambda directory: f"codec of {directory}")
    monkeypatch.setattr(recipe, "load_training_set", load_training_set)
    monkeypatch.setattr(recipe, "build_language_model", lambda config: "begun")
    monkeypatch.setattr(recipe.WholeModel, "of", lambda begun, config: (begun, config))
    monkeypatch.setattr(recipe, "train_language_model", lambda *given, **named: learned.append((given, named)))
    saved: list[Any] = []
    monkeypatch.setattr(recipe, "save_language_model", lambda *given: saved.append(given))
    out = recipe.train_nano_base([Path("a"), Path("b"), Path("c")], Path("h"), Path("o"), Path("k"))
    assert out == Path("o/nano-base")
    # Every corpus twice, the second time half a frame (of 640 samples) later.
    assert read == [
        ("a", "o/state/codes-train.pt", 0), ("a", "o/state/codes-train-320.pt", 320),
        ("b", "o/state/codes-train-1.pt", 0), ("b", "o/state/codes-train-1-320.pt", 320),
        ("c", "o/state/codes-train-2.pt", 0), ("c", "o/state/codes-train-2-320.pt", 320),
        ("h", "o/state/codes-test.pt", 0),
    ]  # fmt: skip
    ((model, codes, texts, state, settings), named) = learned[0]
    assert codes == [f"{corpus}{i}" for corpus in "aabbcc" for i in range(60)]
    assert texts == [[f"{corpus}{i} said"] for corpus in "aabbcc" for i in range(60)]
    assert named["held_out"] == ([f"h{i}" for i in range(48)], [[f"h{i} said"] for i in range(48)])
    assert (str(state), settings) == ("o/state/base.pt", recipe.BASE)
    # The card of nano-base: 11,500 steps of 64 clips at 1.5e-3, moving average 0.999, rotary positions, ten layers of width 256.
    assert (settings.steps, settings.batch, settings.lr, settings.warmup, settings.ema) == (
        11500,
        64,
        1.5e-3,
        300,
        0.999,
    )
    assert settings.codebooks == (3, 2, 1.5, 1, 0.5, 0.25)
    begun, config = model
    assert begun == "begun"
    assert (config.width, config.layers, config.heads, config.positional_embedding) == (256, 10, 4, "rope")
    assert (config.dropout, config.cfg_dropout, settings.weight_decay) == (0.08, 0.12, 0.1)
    assert saved == [(model, config, Path("o/nano-base"))]
