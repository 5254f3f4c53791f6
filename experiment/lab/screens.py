"""PsychoPy's screens: one thing a screen, by mouse or by keyboard alone; a presenter of `experiment.session`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from experiment.data.tables import Stimulus
from experiment.headphones import HeadphoneTrial
from experiment.lab.asking import Asking
from experiment.lab.playback import RATE, SLACK, open_sound, play_through, reference_noise, two_chords
from experiment.lab.widgets import MUTED, Bar, Slider
from experiment.lab.window import Interrupted, Marker
from experiment.question import Question
from experiment.session import SoundFailed

LEVEL_SECONDS = 3.0


class Screens(Asking):
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
    ):
        super().__init__(language, fullscreen, marker, font, folder, dead_time)
        self.replays = replays
        self.gain_db = 0.0
        self.failed: str | None = None  # what was wrong with a sound that ended the session

    def consent(self) -> tuple[bool, bool]:
        """Ask for consent, once its text was read to the end; then, on a screen of another kind, for special categories."""
        w = self.words
        choices = [("agree", w["agree"], "1"), ("decline", w["decline"], "2")]
        if self.choose("consent", w["consent"]["title"], w["consent"]["text"], choices, lead=False) == "decline":
            if "declined" in w:
                self.page(w["declined"]["title"], w["declined"]["text"])
            return False, False
        parts = [
            self.text(w["consent"]["special_title"], 0.42, 0.045, bold=True),
            self.text(w["consent"]["special_text"], 0.31, 0.03, anchorVert="center"),
        ]
        chosen, _ = self.pick("special", parts, {"yes": w["yes"], "no": w["no"]})
        return True, chosen == "yes"

    def page(self, title: str, body: str) -> None:
        """Show a text with a button to go on."""
        self.choose("page", title, body, [("next", self.words["next"], "space")])

    # Sound before the first clip ---------------------------------------------------------------------------------

    def sound_check(self) -> dict[str, Any] | None:
        """Play a tone left, right, then on both sides, until it is said to be heard so."""
        w = self.words["sound"]
        t = np.arange(round(0.7 * RATE)) / RATE
        ramp = np.minimum(1, np.minimum(t, t[::-1]) / 0.05)
        tone = (0.1 * np.sin(2 * np.pi * 440 * t) * ramp).astype(np.float32)
        none = np.zeros_like(tone)
        sides = (("left", tone, none), ("right", none, tone), ("both", tone, tone))
        plays = 0
        while True:
            for side, left, right in sides:
                parts = [self.text(w["title"], 0.3, 0.055, bold=True), self.text(w[side], 0.06, 0.05)]
                record = self._play(np.stack([left, right], axis=1), parts)
            plays += 1
            choices = [("yes", self.words["yes"], "1"), ("again", self.words["again"], "2")]
            if self.choose("sound", w["title"], w["text"], choices) == "yes":
                return {"plays": plays, **record}

    def adjust_level(self, softest: int) -> float | None:
        """Noise of the clips' loudness plays until its level is comfortable; steps of 3 dB, never over 0 dB."""
        w = self.words["level"]
        steps = -softest // 3
        noise = reference_noise(LEVEL_SECONDS)
        slider = Slider(self.window, self.face, 0, steps, (w["softer"], w["louder"]))
        slider.value = float(steps // 2)
        heading = [self.text(w["title"], 0.3, 0.055, bold=True), self.text(w["text"], 0.12, 0.032)]
        button = self.next_button()
        self.mark("level")
        chosen = False
        while not chosen:
            gain = 3.0 * (float(slider.value) - steps)
            before = slider.value

            def tick(_: float, before: float | None = before) -> bool:
                nonlocal chosen
                clicked = self.frame([*heading, slider], [button], slider)
                for key in self.typed():
                    if key in ("left", "right"):
                        slider.nudge(-1 if key == "left" else 1)
                    elif key in ("return", "space"):
                        clicked = "next"
                chosen = chosen or clicked == "next"
                return chosen or slider.value != before

            self._through("level", open_sound(noise, RATE, gain), LEVEL_SECONDS, tick)
        return gain

    def screen_headphones(self, test: str, trials: list[HeadphoneTrial]) -> list[int] | None:
        """Three intervals a trial; which of them had the faint tone, or was quietest."""
        w = self.words["headphones"]
        self.page(w["title"], w[test])
        given = []
        for k, trial in enumerate(trials):
            heading = self.text(f"{w['title']} {k + 1}/{len(trials)}", 0.3, 0.045, bold=True)
            self._play(trial.audio, [heading])
            choices = [(str(i), str(i), str(i)) for i in (1, 2, 3)]
            given.append(int(self.choose("headphones", w[f"{test}_question"], "", choices, lead=False)))
        return given

    def practice(self, question: Question) -> None:
        """Two chords, and the slider; nothing of it is kept."""
        for chord, title in zip(two_chords(), ("listen_first", "listen_second"), strict=True):
            words = self.words["preference"][title]
            self.choose("listen", words, "", [("play", self.words["play"], "space")])
            self._play(chord, [self.text(words, 0.12, 0.045, bold=True)])
        self._ask(question, [self.text(self.words["practice"]["title"], 0.46, 0.022, MUTED, x=0.68)])

    def _play(self, audio: np.ndarray, parts: list[Any]) -> dict[str, Any]:
        seconds = len(audio) / RATE
        self.mark("sounding")

        def tick(_: float) -> None:
            self.frame(parts, [])
            self.typed()  # Esc asks; other keys pressed meanwhile answer nothing later

        return self._through("sounding", open_sound(audio, RATE, self.gain_db), seconds, tick)

    def _through(
        self, screen: str, player: Any, seconds: float, tick: Callable[[float], bool | None], **detail: Any
    ) -> dict[str, Any]:
        """Play to the end. What was interrupted by the question whether to stop begins anew; so does, once, what broke off.

        Raises
        ------
        SoundFailed
            If the sound broke off twice; the person is told to call the experimenter.
        """
        interrupted, broken = 0, list[dict[str, Any]]()
        while True:
            self._sounding = player
            try:
                record = play_through(player, seconds, tick)
            except Interrupted:
                interrupted += 1
                self.mark(screen, **detail)
                continue
            finally:
                self._sounding = None
            if record["whole"] or screen == "level":
                return record | {k: x for k, x in (("interrupted", interrupted), ("broken", broken)) if x}
            broken.append({k: record[k] for k in ("played", "underruns")})
            w = self.words.get("broken", {})
            if len(broken) > 1:
                self.choose("broken", w.get("title", "!"), w.get("call", ""), [("next", self.words["next"], "space")])
                self.failed = _how(broken[-1], seconds)
                raise SoundFailed({"clip": detail.get("clip"), "seconds": seconds, "attempts": broken})
            self.choose("broken", w.get("title", "!"), w.get("again", ""), [("next", self.words["next"], "space")])
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
                    self.choose("listen", title, "", [("play", self.words["play"], "space")])
                bar = Bar(self.window)
                heading = self.text(title, 0.12, 0.045, bold=True)
                self.mark("playing", clip=clip.clip)

                def tick(share: float, bar: Bar = bar, heading: Any = heading) -> None:
                    bar.share = share
                    self.frame([heading, bar], [])
                    self.typed()  # Esc asks; other keys pressed while a clip plays answer nothing later

                record = self._through("playing", player, float(clip.seconds), tick, clip=clip.clip)
                plays += 1
                records.append({"clip": clip.clip, **record})
                if plays > self.replays:
                    break
                choices = [("next", self.words["next"], "space"), ("again", self.words["again"], "2")]
                if self.choose("heard", title, "", choices) == "next":
                    break
        return records


def _how(record: dict[str, Any], seconds: float) -> str:
    """What was wrong with a sound, for the experimenter."""
    played = record["played"]
    if played is None:
        return "a sound did not begin"
    if record["underruns"] and played >= seconds - SLACK:
        return f"a sound had gaps (the driver ran dry {record['underruns']} time{'s' * (record['underruns'] != 1)})"
    return f"a sound did not play to its end ({played:.1f} of {seconds:.1f} s)"
