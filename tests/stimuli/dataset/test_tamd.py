"""A small database in the layout of the Taste & Affect Music Database, made here, read as a user's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mutagen.easyid3
import numpy as np
import pandas as pd
import pytest
import soundfile

from stimuli.dataset.estimate import TONICS, estimate_key, estimate_tempo
from stimuli.dataset.tamd import build_tamd, read_ratings
from stimuli.errors import StimulusError

TRACKS = 20


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tamd")
    rng = np.random.default_rng(0)
    rated = rng.uniform(0, 60, (TRACKS, 4)).round(1)
    table = pd.DataFrame({"Track": range(1, TRACKS + 1)})
    for k, taste in enumerate(("Sweet", "Bitter", "Sour", "Salty")):
        table[f"{taste} (mean)"], table[f"{taste} (SD)"] = rated[:, k], 1.0
    table.to_excel(folder / "ratings.xlsx", index=False)
    (folder / "tracks").mkdir()
    for n in range(1, TRACKS + 1):
        t = np.arange(44100 * 3) / 44100
        soundfile.write(folder / "tracks" / f"{n}.mp3", 0.3 * np.sin(2 * np.pi * 220 * t), 44100, format="MP3")
    tags = mutagen.easyid3.EasyID3()
    tags["bpm"], tags["title"], tags["artist"] = "87", "One", "Somebody"
    tags.save(folder / "tracks" / "1.mp3")
    described = [{"id": 1, "instrument": "piano", "description": "A sweet-bitter dreamy piano piece."}]
    (folder / "descriptions.json").write_text(json.dumps(described))
    return folder


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_splits_are_by_track_and_the_captions_the_papers(database: Path, tmp_path: Path) -> None:
    train = rows_of(build_tamd(database, tmp_path / "train", 32000, "train"))
    told: list[tuple[int, int]] = []
    test = rows_of(build_tamd(database, tmp_path / "test", 32000, "test", lambda done, n: told.append((done, n))))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert (len(train), len(test)) == (17, 3)
    assert {r["name"] for r in train} & {r["name"] for r in test} == set()
    everything = {r["name"]: r for r in train + test}
    one = everything["001"]
    assert (one["bpm"], one["title"], one["artist"]) == (87, "One", "Somebody")
    ratings = pd.read_excel(database / "ratings.xlsx").set_index("Track")
    for name, row in everything.items():
        for taste in ("sweet", "bitter", "sour", "salty"):
            rated = ratings.loc[int(name), f"{taste.capitalize()} (mean)"]
            assert row["ratings"][taste] == rated
            assert (taste in str(row["keywords"])) == (rated > 25)
    assert "87 BPM" in str(one["description"])
    assert "with piano" in str(one["description"])
    bare = str(one["wordings_without_taste"][0])
    assert not any(w in bare.lower() for w in ("sweet", "bitter", "sour", "salty"))
    assert bare.startswith("A dreamy piano piece.")
    info = soundfile.info(tmp_path / "train" / str(train[0]["path"]))
    assert (info.samplerate, info.channels) == (32000, 1)
    assert info.duration == pytest.approx(train[0]["duration"], abs=1e-3)


def test_what_is_not_the_database_is_one_line(database: Path, tmp_path: Path) -> None:
    with pytest.raises(StimulusError, match="no directory"):
        build_tamd(tmp_path / "nothing", tmp_path / "out", 16000, "train")
    with pytest.raises(StimulusError, match="0 spreadsheets"):
        build_tamd(tmp_path, tmp_path / "out", 16000, "train")
    pd.DataFrame({"Track": [1], "Sweet": [3]}).to_excel(tmp_path / "x.xlsx")
    with pytest.raises(StimulusError, match="no column for 'sour'"):
        build_tamd(tmp_path, tmp_path / "out", 16000, "train")
    (tmp_path / "x.xlsx").write_bytes(b"not a spreadsheet")
    with pytest.raises(StimulusError, match="cannot be read as a spreadsheet"):
        build_tamd(tmp_path, tmp_path / "out", 16000, "train")


def test_the_key_beats_the_strongest_chroma() -> None:
    """A cadence in A minor, whose strongest chroma is E: the dominant's root and the tonic's fifth."""
    chords = ((57, 60, 64), (62, 65, 69), (64, 68, 71), (64, 68, 71), (57, 60, 64), (52, 64, 68, 71), (57, 60, 64))
    t = np.arange(22050) / 22050
    audio = np.concatenate(
        [sum(np.sin(2 * np.pi * 440 * 2 ** ((p - 69) / 12) * t) for p in chord) * np.exp(-2 * t) for chord in chords]
    ).astype(np.float32)
    assert estimate_key(audio) == "A minor"
    import librosa

    chroma = librosa.feature.chroma_cqt(y=audio, sr=22050).mean(axis=1)
    assert TONICS[int(chroma.argmax())] == "E"


def test_a_click_track_has_its_tempo() -> None:
    audio = np.zeros(22050 * 10, np.float32)
    for beat in np.arange(0, 10, 60 / 100):
        audio[round(beat * 22050) :][:200] = 0.5
    assert estimate_tempo(audio) == pytest.approx(100, rel=0.04)


def test_tracks_are_numbered_by_the_column_that_counts_them(tmp_path: Path) -> None:
    """Not by remarks, of which some are numbers; a row without a number is left out; means count, not deviations."""
    table = pd.DataFrame({"Remark": ["loud", 2, 3.5, None], "Track": [2, 1, 3, None]})
    for k, taste in enumerate(("Sweet", "Bitter", "Sour", "Salty")):
        table[f"{taste} SD"], table[f"M {taste}"] = 9.0, [10.0 + k, 20.0 + k, 30.0 + k, 40.0]
    table = pd.concat(
        [table] + [table.iloc[[0]].assign(Track=n) for n in range(4, 31)]
    )  # one row of 31 is not numbered
    table.to_excel(tmp_path / "ratings.xlsx", index=False)
    found = read_ratings(tmp_path)
    assert sorted(found) == list(range(1, 31))
    assert found[1] == {"sweet": 20.0, "bitter": 21.0, "sour": 22.0, "salty": 23.0}
    table.drop(columns=["Track"]).to_excel(tmp_path / "ratings.xlsx", index=False)
    with pytest.raises(StimulusError, match="no column that numbers the tracks"):
        read_ratings(tmp_path)


def sheet(folder: Path, **columns: list[float]) -> None:
    pd.DataFrame({"Track": [1, 2], **columns}).to_excel(folder / "ratings.xlsx", index=False)


OTHERS = {"Bitter": [3.0, 4.0], "Sour": [5.0, 6.0], "Salty": [7.0, 8.0]}


@pytest.mark.parametrize(
    "name", ["Sweet", "sweet", "M_Sweet", "SweetMean", "Sweet (M)", "Mean rating: sweet", "Sweet_Average"]
)
def test_a_column_of_means_is_known_by_its_name(name: str, tmp_path: Path) -> None:
    """Beside columns of numbers of answers, errors, medians, and another word that has the taste in it."""
    strange = {
        k: [99.0, 98.0]
        for k in (
            "Sweet N",
            "Sweet_SE",
            "SweetMdn",
            "sweet_sd",
            "N_Sweet",
            "Bittersweet",
            "Sweet Median",
            "Sweetness z",
            "Sweet mean SE",
        )
    }
    sheet(tmp_path, **strange, **{name: [1.0, 2.0]}, **OTHERS)
    assert read_ratings(tmp_path)[2] == {"sweet": 2.0, "bitter": 4.0, "sour": 6.0, "salty": 8.0}


def test_what_is_no_column_of_means_is_asked_for_and_not_taken(tmp_path: Path) -> None:
    sheet(tmp_path, **{"Sweet_Mdn": [1.0, 2.0], "Sweet_N": [60.0, 61.0], "Bittersweet": [9.0, 9.0]}, **OTHERS)
    with pytest.raises(
        StimulusError,
        match=r"has no column for 'sweet'; name the column .* --column 'sweet=NAME'; its columns: Track, Sw",
    ):
        read_ratings(tmp_path)
    assert read_ratings(tmp_path, {"sweet": "Sweet_Mdn"})[1]["sweet"] == 1.0  # declared
    with pytest.raises(StimulusError, match="has no column 'Sugar'; its columns"):
        read_ratings(tmp_path, {"sweet": "Sugar"})
    sheet(tmp_path, Sweet=[1.0, 2.0], sweet_mean=[3.0, 4.0], **OTHERS)
    with pytest.raises(StimulusError, match="has several columns for 'sweet': Sweet, sweet_mean; name"):
        read_ratings(tmp_path)
    assert read_ratings(tmp_path, {"sweet": "Sweet"})[1]["sweet"] == 1.0
    sheet(tmp_path, Sweet=[1.0, 101.0], **OTHERS)
    with pytest.raises(StimulusError, match="column 'Sweet' holds no ratings of sweet from 0 to 100"):
        read_ratings(tmp_path)
