"""The nano captioner's own training, in little: views of a clip, going on where it was, starting from another captioner."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.sonicverse.nano import train
from models.sonicverse.nano.captioner import NANO
from stimuli.dataset.build import build_base
from stimuli.dataset.varied import build_varied


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("corpora")
    build_base(folder / "base", 3, 3.0, 16000, 5)
    build_varied(folder / "varied", 3, 3.0, 16000, 5)
    return [folder / "base", folder / "varied"]


@pytest.mark.slow
def test_it_goes_on_where_it_was(corpora: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("HEAD_STEPS", 6), ("SAVE_EVERY", 2), ("HEAD_BATCH", 8), ("BATCH", 2)):
        monkeypatch.setattr(train, name, value)
    config = replace(NANO, content_tokens=2, tokens_per_head=1)

    def run(folder: str, report: train.Report | None = None) -> dict[str, torch.Tensor]:
        return train.train_projector(corpora, tmp_path / folder, 2, report=report, config=config).state_dict()

    whole = run("whole")
    # As it is and through the codec; what went through a studio as it is.
    assert (corpora[0] / "sonicverse-codec.safetensors").exists()
    assert not (corpora[1] / "sonicverse-codec.safetensors").exists()
    curve = [json.loads(x) for x in (tmp_path / "whole" / "sonicverse.jsonl").read_text().splitlines()]
    assert [("caption" in r, r["step"]) for r in curve] == [(False, 0), (True, 7)]

    def stop(step: int, total: int, row: dict[str, float]) -> None:
        if row:  # of the training, not of the encoding
            raise KeyboardInterrupt

    monkeypatch.setattr(train, "HEAD_STEPS", 6)
    with pytest.raises(KeyboardInterrupt):
        run("cut", stop)
    again = run("cut")
    for name, tensor in whole.items():
        assert torch.allclose(tensor, again[name], atol=1e-5), name


def test_it_starts_from_another_captioner(corpora: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no step of its own it is that captioner, but for the temperatures, which are fitted to these clips."""
    for name in ("HEAD_STEPS", "VOICE_STEPS"):
        monkeypatch.setattr(train, name, 0)
    model = train.train_projector(corpora, tmp_path, 0, start_from="nano")
    from models.weights import load_tensors, weights_directory

    given = load_tensors(weights_directory("sonicverse-nano") / "model.safetensors")
    for name, tensor in model.state_dict().items():
        if name != "temperature":
            assert torch.equal(tensor, given[name].float()), name
