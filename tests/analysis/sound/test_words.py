"""What captions say: shares and words by hand."""

import numpy as np
import pandas as pd
import pytest

from analysis.sound.words import caption_check, words_against_ratings
from tests.analysis.report.study import clip

CAPTIONS = [
    clip("sweet", "base", 0, caption="Slow piano, legato."),
    clip("sweet", "base", 1, caption="A fast Electric Guitar."),
    clip("sweet", "base", 2, caption="Slowly it goes."),
    clip("sour", "base", 0, caption="slow strings"),
    clip("sour", "base", 1, caption=None),
    clip("sweet", "finetuned", 0, caption="Slow. Slow."),
]


def test_shares_of_captions_that_say_what_was_asked() -> None:
    asked = {
        "sweet": {"tempo": ["slow"], "instrument": ["piano", "electric guitar"], "none": []},
        "sour": {"tempo": ["fast"]},
    }
    rows = {(r["model"], r["taste"], r["attribute"]): r for r in caption_check(CAPTIONS, asked)}
    assert set(rows) == {
        ("base", "sweet", "tempo"), ("base", "sweet", "instrument"), ("base", "sour", "tempo"),
        ("finetuned", "sweet", "tempo"), ("finetuned", "sweet", "instrument"),
    }  # fmt: skip
    tempo = rows["base", "sweet", "tempo"]
    assert (tempo["n"], tempo["share"], tempo["share_other_tastes"]) == (
        3,
        pytest.approx(1 / 3),
        1.0,
    )  # "Slowly" is not slow
    instrument = rows["base", "sweet", "instrument"]
    assert (instrument["share"], instrument["share_other_tastes"]) == (pytest.approx(2 / 3), 0.0)
    assert instrument["words"] == "piano | electric guitar"
    sour = rows["base", "sour", "tempo"]
    assert (sour["n"], sour["share"], sour["share_other_tastes"]) == (
        1,
        0.0,
        pytest.approx(1 / 3),
    )  # no caption: not counted
    alone = rows["finetuned", "sweet", "tempo"]
    assert (alone["n"], alone["share"], alone["share_other_tastes"]) == (1, 1.0, None)
    assert caption_check(CAPTIONS[4:5], asked) == []


def rated(values: dict[str, list[float]], adjective: str = "happy") -> pd.DataFrame:
    return pd.DataFrame(
        [(c, adjective, v) for c, x in values.items() for v in x], columns=["clip", "adjective", "value"]
    )


def captioned(n: int = 9, word: str = "piano") -> list:
    """The first four of n clips have the word."""
    return [clip("sweet", "base", i, caption=f"The {word if i < 4 else 'drum'} and Strings.") for i in range(n)]


def test_a_word_parts_the_clips_by_their_mean_ratings() -> None:
    """Four clips with the word rated 4, five without rated 2: no overlap, U = 20 of 20 pairs; R: exact p = 2 / 126."""
    rows = captioned()
    # two people a clip: the clip's mean counts, once
    values = {r.clip: [4 + i / 10 - 1, 4 + i / 10 + 1] if i < 4 else [2 + i / 10, np.nan] for i, r in enumerate(rows)}
    found = words_against_ratings(rows, rated(values))
    by = {r["word"]: r for r in found}
    assert set(by) == {"piano", "drum"}  # strings: in all; the, and: dull
    row = by["piano"]
    assert (row["n_with"], row["n_without"], row["adjective"], row["status"]) == (4, 5, "happy", "exploratory")
    assert row["mean_with"] == pytest.approx(4.15)
    assert row["mean_without"] == pytest.approx(2.6)
    assert row["U"] == 20
    assert row["p"] == pytest.approx(2 / 126)
    assert row["p_adjusted"] == pytest.approx(4 / 126)
    assert by["drum"]["U"] == 0
    assert by["drum"]["rank_biserial"] == pytest.approx(-row["rank_biserial"])
    assert by["drum"]["mean_with"] == pytest.approx(2.6)


def test_the_smallest_p_come_first_and_only_so_many() -> None:
    rows = captioned(12)
    tables = [rated({r.clip: [float((i * k) % 12)] for i, r in enumerate(rows)}, f"a{k}") for k in (1, 5, 7)]
    found = words_against_ratings(rows, pd.concat(tables))
    assert len(found) == 6
    assert [r["p"] for r in found] == sorted(r["p"] for r in found)
    assert words_against_ratings(rows, pd.concat(tables), shown=2) == found[:2]


def test_rare_words_and_few_clips_tell_nothing() -> None:
    rows = captioned(8)
    values = {r.clip: [float(i)] for i, r in enumerate(rows)}
    assert len(words_against_ratings(rows, rated(values))) == 2
    assert words_against_ratings(rows, rated({c: v for c, v in list(values.items())[:7]})) == []  # seven clips
    assert words_against_ratings(captioned(7), rated(values)) == []  # three have the one word, four the other
    assert words_against_ratings(rows, rated({key: [3.0] for key in values})) == []  # all rated alike
    assert words_against_ratings(rows, rated({})) == []
    assert words_against_ratings([], rated(values)) == []
    many = [clip("sweet", "base", i, caption="piano" if i < 5 else "drum") for i in range(36)]
    assert words_against_ratings(many, rated({r.clip: [float(i)] for i, r in enumerate(many)})) == []  # five of 36
