"""How far the clips lie from reference music: FAD, its extrapolation, and KAD, per model, taste and embedding space.

Size, embedding and reference set change these values (Gui et al. 2023, arXiv 2311.01616), so all three stand beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.data.compared import Conditions
from analysis.errors import AnalysisError
from analysis.sound.embedding import embed_clips, level
from analysis.sound.fad import (
    Moments,
    bootstrap,
    distance,
    each,
    extrapolate,
    frames_of_each,
    kernel_distance,
    moments,
    thin,
)

if TYPE_CHECKING:
    import pandas as pd

    from stimuli.manifest import ClipRow

SHIPPED = Path(__file__).parent / "reference"
FRAMES = 60  # of a clip: neighbours at 25 Hz tell nothing new
KERNEL_FRAMES = 1500  # of each side of a kernel distance: its matrices grow with the square
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Reference:
    """Embeddings of a reference set, one (frames, width) array a clip."""

    name: str
    clips: list[np.ndarray]


def load_reference(where: str, name: str) -> Reference:
    """Load the reference embeddings: ``"shipped"`` (40 held-out rendered tracks), or a directory of audio files.

    Raises
    ------
    AnalysisError
        If the directory has no audio, or no embeddings in this space are shipped.
    """
    if where == "shipped":
        from safetensors.numpy import load_file

        path = SHIPPED / f"{name}.safetensors"
        if not path.exists():
            raise AnalysisError(
                f"there is no shipped reference for {name}; name a directory of audio as [analysis] reference"
            )
        packed = load_file(path)
        bounds = np.cumsum(packed["lengths"])[:-1]
        clips = np.split(packed["embeddings"].astype(np.float32), bounds)
        return Reference("40 held-out rendered tracks of the taste set", clips)
    from models.embeddings.spaces import open_space
    from stimuli.audio import load_mono
    from stimuli.recordings import sounds

    folder = Path(where)
    files = sounds(folder, deep=True)[0] if folder.is_dir() else []
    if len(files) < 2:
        raise AnalysisError(f"[analysis] reference {where}: no directory with at least two audio files")
    space = open_space(name)
    return Reference(folder.name, [space.embed(level(load_mono(p, space.rate))) for p in files])


def analyse(
    rows: list[ClipRow],
    folder: Path,
    names: list[str],
    where: str,
    cache: Path,
    resamples: int = 60,
    seed: int = 0,
    progress: Progress | None = None,
    conditions: Conditions = Conditions(),
) -> dict[str, list[dict[str, Any]]]:
    """Distances of every model, overall and per taste, in every space.

    Returns
    -------
    dict
        ``distances`` (metric FAD, FAD-infinity or KAD); ``fits``: the points of the extrapolation; ``clips``: FAD of
        every single clip (rank deficient: to be compared with each other only).
    """
    vectors = embed_clips(rows, folder, names, cache, progress)
    out: dict[str, list[dict[str, Any]]] = {"distances": [], "fits": [], "clips": []}
    for k, name in enumerate(names):
        reference = load_reference(where, name)
        frames = thin(np.concatenate(reference.clips), 2500)
        wanted = moments(frames)
        for model in conditions.order(r.model for r in rows):
            drawn = len(out["distances"])  # seeds the draws of all this condition's sets: no name of a taste does
            for taste in ["all", *sorted({r.taste for r in rows if r.taste})]:
                # By what they sound like, since names decide no draw.
                chosen = sorted(
                    (r for r in rows if r.model == model and taste in ("all", r.taste)), key=lambda r: r.sha256
                )
                if not chosen:
                    continue
                clips = (thin(vectors[name][r.sha256], FRAMES) for r in chosen)
                head = {
                    "model": model, "taste": taste, "embedding": name, "reference": reference.name, "n": len(chosen),
                    "n_reference": len(reference.clips), "width": wanted.width,
                    "seconds": float(np.mean([r.seconds for r in chosen])),
                }  # fmt: skip
                rng = np.random.default_rng([seed, k, drawn])
                out["distances"] += _measured(head, clips, frames, wanted, resamples, rng, out["fits"])
        alone = each((vectors[name][r.sha256] for r in rows), wanted)
        for r, value in zip(rows, alone, strict=True):
            row = {"clip": r.clip, "model": r.model, "taste": r.taste, "embedding": name}
            out["clips"].append(row | {"distance": None if np.isnan(value) else value})
    order = {"FAD": 0, "FAD-infinity": 1, "KAD": 2}
    out["distances"].sort(key=lambda r: order[r["metric"]])
    return out


def _measured(
    head: dict[str, Any],
    clips: Iterable[np.ndarray],
    frames: np.ndarray,
    wanted: Moments,
    resamples: int,
    rng: np.random.Generator,
    fits: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """The rows of one set of clips in one space; each clip is looked at once, and of many a few frames are kept."""
    n = head["n"]
    found, few, parts = Moments(wanted.width), list[np.ndarray](), list[np.ndarray]()
    for own in clips:
        found.add(own)
        few.append(thin(own, frames_of_each(n)))
        parts.append(thin(own, max(4, KERNEL_FRAMES // n)))
    value, deficient = distance(found, wanted), found.n <= wanted.width
    head = head | {"n_frames": found.n}
    low, high = bootstrap(few, wanted, resamples, rng, value) if n > 1 else (None, None)
    rows = [head | {"metric": "FAD", "value": value, "ci_low": low, "ci_high": high, "rank_deficient": deficient}]
    if head["taste"] == "all" and n >= 8:
        line = extrapolate(few, wanted, rng)
        half = 1.96 * line.error
        rows.append(
            head
            | {
                "metric": "FAD-infinity", "value": line.value, "ci_low": line.value - half, "ci_high": line.value + half,
                "rank_deficient": deficient, "r_squared": line.r_squared,
            }
        )  # fmt: skip
        fits += [
            {"model": head["model"], "embedding": head["embedding"], "n": int(n), "value": float(v)}
            for n, v in zip(line.sizes, line.values, strict=True)
        ]
    # Of many clips, those that lie evenly in their order, which is by hash: a kernel distance is unbiased by any of them.
    kernel = kernel_distance(thin(np.concatenate(parts), KERNEL_FRAMES), thin(frames, KERNEL_FRAMES))
    rows.append(head | {"metric": "KAD", "value": kernel, "ci_low": None, "ci_high": None, "rank_deficient": None})
    return rows


def against_preference(clips: list[dict[str, Any]], preference: pd.DataFrame, middle: float) -> list[dict[str, Any]]:
    """Does that condition fit better whose clip lies nearer to the reference music? One row a space.

    For every trial: distance of the clip that a low score speaks for less distance of the other, in standard deviations, as
    the slope of a mixed model of the score with a mean for each pair of conditions (random effects as in
    `analysis.preference.joint`); beside it Spearman's correlation over the means of the clips that a high score speaks for, each less
    its pair's mean.
    """
    from scipy.stats import spearmanr

    from analysis.engines.mixed import NOT_CONVERGED, fit
    from analysis.preference.joint import clips as clips_of
    from analysis.preference.joint import own, sides

    rows = []
    data = preference.dropna(subset=["score"])
    for name in dict.fromkeys(c["embedding"] for c in clips):
        known = {c["clip"]: c["distance"] for c in clips if c["embedding"] == name and c["distance"] is not None}
        nearer = (data["clip_under"].map(known) - data["clip_over"].map(known)).to_numpy(float)
        good = np.isfinite(nearer)
        if good.sum() < 20 or np.ptp(nearer[good]) == 0:
            continue
        part, x = data[good], nearer[good]
        x = (x - x.mean()) / x.std()
        compared = sides(part)
        pair = compared["pair"].to_numpy(str)
        means = np.column_stack([pair == p for p in np.unique(pair)]).astype(float)
        try:
            factors = {"people": compared["participant"].to_numpy()} | clips_of(compared, means) | own(compared)
            found = fit(part["score"].to_numpy(float) - middle, np.column_stack([means, x]), factors)
        except AnalysisError:
            continue
        if found.state == NOT_CONVERGED:
            continue
        slope = found.test(np.append(np.zeros(means.shape[1]), 1.0))
        within = part.assign(x=x, pair=pair)
        within[["score", "x"]] -= within.groupby("pair")[["score", "x"]].transform("mean")
        by_clip = within.groupby(["pair", "clip_over"])[["score", "x"]].mean()
        rho = spearmanr(by_clip["score"], by_clip["x"]) if len(by_clip) >= 5 else None
        rows.append(
            {
                "embedding": name, "n": len(part), "n_clips": part["clip_over"].nunique(), "difference": slope.estimate, "ci_low": slope.ci_low,
                "ci_high": slope.ci_high, "statistic": slope.t, "df": slope.df, "p": slope.p,
                "spearman": None if rho is None else float(rho.statistic),
                "spearman_p": None if rho is None else float(rho.pvalue), "state": found.state, "status": "exploratory",
            }
        )  # fmt: skip
    return rows
