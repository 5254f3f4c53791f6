"""Linear mixed models with crossed random intercepts, by REML, with Satterthwaite's degrees of freedom.

The model that comparisons and ratings ask for: answers of one person are alike, and so are answers about one clip. The
criterion and its derivatives are `analysis.engines.reml`'s; here it is searched, from every low place of a coarse grid, with
zero taken only where the slope at zero says so. Degrees of freedom follow Giesbrecht & Burns (1985) as lmerTest has them
(Kuznetsova, Brockhoff & Christensen 2017). Held to lme4 and lmerTest by tests.

What a fit can't say stands in its `state`: a variance on the boundary ("singular"), a factor inside the space of the fixed effects,
whose variance has no likelihood ("confounded": one clip a prompt), a search that did not end ("not converged"), or too few
answers ("too few").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.engines.reml import Design, Moments
from analysis.engines.search import lowest
from analysis.engines.tails import p_value
from analysis.errors import AnalysisError

OK, TOO_FEW, NOT_CONVERGED = "ok", "too few", "not converged"
SINGULAR = 1e-4  # relative standard deviation under which lme4 calls a fit singular
AT_ONCE = 3_000_000  # numbers in one array of a batch of studies
Factors = Mapping[str, np.ndarray] | Sequence[np.ndarray]


def state_of(
    names: Sequence[str], sds: Sequence[float], confounded: Sequence[str], usable: bool = True, converged: bool = True
) -> str:
    """What a fit must say of itself: "ok", "too few", "not converged", or what is confounded and singular."""
    zero = [n for n, sd in zip(names, sds, strict=True) if sd == 0]
    said = [f"confounded: {', '.join(confounded)}"] if confounded else []
    said += [f"singular: {', '.join(zero)}"] if zero else []
    return TOO_FEW if not usable else NOT_CONVERGED if not converged else "; ".join(said) or OK


@dataclass(frozen=True)
class Fits:
    """Fitted models of many studies with one design.

    Attributes
    ----------
    names : tuple of str
        The random factors as they were given.
    confounded, merged : tuple of str
        Factors that were left out: inside the fixed effects' column space; or parting the answers as an earlier factor, or the residual, does.
    beta, covariance : ndarray
        Fixed effects (studies, p) and their covariance (studies, p, p).
    sd : ndarray
        (studies, factors) standard deviations of the random intercepts, in the answers' unit; 0 on the boundary, nan where left out.
    residual_sd, reml : ndarray
        (studies,) of the residual; the REML criterion, -2 log restricted likelihood.
    usable, converged : ndarray of bool
        (studies,) whether there is anything to fit, and whether the search ended at a minimum.
    """

    names: tuple[str, ...]
    confounded: tuple[str, ...]
    merged: tuple[str, ...]
    beta: np.ndarray
    covariance: np.ndarray
    sd: np.ndarray
    residual_sd: np.ndarray
    reml: np.ndarray
    usable: np.ndarray
    converged: np.ndarray
    _design: Design
    _moments: Moments
    _gamma: np.ndarray
    _penalty: float

    def __len__(self) -> int:
        return len(self.reml)

    @cached_property
    def states(self) -> list[str]:
        """One a study: "ok", "too few", "not converged", or what is singular or confounded, e.g. "singular: clips"."""
        return [
            state_of(self.names, sds, self.confounded, bool(usable), bool(converged))
            for usable, converged, sds in zip(self.usable, self.converged, self.sd, strict=True)
        ]

    @cached_property
    def _information(self) -> np.ndarray:
        """(studies, K + 1, K + 1) Hessian of the deviance in the ratios and log sigma^2; a ratio of zero counts as known."""
        s = self._design.slopes(self._gamma, self._moments)
        k = self._design.factors
        variance = s.rss / self._design.free
        out = np.zeros((len(s.rss), k + 1, k + 1))
        out[:, :k, :k] = -s.traces + 2 * s.quadratics / variance[:, None, None]
        out[:, :k, k] = out[:, k, :k] = s.lengths / variance[:, None]
        out[:, k, k] = self._design.free
        if self._penalty:
            places = np.arange(k)
            out[:, places, places] += self._penalty / np.maximum(self._gamma, 1e-12) ** 2
        known = self._gamma == 0
        for i in range(k):
            out[known[:, i], i, :] = out[known[:, i], :, i] = 0.0
            out[known[:, i], i, i] = 1.0
        return out

    def test(self, contrasts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Estimate, standard error and Satterthwaite's df of contrasts (c, p) of the fixed effects, each (studies, c)."""
        c = np.atleast_2d(np.asarray(contrasts, dtype=float))
        estimate = self.beta @ c.T
        variance, slopes = self._design.variance_slopes(self._gamma, c)
        slopes = np.where(self._gamma[:, None, :] == 0, 0.0, slopes)
        slopes = np.concatenate([slopes, variance[..., None]], axis=2)
        spread = np.einsum("sck,skl,scl->sc", slopes, _positive_inverse(self._information), slopes, optimize=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            # Without spread (a design without any random factor left) the residual's degrees of freedom stand.
            df = np.where(spread > 0, variance**2 / np.where(spread > 0, spread, 1.0), self._design.free)
        error = np.sqrt(variance) * self.residual_sd[:, None]
        return estimate, error, df

    def sd_covariance(self) -> np.ndarray:
        """(studies, K + 1, K + 1) asymptotic covariance of the kept factors' standard deviations and the residual's."""
        k = self._design.factors
        jacobian = np.zeros((len(self), k + 1, k + 1))
        root = np.sqrt(self._gamma)
        for i in range(k):
            jacobian[:, i, i] = np.where(
                root[:, i] > 0, self.residual_sd / (2 * np.where(root[:, i] > 0, root[:, i], 1.0)), 0.0
            )
            jacobian[:, i, k] = root[:, i] * self.residual_sd / 2
        jacobian[:, k, k] = self.residual_sd / 2
        return jacobian @ (2 * _positive_inverse(self._information)) @ np.swapaxes(jacobian, 1, 2)


@dataclass(frozen=True)
class Contrast:
    """Estimate, standard error, t, Satterthwaite's degrees of freedom, p, and a two-sided interval of a contrast."""

    estimate: float
    error: float
    t: float
    df: float
    p: float
    ci_low: float
    ci_high: float


class Fit:
    """A fitted model: `Fits` of one study.

    Attributes
    ----------
    beta, covariance : ndarray
        Fixed effects (p,) and their covariance (p, p).
    sd : tuple of float
        Standard deviations of the random intercepts, one a given factor; 0 on the boundary, nan where it was left out.
    residual_sd, reml : float
        Of the residual; the REML criterion, -2 log restricted likelihood.
    state : str
        "ok", "not converged", or what is singular or confounded, e.g. "singular: clips".
    merged : tuple of str
        Factors that part the answers as an earlier factor, or the residual, does: their variance is in that one's.
    """

    def __init__(self, fits: Fits):
        self.fits = fits
        self.beta, self.covariance = fits.beta[0], fits.covariance[0]
        self.sd: tuple[float, ...] = tuple(float(sd) for sd in fits.sd[0])
        self.residual_sd, self.reml = float(fits.residual_sd[0]), float(fits.reml[0])
        self.state, self.merged = fits.states[0], fits.merged
        self.converged = bool(fits.converged[0])

    def test(self, contrast: np.ndarray, alternative: str = "two-sided", level: float = 0.95) -> Contrast:
        """Test a contrast of the fixed effects; the interval is two-sided."""
        from scipy import stats

        estimate, error, df = (float(v[0, 0]) for v in self.fits.test(np.asarray(contrast, dtype=float)))
        t = estimate / error
        p = float(p_value(stats.t.sf(t, df), stats.t.cdf(t, df), alternative))
        half = float(stats.t.ppf((1 + level) / 2, df)) * error
        return Contrast(estimate, error, t, df, p, estimate - half, estimate + half)

    def deviations_covariance(self) -> np.ndarray | None:
        """Asymptotic covariance of the standard deviations (random ..., residual); rows of zeros for one that is 0 or left out."""
        found = self.fits.sd_covariance()[0]
        kept = [i for i, sd in enumerate(self.sd) if not np.isnan(sd)] + [len(self.sd)]
        out = np.zeros((len(self.sd) + 1, len(self.sd) + 1))
        out[np.ix_(kept, kept)] = found
        return out if np.isfinite(out).all() else None


def fit(y: np.ndarray, x: np.ndarray, factors: Factors, penalty: float = 0.0) -> Fit:
    """Fit one study by REML; see `fit_many`.

    Raises
    ------
    AnalysisError
        If there is nothing to fit: fewer answers than unknowns, answers that do not vary, or dependent columns.
    """
    found = fit_many(np.asarray(y, dtype=float)[:, None], x, factors, penalty)
    if not found.usable[0]:
        raise AnalysisError("the mixed model needs answers that vary, and more of them than unknowns")
    return Fit(found)


def fit_many(y: np.ndarray, x: np.ndarray, factors: Factors, penalty: float = 0.0) -> Fits:
    """Fit studies that share a design, by REML.

    Parameters
    ----------
    y : ndarray
        (n, studies) answers.
    x : ndarray
        (n, p) fixed effects of full column rank.
    factors : mapping or sequence
        For each random intercept (n,) labels of any kind, or (n, levels) weights (+1 and -1 for the clips of a comparison).
        None: ordinary least squares. What has no variance of its own in this design is left out, and said.
    penalty : float
        Times the log of every variance ratio, taken from the criterion. 1.5 is the gamma prior with shape 2.5 on a standard
        deviation, which keeps it off zero (Chung, Rabe-Hesketh, Dorie, Gelman & Liu 2013).

    Raises
    ------
    AnalysisError
        If answers are missing, there are fewer answers than unknowns, or columns depend on each other.
    """
    y, x = np.asarray(y, dtype=float), np.asarray(x, dtype=float)
    if not isinstance(factors, Mapping):
        factors = {f"factor {k + 1}": f for k, f in enumerate(factors)}
    if not np.isfinite(y).all() or not np.isfinite(x).all():
        raise AnalysisError("the mixed model was given missing or infinite answers; drop them first")
    if len(y) <= x.shape[1] + len(factors):
        raise AnalysisError("the mixed model needs answers that vary, and more of them than unknowns")
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise AnalysisError("the mixed model's fixed effects depend on each other; leave one out")
    codes, confounded, merged = identified(x, factors)
    kept = [name for name in codes if name not in confounded + merged]
    design = Design(x, [codes[name] for name in kept])
    return _fitted(y, design, tuple(codes), kept, confounded, merged, penalty)


def _fitted(
    y: np.ndarray, design: Design, names: tuple[str, ...], kept: list[str], confounded: list[str], merged: list[str], penalty: float
) -> Fits:  # fmt: skip
    at = design.answers(y)
    # What the fixed effects leave is rounding only: nothing to fit. A stand-in keeps the batch whole.
    usable = at.square > 1e-18 * np.maximum((y**2).sum(axis=0), 1e-300)
    if not usable.all():
        stand_in = np.random.default_rng(0).normal(size=(design.n, 1))
        y = np.where(usable, y, stand_in)
        at = design.answers(y)
    step = max(1, AT_ONCE // design.r**2)
    gamma, converged = np.zeros((y.shape[1], design.factors)), np.ones(y.shape[1], dtype=bool)
    if design.factors:
        for start in range(0, y.shape[1], step):
            which = np.arange(start, min(start + step, y.shape[1]))
            gamma[which], converged[which] = lowest(design, at.of(which), penalty)
    value = np.zeros(len(gamma))
    beta, covariance = np.zeros((len(gamma), design.p)), np.zeros((len(gamma), design.p, design.p))
    rss = np.zeros(len(gamma))
    gamma[(gamma < SINGULAR**2) & (penalty == 0)] = 0.0
    for start in range(0, len(gamma), step):
        part = slice(start, start + step)
        some = at.of(np.arange(len(gamma))[part])
        value[part] = design.criterion(gamma[part], some)
        beta[part], covariance[part] = design.effects(gamma[part], some)
        rss[part] = design.slopes(gamma[part], some).rss if design.factors else some.square
    variance = rss / design.free
    sd = np.full((len(gamma), len(names)), np.nan)
    sd[:, [names.index(n) for n in kept]] = np.sqrt(gamma * variance[:, None])
    covariance = covariance * variance[:, None, None]
    return Fits(
        names, tuple(confounded), tuple(merged), beta, covariance, sd, np.sqrt(variance), value, usable, converged, design, at,
        gamma, penalty,
    )  # fmt: skip


def _coded(factor: np.ndarray) -> np.ndarray:
    """Labels as whole numbers; of weights the columns that are used."""
    if factor.ndim == 2:
        return np.asarray(factor[:, np.any(factor != 0, axis=0)], dtype=float)
    return np.asarray(np.unique(factor, return_inverse=True)[1])


def identified(x: np.ndarray, factors: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list[str], list[str]]:
    """Factors in the form that a `Design` takes, and those among them whose variance has no likelihood of its own.

    With Q the projection off the fixed effects, a variance is told by Q Z Z' Q: where that is zero the factor lies in the
    fixed effects' space ("confounded"); where it is a sum of the earlier factors' and the residual's, only the sum can be told
    ("merged").

    Returns
    -------
    tuple
        All factors by name, names of those confounded, names of those merged.
    """
    codes = {name: _coded(np.asarray(f)) for name, f in factors.items()}
    names = list(codes)
    design = Design(x, list(codes.values()))
    k = design.factors
    nothing = Moments(
        np.zeros((1, design.p)), np.zeros((1, design.r)), np.ones(1), np.zeros((1, *design.cross2.shape[:2])),
        np.zeros((1, len(design.counts))),
    )  # fmt: skip
    at = design.slopes(np.zeros((1, k)), nothing)
    gram = np.empty((k + 1, k + 1))
    gram[0, 0] = design.free
    gram[0, 1:] = gram[1:, 0] = at.gradient[0]  # without answers the gradient is tr(Q Z Z')
    gram[1:, 1:] = at.traces[0]
    kept, confounded, merged = [0], [], []
    for i, name in enumerate(names):
        own = gram[i + 1, i + 1]
        if own <= 1e-12 * design.n * design.weight[i]:
            confounded.append(name)
            continue
        scale = 1 / np.sqrt(np.diag(gram)[kept])
        inner = scale[:, None] * gram[np.ix_(kept, kept)] * scale
        with_these = scale * gram[kept, i + 1]
        if own - with_these @ np.linalg.solve(inner, with_these) <= 1e-9 * own:
            merged.append(name)
        else:
            kept.append(i + 1)
    return codes, confounded, merged


def _positive_inverse(matrices: np.ndarray) -> np.ndarray:
    """Inverses of symmetric matrices on the part where they are positive: a flat direction says nothing."""
    diagonal = np.abs(np.einsum("sii->si", matrices))
    scale = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(scale[:, :, None] * matrices * scale[:, None, :])
    inverse = np.where(values > 1e-10, 1 / np.where(values > 1e-10, values, 1.0), 0.0)
    return np.asarray(
        scale[:, :, None] * ((vectors * inverse[:, None, :]) @ np.swapaxes(vectors, 1, 2)) * scale[:, None, :]
    )
