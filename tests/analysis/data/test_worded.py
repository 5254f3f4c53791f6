"""What people read for what was rated, in every language of a study, from a definition of either form."""

from __future__ import annotations

from typing import Any

from analysis.data.worded import item_words
from tastelab.context import definition_of
from tastelab.study import load_study
from tests.conftest import ROOT


def rated(name: str, *adjectives: dict[str, Any]) -> dict[str, Any]:
    labels = {"en": ["no", "yes"], "de": ["nein", "ja"]}
    return {"kind": "ratings", "name": name, "labels": labels, "adjectives": list(adjectives)}


def stored(**experiment: Any) -> dict[str, Any]:
    """A definition as databases keep it."""
    return {"experiment": {"design": "0.2"} | experiment}


def test_the_followups_words_of_both_its_languages() -> None:
    """Its published targets have Italian columns (arXiv 2604.10632); studies/five-tastes.toml says what each is."""
    found = item_words(definition_of(load_study(ROOT / "studies" / "five-tastes.toml")))
    italian = {"dolce": "sweet", "amaro": "bitter", "acido": "sour", "salato": "salty", "piccante": "spicy"}
    assert found == italian | {name: name for name in italian.values()}


def test_adjectives_of_all_tasks_and_the_studys_words_of_its_tastes() -> None:
    one = rated("one", {"name": "hot", "words": {"en": "Warm ", "de": "heiß"}})
    two = rated(
        "two", {"name": "mood", "words": {"en": "happy", "de": "froh"}, "opposite": {"en": "sad", "de": "bange"}}
    )
    tastes = {"en": {"umami": "savoury"}, "de": {"umami": "herzhaft"}}
    assert item_words(stored(tasks=[one, two], taste_words=tastes)) == {
        "warm": "hot", "heiß": "hot", "happy": "mood", "froh": "mood", "savoury": "umami", "herzhaft": "umami",
    }  # fmt: skip


def test_a_word_for_two_is_nobodys_and_what_can_not_be_read_has_none() -> None:
    """Burning is hot in one language and spicy in the other: no column is taken for either."""
    tasks = [
        rated(
            "one", {"name": "hot", "words": {"en": "hot", "de": "scharf"}}, {"name": "spicy", "words": {"en": "scharf"}}
        )
    ]
    assert item_words(stored(tasks=tasks)) == {"hot": "hot"}
    assert item_words(stored(tasks=[{"kind": "ratings"}])) == {}
