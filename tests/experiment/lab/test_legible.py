"""What doctor and `study check` say of words: fonts, room, and how large letters look."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiment.config import ExperimentConfig
from experiment.lab import legible
from experiment.lab.fitting import NARROWEST, Tight, minutes_of_arc, on_paper
from experiment.lab.legible import check_angle, check_fonts, check_room, check_words, on_the_narrowest
from experiment.stations import Seat
from experiment.texts import FOLDER

WORDY = "Donaudampfschifffahrtsgesellschaftskapitän " * 400


def altered(config: ExperimentConfig, folder: Path, old: str, new: str) -> ExperimentConfig:
    """The study with a text of its own."""
    english = (FOLDER / "en.toml").read_text(encoding="utf-8")
    assert old in english
    (folder / "en.toml").write_text(english.replace(old, new), encoding="utf-8")
    return config.model_copy(update={"texts": folder, "languages": ["en"]})


def test_minutes_of_arc_by_hand() -> None:
    """Capitals of 1 cm at 57.3 cm are one degree; half of a screen's height in letters of .0245 on 16.2 cm at 60 cm 16.2'."""
    assert minutes_of_arc(1 / 0.714, 1.0, 57.29) == pytest.approx(60.0, abs=0.02)
    assert minutes_of_arc(0.0245, 16.2, 60) == pytest.approx(0.0245 * 0.714 * 16.2 / 60 * 3437.75, abs=0.01)


def test_the_angle_is_told_where_the_seat_is_declared(config: ExperimentConfig) -> None:
    """0.0245 x 0.714 of a 13 inch screen (16.2 cm): 16.2' at 60 cm, 13.9' at 70, and 16' at 60.9."""
    at = lambda distance: config.model_copy(update={"stations": {"b": Seat(distance=distance, height=16.2)}})  # noqa: E731
    assert check_angle(config, "b", 0.0245).state == "ok"
    assert "[experiment.stations.b]" in check_angle(config, "b", 0.0245).found
    assert check_angle(at(60), "b", 0.0245).row()["found"].startswith("smallest capitals 16.2' of arc")
    assert check_angle(at(60), "b", 0.0245).state == "ok"
    far = check_angle(at(70), "b", 0.0245)
    assert (far.state, far.found) == (
        "warning",
        "smallest capitals 13.9' of arc (16.2 cm high screen at 70 cm): under 16'",
    )
    assert far.mend.startswith("sit at 61 cm")


def test_a_missing_font_is_told_with_its_package(monkeypatch: pytest.MonkeyPatch, config: ExperimentConfig) -> None:
    there = {"Noto Sans"}
    monkeypatch.setattr(legible, "bring_fonts", lambda: None)
    monkeypatch.setattr(legible, "is_there", lambda font: font in there)
    assert check_fonts(config).row() == {"check": "fonts", "state": "ok", "found": "Noto Sans", "mend": ""}
    japanese = config.model_copy(update={"languages": ["en", "ja"]})
    found = check_fonts(japanese)
    assert (found.state, found.found) == (
        "warning",
        "Noto Sans CJK JP (ja) is not on this computer: letters may be drawn as boxes",
    )
    assert found.mend == "apt-get install fonts-noto-cjk, or name another (experiment.font)"
    there.add("Noto Sans CJK JP")
    assert check_fonts(japanese).found == "Noto Sans, Noto Sans CJK JP"
    assert check_fonts(config.model_copy(update={"font": "Mine"})).mend.startswith("install it, or")


def test_words_without_room_fail_and_small_ones_are_told() -> None:
    assert check_room([], (1280, 800)).state == "ok"
    small = check_room([("en", Tight("stop", 0.02)), ("it", Tight("consent", 0.01225))], (1024, 768))
    assert (small.state, small.found) == (
        "warning", "consent (it) has letters of 50% of the least size (and 1 more) (1024 x 768)"
    )  # fmt: skip
    none = check_room([("en", Tight("stop", 0.0))], (1024, 768))
    assert (none.state, none.found) == ("FAILED", "stop (en) has no room for its words (1024 x 768)")
    assert none.mend


def test_the_default_study_has_room(config: ExperimentConfig) -> None:
    """On the squarest screen too, in letters no smaller than their floor."""
    assert on_the_narrowest(config) == ([], [])
    for language in config.languages:
        least, tight = on_paper(config, language)
        assert (least, tight) == (0.0245, [])


def test_a_text_that_has_no_room_is_found_before_anybody_sees_it(config: ExperimentConfig, tmp_path: Path) -> None:
    """A question whether to stop of 400 long words has none in letters of any size; one of 30 is small."""
    whole = altered(config, tmp_path, "Stop the session? Your answers so far are kept.", WORDY)
    none, small = on_the_narrowest(whole)
    assert none == ["the words of stop (en) have no room on a screen of 5:4, in letters of any size; shorten them"]
    some = altered(config, tmp_path, "How old are you?", "How many years old are you today, all in all? " * 44)
    from experiment.texts import texts

    texts.cache_clear()
    none, small = on_the_narrowest(some)
    assert none == []
    assert len(small) == 1
    assert small[0].startswith("On a screen of 5:4 question 2, age (en) has letters of ")
    # A consent of any length is read page by page.
    texts.cache_clear()
    long = altered(config, tmp_path, "You may stop at any time", "You may stop at any time. " * 200)
    assert on_the_narrowest(long) == ([], [])


def test_doctor_measures_for_the_display_that_is_there(
    monkeypatch: pytest.MonkeyPatch, config: ExperimentConfig
) -> None:
    asked: list[tuple[str, tuple[int, int]]] = []

    def paper(_: ExperimentConfig, language: str, size: tuple[int, int] = NARROWEST) -> tuple[float, list[Tight]]:
        asked.append((language, size))
        return (0.02, [Tight("stop", 0.02)]) if language == "it" else (0.0245, [])

    monkeypatch.setattr(legible, "on_paper", paper)
    monkeypatch.setattr(legible, "bring_fonts", lambda: None)
    monkeypatch.setattr(legible, "is_there", lambda _: True)
    monkeypatch.setattr("experiment.lab.opening.display_size", lambda: (1024, 768))
    seated = config.model_copy(update={"stations": {"b": Seat(distance=60, height=16.2)}})
    fonts, words, letters = check_words(seated, "b")
    assert [fonts.state, words.state, letters.state] == ["ok", "warning", "warning"]
    assert asked == [("en", (1024, 768)), ("it", (1024, 768))]
    assert letters.found.startswith("smallest capitals 13.3' of arc")  # of the smaller of the two

    def none() -> tuple[int, int]:
        raise OSError("no display")

    monkeypatch.setattr("experiment.lab.opening.display_size", none)
    (only,) = check_words(seated, "b")
    assert (only.check, only.state) == ("fonts", "warning")
