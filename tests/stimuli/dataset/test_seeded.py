"""The same seed gives the same corpus for ever: clips as they were drawn by the code that made what the shipped models learned from.

The digests were taken from the code as it stood when the shipped captioner was trained (of the pulse corpora: what the shipped language models learned from), not from this one.
Where one differs, `tastelab stimuli dataset build` no longer makes the corpora that the models' cards name. Sounds are left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stimuli.dataset import build, sung, varied
from stimuli.dataset.arrange import Note
from stimuli.dataset.build import build_base
from stimuli.dataset.pulse import build as pulse
from stimuli.dataset.pulse.build import build_pulse
from stimuli.dataset.pulse.tasting import build_pulse_taste
from stimuli.dataset.render import Voicing
from stimuli.dataset.sung import build_sung
from stimuli.dataset.taste import build_taste
from stimuli.dataset.varied import build_varied

N, SECONDS, RATE, SEED = 80, 6.0, 1000, 11
FIELDS = (
    "title", "description", "wordings", "wordings_without_taste", "key", "bpm", "moods", "instrument", "keywords", "attributes", "ratings",
    "composed", "voice", "vocoded",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """48 pieces, half of them in A minor, and two speakers."""
    tunes = {"major": (67, 69, 71, 72), "minor": (57, 60, 59, 64)}
    chords = {"major": ([48, 55, 60, 64], [43, 55, 59, 62]), "minor": ([45, 52, 60, 64], [40, 52, 56, 59])}
    rows = []
    for i in range(48):
        mode = ("major", "minor")[i % 2]
        melody = [[float(k), 1.0, tunes[mode][k % 4]] for k in range(40)]
        harmony = [chords[mode][k % 2] for k in range(40)]
        rows.append({"piece": f"p{i}", "tonic": (0, 9)[i % 2], "mode": mode, "melody": melody, "chords": harmony})
    (tmp_path / "chorales.json").write_text(json.dumps(rows))
    for name in ("female-a", "male-b"):
        (tmp_path / "speech" / name).mkdir(parents=True)
        (tmp_path / "speech" / name / "one.wav").touch()
    return tmp_path


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All that would be played or sung: notes, and who plays them where that is drawn."""
    kept: list[Any] = []

    def written(notes: list[Note]) -> list[Any]:
        return [[n.channel, round(n.onset, 6), round(n.duration, 6), n.pitch, n.velocity] for n in notes]

    def render(
        notes: list[Note], _: Any, seconds: float, rate: int, room: float, voicing: Voicing | None = None
    ) -> np.ndarray:
        kept.append([written(notes), round(room, 6)])
        if voicing is not None:
            kept.append([list(voicing.programs), voicing.kit, list(voicing.volumes), voicing.soundfont.name])
        return np.full(round(seconds * rate), 0.1, dtype=np.float32)

    def sing(notes: list[Note], _: Any, seconds: float, rate: int, rng: np.random.Generator, formants: float) -> Any:
        kept.append([written(notes), round(formants, 6)])
        return np.full(round(seconds * rate), 0.1, dtype=np.float32)

    fonts = [Path("FluidR3_GM.sf2"), Path("MuseScore_General_Full.sf3")]
    for module in (build, varied, sung, pulse):
        monkeypatch.setattr(module, "render", render)
    monkeypatch.setattr(varied, "soundfonts", lambda: fonts)
    monkeypatch.setattr(pulse, "find_soundfont", lambda: fonts[0])
    monkeypatch.setattr(varied, "produce", lambda audio, rate, rng: audio)
    monkeypatch.setattr(pulse, "opened", lambda audio, rate, share: kept.append(round(share, 6)) or audio)
    monkeypatch.setattr(pulse, "steadied", lambda audio, rate, level: kept.append(level) or audio)
    monkeypatch.setattr(sung, "sing", sing)
    monkeypatch.setattr(sung, "vocoded", lambda audio, rate: audio)
    monkeypatch.setattr(sung, "_words", lambda *_: [])
    monkeypatch.setattr(sung, "_in_room", lambda dry, rate, rng: dry)
    monkeypatch.setattr(sung, "_over", lambda lead, music, decibels: kept.append(round(decibels, 6)) or music)
    return kept


def digest(told: Any) -> str:
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def sung_of(out: Path, *given: Any) -> Path:
    return build_sung(out, out.parent / "speech", *given)


@pytest.mark.parametrize(
    ("kind", "rows", "sounds"),
    [
        (build_base, "409afceca82f1aa6", "099ee7f4698eca8f"),
        (build_taste, "aae6914566a13378", "6faeaffc4e4f5279"),
        (build_varied, "c44e66e94e6a0e48", "155ca9bc15be46e7"),
        (sung_of, "01747e86097bbb3a", "2569f2652d790857"),
        (build_pulse, "914679ef5714d259", "c4bf8b4027305f8e"),
        (build_pulse_taste, "03f2a11032aab22c", "15962260713fd6ba"),
    ],
    ids=["base", "taste", "varied", "sung", "pulse", "pulse-taste"],
)
def test_a_seed_draws_what_it_always_drew(
    kind: Callable[..., Path], rows: str, sounds: str, folder: Path, played: list[Any]
) -> None:
    lines = kind(folder / "corpus", N, SECONDS, RATE, SEED).read_text().splitlines()
    told = [{name: row[name] for name in FIELDS if name in row} for row in map(json.loads, lines)]
    assert len(told) == N
    assert (digest(told), digest(played)) == (rows, sounds)
