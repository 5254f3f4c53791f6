"""Do mean ratings agree with target vectors? The follow-up's analyses (arXiv 2604.10632).

Both sides are z-scored per taste, as its authors do it: single answers over all people and tracks (ddof 1), then averaged by the
track; targets over the tracks. Mantel's test correlates the two distance matrices (Mantel 1967); PROTEST compares
configurations (Jackson 1995), reported as vegan's correlation-like sqrt(1 - m2); the permutation test asks whether each
track lies nearer to its own target than to others'.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from analysis.data.frames import StudyData, settled
from analysis.data.worded import plain
from analysis.errors import AnalysisError

if TYPE_CHECKING:
    import pandas as pd

PERMUTATIONS = 9999


def read_targets(path: Path, items: list[str], words: Mapping[str, str]) -> pd.DataFrame:
    """Read target vectors (xlsx or csv, one row a track): index = track, columns = `items` in that order.

    A column is called as the item is, or by a word that people read for it (`words`: the study's, in any of its languages; the
    follow-up's published file of targets has Italian columns).

    Raises
    ------
    AnalysisError
        If the file is missing or unreadable or a column is, two columns say the same, a target is no number, or a track is there twice.
    """
    import pandas as pd

    if not path.exists():
        raise AnalysisError(f"targets {path} do not exist")
    try:
        table = pd.read_excel(path) if path.suffix.lower() in (".xlsx", ".xls") else pd.read_csv(path)
    except (ValueError, OSError, BadZipFile) as error:  # pandas' own errors of files are ValueErrors
        raise AnalysisError(f"targets {path} can't be read as a table: {str(error).splitlines()[0]}") from None
    own: dict[str, list[str]] = {}
    for column in map(str, table.columns):
        name = plain(column)
        own.setdefault(name if name in items else words.get(name, name), []).append(column)
    missing = [i for i in items if i not in own]
    if missing:
        raise AnalysisError(
            f"{path} has no column for {', '.join(missing)}; it has: {', '.join(map(str, table.columns))}; words of another language "
            "are known where [experiment] languages has it"
        )
    for item in items:
        if len(own[item]) > 1:
            raise AnalysisError(f"{path} has two columns for {item}: {', '.join(own[item])}; leave one out")
    table = table.rename(columns=str).rename(columns={own[item][0]: item for item in items})
    names = [c for c in table.columns if c not in items and not pd.api.types.is_numeric_dtype(table[c])]
    if not names:
        raise AnalysisError(f"{path} has no column naming the tracks")
    # A row that names no track is a blank one, or says something of all.
    table = table[[isinstance(x, str) and bool(slug(x)) for x in table[names[0]]]]
    index = table[names[0]].astype(str).map(slug)
    for item in items:
        numbers = pd.to_numeric(table[item], errors="coerce")
        if (wrong := numbers.isna() & table[item].notna()).any():
            at = wrong.idxmax()
            raise AnalysisError(f"{path} line {at + 2}: {own[item][0]} is {table[item][at]!r}, which is no number")
        table = table.assign(**{item: numbers})
    if index.duplicated().any():
        raise AnalysisError(f"{path} has {index[index.duplicated()].iloc[0]} twice; one row a track is wanted")
    return table[items].astype(float).set_index(index)


def slug(name: str) -> str:
    """A track's name without case, accents of punctuation, or extension."""
    stem = name.rsplit(".", 1)[0] if name.lower().endswith((".mp3", ".wav", ".flac", ".ogg")) else name
    return "_".join("".join(c if c.isalnum() else " " for c in stem.lower()).split())


def distances(x: np.ndarray) -> np.ndarray:
    """Euclidean distances of rows, condensed (upper triangle)."""
    from scipy.spatial.distance import pdist

    return np.asarray(pdist(x))


def mantel(a: np.ndarray, b: np.ndarray, permutations: int, rng: np.random.Generator) -> tuple[float, float]:
    """Mantel's r between the distances of rows of `a` and of `b`, one-sided p by permuting rows.

    Both are nan where all rows of one side lie equally far apart (targets that say one thing of each track alone): r is undefined.
    """
    from scipy.spatial.distance import squareform

    da, db = distances(a), squareform(distances(b))
    upper = np.triu_indices(len(a), 1)
    if any(np.ptp(d) <= 1e-9 * np.abs(d).max() for d in (da, db[upper])):
        return float("nan"), float("nan")
    r = float(np.corrcoef(da, db[upper])[0, 1])
    hits = 0
    for _ in range(permutations):
        order = rng.permutation(len(a))
        hits += np.corrcoef(da, db[np.ix_(order, order)][upper])[0, 1] >= r
    return r, (hits + 1) / (permutations + 1)


def procrustes(a: np.ndarray, b: np.ndarray, permutations: int, rng: np.random.Generator) -> tuple[float, float]:
    """Symmetric Procrustes correlation sqrt(1 - ss) of two configurations, p by permuting rows (PROTEST)."""

    def fit(x: np.ndarray, y: np.ndarray) -> float:
        x, y = x - x.mean(0), y - y.mean(0)
        x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
        return float(np.linalg.svd(x.T @ y, compute_uv=False).sum())

    r = fit(a, b)
    hits = sum(fit(a, b[rng.permutation(len(b))]) >= r - 1e-12 for _ in range(permutations))
    return r, (hits + 1) / (permutations + 1)


def target_distance(a: np.ndarray, b: np.ndarray, permutations: int, rng: np.random.Generator) -> tuple[float, float]:
    """Mean distance of rows to their own targets, and the share of row permutations that come as near."""
    own = float(np.linalg.norm(a - b, axis=1).mean())
    hits = sum(np.linalg.norm(a - b[rng.permutation(len(b))], axis=1).mean() <= own for _ in range(permutations))
    return own, (hits + 1) / (permutations + 1)


def against(data: StudyData, file: Path, permutations: int, seed: int) -> dict[str, list[dict[str, Any]]]:
    """What `analyse` finds between a study's ratings and the targets in a file, for what was rated."""
    targets = read_targets(file, sorted(set(data.ratings["adjective"])), data.words)
    return analyse(data.ratings, targets, permutations, seed)


def analyse(
    ratings: pd.DataFrame, targets: pd.DataFrame, permutations: int, seed: int
) -> dict[str, list[dict[str, Any]]]:
    """Compare mean ratings per track with targets: z-scores, tests, principal components.

    Returns
    -------
    dict
        ``tests`` (Mantel, PROTEST, permutation of targets), ``correlations`` by item, ``vectors`` (z-scored mean ratings and
        targets of each track, distance to its own target, that target's rank among all, and how often one dealt at random is the nearest), ``pca``, ``notes`` (what was left out).

    Parameters
    ----------
    ratings : DataFrame
        `analysis.data.frames.StudyData.ratings`; clips are matched to the targets' rows by name.

    Raises
    ------
    AnalysisError
        If fewer than four tracks are in both, or an item has no answer to a track, or none varies over them.
    """
    items = list(targets.columns)
    ratings = settled(ratings.dropna(subset=["value"]))
    table = ratings.pivot_table(index="clip", columns="adjective", values="value", aggfunc="mean")
    clips = list(map(str, table.index))
    table.index = [slug(c) for c in clips]
    both = [t for t in table.index if t in targets.index]
    for name in both:
        one = [clip for clip, t in zip(clips, table.index, strict=True) if t == name]
        if len(one) > 1:
            raise AnalysisError(f"the tracks {' and '.join(one)} have one name among the targets, {name!r}; rename one")
    if len(both) < 4:
        raise AnalysisError(
            f"only {len(both)} tracks are both rated and in the targets; rated: {', '.join(list(table.index)[:3])} ..., "
            f"targets: {', '.join(list(targets.index)[:3])} ..."
        )
    rated, wanted = table.reindex(columns=items).loc[both].to_numpy(float), targets.loc[both].to_numpy(float)
    for whose, values in (("ratings", rated), ("targets", wanted)):
        empty = [i for i, column in zip(items, values.T, strict=True) if not np.isfinite(column).all()]
        if empty:
            raise AnalysisError(f"the {whose} of {', '.join(empty)} are missing for some of the {len(both)} tracks")
    notes, kept = _apart(list(table.index), list(targets.index)), np.ones(len(items), dtype=bool)
    for whose, values in (("ratings", rated), ("targets", wanted)):
        same = np.ptp(values, axis=0) <= 1e-9 * np.abs(values).max(axis=0)
        kept &= ~same
        for item in np.array(items)[same]:
            notes.append({"note": f"{item} is left out: its {whose} are the same for all {len(both)} tracks"})
    if not kept.any():
        raise AnalysisError(f"{'; '.join(n['note'] for n in notes)}; nothing is left to compare")
    items = [i for i, k in zip(items, kept, strict=True) if k]
    rated, wanted = rated[:, kept], wanted[:, kept]
    # Both sides are standardised over the tracks that are compared: an answer to another moves nothing.
    compared = ratings[ratings["clip"].map(lambda clip: slug(str(clip)) in both)]
    single = compared.groupby("adjective")["value"].agg(["mean", "std"]).loc[items].to_numpy(float)
    za = (rated - single[:, 0]) / single[:, 1]
    zb = (wanted - wanted.mean(0)) / wanted.std(0, ddof=1)
    rng = np.random.default_rng(seed)
    tests = []
    for name, method in (("mantel", mantel), ("procrustes", procrustes), ("permutation", target_distance)):
        statistic, p = method(za, zb, permutations, rng)
        known = bool(np.isfinite(statistic))
        tests.append(
            {
                "test": name, "n": len(both), "statistic": statistic if known else None, "p": p if known else None,
                "permutations": permutations, "state": "ok" if known else "undefined: all tracks lie equally far apart",
            }
        )  # fmt: skip
    per_item = [
        {"item": item, "n": len(both), "r": float(np.corrcoef(rated[:, i], wanted[:, i])[0, 1])}
        for i, item in enumerate(items)
    ]
    away = np.linalg.norm(za[:, None] - zb[None], axis=2)
    return {
        "tests": tests,
        "correlations": per_item,
        "vectors": [
            {
                "clip": clip,
                **{f"rated_{item}": float(v) for item, v in zip(items, za[i], strict=True)},
                **{f"target_{item}": float(v) for item, v in zip(items, zb[i], strict=True)},
                "distance": float(away[i, i]),
                "rank": int((away[i] < away[i, i]).sum()) + 1,
                "chance": float((away[i] <= away[i].min() + 1e-9).mean()),
            }
            for i, clip in enumerate(both)
        ],
        "pca": components(za, items, "rated") + components(zb, items, "targets"),
        "notes": notes,
    }


def _apart(rated: list[str], wanted: list[str]) -> list[dict[str, str]]:
    """Notes of the tracks that are only rated, and of those that are only in the targets: perhaps one is misspelt."""
    notes = []
    for own, others, what in (
        (
            rated,
            wanted,
            ("rated tracks has no targets and is left out", "rated tracks have no targets and are left out"),
        ),
        (wanted, rated, ("targets has no rated track", "targets have no rated track")),
    ):
        lone = [name for name in own if name not in others]
        if lone:
            named = ", ".join(lone[:3]) + (" ..." if len(lone) > 3 else "")
            notes.append({"note": f"{len(lone)} of {len(own)} {what[len(lone) > 1]}: {named}"})
    return notes


def components(z: np.ndarray, items: list[str], source: str) -> list[dict[str, Any]]:
    """Principal components of standardised vectors: share of variance and loadings, one row a component.

    Signs: the largest loading of a component is positive.
    """
    values, vectors = np.linalg.eigh(np.atleast_2d(np.corrcoef(z, rowvar=False)))
    order = np.argsort(values)[::-1]
    values, vectors = values[order], vectors[:, order]
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(len(items))])
    return [
        {
            "source": source,
            "component": f"PC{k + 1}",
            "eigenvalue": float(values[k]),
            "proportion": float(values[k] / len(items)),
            **{item: float(v) for item, v in zip(items, vectors[:, k], strict=True)},
        }
        for k in range(len(items))
    ]
