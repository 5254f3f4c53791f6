"""What a training returns and learns from: averages, the best, the learning rate, every clip once an epoch, the factors it may move."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from models.errors import ModelError
from models.loop import MovingAverage
from models.musicgen.language import LanguageConfig, build_language_model
from models.musicgen.train_language import (
    TrainSettings,
    batch_of,
    codebook_losses,
    crop,
    encode_corpus,
    evaluate,
    resolve_precision,
    train_language_model,
)

CONFIG = LanguageConfig(n_q=2, bins=16, width=16, layers=1, heads=2, cfg_dropout=0.0)
PLAIN = TrainSettings(8, batch=3, lr=1e-2, warmup=2, seed=1, precision="no", evaluate_every=1, report_every=1)


def model(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return build_language_model(CONFIG)


def data(n: int = 9, frames: int = 12) -> tuple[list[torch.Tensor], list[tuple[str, ...]]]:
    g = torch.Generator().manual_seed(5)
    return [torch.randint(0, 16, (2, frames), generator=g) for _ in range(n)], [("a tune", "another")] * n


class Watched(MovingAverage):
    """The moving average, with the weights that it was shown."""

    seen: ClassVar[list[list[torch.Tensor]]] = []

    def update(self, lm: torch.nn.Module, step: int) -> None:
        type(self).seen.append([p.detach().clone() for p in lm.parameters()])
        super().update(lm, step)


def rows(path: Path) -> list[dict[str, float]]:
    return [json.loads(x) for x in path.with_suffix(".jsonl").read_text().splitlines()]


def test_the_moving_average_is_what_is_scored_and_returned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """decay d, warmed up as (1 + step) / (10 + step): written out over the weights of every step."""
    from models import loop

    Watched.seen = []
    monkeypatch.setattr(loop, "MovingAverage", Watched)
    codes, texts = data()
    lm = model()
    mean = [p.detach().clone() for p in lm.parameters()]
    back = train_language_model(lm, codes, texts, tmp_path / "a.pt", replace(PLAIN, ema=0.3), (codes[:2], texts[:2]))
    assert len(Watched.seen) == 8
    for step, values in enumerate(Watched.seen):
        keep = min(0.3, (1 + step) / (10 + step))
        mean = [keep * m + (1 - keep) * v for m, v in zip(mean, values, strict=True)]
    for found, expected, _last in zip(back.parameters(), mean, Watched.seen[-1], strict=True):
        assert torch.allclose(found, expected, atol=1e-6)
    assert any(not torch.allclose(a, b, atol=1e-5) for a, b in zip(back.parameters(), Watched.seen[-1], strict=True))
    score = evaluate(back, torch.stack(codes[:2]), ["a tune", "a tune"])
    assert rows(tmp_path / "a.pt")[-1]["held_out"] == pytest.approx(score, abs=1e-4)
    assert not back.training


def test_without_an_average_the_last_weights_are_returned(tmp_path: Path) -> None:
    codes, texts = data()
    back = train_language_model(model(), codes, texts, tmp_path / "a.pt", PLAIN, (codes[:2], texts[:2]))
    state = torch.load(tmp_path / "a.pt", weights_only=True)
    assert state["step"] == 8
    assert all(torch.equal(v, state["model"][k]) for k, v in back.state_dict().items())


def test_with_patience_the_best_is_returned_not_the_last(tmp_path: Path) -> None:
    """A learning rate that is much too high: the held-out loss falls, then rises."""
    codes, texts = data()
    held = ([c.flip(1) for c in codes[:3]], texts[:3])
    settings = replace(PLAIN, steps=60, lr=0.08, patience=3)
    back = train_language_model(model(), codes, texts, tmp_path / "a.pt", settings, held)
    losses = [r["held_out"] for r in rows(tmp_path / "a.pt")]
    best = int(np.argmin(losses))
    assert best < len(losses) - 1 < 59
    # Three evaluations may go by without a better one; the next ends it.
    assert len(losses) == best + 1 + 4
    score = evaluate(back, torch.stack(held[0]), ["a tune"] * 3)
    assert score == pytest.approx(losses[best], abs=1e-4)
    assert abs(score - losses[-1]) > 1e-3


def test_the_learning_rate_of_every_step_is_the_schedules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps of warm-up to 0.01, then half a cosine towards a twentieth of it."""
    used: list[float] = []
    step = torch.optim.AdamW.step

    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        used.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    codes, texts = data()
    train_language_model(model(), codes, texts, tmp_path / "a.pt", PLAIN)
    fall = [0.05 + 0.95 * (1 + np.cos(np.pi * k / 6)) / 2 for k in range(6)]
    assert used == pytest.approx([0.005, 0.01, *(0.01 * f for f in fall)])
    used.clear()
    train_language_model(model(), codes, texts, tmp_path / "b.pt", replace(PLAIN, floor=0.0))
    assert used == pytest.approx([0.005, 0.01, *(0.01 * (1 + np.cos(np.pi * k / 6)) / 2 for k in range(6))])


def test_an_epoch_takes_every_clip_once_in_an_order_of_its_own() -> None:
    for seed in (0, 7):
        epochs = [[batch_of(e * 3 + k, 9, 3, seed) for k in range(3)] for e in range(4)]
        orders = [tuple(np.concatenate(e)) for e in epochs]
        assert all(sorted(o) == list(range(9)) for o in orders)
        assert len(set(orders)) == 4
        assert tuple(range(9)) not in orders
        assert np.array_equal(batch_of(5, 9, 3, seed), epochs[1][2])
    assert not np.array_equal(batch_of(0, 9, 3, 0), batch_of(0, 9, 3, 7))
    assert len(batch_of(1, 10, 3, 0)) == 3  # a rest that fills no batch waits for the next epoch
    assert sorted(batch_of(0, 2, 3, 0)) == [0, 1]


def test_what_is_trained_on_are_those_clips_with_one_of_their_wordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.musicgen import train_language

    given: list[tuple[torch.Tensor, list[str]]] = []
    real = train_language.codebook_losses

    def watched(lm: Any, codes: torch.Tensor, texts: list[str]) -> torch.Tensor:
        given.append((codes.clone(), list(texts)))
        return real(lm, codes, texts)

    monkeypatch.setattr(train_language, "codebook_losses", watched)
    codes = [torch.full((2, 12 + k), k) for k in range(9)]
    texts = [(f"clip {k}", f"again {k}") for k in range(9)]
    others = [torch.full((2, 12), 15), torch.full((2, 12), 14)]
    settings = replace(PLAIN, steps=12, replay=1)
    train_language_model(
        model(), codes, texts, tmp_path / "a.pt", settings, replay=(others, [("old 15",), ("old 14",)])
    )
    assert len(given) == 12
    epoch = []
    for batch, asked in given:
        assert batch.shape == (4, 2, 12)  # as long as the shortest
        for clip, text in zip(batch[:3], asked[:3], strict=True):
            k = int(clip[0, 0])
            assert text in texts[k]
        epoch += [int(clip[0, 0]) for clip in batch[:3]]
        assert asked[3] == f"old {int(batch[3, 0, 0])}"
    assert all(sorted(epoch[at : at + 9]) == list(range(9)) for at in (0, 9, 18, 27))
    said = {t for _, asked in given for t in asked}
    assert {"old 14", "old 15"} <= said
    assert {t.split()[0] for t in said} == {"clip", "again", "old"}


def test_words_are_left_out_of_what_is_learned_from_and_anew_each_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.musicgen import train_language

    given: list[tuple[bool, str]] = []
    real = train_language.codebook_losses

    def watched(lm: Any, codes: torch.Tensor, texts: list[str]) -> torch.Tensor:
        given.extend((lm.training, text) for text in texts)
        return real(lm, codes, texts)

    monkeypatch.setattr(train_language, "codebook_losses", watched)
    codes, _ = data()
    whole = " ".join(f"w{k}" for k in range(40))
    texts = [(whole,)] * len(codes)
    settings = replace(PLAIN, steps=3, word_dropout=0.3)
    train_language_model(model(), codes, texts, tmp_path / "a.pt", settings, (codes[:1], texts[:1]))
    learned = [text.split() for training, text in given if training]
    assert len(learned) == len({tuple(words) for words in learned}) == 9
    assert sum(map(len, learned)) / (9 * 40) == pytest.approx(0.7, abs=0.1)
    assert all(sorted(words, key=whole.split().index) == words for words in learned)
    assert {text for training, text in given if not training} == {whole}


def test_a_longer_clip_is_cropped_somewhere_and_whole() -> None:
    codes = torch.arange(20).repeat(2, 1)
    assert torch.equal(crop(codes, 20, 12345), codes)
    found = {int(crop(codes, 15, d)[0, 0]) for d in range(50)}
    assert found == set(range(6))
    assert crop(codes, 15, 8)[1].tolist() == list(range(2, 17))


def test_the_loss_of_a_codebook_is_its_own_cross_entropy() -> None:
    """From the model's logits, by the mean of -log p over clips and frames."""
    from audiocraft.modules.conditioners import ConditioningAttributes

    lm = model().eval()
    codes = torch.stack(data(2)[0])
    with torch.no_grad():
        found = codebook_losses(lm, codes, ["a tune", "another"])
        conditions = [ConditioningAttributes(text={"description": t}) for t in ("a tune", "another")]
        out = lm.compute_predictions(codes, conditions)
    for book in range(2):
        total = []
        for clip in range(2):
            for frame in range(12):
                if out.mask[clip, book, frame]:
                    row = out.logits[clip, book, frame].double()
                    total.append(float(torch.log(torch.exp(row).sum()) - row[codes[clip, book, frame]]))
        assert float(found[book]) == pytest.approx(np.mean(total), abs=1e-5)
    whole = evaluate(lm, codes, ["a tune", "another"], batch=1)
    each = [codebook_losses(lm, codes[i : i + 1], [t]).mean().item() for i, t in enumerate(("a tune", "another"))]
    assert whole == pytest.approx(np.mean(each), abs=1e-6)
    lm.train()
    evaluate(lm, codes, ["a tune", "another"])
    assert lm.training  # as it was before


def test_a_changed_setting_corpus_or_model_does_not_go_on(tmp_path: Path) -> None:
    codes, texts = data()
    train_language_model(model(), codes, texts, tmp_path / "a.pt", PLAIN)
    for what, told in (
        ({"codes": [*codes[:-1], codes[0]]}, "another corpus"),
        ({"texts": [*texts[:-1], ("other",)]}, "another corpus"),
        ({"settings": replace(PLAIN, batch=2)}, "another batch"),
        ({"settings": replace(PLAIN, ema=0.5)}, "another ema"),
        ({"settings": replace(PLAIN, weight_decay=0.5)}, "another weight_decay"),
        ({"settings": replace(PLAIN, floor=0.0)}, "another floor"),
        ({"settings": replace(PLAIN, ema_every=2)}, "another ema_every"),
        ({"settings": replace(PLAIN, word_dropout=0.1)}, "another word_dropout"),
    ):
        given: dict[str, Any] = {"codes": codes, "texts": texts, "settings": PLAIN, **what}
        with pytest.raises(ModelError, match=told):
            train_language_model(model(), given["codes"], given["texts"], tmp_path / "a.pt", given["settings"])


def test_frozen_weights_stay(tmp_path: Path) -> None:
    codes, texts = data()
    lm = model()
    for name, p in lm.named_parameters():
        p.requires_grad_("linears" in name)
    before = {k: v.clone() for k, v in lm.state_dict().items()}
    back = train_language_model(lm, codes, texts, tmp_path / "a.pt", PLAIN)
    moved = {k for k, v in back.state_dict().items() if not torch.equal(v, before[k])}
    assert moved == {"linears.0.weight", "linears.1.weight"}


def test_precision_is_taken_as_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (resolve_precision("no"), resolve_precision("bf16")) == ("no", "bf16")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for able, word in ((True, "bf16"), (False, "no")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda able=able: able)
        assert resolve_precision("auto") == word
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for able, word in ((True, "bf16"), (False, "no")):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda able=able: able)
        assert resolve_precision("auto") == word


def test_codes_of_a_corpus_are_made_once_and_anew_when_it_changes(tmp_path: Path) -> None:
    """A codec that counts what it encodes; codes are cached with what they were made of."""
    import soundfile

    from models.training import read_corpus

    class Codec(torch.nn.Module):
        sample_rate, channels = 100, 2

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("book", torch.zeros(1))
            self.heard: list[torch.Tensor] = []

        def encode(self, wave: torch.Tensor) -> tuple[torch.Tensor, None]:
            self.heard.append(wave)
            return (wave[:, :, ::10] * 100).round().long(), None

    audio = {"a": np.arange(100) / 100, "b": np.zeros(50)}
    lines = []
    for name, wave in audio.items():
        soundfile.write(tmp_path / f"{name}.wav", wave, 100, subtype="FLOAT")
        lines.append(json.dumps({"path": f"{name}.wav", "description": name, "duration": len(wave) / 100}))
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    codec = Codec()
    clips = read_corpus(tmp_path)
    first = encode_corpus(codec, clips, tmp_path / "codes.pt")
    assert [w.shape for w in codec.heard] == [(1, 2, 100), (1, 2, 50)]
    assert first[0].tolist() == [list(range(0, 100, 10))] * 2
    assert first[0].dtype == torch.int64
    again = encode_corpus(codec, clips, tmp_path / "codes.pt")
    assert len(codec.heard) == 2
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    later = encode_corpus(codec, clips, tmp_path / "later.pt", shift=20)
    assert later[0].tolist() == [[*range(20, 100, 10), 0, 0]] * 2
    with pytest.raises(ModelError, match="shift"):
        encode_corpus(codec, clips, tmp_path / "codes.pt", shift=20)
    codec.book += 1
    with pytest.raises(ModelError, match="another codec"):
        encode_corpus(codec, clips, tmp_path / "codes.pt")
    codec.book -= 1
    with pytest.raises(ModelError, match="another corpus"):
        encode_corpus(codec, clips[:1], tmp_path / "codes.pt")


def test_weights_of_codebooks_are_shares_of_one() -> None:
    from models.musicgen.train_language import _weights

    assert _weights((), 4) is None
    found = _weights((3.0, 1.0, 0.0), 3)
    assert found is not None
    assert found.tolist() == [0.75, 0.25, 0.0]
    for wrong in ((1.0, 1.0), (1.0, -0.5, 1.0), (0.0, 0.0, 0.0)):
        with pytest.raises(ModelError, match=f"{len(wrong)} weights of losses for 3 codebooks; give one each"):
            _weights(wrong, 3)


def test_a_tracker_that_is_not_there_is_said_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    from models.musicgen.train_language import _check_tracker

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    _check_tracker("none")
    with pytest.raises(ModelError, match="tracker 'wandb' is not installed; pip install wandb"):
        _check_tracker("wandb")
