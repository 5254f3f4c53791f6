"""Whether a model keeps time: what counts as agreement, and that a model is judged by what it adds."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from benchmarks.pulse import agreement, codes_of, continuation, followed, heard_by

RATE = 16000
TEMPI = (64.0, 80.0, 100.0, 125.0, 156.0)


def test_a_tempo_agrees_within_four_percent_of_the_true_one_and_its_octaves() -> None:
    true = np.array([90.0])
    found = np.array([90, 93.5, 94, 45, 30, 180, 270, 135, 60, 0.0])
    assert agreement(found, true)[:, 0].tolist() == [True, True, False, True, True, True, True, False, False, False]
    assert agreement(found, true, octaves=False)[:, 0].tolist() == [True, True, *[False] * 8]


def test_what_is_followed_stands_beside_what_is_found_anyway() -> None:
    true = np.array([60.0, 70.0, 82.0, 97.0, 60.0])
    own = followed(true, true)
    # Of 20 pairs of different clips two have the same tempo.
    assert own == pytest.approx(own | {"n": 5, "share": 1.0, "dealt": 0.1, "difference": 0.9})
    assert own["ci_low"] <= 0.9 <= own["ci_high"] <= 1
    deaf = followed(np.full(5, 60.0), true)
    assert (deaf["share"], deaf["dealt"]) == pytest.approx((0.4, 0.4))
    assert deaf["ci_low"] <= 0 <= deaf["ci_high"]


def clicking(folder: Path) -> list[dict]:
    """Clips of 15 s of bursts of noise at known tempi."""
    rows = []
    for k, bpm in enumerate(TEMPI):
        audio = np.zeros(15 * RATE)
        for at in np.arange(0, 14.9, 60 / bpm):
            start = round(at * RATE)
            burst = np.random.default_rng(0).normal(size=2000) * np.exp(-np.arange(2000) / 300)
            audio[start : start + 2000] += 0.3 * burst[: len(audio) - start]
        soundfile.write(folder / f"{k}.wav", audio, RATE)
        rows.append({"folder": str(folder), "path": f"{k}.wav", "bpm": bpm, "description": f"number {k}"})
    return rows


class Model:
    """Goes on with clip k + `off` where it was given clip k."""

    engine = SimpleNamespace(frame_rate=25.0)

    def __init__(self, rows: list[dict], off: int) -> None:
        clips = [soundfile.read(Path(r["folder"]) / r["path"], dtype="float32")[0] for r in rows]
        self.full, self.off = codes_of(clips), off

    def codes(self, prompts: list[str], frames: int, seeds: list[int], sampling: object, heard: torch.Tensor) -> object:
        assert prompts == [f"number {k}" for k in range(len(TEMPI))]
        assert len(set(seeds)) == len(TEMPI)
        assert torch.equal(heard, self.full[..., :175])
        assert frames == 375
        return torch.cat([heard, self.full.roll(self.off, 0)[..., 175:]], dim=-1)

    def sound(self, codes: torch.Tensor, seconds: float) -> np.ndarray:
        from models.musicgen.nano import load_codec

        with torch.no_grad():
            return load_codec().decode(codes, None)[..., : round(seconds * RATE)].numpy()


def test_a_model_is_judged_by_what_it_adds_to_what_it_hears(tmp_path: Path) -> None:
    rows = clicking(tmp_path)
    steady, stray = (continuation(Model(rows, off), rows) for off in (0, 1))
    for found in (steady, stray):
        assert found["rendered"]["octaves"]["share"] == 1
        assert found["codec"]["octaves"]["share"] == 1
    assert steady["continued"]["octaves"]["share"] == 1
    assert steady["continued"]["octaves"]["dealt"] < 0.2
    assert steady["continued"]["log_correlation"] > 0.5
    assert stray["continued"]["octaves"]["share"] < 0.25


def test_what_another_witness_heard_counts_for_the_clips_that_it_heard(tmp_path: Path) -> None:
    rng, true = np.random.default_rng(0), np.array(TEMPI)
    said = {}
    for i, bpm in enumerate(TEMPI):
        path = tmp_path / f"{i:04d}.wav"
        soundfile.write(path, rng.normal(size=800) / 5, RATE)
        digest = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.split()[0]
        said[path.name] = {"bpm": bpm, "sha256": digest}
    assert heard_by(tmp_path, true) is None  # it was not asked
    (tmp_path / "tempocnn.json").write_text(json.dumps(said))
    found = heard_by(tmp_path, true)
    assert found is not None
    assert found["exact"]["share"] == 1.0
    soundfile.write(tmp_path / "0003.wav", rng.normal(size=800) / 5, RATE)
    assert heard_by(tmp_path, true) is None  # one of them is another clip now
