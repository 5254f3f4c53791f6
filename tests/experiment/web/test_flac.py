"""FLAC files of one size: the samples as they were, nothing beside them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from experiment.data.tables import Stimulus
from experiment.data.temporary import swept
from experiment.errors import ExperimentError
from experiment.web.flac import CLIPS, HEAD, MOST, Clips, alike, bare, encode, filled


def noise(seed: int, n: int = 3000) -> np.ndarray:
    return np.random.default_rng(seed).integers(-(2**23), 2**23, (n, 2)).astype(np.int32) * 256


def blocks(flac: bytes) -> list[tuple[int, int]]:
    """Kind and length of each metadata block, counted by hand from the format's definition."""
    assert flac[:4] == b"fLaC"
    at, found, last = 4, [], False
    while not last:
        last, size = flac[at] >= 128, int.from_bytes(flac[at + 1 : at + 4], "big")
        found.append((flac[at] % 128, size))
        at += 4 + size
    assert flac[at : at + 2] in (b"\xff\xf8", b"\xff\xf9")  # the first frame's sync code
    return found


def test_a_sound_is_as_it_was_and_nothing_is_beside_it() -> None:
    made = encode(noise(1), 44100)
    assert blocks(made) == [(0, 34)]
    heard, rate = soundfile.read(io.BytesIO(made), dtype="int32")
    assert rate == 44100
    assert np.array_equal(heard, noise(1))


@pytest.mark.parametrize("more", [HEAD, HEAD + 1, 5000, MOST, MOST + 1, MOST + HEAD, MOST + 5000])
def test_a_file_is_filled_up_to_a_size_and_plays_as_before(more: int) -> None:
    made = encode(noise(2), 48000)
    full = filled(made, len(made) + more)
    assert len(full) == len(made) + more
    kinds = blocks(full)
    assert [k for k, _ in kinds] == [0] + [1] * (len(kinds) - 1)
    assert np.array_equal(soundfile.read(io.BytesIO(full), dtype="int32")[0], noise(2))


def test_sounds_are_made_alike_in_size() -> None:
    quiet, loud = encode(np.zeros((3000, 2), np.int32), 48000), encode(noise(3), 48000)
    assert len(quiet) < len(loud)
    assert {len(x) for x in alike([quiet, loud])} == {len(loud) + HEAD}


def test_what_is_no_flac_is_refused() -> None:
    with pytest.raises(ValueError, match="no FLAC"):
        bare(b"RIFF0000")


def test_clips_lie_in_a_folder_that_goes(tmp_path: Path) -> None:
    for k in (1, 2):
        soundfile.write(tmp_path / f"{k}.wav", noise(k, 480 * k), 48000, subtype="PCM_24")
    rows = [Stimulus(id=k, clip=f"c{k}", path=str(tmp_path / f"{k}.wav")) for k in (1, 2)]
    clips = Clips([*rows, Stimulus(id=3, clip="c3", path=None)])
    assert clips.seconds == {1: 0.01, 2: 0.02}
    found = [clips.read(k) for k in (1, 2)]
    assert len({len(x or b"") for x in found}) == 1
    assert np.array_equal(soundfile.read(io.BytesIO(found[0] or b""), dtype="int32")[0], noise(1, 480))
    assert clips.read(3) is None
    assert (clips.folder.stat().st_mode & 0o777) == 0o700
    clips.close()
    assert not clips.folder.exists()
    (tmp_path / "1.wav").write_bytes(b"none")
    with pytest.raises(ExperimentError, match=r"clip c1: .* can't be read"):
        Clips(rows)


def test_what_a_killed_server_left_goes_and_what_a_living_one_has_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    living = Clips([])
    name = living.folder.name.partition(f"-{os.getpid()}-")[0]
    over = subprocess.Popen([sys.executable, "-c", ""])
    over.wait()
    killed = tmp_path / f"{name}-{over.pid}-abc"
    others = [
        tmp_path / x
        for x in ("tastelab-clips-another-1-abc", "tastelab-texts-1-abc", f"{name}-x-abc", f"{name}-{10**20}-abc")
    ]
    for folder in (killed, *others):
        folder.mkdir()
        (folder / "1.flac").touch()
    assert swept(CLIPS) == 1
    assert not killed.exists()
    assert all((folder / "1.flac").exists() for folder in others)
    assert living.folder.exists()
    killed.mkdir()
    Clips([]).close()
    assert not killed.exists()
    living.close()
