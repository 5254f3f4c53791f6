"""A corpus of generated clips: of captions without a voice, the same when it goes on, and known of nothing but the voice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from models.errors import ModelError
from stimuli.dataset.generated import build_generated, voiceless
from stimuli.errors import StimulusError
from tastelab.cli import app
from tastelab.errors import UserError

RATE = 16000


def corpus(folder: Path, **rows: dict[str, object]) -> Path:
    """A corpus of captions, a row a name; its audio is not asked for."""
    (folder / "audio").mkdir(parents=True)
    for name in rows:
        (folder / "audio" / f"{name}.wav").touch()
    lines = [
        json.dumps({"path": f"audio/{name}.wav", "name": name, "title": "bwv1", **row}) for name, row in rows.items()
    ]
    (folder / "metadata.jsonl").write_text("".join(line + "\n" for line in lines))
    return folder


def test_no_voice_is_asked_for(tmp_path: Path) -> None:
    folder = corpus(
        tmp_path / "captions",
        harp={"description": "Harp.", "instrument": "harp"},
        choir={"description": "A choir.", "instrument": "choir, harp"},
        sung={"description": "Harp.", "instrument": "harp", "voice": {"gender": "female", "speaker": "a"}},
        unknown={"description": "", "voice": None},
    )
    assert [r["name"] for r in voiceless(folder)] == ["harp"]
    only = corpus(tmp_path / "choirs", choir={"description": "A choir.", "instrument": "choir"})
    with pytest.raises(StimulusError, match="no caption of music without a voice"):
        voiceless(only)
    with pytest.raises(ModelError, match=r"metadata\.jsonl is missing"):
        voiceless(tmp_path)


def test_generated_clips_go_on_to_the_same(tmp_path: Path) -> None:
    from models.sonicverse.nano.labels import labels_of
    from models.training import read_corpus

    captions = corpus(
        tmp_path / "captions",
        harp={"description": "Slow harp, legato, high-pitched.", "instrument": "harp"},
        bass={"description": "Fast electric bass, staccato.", "instrument": "electric bass"},
    )
    out = tmp_path / "generated"
    command = ["stimuli", "dataset", "build", "generated", str(out), "--captions", str(captions)]
    command += ["-n", "3", "--seconds", "2", "--quiet"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    clips = read_corpus(out)
    assert len(clips) == 3
    for clip in clips:
        audio, rate = soundfile.read(clip.path)
        assert (rate, audio.shape) == (RATE, (2 * RATE,))
        assert np.sqrt((audio**2).mean()) > 0.001
        assert clip.row["asked"] in ("Slow harp, legato, high-pitched.", "Fast electric bass, staccato.")
        assert clip.row["title"] == "bwv1"
        assert labels_of(clip.row) == {"vocals": ["instrumental"]}
    before = {c.path: c.path.read_bytes() for c in clips}
    assert len(set(before.values())) == 3
    clips[1].path.unlink()
    (out / "metadata.jsonl").unlink()
    build_generated(out, captions, "nano-base", 4, 2.0, RATE, 11)
    assert len(read_corpus(out)) == 4
    assert {p: p.read_bytes() for p in before} == before


def test_another_generator_is_another_corpus(tmp_path: Path) -> None:
    captions = corpus(tmp_path / "captions", harp={"description": "Harp.", "instrument": "harp"})
    out = tmp_path / "generated"
    build_generated(out, captions, "nano-base", 1, 1.0, RATE, 11)
    with pytest.raises(StimulusError, match="begun with another generator, sha256"):
        build_generated(out, captions, "nano-taste", 1, 1.0, RATE, 11)
    done = CliRunner().invoke(app, ["stimuli", "dataset", "build", "generated", str(out)])
    assert isinstance(done.exception, UserError)
    assert "--captions" in str(done.exception)
