"""Sections around the main questions, from constructed studies: players under their own titles, captions, the driven session."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.report import rest
from tests.analysis.report.study import answers, clip, clips, inputs


def test_every_player_plays_what_its_title_says(tmp_path: Path) -> None:
    """In the order taste, number, model; base beside fine-tuned; each with its own caption."""
    summary: list[str] = []
    section = rest.clips(inputs(tmp_path), summary)
    assert section is not None
    found = re.findall(r"<b>(.*?)</b><span>(.*?)</span>.*?src=\"(.*?)\"", section.html)
    assert found == [
        (f"{taste} {number + 1}, {name}", f"Slow {taste} piano, number {number}.", f"stimuli/clips/{taste}-{model}-{number}.wav")
        for taste in ("bitter", "sweet")
        for number in (0, 1)
        for model, name in (("base", "base"), ("finetuned", "fine-tuned"))
    ]  # fmt: skip
    assert section.text == ["8 clips, 2 s, -23.0 LUFS; the text is the captioner's."]
    assert (section.name, section.title) == ("clips", "Listen")
    assert summary == []


def test_given_tracks_without_a_taste_go_by_their_name(tmp_path: Path) -> None:
    given = inputs(tmp_path, clips=[clip("", "given", 0, clip="Autumn <1>", caption=None)])
    section = rest.clips(given, [])
    assert section is not None
    assert "<b>Autumn &lt;1&gt;</b><span></span>" in section.html
    assert rest.clips(inputs(tmp_path, clips=[]), []) is None


def test_clips_that_differ_are_not_told_by_the_first_of_them(tmp_path: Path) -> None:
    """Given tracks are longer and louder than the others, or have no text by a captioner at all."""
    given = [
        clip("sweet", "base", 0),
        clip("sweet", "base", 1, seconds=2.5),
        clip("sour", "film", 0, seconds=30.0, loudness=-14.2),
    ]
    made = rest.clips(inputs(tmp_path, clips=given), [])
    assert made is not None
    assert made.text == ["3 clips, 2 to 30 s, -23.0 to -14.2 LUFS; the text is the captioner's."]
    bare = rest.clips(inputs(tmp_path, clips=[clip("sweet", "base", 0, caption=None)]), [])
    assert bare is not None
    assert bare.text == ["1 clip, 2 s, -23.0 LUFS."]


def test_captions_are_held_against_what_prompts_asked_for(tmp_path: Path) -> None:
    asked = {"sweet": {"instrument": ["piano"], "taste": ["sweet"]}, "bitter": {"tempo": ["fast"]}}
    section = rest.captions(inputs(tmp_path, asked=asked), [])
    assert section is not None
    assert (section.name, [t.name for t in section.tables]) == ("captions", ["captions", "caption_words"])
    rows = {(r["model"], r["taste"], r["attribute"]): r for r in section.tables[0].rows}
    assert {k: (r["share"], r["share_other_tastes"]) for k, r in rows.items() if k[0] == "base"} == {
        ("base", "bitter", "tempo"): (0.0, 0.0),
        ("base", "sweet", "instrument"): (1.0, 1.0),
        ("base", "sweet", "taste"): (1.0, 0.0),
    }
    assert "written from the sound alone" in section.text[0]
    bare = [replace(c, caption=None) for c in clips()]
    assert rest.captions(inputs(tmp_path, clips=bare, asked=asked), []) is None
    assert rest.captions(inputs(tmp_path, asked={}), []) is None


def test_a_driven_session_says_how_much_of_it_came_through(tmp_path: Path) -> None:
    desk = {"answers": 12, "matching": 11, "audio": [{"clip": "a", "r": 0.999}]}
    section = rest.desk(inputs(tmp_path, desk=desk), [])
    assert section is not None
    assert section.name == "session"
    assert "12 answers given, 11 stored exactly as given" in section.text[0]
    assert section.tables[0].rows == [{"clip": "a", "r": 0.999}]
    assert rest.desk(inputs(tmp_path, desk=None), []) is None


@pytest.mark.parametrize("kind", ["person", "imported", "driven"])
def test_only_bots_were_told_effects(tmp_path: Path, kind: str) -> None:
    assert rest.recovered(inputs(tmp_path, data=answers(kind)), []) is None
    assert rest.recovered(inputs(tmp_path, effects=None), []) is None


def test_recovered_effects_name_what_was_declared(tmp_path: Path) -> None:
    given = inputs(tmp_path)
    section = rest.recovered(given, [])
    assert section is not None
    assert given.effects is not None
    assert f"declared in '{given.effects.name}'" in section.text[0]
    assert [(t.name, [set(r) >= {"declared"} for r in t.rows]) for t in section.tables[:1]] == [
        ("recovery_preference", [True, True])
    ]
    assert section.tables[1].name == "recovery_ratings"
    assert section.tables[1].rows[0]["cells"] > 2


def test_effects_that_others_followed_are_named_and_nothing_is_held_against_them(tmp_path: Path) -> None:
    made = rest.recovered(inputs(tmp_path, followed=["own.toml", "other.toml"]), [])
    assert made is not None
    assert made.text == [
        "The simulated participants followed the effects declared in own.toml and other.toml, which this report was not given (--effects)."
    ]
    assert made.tables == []
