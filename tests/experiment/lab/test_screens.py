"""Whole sessions on glass: a reader answers by the words that stand there, and what is stored is what was meant."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from experiment import launch
from experiment.config import ExperimentConfig
from experiment.data.tables import Consent, Event, Response, Screening, SessionRow, Trial
from experiment.headphones import trials as headphone_trials
from experiment.lab.reading import Page
from experiment.lab.screens import Screens
from experiment.launch import Prepared
from experiment.session import Stopped, run_session
from tests.experiment import readers
from tests.experiment.lab.glass import FRAME, LATE, GlassHand, Sound, World

SIDED = {"en": ("left", "right"), "it": ("sinistra", "destra")}


def words(page: Page) -> list[str]:
    """What stands there but for buttons, from top to bottom."""
    return [w for w, _ in sorted(page.words, key=lambda x: x[1][1])]


def sit_down(
    glass: World, booth: Prepared, code: str, language: str = "en", keyboard: bool = False, **more: Any
) -> tuple[GlassHand, str, int]:
    """Run a driven session from its beginning."""
    paper = booth.config.preference is not None and booth.config.preference.replicate
    hand = GlassHand(glass, np.random.default_rng(3), readers.reader(language, paper), keyboard)
    screens = Screens(language, booth.config.replays, True, hand.answer)
    session = launch.begin(booth, code, "driven", language, "x", **more)
    return hand, run_session(booth.store, session, booth.config, screens), session


def answered(booth: Prepared, session: int) -> list[tuple[str, str | None, float | None, str | None]]:
    query = select(Response.item, Trial.block, Trial.taste, Response.value, Response.choice).join(Trial)
    with booth.store.transaction() as s:
        rows = s.execute(query.where(Trial.session_id == session).order_by(Response.id)).all()
    return [(i, taste if block == "preference" else None, v, c) for i, block, taste, v, c in rows]


def meant(hand: GlassHand) -> list[tuple[str, str | None, float | None, str | None]]:
    return [(g["item"], g.get("taste"), g.get("value"), g.get("choice")) for g in hand.given]


@pytest.mark.parametrize(("language", "keyboard"), [("en", False), ("it", True), ("it", False), ("en", True)])
def test_what_was_read_and_meant_is_what_is_stored(
    glass: World, booth: Prepared, language: str, keyboard: bool
) -> None:
    hand, status, session = sit_down(glass, booth, "P7", language, keyboard)
    assert status == "complete"
    assert answered(booth, session) == meant(hand)
    assert len(hand.given) == 8 + 5 + 3 * 12
    given = {g["value"] for g in hand.given if g["item"] == "preference"}
    assert given - {5.0}  # not the middle alone, which says nothing about the ends
    # Every screen in its place, with all its words.
    pages, buttons = readers.PAGES[language], readers.BUTTONS[language]
    first, second, listen = readers.TITLES[language]
    shown = [(s, p) for s, p in hand.pages if s not in ("playing", "sounding")]
    order = [s for s, _ in shown]
    part = ["listen", "heard"]
    assert order == [
        "consent", "special", "choice", "number", *["choice"] * 6, "sound", "page", "listen", "listen", "slider", "page",
        *([*part, *part, "slider"] * 5), "page", *part, *["steps"] * 12, "page", *([*part, *["steps"] * 12] * 2), "page",
    ]  # fmt: skip
    read = [words(p) for _, p in shown]
    assert read[0] == list(pages["consent"])
    assert read[1] == list(pages["special"])
    assert list(shown[0][1].buttons) == [buttons["agree"], buttons["decline"], buttons["stop"]]
    assert list(shown[1][1].buttons) == [buttons["yes"], buttons["no"], buttons["onward"], buttons["stop"]]
    assert read[10] == list(pages["sound"])
    assert list(shown[10][1].buttons) == [buttons["yes"], buttons["again"], buttons["no"], buttons["stop"]]
    texts = [r for s, r in zip(order, read, strict=True) if s == "page"]
    ending = [pages["end"][0], pages["end"][1].format("P7")]
    assert texts == [*(list(pages[k]) for k in ("practice", "preference", "ratings", "pause")), ending]
    titles = [r for s, r in zip(order, read, strict=True) if s == "listen"]
    assert titles == [[first], [second], *[[first], [second]] * 5, *[[listen]] * 3]
    for screen, page in shown:
        if screen == "heard":
            assert list(page.buttons) == [buttons["onward"], buttons["again"], buttons["stop"]]
        if screen in ("steps", "slider", "choice", "number"):
            # Back to the answer before, within a clip (or what one is asked about oneself) alone.
            count = next(c[0] for w in words(page) if (c := hand.phrases.counted(w))) if screen != "slider" else 0
            rated = count - 13 - 1 if count > 13 else None
            back = [buttons["back"]] if (1 < count <= 8 or (rated is not None and rated % 12)) else []
            assert list(page.buttons)[-1 - len(back) :] == [buttons["stop"], *back], count
        if screen == "steps":
            assert list(page.buttons)[:-1] == [
                *readers.STEPS[language],
                buttons["onward"],
                *([buttons["stop"]] if back else []),
            ]
    # One item after the other is counted, to the last.
    counts = [c for p in read for w in p if (c := hand.phrases.counted(w))]
    assert counts == [(k, 49) for k in range(1, 50)]


def test_the_clip_that_sounds_is_the_one_that_its_title_says(glass: World, booth: Prepared) -> None:
    _, _, session = sit_down(glass, booth, "A")
    with booth.store.transaction() as s:
        plan = [
            (t.block, [c.path for c in (t.first, t.second) if c is not None])
            for t in s.scalars(select(Trial).where(Trial.session_id == session).order_by(Trial.position))
            if t.first is not None
        ]
        onsets = [
            (e.trial_id, e.detail["clip"])
            for e in s.scalars(select(Event).where(Event.name == "audio_onset").order_by(Event.id))
        ]
        trials = {t.id: t for t in s.scalars(select(Trial))}
        for trial_id, clip in onsets:
            assert clip in [c.clip for c in (trials[trial_id].first, trials[trial_id].second) if c]
    expected = []
    for block, paths in plan:
        titles = ["First piece", "Second piece"] if block == "preference" else ["Listen"]
        expected += list(zip(paths, titles, strict=True))
    heard = [(s.value, title) for s in glass.sounds for w in s.words for title in w if title != "Stop"]
    files = [(path, title) for path, title in heard if isinstance(path, str)]
    assert files == expected
    assert len(onsets) == 13


def test_tones_sound_on_the_side_that_is_written(glass: World, booth: Prepared) -> None:
    """Left, right, both: at -20 dBFS, 440 Hz, and while each sounds its name stands there."""
    for language, names in readers.SIDES.items():
        world = GlassHand(glass, np.random.default_rng(0), readers.reader(language))
        Sound.made.clear()
        record = Screens(language, 2, True, world.answer).sound_check()
        assert [w[1] for s in glass.sounds for w in s.words] == names
        loud = [np.abs(s.value).max(axis=0) for s in glass.sounds]
        assert np.allclose(loud, [(0.1, 0), (0, 0.1), (0.1, 0.1)], atol=0.002)
        tone = glass.sounds[0].value[:, 0]
        assert len(tone) == 33600  # 0.7 s at 48 kHz
        assert np.argmax(np.abs(np.fft.rfft(tone))) / 0.7 == pytest.approx(440, abs=1.5)
        assert np.abs(tone[:5]).max() < 0.001  # no click at the onset or at the end
        assert np.abs(tone[-5:]).max() < 0.001
        assert record is not None
        assert record["plays"] == 1
        assert {s.options["sampleRate"] for s in glass.sounds} == {48000}


def test_sound_is_checked_again_as_often_as_is_asked_for(glass: World) -> None:
    again = iter(["Listen again", "Listen again", "Yes"])
    screens: Screens

    def answer(marker: dict[str, Any]) -> None:
        if marker["screen"] == "sound":
            point = glass.page().button(next(again))
            glass.window.todo.append(lambda: glass.window.click(point))

    screens = Screens("en", 2, True, answer)
    found = screens.sound_check()
    assert found is not None
    assert found["plays"] == 3
    assert len(glass.sounds) == 9


def test_who_did_not_hear_the_tones_is_told_whom_to_call(glass: World) -> None:
    """ "No" is no answer that lets a session go on: the experimenter is called, and the tones come again."""
    shown: list[tuple[str, list[str]]] = []

    def answer(marker: dict[str, Any]) -> None:
        page = glass.page()
        if marker["screen"] != "sounding":
            shown.append((marker["screen"], words(page)))
            say = {"sound": "No" if len(shown) == 1 else "Yes", "page": "Continue"}[marker["screen"]]
            glass.window.todo.append(lambda: glass.window.click(page.button(say)))

    found = Screens("en", 2, True, answer).sound_check()
    assert found is not None
    assert found["plays"] == 2
    assert [s for s, _ in shown] == ["sound", "page", "sound"]
    assert shown[1][1][1].startswith("Please call the experimenter")


def test_consent_is_the_button_that_says_so(glass: World) -> None:
    """All four ways through the two questions; who declines is not asked the second one."""
    heads: list[list[str]] = []

    def consent(language: str, *pressed: str) -> tuple[tuple[bool, bool], list[str]]:
        ways, shown = iter(pressed), list[str]()

        def answer(marker: dict[str, Any]) -> None:
            shown.append(marker["screen"])
            heads.append([w for w, _ in sorted(glass.page().words, key=lambda x: x[1][1])])
            for words in next(ways).split(", "):
                point = glass.page().button(words)
                glass.window.todo.append(lambda point=point: glass.window.click(point))

        return Screens(language, 0, True, answer).consent(), shown

    both = ["consent", "special"]
    assert consent("en", "I agree", "Yes, Continue") == ((True, True), both)
    assert consent("en", "I agree", "No, Continue") == ((True, False), both)
    assert consent("en", "I agree", "Yes, No, Continue") == ((True, False), both)
    assert consent("en", "I agree", "Continue, No, Continue") == ((True, False), both)  # nothing is chosen at first
    assert consent("en", "I do not agree", "Continue") == ((False, False), ["consent", "page"])
    assert heads[-1] == ["Thank you", "You do not take part. No answers of yours were asked or kept."]
    assert consent("it", "Acconsento", "No, Continua") == ((True, False), both)
    assert consent("it", "Non acconsento", "Continua") == ((False, False), ["consent", "page"])


def test_clips_are_heard_again_as_often_as_the_study_allows(glass: World, booth: Prepared) -> None:
    """Two replays: after the third time there is no button left, and the session goes on by itself."""
    clips = booth.stimuli[:2]
    for replays, plays in ((2, 3), (0, 1), (1, 2)):
        Sound.made.clear()
        asked: list[list[str]] = []

        def answer(marker: dict[str, Any], asked: list[list[str]] = asked) -> None:
            if marker["screen"] in ("listen", "heard"):
                page = glass.page()
                asked.append([marker["screen"], *words(page)])
                point = page.button("Play" if marker["screen"] == "listen" else "Listen again")
                glass.window.todo.append(lambda: glass.window.click(point))

        records = Screens("en", replays, True, answer).listen(clips, ["One", "Two"])
        assert [r["clip"] for r in records] == [clips[0].clip] * plays + [clips[1].clip] * plays
        one = [["listen", "One"], *[["heard", "One"]] * replays]
        assert asked == one + [[s, "Two"] for s, _ in one]
        assert [len(s.played) for s in glass.sounds] == [plays, plays]
        assert [s.released for s in glass.sounds] == [1, 1]  # after the last time: a sound server has so many streams


def test_esc_ends_a_clip_that_plays_after_it_was_asked(glass: World, booth: Prepared) -> None:
    def answer(marker: dict[str, Any]) -> None:
        if marker["screen"] == "playing":
            press = [lambda: glass.window.tap("escape"), lambda: None, lambda: glass.window.tap("1")]
            glass.window.todo.extend([*[lambda: None] * 5, *press])
        elif marker["screen"] == "listen":
            point = glass.page().button("Play")
            glass.window.todo.append(lambda: glass.window.click(point))

    with pytest.raises(Stopped):
        Screens("en", 0, True, answer).listen(booth.stimuli[:1], ["One"])
    (sound,) = glass.sounds
    assert sound.stopped >= 1  # and not left to play on


def test_a_clip_is_played_to_its_end_and_cannot_be_skipped(glass: World, booth: Prepared) -> None:
    """Keys and clicks while it plays do nothing then or later; the bar grows to its full width."""
    shares: list[float] = []
    asked_at = 0

    def answer(marker: dict[str, Any]) -> None:
        nonlocal asked_at
        window, asked_at = glass.window, glass.window.flips
        if marker["screen"] == "playing":

            def impatient() -> None:
                shares.extend(d["width"] for s, d in window.drawn[-1:] if type(s).__name__ == "Rect")
                window.tap("space")
                window.click((640.0, 624.0))

            window.todo.extend([impatient] * 20)
        else:
            point = glass.page().button("Play" if marker["screen"] == "listen" else "Continue")
            window.todo.extend([*[lambda: None] * 30, lambda: window.click(point)])

    began = glass.clock.now
    screens = Screens("en", 1, True, answer)
    screens.gain_db = -6.0
    (record,) = screens.listen(booth.stimuli[:1], ["One"])
    (sound,) = glass.sounds
    assert sound.options["volume"] == pytest.approx(0.501, abs=0.001)  # -6 dB
    assert sound.options["hamming"] is False
    assert sound.options["stereo"] is True
    assert 0.6 <= record["seconds"] - 0.08 < 0.7
    assert record["onset_error"] == pytest.approx(LATE, abs=1e-5)
    assert record["onset_delay"] == pytest.approx(0.08 + LATE, abs=1e-5)
    assert record["driver"] is True
    assert began + 30 * FRAME < record["began"] == pytest.approx(sound.played[0] + LATE)
    assert sound.stopped == 1
    assert shares == sorted(shares)
    assert shares[0] < 0.05
    assert glass.window.flips - asked_at >= 30  # whether to hear it again was not answered by those keys


def test_a_level_is_chosen_in_steps_of_3_db_and_is_never_over_0(glass: World) -> None:
    """-24 to 0 dB: the louder end is 0, each key is 3 dB, and the noise that plays follows at once."""
    for language, ends in readers.LOUDNESS.items():
        every = [([], -12.0), (["right"] * 9, 0.0), (["left"] * 9, -24.0), (["left"], -15.0)]
        for keys, gain in every if language == "en" else every[-1:]:
            Sound.made.clear()
            page: list[Page] = []

            def level(marker: dict[str, Any], keys: list[str] = keys, page: list[Page] = page) -> None:
                page.append(glass.page())
                for key in [*keys, "return"]:
                    glass.window.todo.extend([lambda: None, lambda key=key: glass.window.tap(key)])  # type: ignore[misc]

            assert Screens(language, 0, True, level).adjust_level(-24) == gain
            assert words(page[0])[:2] == list(readers.PAGES[language]["level"])
            assert page[0].across(ends[0]) < 640 < page[0].across(ends[1])
            assert len(page[0].ticks) == 9
            volumes = [20 * np.log10(s.options["volume"]) for s in glass.sounds]
            assert volumes[0] == pytest.approx(-12)
            assert volumes[-1] == pytest.approx(gain)
            assert len(glass.sounds[0].value) == 3 * 48000
    page.clear()
    for key in ("space", "num_enter"):  # the screen says "Enter", and a keyboard has two

        def confirm(_: dict[str, Any], key: str = key) -> None:
            glass.window.todo.extend([lambda: None, lambda: glass.window.tap(key)])

        assert Screens("en", 0, True, confirm).adjust_level(-60) == -30


def test_headphones_are_screened_with_the_words_of_their_test(glass: World) -> None:
    for language in ("en", "it"):
        for test, labels in (
            ("huggins", "123"),
            ("antiphase", "123"),
            ("huggins_inverted", "123"),
            ("sides", SIDED[language]),
        ):
            worded = test.removesuffix("_inverted")
            Sound.made.clear()
            read: list[list[str]] = []
            chosen: list[int] = []

            def answer(
                marker: dict[str, Any],
                read: list[list[str]] = read,
                chosen: list[int] = chosen,
                labels: Sequence[str] = labels,
            ) -> None:
                page = glass.page()
                read.append(words(page))
                if marker["screen"] == "headphones":
                    assert list(page.buttons)[: len(labels)] == list(labels)
                    chosen.append(len(chosen) % len(labels) + 1)
                    point = page.button(labels[chosen[-1] - 1])
                    glass.window.todo.append(lambda: glass.window.click(point))
                elif marker["screen"] == "page":
                    glass.window.todo.append(lambda: glass.window.tap("space"))

            drawn = headphone_trials(test, np.random.default_rng(1))
            given = Screens(language, 0, True, answer).screen_headphones(test, drawn)
            assert given == chosen == [k % len(labels) + 1 for k in range(6)]
            assert read[0] == list(readers.PAGES[language][worded])
            title = readers.PAGES[language][worded][0]
            assert read[1::2] == [[f"{title} {k}/6"] for k in range(1, 7)]
            assert read[2::2] == [[readers.HEADPHONES[language][worded]]] * 6
            assert [s.value is t.audio for s, t in zip(glass.sounds, drawn, strict=True)] == [True] * 6
            assert [s.released for s in glass.sounds] == [1] * 6


def test_practice_plays_the_high_chord_first(glass: World) -> None:
    """The words ask which is higher; each chord sounds under its own title, and nothing is stored."""
    hand = GlassHand(glass, np.random.default_rng(0), readers.reader("en"))
    from experiment.items import practice_question
    from tastelab.study import load_study
    from tests.conftest import ROOT

    config = load_study(ROOT / "study.toml").experiment
    Screens("en", 0, True, hand.answer).practice(practice_question(config, "en"))
    assert [s for s in hand.screens if s != "sounding"] == ["listen", "listen", "slider"]
    assert [w[0] for s in glass.sounds for w in s.words] == ["First piece", "Second piece"]
    high, low = (s.value[:, 0] for s in glass.sounds)

    def lowest(x: np.ndarray) -> float:
        loud = np.abs(np.fft.rfft(x))
        return float(np.flatnonzero(loud > 0.3 * loud.max())[0] * 48000 / len(x))

    assert lowest(high) == pytest.approx(523.25, abs=3)  # C5
    assert lowest(low) == pytest.approx(130.81, abs=3)  # C3
    assert hand.given == []


def test_options_of_a_study_are_shown_and_stored(glass: World, booth: Prepared) -> None:
    """Valence and arousal by their ends, a level, headphones, no practice: what was meant is stored."""
    more = {
        "affect": ["valence", "arousal", "familiarity"], "level": {"by": "participant", "softest": -18},
        "headphones": "both", "practice": False, "pause": False, "sound_check": False,
    }  # fmt: skip
    config = ExperimentConfig.model_validate(booth.config.model_dump() | more)
    asked = Prepared(booth.store, booth.study_id, config, booth.stimuli)
    for code, keyboard in (("A", False), ("B", True)):
        hand, status, session = sit_down(glass, asked, code, "en", keyboard)
        assert status == "complete"
        assert answered(asked, session) == meant(hand)
        assert sum(g["item"] == "valence" for g in hand.given) == 3
        with asked.store.transaction() as s:
            row = s.get_one(SessionRow, session)
            assert row.calibration == {"by": "participant", "gain_db": -9.0}
            kept = s.scalars(select(Screening).where(Screening.session_id == session)).all()
            assert [len(x.detail["given"]) for x in kept] == [6, 6]
        clips = [s.options["volume"] for s in glass.sounds if isinstance(s.value, str)]
        assert np.allclose(20 * np.log10(clips), -9.0)


def test_consent_is_stored_as_given(glass: World, booth: Prepared) -> None:
    """Who says no to the optional questions is not asked them; who declines leaves nothing."""

    class Private(GlassHand):
        declines = False

        def answer(self, marker: dict[str, Any]) -> None:
            if marker["screen"] == "special" or (marker["screen"] == "consent" and self.declines):
                word = "No" if marker["screen"] == "special" else "I do not agree"
                self.click(self.world.page().button(word))
                if word == "No":
                    self.click(self.world.page().button("Continue"))
            else:
                super().answer(marker)

    for code, declines in (("A", False), ("B", True)):
        hand = Private(glass, np.random.default_rng(1), readers.reader("en"))
        hand.declines = declines
        session = launch.begin(booth, code, "driven", "en", "x")
        status = run_session(booth.store, session, booth.config, Screens("en", 0, True, hand.answer))
        with booth.store.transaction() as s:
            person = s.get_one(SessionRow, session).participant_id
            consents = [
                c.special_categories for c in s.scalars(select(Consent).where(Consent.participant_id == person))
            ]
        items = {i for i, *_ in answered(booth, session)}
        if declines:
            assert (status, consents, items) == ("refused", [], set())
        else:
            assert (status, consents) == ("complete", [False])
            assert not items & {"ethnicity", "hearing_impairments", "taste_impairments"}
            assert {"sex", "age", "device"} <= items


@pytest.mark.parametrize("language", ["en", "it"])
def test_nothing_lies_over_anything_else_or_over_the_edge(glass: World, booth: Prepared, language: str) -> None:
    """On every screen of a session: boxes apart and inside, rows of buttons centred, the way to stop small in its corner."""
    told: list[dict[str, Any]] = []
    hand = GlassHand(glass, np.random.default_rng(3), readers.reader(language))

    def answer(marker: dict[str, Any]) -> None:
        told.append(marker)
        hand.answer(marker)

    session = launch.begin(booth, "A", "driven", language, "x")
    run_session(booth.store, session, booth.config, Screens(language, 2, True, answer))
    for marker in told:
        boxes = [(*x["at"], *x["box"]) for x in marker["shown"] if "box" in x]
        if marker["screen"] == "playing":
            boxes = [b for b in boxes if b[3] > 20]  # the bar's trough and its filled part lie on each other
        for x, y, w, h in boxes:
            assert w / 2 <= x <= 1280 - w / 2
            assert h / 2 <= y <= 800 - h / 2
        for a, b in itertools.combinations(boxes, 2):
            assert abs(a[0] - b[0]) >= (a[2] + b[2]) / 2 or abs(a[1] - b[1]) >= (a[3] + b[3]) / 2, marker["screen"]
        *others, stop = sorted(boxes, key=lambda b: (b[1], -b[0]))
        assert stop[0] < 160
        assert stop[1] > 740
        others = [
            b for b in others if not (b[1] == stop[1] and 160 < b[0] < 320 and b[2:] == stop[2:])
        ]  # back, beside it
        assert all(b[2] * b[3] > stop[2] * stop[3] for b in others)
        by_row: dict[int, list[tuple[int, ...]]] = {}
        for b in others:
            by_row.setdefault(b[1], []).append(b)
        for row in by_row.values():
            if marker["screen"] == "number" and len(row) == 2:
                continue  # below the digits' last line of three
            assert np.mean([b[0] for b in row]) == pytest.approx(640, abs=1)
            assert len({b[2:] for b in row}) == 1
        texts = [(x["text"], *x["at"]) for x in marker["shown"] if "text" in x]
        for words_there, x, y in texts:
            if hand.phrases.counted(words_there):
                assert x > 1000
                assert y < 60
            else:
                assert y > 60 or x > 1000
            inside = [b for b in boxes if abs(x - b[0]) < b[2] / 2 and abs(y - b[1]) < b[3] / 2]
            assert all((x, y) == b[:2] for b in inside)  # words on a button stand in its middle
