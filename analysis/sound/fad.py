"""Fréchet and kernel distances between sets of embeddings: the mathematics, without audio.

FAD (Kilgour et al. 2019) = |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)). With factors F1'F1 = C1 and F2'F2 = C2 the trace
of the root is the nuclear norm of F1 F2': exact, fast, and no matrix square root. Intervals are bootstrap over clips, not
frames. Sample size biases it, so it is also extrapolated to infinitely many clips (Chong & Forsyth 2020; Gui et al. 2023,
arXiv 2311.01616). KAD (arXiv 2502.15602) is the unbiased squared maximum mean discrepancy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.errors import AnalysisError

KAD_SCALE = 100.0  # as kadtk prints it
CHUNK = 4096


class Moments:
    """Mean and covariance of embeddings, added clip by clip: memory does not grow with their number.

    Up to `width` frames are kept as they are (their factor is smaller and exact); more are summed up, `CHUNK` at a time.
    """

    def __init__(self, width: int):
        self.width, self.n = width, 0
        self._waiting: list[np.ndarray] = []
        self._summed = 0
        self._mean = np.zeros(width)
        self._scatter = np.zeros((0, 0))

    def add(self, frames: np.ndarray) -> Moments:
        """Add embeddings (frames, width)."""
        frames = np.asarray(frames, dtype=np.float64)
        if frames.ndim != 2 or frames.shape[1] != self.width:
            raise AnalysisError(f"embeddings of width {self.width} are expected, not of shape {frames.shape}")
        if not np.isfinite(frames).all():
            raise AnalysisError("an embedding holds a value that is not a number; the audio or the network is broken")
        self._waiting.append(frames)
        self.n += len(frames)
        if self.n - self._summed >= max(CHUNK, self.width + 1):
            self._sum()
        return self

    def _sum(self) -> None:
        """Sum up what waits: scatter around the common mean from parts (Chan, Golub & LeVeque 1983)."""
        if not self._waiting:
            return
        waiting, self._waiting = np.concatenate(self._waiting), []
        if not self._summed:
            self._scatter = np.zeros((self.width, self.width))
        for start in range(0, len(waiting), CHUNK):
            x = waiting[start : start + CHUNK]
            mean = x.mean(axis=0)
            centred = x - mean
            shift, total = mean - self._mean, self._summed + len(x)
            self._scatter += centred.T @ centred + np.outer(shift, shift) * (self._summed * len(x) / total)
            self._mean = self._mean + shift * (len(x) / total)
            self._summed = total

    def _few(self) -> np.ndarray | None:
        """The frames themselves where they are no more than `width`; else None, and all are summed up."""
        if self._summed == 0 and self.n <= self.width:
            return np.concatenate(self._waiting) if self._waiting else np.zeros((0, self.width))
        self._sum()
        return None

    @property
    def mean(self) -> np.ndarray:
        """(width,)"""
        few = self._few()
        return self._mean if few is None else few.mean(axis=0)

    def covariance(self) -> np.ndarray:
        """(width, width), divided by n - 1."""
        f = self.factor()
        return np.asarray(f.T @ f)

    def factor(self) -> np.ndarray:
        """F with F'F the covariance: the centred frames themselves, or the triangular root of the sums."""
        if self.n < 2:
            raise AnalysisError("a Fréchet distance needs at least two frames on each side")
        few = self._few()
        if few is not None:
            return np.asarray((few - few.mean(axis=0)) / np.sqrt(self.n - 1))
        c = self._scatter / (self.n - 1)
        try:
            root = np.linalg.cholesky(c).T
            if np.diag(root).min() > 1e-5 * np.diag(root).max():
                return np.asarray(root)
        except np.linalg.LinAlgError:
            pass
        # Dimensions without variance: rounding would count as a little of it.
        values, vectors = np.linalg.eigh(c)
        kept = values > 1e-13 * len(values) * max(values[-1], 0.0)
        return np.asarray(np.sqrt(values[kept])[:, None] * vectors[:, kept].T)


def moments(frames: np.ndarray) -> Moments:
    """The moments of one array of embeddings (frames, width)."""
    return Moments(np.asarray(frames).shape[1]).add(frames)


def nuclear_norm(m: np.ndarray) -> float:
    """Sum of singular values.

    Roots of eigenvalues are several times faster than singular values; they are taken where the rounding they may bring
    is under 1e-11 of the sum.
    """
    if min(m.shape) < 128:
        return float(np.linalg.svd(m, compute_uv=False).sum())
    gram = m @ m.T if m.shape[0] <= m.shape[1] else m.T @ m
    values = np.linalg.eigvalsh(gram)
    largest = max(float(values[-1]), 1e-300)
    doubt = np.finfo(float).eps * largest
    roots = np.sqrt(np.maximum(values, 0.0))
    error = np.where(values > doubt, doubt / (2 * np.maximum(roots, 1e-300)), np.sqrt(doubt)).sum()
    if error < 1e-11 * roots.sum():
        return float(roots.sum())
    return float(np.linalg.svd(m, compute_uv=False).sum())


def distance(a: Moments, b: Moments) -> float:
    """Fréchet distance of two sets; negative rounding is cut to zero."""
    fa, fb = a.factor(), b.factor()
    value = float(((a.mean - b.mean) ** 2).sum() + (fa**2).sum() + (fb**2).sum() - 2 * nuclear_norm(fa @ fb.T))
    return max(0.0, value)


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Fréchet distance of two sets of embeddings, (frames, width) each, at least two frames."""
    return distance(moments(a), moments(b))


def each(clips: Iterable[np.ndarray], reference: Moments) -> Iterator[float]:
    """Fréchet distance of every clip alone, as its own set of frames (frames, width), to the reference.

    The covariance of a few frames has their rank only: values are biased upwards and comparable between clips of as many
    frames. A clip of one frame has no spread: NaN.
    """
    factor, mean = reference.factor(), reference.mean
    trace = float((factor**2).sum())
    for frames in clips:
        if len(frames) < 2:
            yield float("nan")
            continue
        own = moments(frames)
        part = own.factor()
        value = float(((own.mean - mean) ** 2).sum() + (part**2).sum()) + trace - 2 * nuclear_norm(part @ factor.T)
        yield max(0.0, value)


@dataclass(frozen=True)
class _Seen:
    """The evaluated clips as the reference's covariance sees them: all that a resample needs, computed once.

    `frames` are X, the frames less the reference's mean, `lengths` their squared lengths; `projected` is X F' with the
    reference's factor F, `kernel` its products, where frames are fewer than rows of F; `of_clip` each frame's clip.
    """

    frames: np.ndarray
    lengths: np.ndarray
    projected: np.ndarray
    kernel: np.ndarray | None
    trace: float
    of_clip: np.ndarray

    def value(self, weights: np.ndarray) -> float:
        """Distance of the clips with these weights (how often each is drawn)."""
        w = weights[self.of_clip]
        rows = np.flatnonzero(w)
        w = w[rows]
        total = w.sum()
        if total < 2:
            return float("nan")
        share = w / total
        mean = share @ self.frames[rows]
        shift = float(mean @ mean)
        spread = float(w @ self.lengths[rows] - total * shift) / (total - 1)
        scale = np.sqrt(w / (total - 1))
        if self.kernel is None:
            part = self.projected[rows]
            part = scale[:, None] * (part - share @ part)
            gram = part.T @ part
        else:
            kernel = self.kernel[np.ix_(rows, rows)]
            side = kernel @ share
            gram = scale[:, None] * (kernel - side[:, None] - side[None, :] + float(share @ side)) * scale
        values = np.linalg.eigvalsh(gram)
        values = values[values > 1e-14 * len(values) * max(values[-1], 0.0)]
        return max(0.0, shift + spread + self.trace - 2 * float(np.sqrt(values).sum()))


def _seen(clips: Sequence[np.ndarray], reference: Moments) -> _Seen:
    x = np.concatenate(clips).astype(np.float64) - reference.mean
    factor = reference.factor()
    projected = x @ factor.T
    of_clip = np.repeat(np.arange(len(clips)), [len(c) for c in clips])
    kernel = projected @ projected.T if len(x) < len(factor) else None
    return _Seen(x, np.einsum("ij,ij->i", x, x), projected, kernel, float((factor**2).sum()), of_clip)


def thin(frames: np.ndarray, most: int) -> np.ndarray:
    """At most `most` evenly spaced frames of a clip: neighbours tell little new."""
    return frames if len(frames) <= most else frames[np.linspace(0, len(frames) - 1, most).astype(int)]


def frames_of_each(clips: int, frames: int = 600) -> int:
    """How many frames of each of so many clips resamples are drawn of."""
    return max(4, frames // clips)


def bootstrap(
    clips: Sequence[np.ndarray],
    reference: Moments,
    resamples: int,
    rng: np.random.Generator,
    value: float | None = None,
) -> tuple[float, float]:
    """Centred bootstrap 95 % interval of the distance over clips.

    Resampled sets repeat clips, which lifts a Fréchet distance: the spread of the resamples is put around the value
    itself, and cut at zero. The spread is taken on a few frames of each clip (`frames_of_each`).

    Parameters
    ----------
    value : float, optional
        The distance itself; default: that of these frames.
    """
    if value is None:
        found = Moments(reference.width)
        for c in clips:
            found.add(c)
        value = distance(found, reference)
    seen = _seen([thin(c, frames_of_each(len(clips))) for c in clips], reference)
    draws = rng.integers(len(clips), size=(resamples, len(clips)))
    values = np.array([seen.value(np.bincount(d, minlength=len(clips)).astype(float)) for d in draws])
    low, high = value + np.quantile(values - values.mean(), [0.025, 0.975])
    return max(0.0, float(low)), float(high)


@dataclass(frozen=True)
class Extrapolation:
    """FAD-infinity: intercept of the line through `values` over 1 / `sizes`, with its R squared and standard error."""

    value: float
    slope: float
    r_squared: float
    error: float
    sizes: np.ndarray
    values: np.ndarray


def extrapolate(
    clips: Sequence[np.ndarray],
    reference: Moments,
    rng: np.random.Generator,
    steps: int = 10,
    repeats: int = 4,
) -> Extrapolation:
    """Extrapolate the distance to infinitely many clips, from subsets of clips without repetition.

    Raises
    ------
    AnalysisError
        With fewer than eight clips a line can't be told from noise.
    """
    n = len(clips)
    if n < 8:
        raise AnalysisError(f"{n} clips are too few to extrapolate from; eight are needed")
    seen = _seen([thin(c, frames_of_each(n)) for c in clips], reference)
    sizes = np.unique(np.linspace(max(4, n // 4), n, steps).astype(int))
    values = []
    for size in sizes:
        drawn = [np.bincount(rng.choice(n, size, replace=False), minlength=n).astype(float) for _ in range(repeats)]
        values.append(np.mean([seen.value(w) for w in (drawn if size < n else drawn[:1])]))
    x, y = 1 / sizes, np.array(values)
    slope, intercept = np.polyfit(x, y, 1)
    rest = y - (intercept + slope * x)
    spread = float(((y - y.mean()) ** 2).sum())
    error = np.sqrt((rest**2).sum() / max(len(x) - 2, 1) * (1 / len(x) + x.mean() ** 2 / ((x - x.mean()) ** 2).sum()))
    r_squared = 1 - float((rest**2).sum()) / spread if spread > 0 else 1.0
    return Extrapolation(float(intercept), float(slope), r_squared, float(error), sizes, y)


def kernel_distance(a: np.ndarray, b: np.ndarray, bandwidth: float | None = None) -> float:
    """Kernel Audio Distance of embeddings `a` to the reference `b`: 100 times the unbiased squared MMD.

    Gaussian kernel; its bandwidth is the median distance between frames of the reference (kadtk 1.1.0). Unbiased, so
    it may be a little negative for equal sources.
    """
    from scipy.spatial.distance import cdist, pdist

    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if len(a) < 2 or len(b) < 2:
        raise AnalysisError("a kernel distance needs at least two frames on each side")
    within_b = pdist(b, "sqeuclidean")
    width = float(np.sqrt(np.median(within_b))) if bandwidth is None else bandwidth
    if width == 0:
        raise AnalysisError("all frames of the reference are the same; a kernel distance can't be told")
    gamma = 1 / (2 * width**2)
    # pdist lists each pair once: its mean is the unbiased one, without the diagonal.
    within_a = np.exp(-gamma * pdist(a, "sqeuclidean")).mean()
    across = np.exp(-gamma * cdist(a, b, "sqeuclidean")).mean()
    return KAD_SCALE * float(within_a + np.exp(-gamma * within_b).mean() - 2 * across)
