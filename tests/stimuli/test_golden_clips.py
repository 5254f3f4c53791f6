"""Clips of the default study's prompts are those that were made of them when the shipped models came: tokens, sound, caption, features.

tests/golden/clips.json holds clip 0 of each taste and condition of `tests.conftest.write_small_study`. Tokens are audiocraft's own: drawn
by its engine in float32, to which ours were equal. Sound, caption and features were written by the product then. Whoever changes what
clips sound like on purpose makes them anew, and says so in CHANGELOG.md.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from models.musicgen.generate import load_generator
from models.musicgen.sampling import Sampling
from stimuli.describe import describe
from stimuli.manifest import ClipRow, read_manifest, write_manifest
from tastelab.study import load_study
from tests.conftest import ROOT

GOLDEN: dict[str, dict[str, Any]] = json.loads((ROOT / "tests" / "golden" / "clips.json").read_text(encoding="utf-8"))
CHECKPOINTS = {"base": "nano-base", "finetuned": "nano-taste"}
TOLD = ("sour, base", "salty, finetuned")  # clips of which captions and features are held


@pytest.fixture(scope="module")
def rows(stimuli_folder: Path) -> dict[str, ClipRow]:
    return {f"{r.taste}, {r.model}": r for r in read_manifest(stimuli_folder) if r.number == 0}


def test_prompts_and_seeds(rows: dict[str, ClipRow]) -> None:
    assert {name: (r.prompt, r.seed) for name, r in rows.items()} == {
        name: (g["prompt"], g["seed"]) for name, g in GOLDEN.items()
    }


@pytest.mark.parametrize("condition", CHECKPOINTS)
def test_sampled_tokens(condition: str) -> None:
    """Exactly: a token that is another one is another piece from there on, whatever machine draws it."""
    models = load_study(ROOT / "study.toml").models
    sampling = Sampling(models.top_k, models.temperature, models.guidance)
    names = [name for name in GOLDEN if name.endswith(f", {condition}")]
    assert len(names) == 4
    generator = load_generator(CHECKPOINTS[condition], models.engine, models.precision)
    wanted = [GOLDEN[name] for name in names]
    codes = generator.codes([g["prompt"] for g in wanted], 50, [g["seed"] for g in wanted], sampling)
    found = [hashlib.sha256(c.numpy().astype("<i2").tobytes()).hexdigest() for c in codes]
    assert found == [g["codes"] for g in wanted]


@pytest.mark.parametrize("name", GOLDEN)
def test_sound(stimuli_folder: Path, rows: dict[str, ClipRow], name: str) -> None:
    """Highest and lowest sample of each 64th of the delivered file; decoders differ in rounding from machine to machine."""
    audio, _ = soundfile.read(stimuli_folder / rows[name].file)
    assert np.array_equal(audio[:, 0], audio[:, 1])
    parts = audio[:, 0].reshape(64, -1)
    np.testing.assert_allclose(parts.max(axis=1), GOLDEN[name]["highest"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(parts.min(axis=1), GOLDEN[name]["lowest"], rtol=0, atol=1e-4)


def test_captions_and_features(
    stimuli_folder: Path, small_study_file: Path, rows: dict[str, ClipRow], tmp_path: Path
) -> None:
    (tmp_path / "clips").mkdir()
    for name in TOLD:
        shutil.copy(stimuli_folder / rows[name].file, tmp_path / "clips")
    write_manifest(tmp_path, [rows[name] for name in TOLD])
    models = load_study(small_study_file).models
    for what in ("captions", "features"):
        describe(tmp_path, what, models)
    found = {f"{r.taste}, {r.model}": r for r in read_manifest(tmp_path)}
    for name in TOLD:
        assert found[name].caption == GOLDEN[name]["caption"]
        assert found[name].features == pytest.approx(GOLDEN[name]["features"], rel=1e-3, abs=1e-4)
