"""Where every table of the report comes from: which function made it, of which answers, and which of them one row is about.

What is written here is held by tests against the analyses themselves: an answer that is changed changes no number that does not
name it. A table that is not written here stops the report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

UNSAID = "which people are meant is not told: it would say of a person what is kept apart from the answers"
SETTING = "a setting: no answer goes into it"


@dataclass(frozen=True)
class Source:
    """What a table stands on.

    Attributes
    ----------
    code : str
        Module and function, as ``analysis.ratings.paper:means``.
    of : tuple of str
        Pools of answers, clips or people (`analysis.report.reach.Pools`).
    by : tuple of str
        Columns whose value in a row chooses from the pools: ``taste``, or ``taste>answered`` where the answers have it under another
        name than `analysis.report.reach.MEANS` knows; ``!taste`` chooses what is of another. What a row leaves empty, or calls
        "all", chooses nothing.
    counted : dict
        Columns that are about fewer, or others, than the rest of their row, with what chooses for them.
    family : tuple of str
        Columns that rows share whose p-values are corrected together: `p_adjusted` stands on all of these.
    settings : tuple of str
        Columns that were chosen before the data.
    more : str
        A pool that is taken whole beside the others, except in rows where column `but[0]` says `but[1]`.
    note : str
        What a reader has to know of it.
    """

    code: str
    of: tuple[str, ...]
    by: tuple[str, ...] = ()
    counted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    family: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    more: str = ""
    but: tuple[str, str] = ("", "")
    note: str = ""

    def chosen_by(self, column: str) -> tuple[str, ...]:
        """The columns that choose for one."""
        return self.counted.get(column, self.by)


ROBUST = "analysis.preference.robust:preference"
JOINT = "one model of all tastes and pairs: every answer goes into every estimate; n counts those of its own taste"
COUNT = {"n": ("taste", "pair")}
PAPER = "analysis.preference.paper:analyse"
NAMING = "analysis.identification.analyse:analyse"
FACTORS = "analysis.factors.paper:analyse"
TRUST = "analysis.factors.trust:analyse"
AGAINST = "analysis.agreement.agreement:against"
WHOLE = "clips that were rated on every adjective"
PEOPLE = ("people",)
COMPARED, RATED, COMPLETE, NAMED = ("preference",), ("ratings",), ("complete",), ("identification",)
EVERY = COMPARED + RATED + NAMED
TARGETED = ("targeted",)  # about tracks that have targets
OWN = ("ratings_own",)  # without music of wrong prompts
TARGETS = "mean ratings of the tracks that have a target; single answers give the spread"
CHOICES = "answers that name none of the tastes are passed over"
BOTH = ("condition", "taste")

SOURCES: dict[str, Source] = {
    "flow": Source(
        "analysis.data.careless:flow", ("everybody",), note="sessions that left no answer are counted, and nobody is behind them here"
    ),
    "demographics": Source("analysis.data.frames:demographics", ("everybody",), note=UNSAID),
    "careless": Source("analysis.data.careless:analyse", EVERY, note="whom a sign marks is not told"),
    "repeats": Source("analysis.agreement.repeats:reliability", ("repeats",), ("item",)),
    "without_marked": Source(
        "analysis.preference.sensitivity:with_and_without", EVERY, note="who is marked follows from all answers"
    ),
    "preference_mixed": Source(ROBUST, COMPARED, counted=COUNT, note=JOINT),
    "preference_equivalence": Source(ROBUST, COMPARED, counted=COUNT, settings=("bound", "interval_level"), note=JOINT),
    "worth": Source(ROBUST, COMPARED, note="one model of all comparisons"),
    "worth_sensitivity": Source(ROBUST, COMPARED, note="one model of all comparisons"),
    "triangles": Source(ROBUST, COMPARED, note="one model of all comparisons"),
    "bradley_terry": Source(ROBUST, COMPARED, note="one model of all comparisons"),
    "preference_effects": Source(ROBUST, COMPARED, ("taste", "pair")),
    "preference_spread": Source(ROBUST, COMPARED, note=JOINT),
    "preference_variances": Source(ROBUST, COMPARED, note=JOINT),
    "preference_sensitivity": Source(ROBUST, COMPARED, settings=("bound", "interval_level"), note=JOINT),
    "preference_detectable": Source(
        "analysis.preference.sensitivity:detectable", COMPARED, settings=("alpha", "power"), note=JOINT
    ),
    "moderators": Source(
        "analysis.preference.moderators:moderators", COMPARED, ("pair",), family=("pair",), note=UNSAID,
    ),
    "preference_bias": Source("analysis.preference.sensitivity:order_and_side", COMPARED, ("pair",), family=("pair",)),
    "own_word": Source("analysis.preference.robust:ratings", OWN, ("adjective",)),
    "own_word_ordinal": Source("analysis.preference.robust:ratings", OWN, ("adjective",)),
    "prompts_mixed": Source("analysis.preference.robust:ratings", OWN, ("adjective",)),
    "means": Source("analysis.ratings.paper:means", RATED, ("prompt", "item")),
    "correlations": Source("analysis.ratings.paper:correlations", ("correlated",), ("item1", "item2"), note=WHOLE),
    "icc": Source("analysis.ratings.reliability:agreement", RATED, ("item",)),
    "mediation": Source(
        "analysis.ratings.mediation:of_study", ("complete_own", "affect_own"), more="features", but=("music", "prompt"), note=WHOLE
    ),
    "identification_accuracy": Source(
        NAMING, NAMED, ("condition",), {"n": BOTH, "share": BOTH, "ci_low": BOTH, "ci_high": BOTH, "chance": ("condition", "!taste")},
        family=("condition",),
    ),
    "identification_tests": Source(NAMING, NAMED, ("condition",), family=("condition",)),
    "identification_unbiased": Source(
        NAMING, NAMED, ("condition",), {"n": BOTH, "hits": (*BOTH, "taste>answered"), "named": ("condition", "taste>answered")},
    ),
    "identification_similarity": Source(NAMING, NAMED, ("condition",), note=CHOICES),
    "identification_bias": Source(NAMING, NAMED, ("condition",), note=CHOICES),
    "identification_choice_model": Source(NAMING, NAMED, ("condition",), note=CHOICES),
    "identification_confusion": Source(NAMING, NAMED, ("condition", "asked", "answered")),
    "identification_reliability": Source("analysis.agreement.repeats:reliability", ("repeats",), ("item",)),
    "agreement_tests": Source(AGAINST, TARGETED, settings=("permutations",), note=TARGETS),
    "agreement_correlations": Source(AGAINST, TARGETED, ("item",), {"n": ()}, note=TARGETS),
    "agreement_vectors": Source(AGAINST, TARGETED, note=TARGETS),
    "agreement_pca": Source(AGAINST, TARGETED, note=TARGETS),
    "factors_retention": Source(FACTORS, COMPLETE, note=WHOLE),
    "factors_adequacy": Source(FACTORS, COMPLETE, note=WHOLE),
    "factors_variance": Source(FACTORS, COMPLETE, note=WHOLE),
    "factors_loadings": Source(FACTORS, COMPLETE, note=WHOLE),
    "factors_phi": Source(FACTORS, COMPLETE, note=WHOLE),
    "factors_scores_by_prompt": Source(FACTORS, ("complete_own",), counted={"n": ("prompt",)}, note=WHOLE),
    "factors_loading_intervals": Source(TRUST, COMPLETE, settings=("resamples",), note=WHOLE),
    "factors_reliability": Source(TRUST, COMPLETE, note=WHOLE),
    "factors_subscales": Source(TRUST, COMPLETE, note=WHOLE),
    "factors_second_order": Source(TRUST, COMPLETE, note=WHOLE),
    "factors_groups": Source(TRUST, COMPLETE, note=UNSAID),
    "factors_invariance": Source(TRUST, COMPLETE, note=UNSAID),
    "factors_ordinal_retention": Source(FACTORS, COMPLETE, note=WHOLE),
    "factors_ordinal_loadings": Source(FACTORS, COMPLETE, note=WHOLE),
    "recovery_preference": Source(
        "analysis.report.recovery:analyse", COMPARED, ("taste", "pair"), settings=("declared",)
    ),
    "recovery_ratings": Source("analysis.report.recovery:analyse", RATED),
    "recovery_identification": Source("analysis.report.recovery:analyse", NAMED, BOTH, settings=("declared",)),
    "fad": Source("analysis.sound.distances:analyse", ("sound",), ("model", "taste"), settings=("n_reference",)),
    "distance_preference": Source("analysis.sound.distances:against_preference", COMPARED),
    "clip_distances": Source("analysis.sound.distances:analyse", ("sound",), ("clip",)),
    "correspondences": Source(
        "analysis.sound.correspondences:correspondences", ("features",), ("model", "higher", "lower"),
        {"n1": ("model", "higher"), "n2": ("model", "lower")}, family=("model",),
    ),
    "feature_tests": Source(
        "analysis.sound.correspondences:feature_tests", ("features",), ("model", "taste1", "taste2"),
        {"n1": ("model", "taste1"), "mean1": ("model", "taste1"), "n2": ("model", "taste2"), "mean2": ("model", "taste2")},
        family=("model", "feature"),
    ),
    "captions": Source(
        "analysis.sound.words:caption_check", ("captioned",), ("model", "taste>prompted"),
        {"share_other_tastes": ("model", "!taste>prompted")},
    ),
    "caption_words": Source(
        "analysis.sound.words:words_against_ratings", RATED, ("adjective",), {"p_adjusted": ()},
        note="of each rated clip the mean rating and its caption; the correction is over all words and adjectives, also those not shown",
    ),
    "paper_flow": Source("analysis.data.complete:paper_rows", PEOPLE, note=UNSAID),
    "preference_tests": Source(PAPER, ("choices",), ("taste", "pair"), family=("pair",)),
    "preference_normality": Source(PAPER, ("choices",), ("taste", "pair")),
    "preference_agreement": Source(PAPER, ("choices",), ("pair",)),
    "preference_sides": Source(PAPER, ("choices",), ("pair",)),
    "anova": Source(
        "analysis.ratings.paper:anova", ("described",), note="of these the men and women, without an eating experience that one "
        "person stands for; " + UNSAID,
    ),
    "tukey": Source("analysis.ratings.paper:tukey", ("described",)),
    "desk_audio": Source("analysis.report.rest:desk", (), note="the record of a session that a test drove: nobody's answers"),
}  # fmt: skip

# What the captions of figures count.
DRAWN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("intervals", "worth", "preference", "qq", "distribution"), ("@preference",)),
    "heatmap": ("@ratings",), "correlations": ("@complete",), "mediation": ("mediation",), "confusion": ("@identification",),
    **dict.fromkeys(("scree", "loadings", "diagram", "biplots", "loading_intervals"), ("@complete",)),
    "fad": ("@sound",), "fad_infinity": ("@sound",), "features": ("@features",),
}  # fmt: skip


def source_of(table: str) -> Source:
    """Where a table comes from.

    Raises
    ------
    KeyError
        If nobody has written it down.
    """
    try:
        return SOURCES[table]
    except KeyError:
        raise KeyError(f"table {table!r} says nowhere what it stands on (analysis/report/origins.py)") from None


def numbers_in(row: dict[str, Any]) -> list[str]:
    """The columns of a row that are numbers: no words, no yes and no, nothing missing."""
    return [c for c, v in row.items() if isinstance(v, (int, float)) and not isinstance(v, bool) and v == v]
