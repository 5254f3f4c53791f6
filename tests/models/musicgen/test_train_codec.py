"""The codec's training, step by step: how fast, when the quantizer comes in, what is told and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from models.musicgen import critic, train_codec
from models.musicgen.codec import build_codec
from models.musicgen.nano import load_codec, save_codec
from tests.models.musicgen.test_codec import SMALL, corpus, curve, short

__all__ = ["corpus", "short"]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Steps after which a state was kept."""
    steps: list[int] = []
    for module in (train_codec, critic):
        was = module.save_state

        def save(path: Path, state: dict[str, Any], made: dict[str, Any], was: Any = was) -> None:
            steps.append(state["step"])
            was(path, state, made)

        monkeypatch.setattr(module, "save_state", save)
    return steps


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Learning rate of every step that an optimizer does."""
    seen: list[float] = []
    was = torch.optim.AdamW.step

    def step(self: torch.optim.AdamW, *given: Any, **how: Any) -> Any:
        seen.append(self.param_groups[0]["lr"])
        return was(self, *given, **how)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    return seen


def test_what_is_told_kept_and_how_fast_it_learns(
    corpus: Path, tmp_path: Path, short: None, kept: list[int], rates: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every other step is told, by its number from one on, and the last; a hundred steps of warm-up to 0.0006."""
    told: list[tuple[int, int]] = []
    drawn: list[tuple[int, float]] = []
    revived: list[int] = []
    quantized: list[bool] = []
    was = train_codec._batch

    def batch(clips: Any, rng: Any, n: int, seconds: float, rate: int) -> torch.Tensor:
        drawn.append((n, seconds))
        return was(clips, rng, n, seconds, rate)

    monkeypatch.setattr(train_codec, "_batch", batch)
    monkeypatch.setattr(train_codec, "revive_dead_codes", lambda codec, latents, generator: revived.append(1) or 3)
    monkeypatch.setattr(train_codec, "reconstruction_loss", counting(train_codec.reconstruction_loss, quantized))
    train_codec.train_codec(
        corpus, tmp_path / "a", 6, config=SMALL, report=lambda step, steps, row: told.append((step, steps))
    )
    assert told == [(1, 6), (3, 6), (5, 6), (6, 6)]
    assert kept == [2, 4, 6]
    assert rates == pytest.approx([6e-4 * (k + 1) / 100 for k in range(6)])
    # Once, when the quantizer comes in at the third step, 60 longer clips lay out its codes.
    assert drawn == [(4, 0.32)] * 2 + [(60, 2.56)] + [(4, 0.32)] * 4
    assert len(quantized) == 6
    rows = {r["step"]: r for r in curve(tmp_path / "a" / "codec.jsonl")}
    assert sorted(rows) == [0, 2, 4, 5]
    assert {k for k, r in rows.items() if "revived" in r} == {2, 4}
    assert all(r["revived"] == 3 for k, r in rows.items() if k in (2, 4))
    assert len(revived) == 2
    for row in rows.values():
        assert row["loss"] > row["penalty"] >= 0


def test_codes_of_later_books_are_revived_from_what_is_left() -> None:
    """The second book is for what the first leaves of a frame: here whole numbers leave their fractions."""
    codec = build_codec(SMALL)
    first, second = (layer._codebook for layer in codec.quantizer.vq.layers)
    first.embed.copy_(torch.arange(8.0)[:, None].repeat(1, 4))
    second.embed.copy_(-torch.arange(1, 9.0)[:, None].repeat(1, 4))
    for book in (first, second):
        book.cluster_size.fill_(10.0)
        book.inited.fill_(1)
    second.cluster_size[5] = second.cluster_size[6] = 0.1
    fractions = 0.1 + 0.3 * torch.rand(1, 1, 20, generator=torch.Generator().manual_seed(0))
    latents = (torch.arange(20) % 8)[None, None].float() + fractions
    assert train_codec.revive_dead_codes(codec, latents.repeat(1, 4, 1), torch.Generator().manual_seed(0)) == 2
    for code in (5, 6):
        value = float(second.embed[code, 0])
        assert 0.1 <= value <= 0.4
        assert (second.embed[code] == second.embed[code, 0]).all()
        assert float(fractions.sub(value).abs().min()) < 1e-5
    assert torch.equal(first.embed[:, 0], torch.arange(8.0))


def counting(was: Any, calls: list[bool]) -> Any:
    def called(*given: Any) -> Any:
        calls.append(True)
        return was(*given)

    return called


def test_a_training_goes_on_only_as_it_was_begun(corpus: Path, tmp_path: Path, short: None) -> None:
    from models.errors import ModelError

    train_codec.train_codec(corpus, tmp_path / "a", 2, seed=1, config=SMALL, lr=1e-3)
    with pytest.raises(ModelError, match="another lr, seed"):
        train_codec.train_codec(corpus, tmp_path / "a", 4, seed=2, config=SMALL, lr=2e-3)


def test_what_the_decoders_training_tells_keeps_and_moves(
    corpus: Path, tmp_path: Path, short: None, kept: list[int], rates: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The critics at 0.0003 throughout, the decoder after 50 steps of warm-up at 0.0002, one after the other; half batches."""
    drawn: list[tuple[int, float]] = []
    was = critic._batch

    def batch(clips: Any, rng: Any, n: int, seconds: float, rate: int) -> torch.Tensor:
        drawn.append((n, seconds))
        return was(clips, rng, n, seconds, rate)

    monkeypatch.setattr(critic, "_batch", batch)
    torch.manual_seed(0)
    codec = build_codec(SMALL).eval()
    for layer in codec.quantizer.vq.layers:
        layer._codebook.embed.normal_(std=0.3)
        layer._codebook.inited.fill_(1)
    save_codec(codec, SMALL, tmp_path / "codec", torch.float32)
    monkeypatch.setattr(critic, "RESOLUTIONS", ((256, 64),))
    told: list[tuple[int, int]] = []
    load_codec.cache_clear()
    critic.train_decoder(
        corpus, tmp_path / "codec", tmp_path / "d", 3, report=lambda step, steps, row: told.append((step, steps))
    )
    load_codec.cache_clear()
    assert told == [(1, 3), (3, 3)]
    assert kept == [2, 3]
    assert drawn == [(2, 0.32)] * 3
    assert rates == pytest.approx([x for k in range(3) for x in (3e-4, 2e-4 * (k + 1) / 50)])
