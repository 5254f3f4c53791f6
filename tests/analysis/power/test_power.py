"""The fast generator beside the session engine, its test beside the analysis', and the laws that power obeys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.config import AnalysisConfig
from analysis.errors import AnalysisError
from analysis.power.plans import Answers, detected
from analysis.power.power import BATCH, Simulation, clip_table, generate, null, plot, power
from analysis.preference import paper, robust
from analysis.preference.pairs import by_pair
from experiment.bots.effects import Effects, load_effects
from tastelab.study import load_study
from tests.conftest import ROOT

STUDY = load_study(ROOT / "study.toml")
TASTES = [t.name for t in STUDY.stimuli.tastes]


PAPER = STUDY.analysis.model_copy(update={"plan": "paper"})


def simulation(
    effects: Effects, studies: int, seed: int = 0, analysis: AnalysisConfig = PAPER, clips: tuple[int, ...] = (5,)
) -> Simulation:
    """The default study with five clips a taste, by the plan that is fast."""
    return Simulation(STUDY.experiment, effects, tuple(TASTES), clips, analysis, studies, seed)


def hits(found: list[Any]) -> dict[tuple[str, str], np.ndarray]:
    return {(d.taste, d.alternative): d.hits for d in found}


SHORT = STUDY.experiment.model_copy(update={"ratings": None, "affect": []})  # sessions end with the preference task


def changed(**preference: Any) -> Effects:
    """The default effects with other ones of task 1; by default nothing varies, so that answers are known beforehand."""
    still = {"participant_sd": 0.0, "clip_sd": 0.0, "residual_sd": 1e-9, "careless": 0.0}
    effects = load_effects()
    if "mean" in preference:
        preference["mean"] = {"finetuned": preference["mean"]}
    return effects.model_copy(update={"preference": effects.preference.model_copy(update=still | preference)})


MEANS = {"bitter": 3.0, "salty": 5.0, "sour": 6.0, "sweet": 8.0}
CLIPS = tuple(clip_table(TASTES, 5))


def drawn(effects: Effects, n: int, studies: int, seed: int = 0) -> Answers:
    return generate(STUDY.experiment, effects, CLIPS, n, studies, np.random.default_rng(seed))


def test_a_study_without_the_task_is_refused() -> None:
    bare = STUDY.experiment.model_copy(update={"preference": None})
    with pytest.raises(AnalysisError, match="power is worked out for comparisons alone"):
        generate(bare, load_effects(), CLIPS, 4, 1, np.random.default_rng(0))
    with pytest.raises(AnalysisError, match="power is worked out for comparisons alone"):
        power(Simulation(bare, load_effects(), tuple(TASTES), (5,), STUDY.analysis, 20, 0), [4])


def test_nothing_is_no_mean_and_people_and_clips_as_before() -> None:
    was = load_effects()
    found = null(was, 5.0)
    assert found.preference.mean == {}
    assert found.preference.model_copy(update={"mean": was.preference.mean}) == was.preference
    assert found.preference.clip_sd > 0
    assert found.ratings == was.ratings
    assert found.name == f"{was.name}, null"


def test_false_positives_are_as_declared_and_power_grows() -> None:
    still = changed(mean={}, residual_sd=2.4)  # the ranks take answers for independent: so they are
    rows = power(simulation(still, 4000), [60])
    overall = next(r for r in rows if r["taste"] == "all")
    assert overall["power"] == pytest.approx(0.05, abs=4 * (0.05 * 0.95 / 4000) ** 0.5)
    assert overall["mean"] is None
    family = next(r for r in rows if r["taste"] == "any")
    assert 0.02 < family["power"] <= 0.06
    single = [r["power"] for r in rows if r["taste"] in TASTES]
    assert max(single) < 0.025  # 5 % shared by four tastes
    assert max(single) <= family["power"] <= sum(single)
    rows = power(simulation(load_effects(), 400), [20, 80, 200])
    sweet = [r["power"] for r in rows if r["taste"] == "sweet"]
    assert sweet == sorted(sweet)
    assert sweet[0] < 0.6 < 0.9 < sweet[2]
    assert [r["people"] for r in rows] == [n for n in (20, 80, 200) for _ in range(6)]
    assert {r["mean"] for r in rows if r["taste"] == "sweet"} == {load_effects().preference.mean["finetuned"]["sweet"]}
    assert power(simulation(load_effects(), 400), [80]) == [
        r for r in rows if r["people"] == 80
    ]  # whatever stands beside it
    assert power(simulation(load_effects(), 400, seed=1), [20, 80, 200]) != rows


def test_larger_effects_are_found_more_often() -> None:
    found = []
    for mean in (5.0, 5.4, 5.8, 6.4):
        rows = power(simulation(changed(mean=dict.fromkeys(TASTES, mean), residual_sd=2.5), 200), [30])
        found.append(next(r["power"] for r in rows if r["taste"] == "all"))
    assert found == sorted(found)
    assert found[0] < 0.12
    assert found[-1] > 0.95


def test_shares_have_wilsons_interval_and_count_every_study() -> None:
    """Wilson 1927 with z = 1.96: of 250 hits of 250 the low end is n / (n + z^2), of none the high end z^2 / (n + z^2)."""
    rows = {r["taste"]: r for r in power(simulation(changed(mean=MEANS), 250), [20])}
    z2 = 1.959963984540054**2
    for name, power_ in (("sweet", 1.0), ("sour", 1.0), ("bitter", 0.0), ("salty", 0.0), ("any", 1.0)):
        row = rows[name]
        assert (row["power"], row["simulations"], row["people"], row["clips"]) == (power_, 250, 20, 5), name
        ends = (250 / (250 + z2), 1.0) if power_ else (0.0, z2 / (250 + z2))
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(ends)
    # Batches are different studies: twice as many are not the same ones twice.
    few, many = (power(simulation(load_effects(), k), [40]) for k in (200, 400))
    assert [r["power"] for r in few] != [r["power"] for r in many]


def test_progress_is_told_after_every_batch() -> None:
    told: list[tuple[int, int]] = []
    power(simulation(load_effects(), BATCH + 1), [4, 6], lambda done, of: told.append((done, of)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_figure_has_a_line_for_every_test(tmp_path: Path) -> None:
    import matplotlib as mpl

    rows = power(simulation(load_effects(), 20), [6, 12])
    with mpl.rc_context({"svg.fonttype": "none"}):
        plot(rows, 0.05, tmp_path / "deep" / "power.svg")
    text = (tmp_path / "deep" / "power.svg").read_text()
    for label in (
        "SIMULATED",
        "participants",
        "power",
        "all (greater)",
        "any (corrected)",
        *(f"{t} (greater)" for t in TASTES),
    ):
        assert f">{label}<" in text, label


def test_detection_follows_the_declared_direction() -> None:
    places = np.tile(np.arange(4), (40, 1))
    high = Answers(np.full((1, 40, 4), 9.0), places, tuple(sorted(TASTES)), places)
    found = hits(
        detected(
            high, 5.0, AnalysisConfig(hypotheses=[{"taste": "all"}, {"taste": "salty", "alternative": "less"}]), "paper"
        )
    )
    assert not found["salty", "less"][0]
    assert found["sweet", "two-sided"][0]
    assert found["all", "greater"][0]


@pytest.mark.parametrize("correction", ["bonferroni", "holm"])
def test_a_study_finds_what_its_own_analysis_finds(correction: str) -> None:
    """Simulated studies, one by one, through the tests that the report makes: the same are found."""
    config = AnalysisConfig(
        hypotheses=[{"taste": "all"}, {"taste": "sweet"}, {"taste": "sour", "alternative": "less"}, {"taste": "bitter"}],
        correction=correction, resamples=100,
    )  # fmt: skip
    means = {"bitter": 5.6, "salty": 4.0, "sour": 4.3, "sweet": 6.2}
    answers = drawn(changed(mean=means, residual_sd=2.0), 20, 12)
    found = hits(detected(answers, 5.0, config, "paper"))
    assert list(found) == [
        ("all", "greater"), ("bitter", "greater"), ("salty", "two-sided"), ("sour", "less"), ("sweet", "greater"), ("any", "corrected"),
    ]  # fmt: skip
    told = 0
    for k, scores in enumerate(answers.scores):
        frame = pd.DataFrame(
            {
                "participant": np.repeat(np.arange(20), scores.shape[1]), "trial": np.tile(np.arange(scores.shape[1]), 20),
                "taste": [answers.names[i] for i in answers.tastes.ravel()], "score": scores.ravel(), "answer": scores.ravel(),
                "first_model": "base", "over": "finetuned",
            }
        )  # fmt: skip
        tests = paper.analyse(frame, 5.0, config)["tests"]
        assert found["all", "greater"][k] == (tests[0]["p"] < 0.05)
        single = {(r["taste"], r["alternative"]): r["p_adjusted"] < 0.05 for r in tests[1:]}
        assert {key: bool(found[key][k]) for key in single} == single
        assert found["any", "corrected"][k] == any(single.values())
        told += sum(single.values())
    assert 0 < told < 4 * 12


def framed(answers: Answers, scores: np.ndarray) -> pd.DataFrame:
    """One simulated study as its own analysis reads it."""
    n, trials = answers.tastes.shape
    return pd.DataFrame(
        {
            "participant": np.repeat(np.arange(n), trials), "trial": np.tile(np.arange(trials), n),
            "taste": [answers.names[i] for i in answers.tastes.ravel()], "score": scores.ravel(),
            "clip_over": [f"o{k}" for k in answers.heard.ravel()], "clip_under": [f"u{k}" for k in answers.heard.ravel()],
        }
    )  # fmt: skip


@pytest.mark.parametrize("changes", [{}, {"correction": "holm", "overall": "gate"}])
def test_the_robust_plan_is_simulated_by_its_own_functions(changes: dict[str, str]) -> None:
    """Study by study through `robust.preference`: the same tests are found, equivalence among them."""
    config = AnalysisConfig(
        hypotheses=[{"taste": "all"}, {"taste": "sweet"}, {"taste": "sour", "alternative": "less"}, {"taste": "bitter"}],
        equivalence=[{"taste": "salty", "bound": 1.2}], resamples=100, **changes,
    )  # fmt: skip
    means = {"bitter": 5.6, "salty": 5.0, "sour": 3.9, "sweet": 6.4}
    answers = drawn(changed(mean=means, residual_sd=2.0, clip_sd=0.3, participant_sd=0.6), 30, 8)
    found = detected(answers, 5.0, config)
    assert [(d.taste, d.test, d.alternative) for d in found] == [
        ("all", "mixed model", "greater"), ("bitter", "mixed model", "greater"), ("salty", "mixed model", "two-sided"),
        ("sour", "mixed model", "less"), ("sweet", "mixed model", "greater"), ("salty", "tost 1.2", "equivalence"),
        ("any", "any declared", "corrected"),
    ]  # fmt: skip
    told = 0
    for k, scores in enumerate(answers.scores):
        tables = robust.preference(framed(answers, scores), 5.0, config)
        rows = [*tables["tests"], *tables["equivalence"]]
        wanted = [(r["p"] if r["p_adjusted"] is None else r["p_adjusted"]) < 0.05 for r in rows]
        assert [bool(d.hits[k]) for d in found[:-1]] == wanted
        assert bool(found[-1].hits[k]) == any(
            w for w, r in zip(wanted, rows, strict=True) if r["p_adjusted"] is not None
        )
        told += sum(wanted)
    assert 2 < told < 6 * 8
    assert all(d.none == 0 for d in found)


@pytest.mark.parametrize("plan", ["robust", "paper"])
def test_several_pairs_of_conditions_are_simulated_as_they_are_analysed(plan: str) -> None:
    """fit-and-name compares two pairs over crossed clips: study by study what `analysis preference` finds, of each pair."""
    study = load_study(ROOT / "studies" / "fit-and-name.toml")
    config = study.analysis.model_copy(update={"resamples": 100})
    clips = clip_table(TASTES, 24, ("base", "finetuned", "wrong"))
    means = {"finetuned": dict.fromkeys(TASTES, 6.5)}
    lifted = load_effects().preference.model_copy(update={"mean": means, "careless": 0.0})
    effects = load_effects().model_copy(update={"preference": lifted})
    answers = generate(study.experiment, effects, clips, 10, 3, np.random.default_rng(0))
    assert answers.pairs == (("finetuned", "base"), ("finetuned", "wrong"))
    assert answers.compared is not None
    assert answers.other is not None
    assert np.bincount(answers.compared.ravel()).tolist() == [
        80,
        40,
    ]  # two trials of three are with the base model's music
    models = np.array([c.model for c in clips])
    assert (models[answers.heard] == "finetuned").all()
    assert (models[answers.other] == np.array(["base", "wrong"])[answers.compared]).all()
    found = detected(answers, 5.0, config, plan)
    sides = np.array(answers.pairs)[answers.compared.ravel()]
    told = 0
    for k, scores in enumerate(answers.scores):
        frame = framed(answers, scores).assign(
            clip_under=[f"o{j}" for j in answers.other.ravel()], over=sides[:, 0], under=sides[:, 1], answer=scores.ravel(),
            first_model="base",
        )  # fmt: skip
        if plan == "robust":
            rows = robust.preference(frame, 5.0, config)["tests"]
        else:
            rows = by_pair(frame, lambda part: paper.analyse(part, 5.0, config))["tests"]
        decided = {
            (r["taste"], r["pair"]): r["p"] if plan == "paper" and r["taste"] == "all" else r["p_adjusted"]
            for r in rows
            if r["role"] == "declared"
        }
        got = {(d.taste, d.pair): bool(d.hits[k]) for d in found if d.taste != "any"}
        assert got == {key: p < 0.05 for key, p in decided.items()}
        assert len(got) == 10
        told += sum(got.values())
    assert 0 < told < 30


def test_rows_of_several_pairs_name_them(tmp_path: Path) -> None:
    study = load_study(ROOT / "studies" / "fit-and-name.toml")
    rows = power(Simulation(study.experiment, load_effects(), tuple(TASTES), (24,), study.analysis, 20, 0), [4])
    assert {r["pair"] for r in rows} == {"finetuned - base", "finetuned - wrong", ""}
    assert len({(r["taste"], r["test"], r["pair"]) for r in rows}) == len(rows) == 11
    plot(rows, 0.05, tmp_path / "power.svg")


def test_comparisons_of_two_tasks_are_simulated_both() -> None:
    """Both pairs are tested when data are there: power of one of them, corrected for half of the tests, is of another plan."""
    from experiment.tasks.preference import PreferenceTask

    study = load_study(ROOT / "studies" / "fit-and-name.toml")
    one = next(t for t in study.experiment.sequence() if isinstance(t, PreferenceTask))
    tasks = [
        one.model_copy(update={"name": name, "pairs": [pair], "trials": 8})
        for name, pair in (("models", ("finetuned", "base")), ("prompts", ("finetuned", "wrong")))
    ]
    config = study.experiment.model_copy(update={"tasks": tasks})
    answers = generate(
        config, load_effects(), clip_table(TASTES, 8, ("base", "finetuned", "wrong")), 5, 2, np.random.default_rng(0)
    )
    assert answers.compared is not None
    assert answers.pairs == (("finetuned", "base"), ("finetuned", "wrong"))
    assert [np.bincount(row).tolist() for row in answers.compared] == [[8, 8]] * 5
    rows = power(Simulation(config, load_effects(), tuple(TASTES), (8,), study.analysis, 20, 0), [4])
    assert {r["pair"] for r in rows} == {"finetuned - base", "finetuned - wrong", ""}


def test_a_wider_slider_is_as_powerful() -> None:
    """Points of the effects are of 0 to 10: on a slider to 100 they are ten times as many, and so is all that varies."""
    task = STUDY.experiment.preference.model_copy(update={"high": 100})
    wide = STUDY.experiment.model_copy(update={"preference": task})
    narrow, hundred = (
        power(Simulation(config, load_effects(), tuple(TASTES), (5,), PAPER, 200, 0), [60])
        for config in (STUDY.experiment, wide)
    )
    assert {r["taste"]: r["mean"] for r in hundred}["sweet"] == 61
    for a, b in zip(narrow, hundred, strict=True):
        assert a["power"] == pytest.approx(b["power"], abs=0.12)
    assert max(r["power"] for r in hundred if r["taste"] == "sweet") > 0.3


def test_power_says_the_plan_that_ran_and_grows_with_clips() -> None:
    few = power(simulation(load_effects(), 60, analysis=STUDY.analysis, clips=(3, 12)), [60])
    assert {r["plan"] for r in few} == {"robust"}
    assert {r["test"] for r in few} == {"mixed model", "tost 1", "any declared"}
    assert [r["clips"] for r in few] == [3] * 7 + [12] * 7
    sweet = [r["power"] for r in few if r["taste"] == "sweet"]
    assert sweet[1] > sweet[0]
    assert {r["plan"] for r in power(simulation(load_effects(), 20), [6])} == {"paper"}


def test_studies_whose_fit_gives_no_result_find_nothing_and_are_counted() -> None:
    places = np.tile(np.arange(4), (10, 1))
    flat = Answers(np.full((3, 10, 4), 9.0), places, tuple(sorted(TASTES)), places + 4 * (np.arange(10)[:, None] % 2))
    found = detected(flat, 5.0, STUDY.analysis)
    assert not any(d.hits.any() for d in found)
    assert {d.none for d in found} == {3}


def test_the_table_says_how_many_studies_gave_no_result() -> None:
    """Everybody always answers alike, so that no fit has anything to go by: all studies of both batches."""
    effects = load_effects()
    alike = effects.preference.model_copy(
        update=dict.fromkeys(("participant_sd", "clip_sd", "residual_sd", "taste_sd", "pair_sd", "careless"), 0.0)
    )
    asked = simulation(effects.model_copy(update={"preference": alike}), BATCH + 5, analysis=STUDY.analysis)
    assert {r["no_result"] for r in power(asked, [6])} == {BATCH + 5}


def test_nothing_is_found_where_every_answer_is_the_middle_and_alpha_is_the_plans() -> None:
    places = np.tile(np.arange(4), (10, 1))
    middle = Answers(np.full((2, 10, 4), 5.0), places, tuple(sorted(TASTES)), places)
    assert not any(d.hits.any() for d in detected(middle, 5.0, PAPER))
    scores = np.full((1, 12, 1), 5.0)
    scores[0, :5, 0] = [6, 7, 8, 9, 10]  # V = 15 of 5: R's wilcox.test, exact = FALSE: p = 0.02952
    none = np.zeros((12, 1), dtype=int)
    one = Answers(scores, none, ("sweet",), none)
    for alpha, hit in ((0.05, True), (0.01, False)):
        found = hits(detected(one, 5.0, AnalysisConfig(alpha=alpha, hypotheses=[{"taste": "sweet"}]), "paper"))
        assert bool(found["sweet", "greater"][0]) is hit
        assert bool(found["all", "greater"][0]) is hit
        assert bool(found["any", "corrected"][0]) is hit


def test_each_test_has_a_line_of_its_own_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two pairs of conditions of one taste, two numbers of clips: four lines, none through another's points."""
    from matplotlib import pyplot as plt
    from matplotlib.figure import Figure

    plt.close("all")
    kept: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path: kept.append(figure))
    rows = [
        {"taste": "all", "test": "mixed model", "alternative": "greater", "pair": pair, "clips": clips, "people": n, "plan": "robust",
         "power": n / 100 + at, "ci_low": n / 100 + at - 0.01, "ci_high": n / 100 + at + 0.01}
        for at, (pair, clips) in zip((0, 0.1, 0.2, 0.3), [("a - b", 5), ("a - c", 5), ("a - b", 9), ("a - c", 9)], strict=True)
        for n in (10, 20)
    ]  # fmt: skip
    plot(rows, 0.05, tmp_path / "x" / "power.svg")
    (figure,) = kept
    assert plt.get_fignums() == []  # closed: a hundred calls keep no hundred figures
    lines = [
        [(line.get_label(), [round(float(y), 2) for y in line.get_ydata()]) for line in axes.get_lines()[:2]]
        for axes in figure.axes
    ]
    assert lines == [
        [("all (greater), a - b", [0.1, 0.2]), ("all (greater), a - c", [0.2, 0.3])],
        [("all (greater), a - b", [0.3, 0.4]), ("all (greater), a - c", [0.4, 0.5])],
    ]
    for axes in figure.axes:  # the power that is asked for, and what is found where nothing is
        assert [{float(y) for y in line.get_ydata()} for line in axes.get_lines()[2:]] == [{0.8}, {0.05}]
    assert [axes.get_title() for axes in figure.axes] == ["5 pairs of clips a taste", "9 pairs of clips a taste"]
