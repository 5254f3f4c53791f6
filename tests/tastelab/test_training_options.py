"""What the command line says of a training is what is trained: presets, and every option that differs from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tastelab.cli import app
from tastelab.errors import UserError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What would have been trained."""
    given: list[tuple[Any, ...]] = []

    def taken(name: str) -> Any:
        return lambda *values, **named: given.append((name, *values, named)) or Path("done")

    monkeypatch.setattr("models.musicgen.finetune.finetune", taken("finetune"))
    monkeypatch.setattr("models.musicgen.recipe.train_nano_base", taken("base"))
    monkeypatch.setattr("models.musicgen.recipe.train_nano_codec", taken("codec"))
    monkeypatch.setattr("models.musicgen.recipe.train_nano_decoder", taken("decoder"))
    monkeypatch.setattr("models.sonicverse.nano.train.train_nano_captioner", taken("captioner"))
    monkeypatch.setattr("models.sonicverse.full.train.train_full", taken("full"))
    monkeypatch.setattr("models.sonicverse.full.train.encode_rows", lambda *_: "vectors")
    return given


def run(*words: str) -> None:
    done = CliRunner().invoke(app, ["models", *words, "--quiet"])
    if done.exception is not None:
        raise done.exception


def test_presets_of_finetuning(asked: list[tuple[Any, ...]]) -> None:
    run("finetune", "--corpus", "c")
    run("finetune", "--corpus", "c", "--preset", "nano", "--held-out", "h", "--out", "o", "--name", "n", "--base", "b")
    name, base, corpus, out, called, held, paper, _, replay, _ = asked[0]
    assert (name, base, corpus, out, called, held, replay) == (
        "finetune", "nano-base", Path("c"), Path("outputs/training"), "taste", None, None
    )  # fmt: skip
    assert (paper.epochs, paper.lr, paper.method, paper.blend, paper.batch, paper.replay) == (
        30,
        1e-4,
        "full",
        1.0,
        16,
        8,
    )
    run("finetune", "--corpus", "c", "--preset", "script", "--held-out", "h", "--ema", "0")
    script = asked[2][6]
    assert (script.batch, script.updates, script.word_dropout, script.replay, script.ema) == (4, 2000, 0.3, 2, 0.0)
    _, base, _, out, called, held, nano, _, _, _ = asked[1]
    assert (base, out, called, held) == ("b", Path("o"), "n", Path("h"))
    assert (nano.epochs, nano.lr, nano.method, nano.blend) == (80, 1e-3, "conditioning", 0.75)


def test_options_of_finetuning(asked: list[tuple[Any, ...]]) -> None:
    run(
        "finetune", "--corpus", "c", "--held-out", "h", "--preset", "nano", "--method", "lora", "--rank", "3", "--epochs", "4", "--batch", "5",
        "--lr", "0", "--ema", "0.9", "--patience", "2", "--without-taste-words", "--enrich", "sour", "--tracker", "wandb", "--seed", "6",
        "--blend", "0", "--replay", "r",
    )  # fmt: skip
    s, replay = asked[0][6], asked[0][8]
    assert replay == Path("r")
    assert (s.method, s.rank, s.epochs, s.batch, s.lr, s.ema, s.patience) == ("lora", 3, 4, 5, 0.0, 0.9, 2)
    assert (s.without_taste_words, s.enrich, s.tracker, s.seed, s.blend, s.replay) == (True, "sour", "wandb", 6, 0.0, 2)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["finetune", "--corpus", "c", "--preset", "big"], "there are: paper, script, nano"),
        (["finetune", "--corpus", "c", "--preset", "script"], "--held-out CORPUS is needed"),
        (["finetune", "--corpus", "c", "--tracker", "x"], "there are: none, tensorboard, wandb"),
        (["finetune", "--corpus", "c", "--patience", "2"], "--patience needs --held-out"),
        (["train-nano", "base", "--corpus", "c"], "needs --held-out"),
        (["train-nano", "base", "--corpus", "c", "--held-out", "h", "--width", "100"], "no multiple of 64"),
        (["train-nano", "base", "--corpus", "c", "--held-out", "h", "--codebooks", "1,x"], "'1,x' is not numbers"),
        (["train-nano", "vocoder", "--corpus", "c"], "there are: codec, decoder, base, captioner"),
        (["train-sonicverse", "l", "--audio", "a", "--labels", "s", "--epochs", "3,3"], "three whole numbers"),
        (["train-sonicverse", "l", "--audio", "a", "--labels", "s", "--features", "x"], "there are: probabilities, logits, off"),
        (["train-sonicverse", "l", "--audio", "a", "--labels", "s", "--layers", "x"], "there are: learned, uniform, last"),
        (["train-sonicverse", "l", "--audio", "a", "--labels", "s", "--task-weight", "key=x"], "'key=x' is not HEAD=WEIGHT"),
        (["evaluate", "musicgen"], "there is: sonicverse"),
        (["evaluate", "sonicverse"], "either --corpus"),
        (["evaluate", "sonicverse", "--corpus", "c", "--listing", "l", "--audio", "a"], "either --corpus"),
        (["evaluate", "sonicverse", "--listing", "l"], "with --audio"),
        (["evaluate", "sonicverse", "--corpus", "nowhere"], "no corpus in nowhere"),
    ],
)  # fmt: skip
def test_what_is_refused(words: list[str], told: str, asked: list[tuple[Any, ...]]) -> None:
    with pytest.raises(UserError) as error:
        run(*words)
    assert told in str(error.value)
    assert asked == []


def test_nano_networks_by_their_recipes(asked: list[tuple[Any, ...]]) -> None:
    for what in ("codec", "decoder", "captioner"):
        run("train-nano", what, "--corpus", "c", "--steps", "7", "--seed", "3", "--also", "d", "--from", "nano")
    (_, corpus, out, steps, seed, _, _), (_, _, _, decoder_steps, _), captioner = asked
    assert (corpus, out, steps, seed, decoder_steps) == (Path("c"), Path("outputs/training"), 7, 3, 7)
    assert captioner[1:5] == ([Path("c"), Path("d")], Path("outputs/training"), 7, 3)
    assert captioner[6] == "nano"
    asked.clear()
    run("train-nano", "base", "--corpus", "c", "--held-out", "h", "--out", "o")
    run(
        "train-nano", "base", "--corpus", "c", "--held-out", "h", "--out", "o", "--also", "d", "--steps", "7", "--batch", "2", "--positions",
        "sin", "--layers", "3", "--width", "128", "--codebooks", "3,1", "--seed", "4",
    )  # fmt: skip
    (_, corpora, held, out, codec, shape, plain, _, _), (_, more, _, _, _, other, changed, _, _) = asked
    assert (corpora, held, out, codec) == ([Path("c")], Path("h"), Path("o"), Path("o/codec-nano"))
    assert (shape.width, shape.layers, shape.heads, shape.positional_embedding, shape.dropout) == (
        256,
        10,
        4,
        "rope",
        0.08,
    )
    assert (plain.steps, plain.batch, plain.seed, plain.lr, plain.ema) == (11500, 64, 0, 1.5e-3, 0.999)
    assert plain.codebooks == (3, 2, 1.5, 1, 0.5, 0.25)
    assert more == [Path("c"), Path("d")]
    assert (other.width, other.layers, other.heads, other.positional_embedding) == (128, 3, 2, "sin")
    assert (changed.steps, changed.batch, changed.seed, changed.codebooks) == (7, 2, 4, (3.0, 1.0))


def test_sonicverse_at_full_size(asked: list[tuple[Any, ...]], tmp_path: Path) -> None:
    import json

    names = ("abcdefghij0.wav", "abcdefghij1.wav")
    rows = [{"location": n, "main_caption": "Music.", "is_audioset_eval_mcaps": n == names[1]} for n in names]
    (tmp_path / "list.json").write_text(json.dumps(rows))
    (tmp_path / "soft.jsonl").write_text(json.dumps({"location": names[0], "key": {"C major": 1.0}}))
    (tmp_path / names[0]).touch()
    common = [
        "train-sonicverse", str(tmp_path / "list.json"), "--audio", str(tmp_path), "--labels", str(tmp_path / "soft.jsonl"), "--encoder",
        str(tmp_path),
    ]  # fmt: skip
    run(*common)
    run(
        *common, "--preset", "released", "--llm", "some/llm", "--out", str(tmp_path / "o"), "--epochs", "1,2,0", "--batch", "4",
        "--accumulate", "2", "--lr", "0.5", "--lora", "3", "--prompt", "Say:", "--content-tokens", "7", "--tokens-per-head", "2", "--features",
        "off", "--layers", "last", "--task-weight", "key=2", "--task-weight", "mood=0.5", "--seed", "9",
    )  # fmt: skip
    plain, other = asked[0], asked[1]
    assert [r.location for r in plain[1]] == [names[0]]
    assert plain[2] == "vectors"
    assert (plain[3], plain[4]) == (str(tmp_path), "mistralai/Mistral-7B-Instruct-v0.1")
    s = plain[6]
    assert (s.preset, s.epochs, s.batch, s.accumulate, s.lr, s.lora_rank, s.prompt) == (
        "paper",
        (3, 3, 3),
        32,
        1,
        1e-4,
        0,
        "",
    )
    assert (s.seed, s.task_weights, s.change) == (0, {}, {})
    s = other[6]
    assert (other[4], other[5]) == ("some/llm", tmp_path / "o")
    assert (s.preset, s.epochs, s.batch, s.accumulate, s.lr, s.lora_rank, s.prompt) == (
        "released",
        (1, 2, 0),
        4,
        2,
        0.5,
        3,
        "Say:",
    )
    assert s.change == {"content_tokens": 7, "tokens_per_head": 2, "features": "off", "layer_weights": "last"}
    assert (s.seed, s.task_weights) == (9, {"key": 2.0, "mood": 0.5})
    (tmp_path / names[0]).unlink()
    with pytest.raises(UserError, match="1 of 1 audio files are missing"):
        run(*common)
