"""Task 2's section from constructed results: the sentences that they must give, and which feeling stands between."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.config import AnalysisConfig
from analysis.preference import robust
from analysis.ratings import mediation
from analysis.ratings.section import mediation_section, section
from tests.analysis.report.study import answers, inputs, sketched


def words(**adjusted: float | None) -> list[dict[str, Any]]:
    """Own-word rows: uncorrected p far under any level, so that only the corrected one can decide."""
    return [
        {"prompt": t, "item": t, "effect": 0.5, "p": 1e-9, "p_adjusted": p, "alternative": "greater"}
        for t, p in adjusted.items()
    ]


@pytest.mark.parametrize(
    ("adjusted", "alpha", "named"),
    [
        ({"bitter": 0.2, "sweet": 0.01}, 0.05, "sweet"),
        ({"bitter": 0.04, "sweet": 0.01}, 0.05, "bitter, sweet"),
        ({"bitter": 0.04, "sweet": 0.01}, 0.02, "sweet"),
        ({"bitter": 0.05, "sweet": None}, 0.05, None),
    ],
)
def test_headline_names_the_tastes_whose_corrected_test_is_under_alpha(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, adjusted: dict[str, float | None], alpha: float, named: str | None
) -> None:
    tables = {"own_word": words(**adjusted), "own_word_ordinal": [], "prompts": []}
    monkeypatch.setattr(robust, "ratings", lambda *_: tables)
    summary: list[str] = []
    with sketched():
        made = section(inputs(tmp_path, config=AnalysisConfig(alpha=alpha)), summary)
    told = (
        "none of 1 taste" if named is None else f"{named} of 2 tastes"
    )  # what was not tested is not counted as not found
    named_ = f"for {told} (mixed models, one-sided, corrected)"
    lost = "".join(f"; it can't be told for {t}" for t, p in adjusted.items() if p is None)
    assert summary == [
        f"Music prompted with a taste is shown to call up its own word more than other music {named_}{lost}."
    ]
    assert made is not None
    assert made.text == summary
    tracks = replace(answers().conditions, tracks=tuple(answers().conditions.names))
    given: list[str] = []
    with sketched():
        section(inputs(tmp_path, config=AnalysisConfig(alpha=alpha), data=replace(answers(), conditions=tracks)), given)
    assert given == [
        f"Music made or chosen for a taste is shown to call up its own word more than other music {named_}{lost}."
    ]
    some = replace(tracks, tracks=("film",))
    assert some.of_a_taste({"film", "base"}) == "music prompted with, made or chosen for a taste"
    assert some.of_a_taste({"base"}) == "music prompted with a taste"
    tables_ = {t.name: t for t in made.tables}
    assert tables_["own_word"].rows[0]["difference"] == 0.5
    assert "effect" not in tables_["own_word"].rows[0]


def test_music_of_wrong_prompts_is_not_prompted_with_its_taste(tmp_path: Path) -> None:
    """As many people rate music that was asked for the other taste: what is tested is what is found without it."""
    data = answers(people=12)
    known = replace(data.conditions, names=("finetuned", "wrong"), wrong={"wrong": "finetuned"})
    other = data.ratings.assign(model="wrong", clip=data.ratings["clip"] + "-w", trial=data.ratings["trial"] + 5)
    turned = other["adjective"] == other["prompt"]
    other.loc[turned, "value"] = 6 - other.loc[turned, "value"]
    both = replace(data, ratings=pd.concat([data.ratings, other]), conditions=known)
    with sketched():
        made, plain = (section(inputs(tmp_path, data=d), []) for d in (both, data))
    assert made is not None
    assert plain is not None
    for name in ("own_word", "own_word_ordinal", "prompts_mixed"):
        found, alone = ([t.rows for t in s.tables if t.name == name] for s in (made, plain))
        assert found == alone
        assert found != [[]]
    assert made.text[0] == plain.text[0]
    assert made.text[1].startswith("Music of wrong prompts is left out of these tests")
    assert len(plain.text) == 1
    assert len(made.text) == 2  # one condition is in the tests
    captions = [next(f.caption for f in s.figures if f.name == "heatmap") for s in (made, plain)]
    assert captions == [
        "Mean ratings; 48 rated clips of 12 participants, fine-tuned and wrong taken together.",
        "Mean ratings; 24 rated clips of 12 participants.",
    ]
    means = next(t.rows for t in made.tables if t.name == "means")
    assert {r["n"] for r in means} == {24}  # means are of all that was rated


def test_tables_stand_under_their_titles(tmp_path: Path) -> None:
    with sketched():
        made = section(inputs(tmp_path), [])
    assert made is not None
    tables = {t.name: t for t in made.tables}
    assert list(tables) == [
        "own_word", "own_word_ordinal", "prompts_mixed", "means", "correlations", "icc",
    ]  # fmt: skip
    assert {"prompt", "item", "mean", "n"} <= set(tables["means"].rows[0])
    assert {"item1", "item2", "r"} <= set(tables["correlations"].rows[0])
    assert "icc_21" in tables["icc"].rows[0]
    assert "log_odds" in tables["own_word_ordinal"].rows[0]
    assert [f.name for f in made.figures] == ["heatmap", "correlations"]


def test_one_prompt_has_no_own_word_and_no_answers_no_section(tmp_path: Path) -> None:
    data = answers()
    one = replace(data, ratings=data.ratings[data.ratings["prompt"] == "sweet"])
    summary: list[str] = []
    with sketched():
        made = section(inputs(tmp_path, data=one), summary)
        assert made is not None
        assert summary == []
        assert [t.rows for t in made.tables if t.name == "own_word"] == [[]]
        none = inputs(tmp_path, data=replace(data, ratings=data.ratings.iloc[:0]))
        assert section(none, []) is None
        assert mediation_section(none, []) is None


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the section hands to the analysis, which answers with one row."""
    given: dict[str, Any] = {}

    def analyse(ratings: Any, affect: Any, features: Any, resamples: int, seed: int) -> list[dict[str, Any]]:
        given.update(features=features, resamples=resamples, seed=seed)
        value = dict.fromkeys(
            (
                "indirect",
                "ci_low",
                "ci_high",
                "total",
                "total_low",
                "total_high",
                "direct",
                "direct_low",
                "direct_high",
            ),
            0.5,
        )
        head = {"music": given.get("music", "prompt"), "taste": "sweet", "n": 77}
        return [{**head, "mediator": name, **value} for name in given.get("between", ["valence"])]

    monkeypatch.setattr(mediation, "analyse", analyse)
    return given


def test_mediation_says_what_stands_between(tmp_path: Path, asked: dict[str, Any]) -> None:
    data = answers()
    with sketched():
        made = mediation_section(inputs(tmp_path, config=AnalysisConfig(resamples=5000, seed=3)), [])
        assert made is not None
        assert made.text[0].startswith(
            "Exploratory. Between the music and the taste word stands valence by the words that stand for it; slopes are within people"
        )
        assert [f.caption for f in made.figures if "(n = 77 rated clips)" in f.caption]
        assert made.tables[0].rows[0]["n"] == 77
        assert (asked["resamples"], asked["seed"]) == (1000, 3)
        # Of the features only those that a person can hear as such, by clip.
        assert list(asked["features"].columns) == ["tempo", "pitch_height"]
        assert asked["features"].loc["sweet-base-1", "pitch_height"] == 5.0
        affect = pd.DataFrame({"participant": [1, 1, 1], "item": ["valence", "familiarity", "arousal"]})
        asked["between"] = ["valence", "arousal", "temperature"]
        asked["music"] = "tempo"
        made = mediation_section(
            inputs(tmp_path, data=replace(data, affect=affect), config=AnalysisConfig(resamples=300), clips=[]), []
        )
        assert made is not None
        # Familiarity was asked and stands between nothing; nobody was asked how warm the music is.
        assert (
            "word stand valence, arousal as people answered and temperature by the words that stand for it; slopes"
            in made.text[0]
        )
        assert made.figures == []
        assert (asked["resamples"], asked["features"]) == (300, None)
        asked["between"] = ["valence", "arousal"]
        few = mediation_section(inputs(tmp_path, data=replace(data, affect=affect), clips=[]), [])
        assert few is not None
        assert "temperature" not in few.text[0]


def test_mediation_that_can_not_run_says_why(tmp_path: Path) -> None:
    made = mediation_section(inputs(tmp_path), [])
    assert made is not None
    assert made.text[0].startswith("Not run: mediation needs ratings of taste words and of feelings")
    assert made.tables == []
