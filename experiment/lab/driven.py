"""A session that a hand drives on a virtual desk: what was stored and heard, held against what was given and played."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiment.data.connect import shown
from experiment.data.queries import answers_of, last_status
from experiment.data.store import Store
from experiment.errors import ExperimentError
from experiment.lab.desk import RATE, virtual_desk
from experiment.lab.hand import DeskReport, drive
from experiment.lab.hearing import compare_capture
from experiment.lab.reading import phrases
from stimuli.audio import load_mono

if TYPE_CHECKING:
    from experiment.config import ExperimentConfig

CODE = "driven-0001"
ALIKE = 0.99  # correlation of what sounded with its clip
SCREENS = 60  # about as many are shown, for the progress bar
Stored = tuple[str, str | None, float | None]  # item, choice, value


def run_driven(
    url: str,
    study: str,
    config: ExperimentConfig,
    files: dict[str, Path],
    record: Path,
    command: Sequence[str],
    update: Callable[..., None] | None = None,
) -> str:
    """Run the driven session of a study once, write the comparison to `record`, and say what was found.

    Parameters
    ----------
    url : str
        The database.
    files : dict of str to Path
        Audio file of each clip.
    command : sequence of str
        Runs a session with markers on; ``--code`` or ``--resume`` is added here.

    Raises
    ------
    ExperimentError
        If the session is stored but its record is gone, if the session did not end well or stopped before its end, or if an answer was not stored as
        it was given or a clip did not sound as it is.
    """
    with closing(Store(url)) as store:
        state = last_status(store, study, CODE)
    if state == "complete" and record.exists():
        _held(json.loads(record.read_text(encoding="utf-8")), record)
        return "one driven session, already there"
    if state == "complete":
        raise ExperimentError(f"the driven session is in {shown(url)}, its record {record} is gone; use another --db")

    def watch(count: int, marker: dict[str, Any], _: Any) -> None:
        if update:
            update(min(count, SCREENS * 2), SCREENS * 2, str(marker["screen"]))

    with virtual_desk() as desk:
        capture = desk.folder / "capture.raw"
        rng = np.random.default_rng(config.seed)
        reader = phrases(config, config.languages[0])
        result = drive(desk, [*command, "--resume" if state else "--code", CODE], rng, reader, capture, watch)
        if result.status != 0:
            raise ExperimentError(
                f"the driven session ended with status {result.status}: {result.errors.strip().splitlines()[-1:]}"
            )
        heard = np.fromfile(capture, dtype=np.float32).reshape(-1, 2).mean(axis=1)
    with closing(Store(url)) as store:
        ended = last_status(store, study, CODE)
        if ended != "complete":
            raise ExperimentError(
                f"the driven session is {ended or 'not there'} after {len(result.given)} answers, not complete; what was said: "
                f"{result.errors.strip().splitlines()[-1:]}; run it again, and it goes on"
            )
        told = compare(result, answers_of(store, study, CODE), heard, files)
    partial = record.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, record)
    _held(told, record)
    worst = min((a["r"] for a in told["audio"]), default=float("nan"))
    return (
        f"one real PsychoPy session: {told['matching']} of {told['answers']} answers stored as given, "
        f"audio r >= {worst:.5f}"
    )


def _held(told: dict[str, Any], record: Path) -> None:
    """Refuse a session whose answers were not stored as given, or whose clips did not sound as they are."""
    if told["matching"] < told["answers"]:
        raise ExperimentError(
            f"the driven session: {told['answers'] - told['matching']} of {told['answers']} answers were not stored as "
            f"they were given ({record})"
        )
    for played in told["audio"]:
        if not played["r"] >= ALIKE:
            raise ExperimentError(
                f"the driven session: what sounded correlates only {played['r']:.2f} with clip {played['clip']} ({record}); "
                "is this computer busy? Delete the record and use another --db"
            )


def compare(result: DeskReport, stored: list[Stored], heard: np.ndarray, files: dict[str, Path]) -> dict[str, Any]:
    """Hold a driven session against its hand and its clips.

    Parameters
    ----------
    stored : list
        The participant's answers in the order in which they were stored; those of earlier sittings come first.
    heard : ndarray
        What was sent to the sound card, (samples,), mono float32 at `RATE`.

    Returns
    -------
    dict
        ``answers`` given, ``stored``, ``matching``: how many of the given ones are stored so, at their place;
        ``audio``: for each playing its clip, place (s), correlation, largest difference; what broke off and was played
        again counts by its last playing.
    """
    given = [(g["item"], g.get("choice"), g.get("value")) for g in result.given]
    matching = sum(a == b for a, b in zip(stored[len(stored) - len(given) :], given, strict=False))
    audio: list[dict[str, Any]] = []
    start = 0
    following = [*(m["screen"] for m in result.markers[1:]), None]
    for marker, then in zip(result.markers, following, strict=True):
        if marker["screen"] != "playing" or then == "broken":
            continue
        stimulus = load_mono(files[marker["clip"]], RATE)
        r, at, error = compare_capture(heard, stimulus, start)
        start = at + len(stimulus) // 2
        audio.append({"clip": marker["clip"], "at_seconds": round(at / RATE, 3), "r": round(r, 6), "error": error})
    return {"answers": len(given), "stored": len(stored), "matching": matching, "audio": audio}
