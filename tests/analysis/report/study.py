"""A small study for tests of the report: a few simulated people, eight clips with sound as numbers, all that sections need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.config import AnalysisConfig
from analysis.data.compared import Conditions
from analysis.data.frames import StudyData
from analysis.page.inputs import Inputs
from experiment.bots.effects import load_effects
from stimuli.manifest import ClipRow

TASTES = ("bitter", "sweet")
CONDITIONS = Conditions(
    ("base", "finetuned"), {"base": "base", "finetuned": "fine-tuned"}, pairs=(("finetuned", "base"),)
)


def clip(taste: str, model: str, number: int, **changes: object) -> ClipRow:
    name = f"{taste}-{model}-{number}"
    pitch = 4.0 * (taste == "sweet") + number
    row = ClipRow(
        clip=name, taste=taste, model=model, number=number, file=f"clips/{name}.wav", sha256=f"sha-{name}", seconds=2.0,
        rate=16000, loudness=-23.04, peak=-3.0, gain=0.0, prompt=f"a {taste} prompt", seed=number, checkpoint=f"nano-{model}",
        checkpoint_sha256="c" * 64, caption=f"Slow {taste} piano, number {number}.",
        features={"tempo": 90.0 + number, "pitch_height": pitch},
    )  # fmt: skip
    return replace(row, **changes)


def clips() -> list[ClipRow]:
    return [clip(t, m, n) for m in ("finetuned", "base") for t in reversed(TASTES) for n in (1, 0)]


def answers(kind: str = "bot", people: int = 4) -> StudyData:
    """Every person compares the pairs of clips, rates two clips, and says of four which taste they call up."""
    rng = np.random.default_rng(1)
    preference = [
        (p, k, t, "base", f"{t}-base-{k % 2}", f"{t}-finetuned-{k % 2}", s, s, 3.0)
        for p in range(1, people + 1)
        for k, t in enumerate(TASTES * 2)
        for s in [float(rng.integers(3, 11))]
    ]
    ratings = [
        (p, 4 + k, t, "finetuned", f"{t}-finetuned-{(p + k) % 2}", a, float(rng.integers(1, 6)), 2.0)
        for p in range(1, people + 1)
        for k, t in enumerate(TASTES)
        for a in (*TASTES, "happy")
    ]
    rated = pd.DataFrame(
        ratings, columns=["participant", "trial", "prompt", "model", "clip", "adjective", "value", "response_time"]
    )
    named = pd.DataFrame(
        [
            (p, 9 + k, t, "finetuned", f"{t}-finetuned-{n}", str(rng.choice(TASTES)), 3.0, 2.0)
            for p in range(1, people + 1)
            for k, (t, n) in enumerate((t, n) for t in TASTES for n in (0, 1))
        ],
        columns=["participant", "trial", "asked", "condition", "clip", "answered", "confidence", "response_time"],
    )
    return StudyData(
        "s", kind,
        pd.DataFrame({"participant": range(1, people + 1), "status": "complete", "language": "en", "age": 30.0}),
        pd.DataFrame(
            preference,
            columns=["participant", "trial", "taste", "first_model", "clip_under", "clip_over", "answer", "score", "response_time"],
        ).assign(over="finetuned", under="base"),
        rated, rated.iloc[:0].rename(columns={"adjective": "item"}), 5.0, {"complete": people, "withdrawn": 2}, "0" * 64, conditions=CONDITIONS,
        identification=named,
    )  # fmt: skip


def inputs(out: Path, **changes: object) -> Inputs:
    """All that a report is made of; the clips' embeddings lie ready."""
    given = Inputs(
        title="A study <with> & signs", data=answers(), config=AnalysisConfig(resamples=100), embedders=["codec"],
        clips=clips(), folder=out / "stimuli", out=out, version="0", study_sha256="a" * 64,
        asked={t: {"tempo": ["slow"]} for t in TASTES}, effects=load_effects(),
        desk={"answers": 2, "matching": 2, "audio": [{"clip": "a", "r": 1.0}]},
    )  # fmt: skip
    given = replace(given, **changes)
    folder = out / "embeddings" / "codec"
    folder.mkdir(parents=True, exist_ok=True)
    for row in given.clips:
        rng = np.random.default_rng(sum(row.sha256.encode()))
        np.save(folder / f"{row.sha256}.npy", rng.normal(size=(30, 64)).astype(np.float32))
    return given


@contextmanager
def sketched() -> Iterator[None]:
    """Figures are written as a few bytes: for tests that look at everything else."""
    from matplotlib.figure import Figure

    def savefig(figure: Figure, path: Path, **_: object) -> None:
        Path(path).write_text(f"<svg>{sorted(str(t) for a in figure.axes for t in a.lines)}</svg>", encoding="utf-8")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", savefig)
        yield
