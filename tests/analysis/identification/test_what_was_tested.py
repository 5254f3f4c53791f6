"""What was not tested is not said to be found for none, and what was tested and not found is not said to be so."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.data.compared import Conditions
from analysis.identification.section import section, told
from analysis.page import sentences
from analysis.report.answer import told_apart
from tests.analysis.identification.test_section import SHARE, TEST
from tests.analysis.report.study import answers, inputs, sketched


def headline(tmp_path: Path, rows: list[tuple[int, str, str, str]], condition: str = "finetuned") -> str:
    """The summary of these answers: person, taste asked for, clip, taste named."""
    frame = pd.DataFrame(rows, columns=["participant", "asked", "clip", "answered"])
    frame = frame.assign(condition=condition, trial=range(len(frame)), confidence=3.0, response_time=2.0)
    known = Conditions(("finetuned", "wrong"), {"finetuned": "fine-tuned"}, wrong={"wrong": "finetuned"})
    summary: list[str] = []
    with sketched():
        section(inputs(tmp_path, data=replace(answers(), identification=frame, conditions=known)), summary)
    (line,) = summary
    return line


def named(share: dict[str, float], people: int = 12, clips: int = 2) -> list[tuple[int, str, str, str]]:
    """Each person names bitter for this share of the clips of each taste, else sweet."""
    rng = np.random.default_rng(3)
    return [
        (p, taste, f"{taste}-{k}", "bitter" if rng.random() < often else "sweet")
        for p in range(people) for taste, often in share.items() for k in range(clips)
    ]  # fmt: skip


def test_where_nothing_was_tested_nothing_is_counted(tmp_path: Path) -> None:
    """One clip a taste: no test of either."""
    said = headline(tmp_path, named({"bitter": 0.5, "sweet": 0.5}, clips=1))
    assert said == (
        "Of the music of the fine-tuned model it can't be told whether a taste is named more for its own music than for other music: "
        "bitter, sweet."
    )
    assert "bitter." in headline(tmp_path, named({"bitter": 0.5}))
    assert "whether a taste is named more for the music that stands for it than" in headline(
        tmp_path, named({"bitter": 0.5}), "wrong"
    )


def test_what_was_tested_and_not_found_is_not_shown(tmp_path: Path) -> None:
    """Bitter always for its own clips, never for the others: of 6 ways to deal 4 clips one is as far, p = .167 and .333 corrected."""
    said = headline(tmp_path, named({"bitter": 1.0, "sweet": 0.0}))
    head = "Of the music of the fine-tuned model it is shown for"
    assert said == (
        f"{head} none of 2 tastes that they are named more for their own music than for other music (mixed logit, one-sided, Bonferroni)."
    )
    said = headline(tmp_path, named({"bitter": 0.9, "sweet": 0.1}, people=30, clips=6))
    assert said.startswith(f"{head} bitter, sweet of 2 tastes that they are named more for their own music than")
    # Salty is nobody's answer: always or never named, it has no test, and is not counted.
    rows = named({"bitter": 0.9, "sweet": 0.1, "salty": 0.5}, people=30, clips=6)
    said = headline(tmp_path, rows)
    assert "of 2 tastes that they are named more" in said
    assert said.endswith("Bonferroni); it can't be told for salty.")


def test_why_there_is_no_test_of_naming_is_said_as_it_is() -> None:
    """12 people name one clip a taste at random: answers differ, clips are too few."""
    nothing = {"state": "too few", "p": None, "p_adjusted": None, "effect": None}
    said = told(TEST | nothing, {"share": 0.58, "n": 12, "chance": 0.67}, 0.05)
    assert said.endswith(
        "58 % of 12 answers, other music in 67 %: too few clips or people, or no other music, for a test."
    )
    assert "differ" not in told(TEST | nothing, SHARE, 0.05)


ROWS: list[dict[str, Any]] = [
    {"taste": t, "prompt": t, "adjective": t, "p": 0.3, "p_adjusted": 0.6, "effect": 0.2, "state": "ok", "alternative": "greater"}
    for t in ("bitter", "sweet")
]  # fmt: skip


@pytest.mark.parametrize("found", [False, True])
def test_what_is_not_found_is_not_shown_rather_than_not_so(found: bool) -> None:
    rows = [ROWS[0], ROWS[1] | ({"p_adjusted": 0.01} if found else {})]
    which = "sweet" if found else "none"
    assert f"is shown to call up its own word more than other music for {which} of 2 tastes" in sentences.own_words(
        rows, 0.05
    )
    assert f"some music is shown to be rated otherwise than the rest on {which} of 2 words" in told_apart(rows, 0.05)
    shares = [{"taste": "sweet", "share": 0.6, "chance": 0.2}]
    assert f"; shown to be more when asked for {which} of 2 (" in sentences.named_when_asked(rows, shares, "base", 0.05)


def test_states_of_naming_have_words() -> None:
    rows = [row | {"state": "separated", "p_adjusted": 0.3} for row in ROWS]
    shares = [{"taste": "sweet", "share": 1.0, "chance": 0.0}]
    said = sentences.named_when_asked(rows, shares, "base", 0.05)
    assert said.endswith(
        "; bitter, sweet: the taste was named always or never, when it was asked for or when not, so that the odds have no bound."
    )
    assert sentences.state_words("one answer") == "the taste was named always or never"
