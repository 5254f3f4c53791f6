"""How far the clips lie from reference music: FAD, its extrapolation, and KAD, per model, taste and embedding space.

Size, embedding and reference set change these values (Gui et al. 2023, arXiv 2311.01616), so all three stand beside them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.data.compared import Conditions
from analysis.errors import AnalysisError
from analysis.kept import Kept, digest_of, made_by
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
from analysis.sound.packed import Thinned
from stimuli.units import fingerprint

if TYPE_CHECKING:
    import pandas as pd

    from stimuli.manifest import ClipRow

SHIPPED = Path(__file__).parent / "reference"
FRAMES = 60  # of a clip: neighbours at 25 Hz tell nothing new
KERNEL_FRAMES = 1500  # of each side of a kernel distance: its matrices grow with the square
EXTRAPOLATED = 8  # clips of a condition, from which on its distance is extrapolated
RESAMPLES = 60
CODE = ("analysis/sound/distances.py", "analysis/sound/fad.py")  # by which a set is measured
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Reference:
    """Embeddings of a reference set, one (frames, width) array a clip."""

    name: str
    clips: list[np.ndarray]

    @cached_property
    def frames(self) -> np.ndarray:
        """Of all clips, as many as are held against a set."""
        return thin(np.concatenate(self.clips), 2500)

    @cached_property
    def wanted(self) -> Moments:
        """Their moments."""
        return moments(self.frames)


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


@dataclass(frozen=True)
class Heard:
    """Clips of one condition, of one taste or ``all``, as one space hears them: what one call of `measured` is about.

    `clips` are in the order of their sounds' hashes; `space` and `drawn` seed its draws: which of the spaces, and how many rows come before
    those of the condition.
    """

    embedding: str
    model: str
    taste: str
    clips: list[ClipRow]
    space: int
    drawn: int

    @property
    def rows(self) -> int:
        """How many rows it makes."""
        return 3 if self.extrapolated else 2

    @property
    def extrapolated(self) -> bool:
        """Whether its distance is also extrapolated to infinitely many clips."""
        return self.taste == "all" and len(self.clips) >= EXTRAPOLATED

    def fingerprint(self, where: str, resamples: int, seed: int) -> str:
        """Of all that its distances depend on, but for what its embeddings are, which `measured` itself looks at."""
        heard = [(r.sha256, r.seconds) for r in self.clips]
        own = (self.embedding, self.model, self.taste, self.space, self.drawn)
        return fingerprint(heard, own, described(where, self.embedding), resamples, seed, made_by(*CODE))


def sets_of(rows: list[ClipRow], names: list[str], conditions: Conditions) -> list[Heard]:
    """All sets of clips that are measured: of every space and condition, overall and of every taste."""
    out: list[Heard] = []
    for k, name in enumerate(names):
        for model in conditions.order(r.model for r in rows):
            drawn = sum(
                one.rows for one in out
            )  # the same for all tastes of a condition: no taste's name decides a draw
            for taste in ["all", *sorted({r.taste for r in rows if r.taste})]:
                # By what they sound like, since names decide no draw.
                chosen = sorted(
                    (r for r in rows if r.model == model and taste in ("all", r.taste)), key=lambda r: r.sha256
                )
                if chosen:
                    out.append(Heard(name, model, taste, chosen, k, drawn))
    return out


def described(where: str, name: str) -> Any:
    """What a reference is told by: a shipped one by what its file holds, a directory, as large as it may be, by names and sizes."""
    folder, shipped = Path(where), SHIPPED / f"{name}.safetensors"
    if where == "shipped":
        return digest_of([shipped] if shipped.exists() else [])
    files = sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else []
    return [folder.name, [(p.relative_to(folder).as_posix(), p.stat().st_size) for p in files]]


def analyse(
    rows: list[ClipRow],
    folder: Path,
    names: list[str],
    where: str,
    cache: Path,
    resamples: int = RESAMPLES,
    seed: int = 0,
    progress: Progress | None = None,
    conditions: Conditions = Conditions(),
    kept: Kept | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Distances of every model, overall and per taste, in every space; sets that are `kept` as measured are not measured again.

    Returns
    -------
    dict
        ``distances`` (metric FAD, FAD-infinity or KAD); ``fits``: the points of the extrapolation; ``clips``: FAD of
        every single clip (rank deficient: to be compared with each other only).
    """
    vectors = embed_clips(rows, folder, names, cache, progress)
    out: dict[str, list[dict[str, Any]]] = {"distances": [], "fits": [], "clips": []}
    sets = sets_of(rows, names, conditions)
    for name in names:
        reference = load_reference(where, name)
        for one in sets:
            if one.embedding == name:
                clips = Thinned(vectors[name], [r.sha256 for r in one.clips], FRAMES)
                found = measured(one, clips, reference, where, resamples, seed, kept)
                out["distances"] += found["distances"]
                out["fits"] += found["fits"]
        alone = each((vectors[name][r.sha256] for r in rows), reference.wanted)
        for r, value in zip(rows, alone, strict=True):
            row = {"clip": r.clip, "model": r.model, "taste": r.taste, "embedding": name}
            out["clips"].append(row | {"distance": None if np.isnan(value) else value})
    order = {"FAD": 0, "FAD-infinity": 1, "KAD": 2}
    out["distances"].sort(key=lambda r: order[r["metric"]])
    return out


def measured(
    one: Heard,
    clips: Sequence[np.ndarray],
    reference: Reference,
    where: str,
    resamples: int,
    seed: int,
    kept: Kept | None = None,
) -> dict[str, Any]:
    """Rows of one set and the points of its extrapolation: as they are kept, if they are of these very embeddings, else made and kept."""
    if kept is None:
        return _made(one, clips, reference, resamples, seed)
    key, of = one.fingerprint(where, resamples, seed), _digest(chain(clips, reference.clips))
    found = kept.get(key)
    if found is None or found["of"] != of:
        found = {"of": of, **_made(one, clips, reference, resamples, seed)}
        kept.put(key, found)
    return dict(found)


def _digest(arrays: Iterable[np.ndarray]) -> str:
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.shape} {array.dtype} ".encode() + np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _made(
    one: Heard, clips: Sequence[np.ndarray], reference: Reference, resamples: int, seed: int
) -> dict[str, list[dict[str, Any]]]:
    head = {
        "model": one.model, "taste": one.taste, "embedding": one.embedding, "reference": reference.name, "n": len(clips),
        "n_reference": len(reference.clips), "width": reference.wanted.width,
        "seconds": float(np.mean([r.seconds for r in one.clips])),
    }  # fmt: skip
    rng = np.random.default_rng([seed, one.space, one.drawn])
    fits: list[dict[str, Any]] = []
    rows = _measured(head, one, clips, reference, resamples, rng, fits)
    return {"distances": rows, "fits": fits}


def _measured(
    head: dict[str, Any],
    one: Heard,
    clips: Sequence[np.ndarray],
    reference: Reference,
    resamples: int,
    rng: np.random.Generator,
    fits: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """The rows of one set of clips in one space; each clip is looked at once, and of many a few frames are kept."""
    wanted, n = reference.wanted, len(clips)
    found, few, parts = Moments(wanted.width), list[np.ndarray](), list[np.ndarray]()
    for own in clips:
        found.add(own)
        few.append(thin(own, frames_of_each(n)))
        parts.append(thin(own, max(4, KERNEL_FRAMES // n)))
    value, deficient = distance(found, wanted), found.n <= wanted.width
    head = head | {"n_frames": found.n}
    low, high = bootstrap(few, wanted, resamples, rng, value) if n > 1 else (None, None)
    rows = [head | {"metric": "FAD", "value": value, "ci_low": low, "ci_high": high, "rank_deficient": deficient}]
    if one.extrapolated:
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
    kernel = kernel_distance(thin(np.concatenate(parts), KERNEL_FRAMES), thin(reference.frames, KERNEL_FRAMES))
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
