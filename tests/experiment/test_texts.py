"""Texts in any language: complete, the study's own first, laid out so that lines break and run the right way."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from experiment.errors import ExperimentError
from experiment.texts import FOLDER, texts
from tests.conftest import ROOT


def words(table: dict[str, Any], above: str = "") -> dict[str, str]:
    """All texts of a language by where they stand."""
    found: dict[str, str] = {}
    for name, value in table.items():
        place = f"{above}{name}"
        found |= words(value, f"{place}.") if isinstance(value, dict) else {place: value}
    return found


@pytest.mark.parametrize("language", ["ar", "it"])
def test_what_ships_is_complete(language: str) -> None:
    """Every text of English is there, says something in its own words, and has the same places to fill in."""
    english, other = (
        words(tomllib.loads((ROOT / f"experiment/texts/{name}.toml").read_text(encoding="utf-8")))
        for name in ("en", language)
    )
    assert sorted(p.stem for p in FOLDER.glob("*.toml")) == ["ar", "en", "it"]
    assert set(english) == set(other)
    assert len(english) > 90
    for place, text in english.items():
        assert text.strip()
        assert other[place].strip()
        assert sorted(re.findall(r"{\w*}", text)) == sorted(re.findall(r"{\w*}", other[place])), place
    # Apart from what reads alike in both, nothing is left untranslated.
    assert {p for p in english if english[p] == other[p]} <= {"no", "demographics.hearing_impairments.options.no",
                                                               "demographics.taste_impairments.options.no"}  # fmt: skip


REACH = {"en": ("withdraw later", "published or deposited", "server's own logs"), "ar": ("الانسحاب لاحقا", "نُشرت أو أُودعت", "السجلات الداخلية لخادم"), "it": ("ritirarti anche più tardi", "pubblicate o depositate", "registri interni di un server")}  # fmt: skip


@pytest.mark.parametrize("language", sorted(p.stem for p in FOLDER.glob("*.toml")))
def test_the_consent_says_what_a_withdrawal_can_t_reach(language: str) -> None:
    said = texts(language)["consent"]["text"]
    assert [x for x in REACH[language] if x not in said] == []


def test_a_study_brings_its_own_language_or_wording(tmp_path: Path) -> None:
    english = (FOLDER / "en.toml").read_text(encoding="utf-8")
    (tmp_path / "fr.toml").write_text(english.replace('next = "Continue"', 'next = "Continuer"'), encoding="utf-8")
    (tmp_path / "en.toml").write_text(english.replace('next = "Continue"', 'next = "Go on"'), encoding="utf-8")
    assert texts("fr", tmp_path)["next"] == "Continuer"
    assert texts("en", tmp_path)["next"] == "Go on"
    assert texts("en")["next"] == "Continue"
    with pytest.raises(ExperimentError, match="there are: ar, en, fr, it"):
        texts("xx", tmp_path)
    (tmp_path / "de.toml").write_text('next = "Weiter"')
    with pytest.raises(
        ExperimentError, match=r"de.toml: affect.arousal.high is missing \(and \d+ more\); see .*en.toml"
    ):
        texts("de", tmp_path)
    # A text that is missing deep inside is found too.
    (tmp_path / "es.toml").write_text(english.replace('failed_title = "This needs headphones"', ""), encoding="utf-8")
    with pytest.raises(ExperimentError, match=r"es.toml: headphones.failed_title is missing; see .*en.toml"):
        texts("es", tmp_path)
    (tmp_path / "nl.toml").write_text("next = ")
    with pytest.raises(ExperimentError, match="not valid TOML"):
        texts("nl", tmp_path)


def test_a_file_may_say_a_few_texts_alone(tmp_path: Path) -> None:
    """The others are those that ship in its language."""
    shipped_options = texts("it")["demographics"]["device"]["options"]
    (tmp_path / "it.toml").write_text(
        '[consent]\ntext = "Ascolti."\n[demographics.device]\noptions = { hifi = "stereo" }\n', encoding="utf-8"
    )
    own, shipped = texts("it", tmp_path), texts("it")
    assert own["consent"] == {**shipped["consent"], "text": "Ascolti."}
    assert own["demographics"]["device"] == {
        "question": "Come stai ascoltando?",
        "options": {**shipped_options, "hifi": "stereo"},
    }
    assert {k: v for k, v in own.items() if k not in ("consent", "demographics")} == {
        k: v for k, v in shipped.items() if k not in ("consent", "demographics")
    }
    assert shipped["consent"]["text"] != "Ascolti."  # nothing of what ships was changed
    assert texts("en", tmp_path) == texts("en")


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('[consent]\ntxt = "x"', r"there is no text 'consent.txt'; did you mean 'consent.text'\?"),
        ('[tea]\nq = "x"', r"there is no text 'tea.q'; see .*en.toml"),
        ("next = 3", "next = 3 is no text"),
        ('next = ""', "next = '' is no text"),
        ('[end]\ntext = "Done."', r"end.text needs \{code\}, and no other braces: 'Done.'"),
        ('progress = "{done}"', r"needs \{done\}, \{total\}"),
        ('sure = "{number}?"', r"sure needs \{answer\}, and no other braces: '\{number\}"),
        ('[consent]\ntext = "About {hours} hours."', r"may have \{minutes\}, and no other braces"),
        ('[consent]\ntext = "About {."', "consent.text"),
    ],
)
def test_what_nobody_would_read_or_could_be_filled_in_is_refused(tmp_path: Path, written: str, told: str) -> None:
    (tmp_path / "en.toml").write_text(written, encoding="utf-8")
    with pytest.raises(ExperimentError, match=told):
        texts("en", tmp_path)


def test_introductions_may_have_titles_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "en.toml").write_text('[ratings]\nintro_title = "Words"', encoding="utf-8")
    assert texts("en", tmp_path)["ratings"]["intro_title"] == "Words"


def test_arabic_is_arabic_and_is_read_from_the_right() -> None:
    """No Latin letter but in what is filled in; the browser is told which way it runs."""
    from experiment.looks import right_to_left

    assert right_to_left("ar")
    for place, text in words(texts("ar")).items():
        assert not re.search("[A-Za-z]", re.sub(r"{\w+}", "", text)), place
        assert re.search("[\u0600-\u06ff]", re.sub(r"{\w+}", "", text)), place


def test_what_a_translation_lacks_can_be_looked_up_where_the_english_words_lie(tmp_path: Path) -> None:
    (tmp_path / "de.toml").write_text("[buttons]\n", encoding="utf-8")
    with pytest.raises(ExperimentError) as caught:
        texts("de", tmp_path)
    assert Path(str(caught.value).rpartition("; see ")[2]).read_text(encoding="utf-8").count(" = ") > 100
