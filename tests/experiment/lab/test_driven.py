"""A driven session held against its hand: what is counted as stored so, what is found in the recording, what is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from experiment import launch
from experiment.bots.effects import load_effects
from experiment.data.queries import answers_of
from experiment.errors import ExperimentError
from experiment.lab import driven
from experiment.lab.hand import DeskReport
from experiment.lab.reading import Phrases
from experiment.launch import Prepared

RATE = 48000


def noise(seed: int, seconds: float = 0.2) -> np.ndarray:
    return (0.2 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {}
    for k, name in enumerate(("a", "b")):
        found[name] = tmp_path / f"{name}.wav"
        soundfile.write(found[name], noise(k), RATE, subtype="FLOAT")
    return found


def report(given: list[dict[str, Any]], played: list[str], status: int = 0, errors: str = "") -> DeskReport:
    markers = [{"screen": "page"}, *({"screen": "playing", "clip": c} for c in played)]
    return DeskReport(status, given, markers, None, errors)


def test_answers_of_this_sitting_are_compared_in_their_places(files: dict[str, Path]) -> None:
    """Earlier sittings stand before; a choice, a value or an item that differs is no match."""
    given = [{"item": "sex", "choice": "male"}, {"item": "preference", "taste": "sour", "value": 7.0}]
    stored = [("age", None, 30.0), ("sex", "male", None), ("preference", None, 7.0)]
    silence = np.zeros(RATE, np.float32)

    def matching(rows: list[tuple[str, str | None, float | None]]) -> tuple[int, int, int]:
        told = driven.compare(report(given, []), rows, silence, files)
        assert told["audio"] == []
        return told["answers"], told["stored"], told["matching"]

    assert matching(stored) == (2, 3, 2)
    assert matching([*stored[:2], ("preference", None, 3.0)]) == (2, 3, 1)
    assert matching([stored[0], ("sex", "female", None), stored[2]]) == (2, 3, 1)
    assert matching([stored[0], ("device", "male", None), stored[2]]) == (2, 3, 1)


def test_each_playing_is_found_after_the_one_before(files: dict[str, Path]) -> None:
    heard = np.zeros(2 * RATE, np.float32)
    for place, seed in ((10_000, 0), (40_000, 1), (70_000, 0)):
        heard[place : place + 9600] = noise(seed)
    audio = driven.compare(report([], ["a", "b", "a"]), [], heard, files)["audio"]
    assert [(x["clip"], x["at_seconds"]) for x in audio] == [("a", 0.208), ("b", 0.833), ("a", 1.458)]
    assert [x["r"] for x in audio] == [1.0, 1.0, 1.0]
    assert max(x["error"] for x in audio) < 1e-6
    # Played in another order than the markers tell, one is not found.
    wrong = driven.compare(report([], ["b", "a", "b"]), [], heard, files)["audio"]
    assert min(x["r"] for x in wrong) < 0.9


def test_a_playing_that_broke_off_is_not_looked_for(files: dict[str, Path]) -> None:
    heard = np.zeros(2 * RATE, np.float32)
    heard[10_000 : 10_000 + 4000] = noise(0)[:4000]
    heard[40_000 : 40_000 + 9600] = noise(0)
    screens = [("playing", "a"), ("broken", None), ("playing", "a"), ("heard", None)]
    markers = [{"screen": s} | ({"clip": c} if c else {}) for s, c in screens]
    (audio,) = driven.compare(DeskReport(0, [], markers, None, ""), [], heard, files)["audio"]
    assert (audio["at_seconds"], audio["r"]) == (0.833, 1.0)


@pytest.fixture
def driving(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """A desk on which nothing runs: it notes what it was asked for and gives back a report."""
    told: dict[str, Any] = {"asked": [], "report": report([], []), "status": "complete"}
    real = driven.last_status

    def last_status(*of: Any) -> str | None:
        """As it is in the database; after a drive, in which nothing ran, what is told."""
        return told["status"] if told.pop("driven", False) else real(*of)

    @contextmanager
    def desk() -> Iterator[Any]:
        yield SimpleNamespace(folder=tmp_path)

    def drive(
        _: Any, command: list[str], rng: np.random.Generator, phrases: Phrases, capture: Path, watch: Any
    ) -> DeskReport:
        told["driven"] = True
        told["asked"].append((command, phrases, float(rng.random())))
        both = np.zeros((RATE, 2), np.float32)
        both[5000:14600] = noise(0)[:, None]
        capture.write_bytes(both.tobytes())
        watch(3, {"screen": "page"}, None)
        watch(500, {"screen": "steps"}, None)
        return told["report"]

    monkeypatch.setattr(driven, "virtual_desk", desk)
    monkeypatch.setattr(driven, "drive", drive)
    monkeypatch.setattr(driven, "last_status", last_status)
    return told


def run(booth: Prepared, record: Path, files: dict[str, Path], update: Any = None) -> str:
    return driven.run_driven(booth.store.url, "s", booth.config, files, record, ["tastelab", "run"], update)


def test_a_session_is_driven_once_and_its_record_is_kept(
    booth: Prepared, files: dict[str, Path], driving: dict[str, Any], tmp_path: Path
) -> None:
    record, seen = tmp_path / "desk.json", []
    driving["report"] = report([], ["a"])
    said = run(booth, record, files, lambda *x: seen.append(x))
    assert said == "one real PsychoPy session: 0 of 0 answers stored as given, audio r >= 1.00000"
    (command, phrases, drawn) = driving["asked"][0]
    assert command == ["tastelab", "run", "--code", "driven-0001"]
    assert phrases.agree == "I agree"
    assert drawn == np.random.default_rng(111).random()
    assert seen == [(3, 120, "page"), (120, 120, "steps")]
    kept = json.loads(record.read_text())
    assert (kept["answers"], kept["stored"], kept["matching"]) == (0, 0, 0)
    assert [a["clip"] for a in kept["audio"]] == ["a"]
    assert sorted(p.name for p in tmp_path.glob("desk*")) == ["desk.json"]
    # What is there is gone on with, what is complete is left alone, and a lost record is said.
    launch.begin(booth, "driven-0001", "driven", "en", "x")
    run(booth, record, files)
    assert driving["asked"][1][0][-2:] == ["--resume", "driven-0001"]
    complete(booth)
    assert run(booth, record, files) == "one driven session, already there"
    assert len(driving["asked"]) == 2
    record.unlink()
    with pytest.raises(ExperimentError, match=r"record .*desk\.json is gone; use another --db"):
        run(booth, record, files)


def complete(booth: Prepared) -> None:
    import numpy as np

    from experiment.bots.bots import Bot
    from experiment.session import run_session

    session, _ = launch.resume(booth, "driven-0001")
    run_session(booth.store, session, booth.config, Bot(booth.config, load_effects(), np.random.default_rng(0), 0))
    assert len(answers_of(booth.store, "s", "driven-0001")) == 49


@pytest.mark.parametrize(
    ("given", "played", "said"),
    [([{"item": "sex", "choice": "male"}], ["a"], "1 of 1 answers were not stored as they were given"),
     ([], ["a", "b"], r"what sounded correlates only -?0\.0\d with clip b .*desk\.json\); is this computer busy")],
)  # fmt: skip
def test_what_was_not_stored_or_did_not_sound_as_it_should_is_no_success(
    booth: Prepared, files: dict[str, Path], driving: dict[str, Any], tmp_path: Path,
    given: list[dict[str, Any]], played: list[str], said: str,
) -> None:  # fmt: skip
    """Neither when it is run nor when it is there already; the record stays, to be looked at."""
    driving["report"] = report(given, played)
    with pytest.raises(ExperimentError, match=said):
        run(booth, tmp_path / "desk.json", files)
    launch.begin(booth, "driven-0001", "driven", "en", "x")
    complete(booth)
    with pytest.raises(ExperimentError, match=said):
        run(booth, tmp_path / "desk.json", files)
    assert len(driving["asked"]) == 1


def test_a_session_that_does_not_end_well_is_told_with_its_last_words(
    booth: Prepared, files: dict[str, Path], driving: dict[str, Any], tmp_path: Path
) -> None:
    driving["report"] = report([], [], 2, "first line\nno window can be opened\n")
    with pytest.raises(ExperimentError, match=r"ended with status 2: \['no window can be opened'\]"):
        run(booth, tmp_path / "desk.json", files)
    assert not (tmp_path / "desk.json").exists()


@pytest.mark.parametrize(
    ("status", "said"), [("stopped", "is stopped after 1 answers"), (None, "is not there after 1")]
)
def test_a_session_that_stopped_before_its_end_is_no_success(
    booth: Prepared, files: dict[str, Path], driving: dict[str, Any], tmp_path: Path, status: str | None, said: str
) -> None:
    """The sound did not begin, so that the experimenter was called: what was answered until then was stored, and said to be all."""
    driving["report"] = report([{"item": "sex", "choice": "male"}], ["a"], 0, "first\nthe sound did not begin\n")
    driving["status"] = status
    with pytest.raises(ExperimentError, match=said) as error:
        run(booth, tmp_path / "desk.json", files)
    assert "the sound did not begin" in str(error.value)
    assert not (tmp_path / "desk.json").exists()
