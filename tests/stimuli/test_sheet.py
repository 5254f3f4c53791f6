"""The contact sheet: every clip beside its own sound, picture and numbers; done anew when the set changes."""

from __future__ import annotations

import base64
import io
import os
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from models.conditions import Condition, earlier
from models.conditions import given as given_tracks
from stimuli.manifest import ClipRow, read_manifest, write_manifest
from stimuli.sheet import picture, write_sheet


def tone(frequency: float, seconds: float = 2.0, rate: int = 16000) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def brightness(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"), dtype=float)


def test_low_is_below_early_is_left_and_loud_is_bright() -> None:
    low, high = (brightness(picture(tone(f))) for f in (200, 6000))
    assert low.shape[0] == 96
    assert low.shape[1] <= 480
    assert low.mean(axis=1).argmax() > 80 > 20 > high.mean(axis=1).argmax()
    first = brightness(picture(np.concatenate([tone(1000), 1e-4 * tone(1000)])))
    columns = first.max(axis=0)
    half = len(columns) // 2
    assert columns[: half - 3].min() > 200
    assert columns[half + 5 :].max() < 60  # 80 dB down is out of what is shown
    half_loud = brightness(picture(np.concatenate([tone(1000), 0.03 * tone(1000)]))).max(axis=0)[half + 5 : -5]
    assert 60 < half_loud.min() <= half_loud.max() < 200  # 30 dB down is between
    assert brightness(picture(np.zeros(16000, dtype=np.float32))).std() == 0


def row(taste: str, model: str, number: int, **changes: Any) -> ClipRow:
    name = f"{taste}-{model}-{number}"
    given = {
        "clip": name, "taste": taste, "model": model, "number": number, "file": f"clips/{name}.wav", "sha256": "0" * 64,
        "seconds": 2.0, "rate": 16000, "loudness": -23.04, "peak": -4.56, "gain": 1.0, "prompt": f"{taste} <music>",
    }  # fmt: skip
    return ClipRow(**{**given, **changes})


class Page(HTMLParser):
    """Articles in order: what stands in each, by tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sections: list[dict[str, Any]] = []
        self.tag = ""
        self.head = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tag = tag
        found = dict(attrs)
        if tag == "section":
            self.sections.append({"id": found["id"], "clips": []})
        elif tag == "article":
            self.sections[-1]["clips"].append({})
        elif tag in ("audio", "img"):
            self.sections[-1]["clips"][-1][tag] = found["src"]
        elif tag == "div" and found.get("class") in ("caption", "again"):
            self.tag = str(found["class"])

    def handle_data(self, data: str) -> None:
        if not data.strip():
            return
        if not self.sections:
            self.head += data
        elif not self.sections[-1]["clips"]:
            self.sections[-1][self.tag] = data.strip()
        else:
            clip = self.sections[-1]["clips"][-1]
            if self.tag == "dd":
                clip[clip.pop("dt")] = data.strip()
            else:
                clip[self.tag] = data.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        row(
            "sour", "base", 0, features={"tempo": 90.4321, "centroid": 1834.6, "gaps": 0.125}, caption="A <quiet> tune."
        ),
        row(
            "sour",
            "base",
            1,
            checks={"nearest": 0.4567, "nearest_clip": "sour-base-0", "drawn_again": ["silent", "stuck"]},
        ),
        row("sweet", "finetuned", 0, loudness=-22.96),
    ]
    (tmp_path / "clips").mkdir()
    for r, f in zip(rows, (200, 1000, 6000), strict=True):
        soundfile.write(tmp_path / r.file, tone(f, rate=48000), 48000)
    write_manifest(tmp_path, rows)
    return tmp_path


def test_every_clip_stands_with_what_is_its_own(folder: Path) -> None:
    path = write_sheet(folder, "my <study>", earlier())
    assert path == folder / "index.html"
    page = Page(path.read_text(encoding="utf-8"))
    assert "Contact sheet: my <study>" in page.head
    assert "3 clips of 2 s" in page.head
    assert [(s["id"], s["h2"], s["p"]) for s in page.sections] == [
        ("sour-base", "sour, base model", "sour <music>"),
        ("sweet-finetuned", "sweet, fine-tuned model", "sweet <music>"),
    ]
    one, two, three = [c for s in page.sections for c in s["clips"]]
    assert [c["h3"] for c in (one, two, three)] == ["sour-base-0", "sour-base-1", "sweet-finetuned-0"]
    assert [c["audio"] for c in (one, two, three)] == [f"clips/{c['h3']}.wav" for c in (one, two, three)]
    bands = [
        brightness(base64.b64decode(c["img"].removeprefix("data:image/png;base64,"))).mean(axis=1).argmax()
        for c in (one, two, three)
    ]
    assert bands[0] > 80 > bands[1] > 25 > bands[2]
    assert (one["tempo"], one["centroid"], one["gaps"]) == ("90.4 BPM", "1835 Hz", "0.125")
    assert (one["loudness"], one["true peak"], one["caption"]) == ("-23.0 LUFS", "-4.6 dBTP", "A <quiet> tune.")
    assert (two["nearest"], two["again"]) == ("0.46 (sour-base-0)", "Drawn again: silent, stuck")
    assert "caption" not in two
    assert "again" not in one
    assert "nearest" not in one
    assert three["loudness"] == "-23.0 LUFS"


def test_of_a_clip_that_was_chosen_the_others_measures_stand_beside_its_own(folder: Path) -> None:
    outdone = "another drawing has more of what is asked"
    checks = {
        "drawn_again": [outdone, "silent", outdone], "kept": 2, "tries": 4,
        "candidates": [{"try": 0, "mode": 0.1, "pitch_height": 60.0}, {"try": 2, "mode": 0.25, "pitch_height": 71.26},
                       {"try": 3, "mode": -0.04321, "pitch_height": 80.0}],
    }  # fmt: skip
    first, *rest = read_manifest(folder)
    write_manifest(folder, [replace(first, checks=checks), *rest])
    page = Page(write_sheet(folder, "chosen", earlier()).read_text(encoding="utf-8"))
    one = page.sections[0]["clips"][0]
    assert one["mode, of 3 drawings"] == "0.25 (others 0.1, -0.0432)"
    assert one["pitch height, of 3 drawings"] == "71.3 (others 60, 80)"
    assert one["again"] == "Drawn again: silent"
    table = pd.read_parquet(folder / "manifest.parquet")
    assert len(table) == 3


def test_it_is_done_anew_after_the_manifest_changed(folder: Path) -> None:
    told: list[tuple[int, int, str]] = []

    def told_of(*what: Any) -> None:
        told.append(what)

    path = write_sheet(folder, "t", earlier(), told_of)
    assert told == [(1, 3, "sour-base-0"), (2, 3, "sour-base-1"), (3, 3, "sweet-finetuned-0")]
    assert (folder / "manifest.parquet").exists()
    stamp = path.stat().st_mtime_ns
    write_sheet(folder, "t", earlier(), told_of)
    assert (path.stat().st_mtime_ns, len(told)) == (stamp, 3)
    write_manifest(folder, [row("sour", "base", 0)])
    os.utime(folder / "manifest.json", ns=(stamp + 10**9, stamp + 10**9))
    write_sheet(folder, "t", earlier())
    assert [c["h3"] for s in Page(path.read_text(encoding="utf-8")).sections for c in s["clips"]] == ["sour-base-0"]
    assert not list(folder.glob("*.partial"))


def test_given_tracks_have_no_taste(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    given = row("", "given", 0, file="clips/x.wav", prompt=None)
    soundfile.write(tmp_path / given.file, tone(200), 16000)
    write_manifest(tmp_path, [given])
    (section,) = Page(write_sheet(tmp_path, "t", given_tracks(tmp_path)).read_text(encoding="utf-8")).sections
    assert (section["id"], section["h2"]) == ("all-given", "given tracks")


def test_sets_stand_in_the_order_of_the_conditions_under_the_names_that_they_are_told_by(tmp_path: Path) -> None:
    """Their files tell nothing; on this page, which no participant sees, they are called what they are."""
    names = {"wob": "clip-0123456789ab", "abe": "clip-ba9876543210"}
    rows = [row("sour", m, 0, clip=clip, file=f"clips/{clip}.wav") for m, clip in names.items()]
    (tmp_path / "clips").mkdir()
    for r in rows:
        soundfile.write(tmp_path / r.file, tone(200), 16000)
    write_manifest(tmp_path, rows)
    declared = [Condition(name="wob", label="slow", checkpoint="x"), Condition(name="abe", tracks=tmp_path)]
    sections = Page(write_sheet(tmp_path, "t", declared).read_text(encoding="utf-8")).sections
    assert [s["h2"] for s in sections] == ["sour, slow model", "sour, abe tracks"]
    assert [s["clips"][0]["h3"] for s in sections] == ["sour-wob-000", "sour-abe-000"]
    assert [s["clips"][0]["audio"] for s in sections] == [f"clips/{clip}.wav" for clip in names.values()]
