"""The guides' pictures of a participant's screens, drawn as they are today on a virtual desk: ``python -m benchmarks.pictures``.

docs/images/screens has one a kind; docs/images/screens.png is four of them for the front page.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SIZE, SHOWN = (1280, 800), (640, 400)
FOUR = ("consent", "playing", "preference", "rating")
MINUTES = 8  # of the default study, as `tastelab study check` counts them
STATEMENT = "I often choose music that goes with what I eat."
AGREED = ("not at all", "a little", "moderately", "much", "very much")
CHOSEN = {"choice": "female", "rating": "a lot", "bipolar": "5", "valence": "7", "questionnaire": "moderately"}
# What stands in the guides, by the engine's names of the default study's screens.
SCREENS = {
    "consent": "consent", "choice": "question 1, sex", "number": "question 2, age", "sound-check": "sound", "level": "level",
    "headphones": "huggins", "practice": "practice", "listen": "preference, First piece", "playing": "preference, First piece plays",
    "rating": "question 15, sweet",
}  # fmt: skip


def in_window(folder: str) -> None:
    """In a process of its own: draw each kind of screen and take its picture."""
    from PIL import Image, ImageGrab

    from experiment.choices import clip_heard, consenting, keyboard, numbered, play
    from experiment.items import consent_more, every_question
    from experiment.lab import opening
    from experiment.lab.fitting import every_screen
    from experiment.lab.window import Window
    from experiment.question import Question
    from experiment.stations import LevelConfig
    from tastelab.study import load_study

    config = load_study(ROOT / "study.toml").experiment
    level = LevelConfig(by="participant")
    config = config.model_copy(update={"headphones": "huggins", "languages": ["en"], "level": level})
    opening.windowed = lambda *_: SIZE
    window = Window("en", False)
    words, compose = window.words, window.compose
    there = dict(every_screen(compose, config, "en"))
    screens = {name: there[kind] for name, kind in SCREENS.items()}
    agreed_to = words["consent"]["text"].replace("{minutes}", str(MINUTES))
    screens["consent"] = compose.choose(
        words["consent"]["title"], "\n\n".join([agreed_to, *consent_more(config, "en")]), consenting(words)
    )
    asked = next(q for _, q in every_question(config, "en") if q.item == "preference")
    feels = words["affect"]["valence"]
    screens |= {
        "listen": compose.choose(words["preference"]["listen_first"], "", [play(words)]),
        "heard": compose.choose(words["preference"]["listen_first"], "", clip_heard(words)),
        "preference": compose.question(replace(asked, start=7.0), words),
        "bipolar": compose.question(Question("b", "steps", "", low=1, high=7, labels=("cold", "warm")), words),
        "valence": compose.question(
            Question("v", "steps", feels["question"], low=1, high=9, labels=(feels["low"], feels["high"])), words
        ),
        "questionnaire": compose.question(Question("s", "steps", STATEMENT, low=1, high=5, labels=AGREED), words),
    }
    stop = compose.foot(("stop", words["stop"]))
    corner = compose.corner(words["progress"].format(done=9, total=49))
    pictures = {}
    for name, screen in screens.items():
        for button in screen.buttons:  # one is chosen, and what has no choice yet can't be confirmed
            button.selected = button.label == CHOSEN.get(name)
            button.enabled = button.label != words["next"] or name != "number"
        keys = keyboard(words, "press" if len(screen.buttons) == 1 else "buttons") if screen.buttons else ""
        if name in ("number", "preference", "level"):
            keys = keyboard(words, "digits" if name == "number" else "arrows")
        elif screen.onward is not None:  # choices and steps, and the button that goes on
            keys = numbered(words, 1, len(screen.buttons) - 1, "arrows")
        hint = compose.keys(keys, stop)
        asks = name in ("choice", "number", "rating", "preference", "bipolar", "valence", "questionnaire")
        window._draw([*([corner] if asks else []), *screen.parts, *screen.buttons, *stop, *([hint] if hint else [])])
        for _ in range(2):
            window.window.flip(clearBuffer=False)
        x, y = window.window.winHandle.get_location()
        whole = ImageGrab.grab(xdisplay=os.environ["DISPLAY"]).crop((x, y, x + SIZE[0], y + SIZE[1]))
        pictures[name] = whole.resize(SHOWN, Image.Resampling.LANCZOS)
        pictures[name].save(Path(folder) / "screens" / f"{name}.png", optimize=True)
    gap = 8
    sheet = Image.new("RGB", (2 * SHOWN[0] + 3 * gap, 2 * SHOWN[1] + 3 * gap), "#DDE3E8")
    for k, name in enumerate(FOUR):
        sheet.paste(pictures[name], (gap + k % 2 * (SHOWN[0] + gap), gap + k // 2 * (SHOWN[1] + gap)))
    sheet.save(Path(folder) / "screens.png", optimize=True)


def main() -> None:
    """Draw them all."""
    from experiment.lab.desk import virtual_desk

    images = ROOT / "docs" / "images"
    with virtual_desk(sound=False, size=(1366, 900)) as desk:
        call = f"from benchmarks.pictures import in_window; in_window({str(images)!r})"
        done = subprocess.run(
            [sys.executable, "-c", call], env=desk.environment, capture_output=True, text=True, cwd=ROOT
        )
    if done.returncode:
        raise RuntimeError(done.stderr)
    print(f"{len(list((images / 'screens').glob('*.png')))} pictures in {images}")


if __name__ == "__main__":
    main()
