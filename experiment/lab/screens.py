"""PsychoPy's screens: one thing a screen, by mouse or by keyboard alone; a presenter of `experiment.session`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from experiment.choices import clip_heard, consenting, intervals, keyboard, onward, play, sound_heard
from experiment.data.tables import Stimulus
from experiment.headphones import HeadphoneTrial, wording
from experiment.lab.asking import GO_ON
from experiment.lab.form import Forms
from experiment.lab.playback import BEHIND, RATE, SLACK, open_sound, play_through, release
from experiment.lab.widgets import Bar
from experiment.lab.window import Interrupted, Marker
from experiment.question import Question
from experiment.session import SoundFailed
from experiment.tones import LEVEL_SECONDS, SIDES, reference_noise, tone, two_chords


class Screens(Forms):
    """A window with everything a participant sees."""

    def __init__(
        self,
        language: str,
        replays: int,
        fullscreen: bool = True,
        marker: Marker | None = None,
        font: str | None = None,
        folder: Path | None = None,
        dead_time: float | None = None,
        enlarged: float = 1.0,
        logo: Path | None = None,
    ):
        super().__init__(language, fullscreen, marker, font, folder, dead_time, enlarged, logo)
        self.replays = replays
        self.gain_db = 0.0
        self.minutes = 0
        self.more: tuple[str, ...] = ()  # paragraphs under the consent
        self.asks_special = True  # whether the study asks what needs a consent of its own
        self.failed: str | None = None  # what was wrong with a sound that ended the session

    def consent(self) -> tuple[bool, bool]:
        """Ask for consent, once its text was read to the end; then, on a screen of another kind, for special categories."""
        w = self.words
        told = "\n\n".join([w["consent"]["text"].replace("{minutes}", str(self.minutes)), *self.more])
        if self.choose("consent", w["consent"]["title"], told, consenting(w)) == "decline":
            if "declined" in w:
                self.page(w["declined"]["title"], w["declined"]["text"])
            return False, False
        if not self.asks_special:
            return True, False
        asked = w["consent"]["special_title"], w["consent"]["special_text"]
        chosen, _ = self.pick("special", *asked, {"yes": w["yes"], "no": w["no"]})
        return True, chosen == "yes"

    def page(self, title: str, body: str) -> None:
        """Show a text with a button to go on."""
        self.choose("page", title, body, [onward(self.words)])

    # Sound before the first clip ---------------------------------------------------------------------------------

    def sound_check(self) -> dict[str, Any] | None:
        """Play a tone left, right, then on both sides, until it is said to be heard so."""
        w = self.words["sound"]
        plays = 0
        while True:
            for side in SIDES:
                shown = self.compose.sounding(w["title"], w[side])
                record = self._play(tone(side), shown.parts)
            plays += 1
            heard = self.choose("sound", w["title"], w["text"], sound_heard(self.words))
            if heard == "yes":
                return {"plays": plays, **record}
            if heard == "no":
                self.page(w["title"], w["call"])

    def adjust_level(self, softest: int) -> float | None:
        """Noise of the clips' loudness plays until its level is comfortable; steps of 3 dB, never over 0 dB."""
        w = self.words["level"]
        steps = -softest // 3
        noise = reference_noise(LEVEL_SECONDS)
        ends = (w["softer"], w["louder"])
        scale = Question("level", "slider", w["text"], high=steps, labels=ends, start=float(steps // 2))
        shown = self.compose.level(w["title"], w["text"], scale, self.words["next"])
        slider = shown.slider
        assert slider is not None
        self.mark("level", keyboard(self.words, "arrows"))
        chosen = False
        while not chosen:
            gain = 3.0 * (float(slider.value or 0.0) - steps)
            before = slider.value

            def tick(_: float, before: float | None = before) -> bool:
                nonlocal chosen
                clicked = self.frame(shown.parts, shown.buttons, slider)
                for key in [*self.typed(), *self.held(8.0)]:
                    if key in ("left", "right"):
                        slider.nudge(-1 if key == "left" else 1)
                    elif key in GO_ON:
                        clicked = "next"
                chosen = chosen or clicked == "next"
                return chosen or slider.value != before

            player = open_sound(noise, RATE, gain)
            self._through("level", player, LEVEL_SECONDS, tick)
            release(player)
        return gain

    def screen_headphones(self, test: str, trials: list[HeadphoneTrial]) -> list[int] | None:
        """Three intervals a trial; which of them had the faint tone, or was quietest; or a sound from one side, or tones to count."""
        title, told, asked = wording(self.words, test)
        self.page(title, told)
        given = []
        for k, trial in enumerate(trials):
            number = f" {k + 1}/{len(trials)}" if len(trials) > 1 else ""
            self._play(trial.audio, self.compose.sounding(title + number).parts)
            given.append(int(self.choose("headphones", asked, "", intervals(test, self.words))))
        return given

    def practice(self, question: Question) -> None:
        """Two chords, and the slider; nothing of it is kept."""
        for chord, title in zip(two_chords(), ("listen_first", "listen_second"), strict=True):
            words = self.words["preference"][title]
            self.choose("listen", words, "", [play(self.words)])
            self._play(chord, self.compose.sounding(words).parts)
        self._ask(question, self.words["practice"]["title"])

    def _play(self, audio: np.ndarray, parts: list[Any]) -> dict[str, Any]:
        seconds = len(audio) / RATE
        self.mark("sounding")

        def tick(_: float) -> None:
            self.frame(parts, [])
            self.typed()  # Esc asks; other keys pressed meanwhile answer nothing later

        player = open_sound(audio, RATE, self.gain_db)
        record = self._through("sounding", player, seconds, tick)
        release(player)
        return record

    def _through(
        self,
        screen: str,
        player: Any,
        seconds: float,
        tick: Callable[[float], bool | None],
        clip: Stimulus | None = None,
    ) -> dict[str, Any]:
        """Play to the end. What was interrupted by the question whether to stop begins anew; so does, once, what broke off.

        Raises
        ------
        SoundFailed
            If the sound broke off twice; the person is told to call the experimenter.
        """
        interrupted, broken = 0, list[dict[str, Any]]()
        detail = {} if clip is None else {"clip": clip.clip}
        while True:
            self._sounding = player
            try:
                record = play_through(player, seconds, tick, self.triggers.sounding(clip.id if clip else None))
            except Interrupted:
                interrupted += 1
                self.mark(screen, **detail)
                continue
            finally:
                self._sounding = None
            if record["whole"] or screen == "level":
                return record | {k: x for k, x in (("interrupted", interrupted), ("broken", broken)) if x}
            broken.append({k: record[k] for k in ("played", "underruns", "behind")})
            w = self.words.get("broken", {})
            if len(broken) > 1:
                self.choose("broken", w.get("title", "!"), w.get("call", ""), [onward(self.words)])
                self.failed = _how(broken[-1], seconds)
                raise SoundFailed({"clip": detail.get("clip"), "seconds": seconds, "attempts": broken})
            self.choose("broken", w.get("title", "!"), w.get("again", ""), [onward(self.words)])
            self.mark(screen, **detail)

    # Clips -------------------------------------------------------------------------------------------------------

    def listen(self, clips: list[Stimulus], titles: list[str]) -> list[dict[str, Any]]:
        """Play each clip to its end; it can't be skipped, and may be heard again as often as the study allows."""
        records = []
        for clip, title in zip(clips, titles, strict=True):
            assert clip.path is not None
            assert clip.seconds is not None
            player = open_sound(clip.path, gain_db=self.gain_db)
            plays = 0
            while True:
                if plays == 0:
                    self.choose("listen", title, "", [play(self.words)])
                shown = self.compose.playing(title)
                bar = shown.bar
                assert bar is not None
                self.mark("playing", clip=clip.clip)

                def tick(share: float, bar: Bar = bar, parts: list[Any] = shown.parts) -> None:
                    bar.share = share
                    self.frame(parts, [])
                    self.typed()  # Esc asks; other keys pressed while a clip plays answer nothing later

                record = self._through("playing", player, float(clip.seconds), tick, clip)
                plays += 1
                records.append({"clip": clip.clip, **record})
                if plays > self.replays:
                    break
                if self.choose("heard", title, "", clip_heard(self.words)) == "next":
                    break
            release(player)
        return records


def _how(record: dict[str, Any], seconds: float) -> str:
    """What was wrong with a sound, for the experimenter."""
    played = record["played"]
    if played is None:
        return "a sound did not begin"
    if record["underruns"] and played >= seconds - SLACK:
        return f"a sound had gaps (the driver ran dry {record['underruns']} time{'s' * (record['underruns'] != 1)})"
    if record["behind"] > BEHIND and played >= seconds - SLACK:
        return f"a sound was held up for {record['behind']:.2f} s"
    return f"a sound did not play to its end ({played:.1f} of {seconds:.1f} s)"
