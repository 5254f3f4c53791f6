"""Every kind of screen on displays of many shapes and in many languages, as it is drawn: what overlaps, leaves or is too small.

`python -m benchmarks.screens [FOLDER]` tries all sizes and languages, and writes a picture of each kind of screen on the
narrowest and the widest display into FOLDER.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from experiment.config import ExperimentConfig
from experiment.question import Question

ROOT = Path(__file__).resolve().parent.parent
SIZES = (
    (1024, 768), (1280, 1024), (1366, 768), (1280, 800), (1920, 1080), (2560, 1080), (3840, 1080), (3840, 2160),
)  # fmt: skip
LANGUAGES = ("en", "it", "de", "ar", "ja")
# Texts of languages that do not ship, for trying the screens; a folder of the tests'.
TEXTS = ROOT / "tests" / "experiment" / "lab" / "texts"
SEEN = ("consent", "sound", "special", "stop", "sure", "tone, left", "level", "huggins, question")


SEVEN = {
    "en": ["strongly disagree", "disagree", "somewhat disagree", "neither agree nor disagree", "somewhat agree", "agree", "strongly agree"],
    "it": ["per niente d'accordo", "in disaccordo", "abbastanza in disaccordo", "né d'accordo né in disaccordo", "abbastanza d'accordo", "d'accordo", "completamente d'accordo"],
    "de": ["stimme überhaupt nicht zu", "stimme nicht zu", "stimme eher nicht zu", "weder Zustimmung noch Ablehnung", "stimme eher zu", "stimme zu", "stimme vollkommen zu"],
    "ar": ["لا أوافق بشدة", "لا أوافق", "لا أوافق إلى حد ما", "محايد", "أوافق إلى حد ما", "أوافق", "أوافق بشدة"],
    "ja": ["まったくそう思わない", "そう思わない", "あまりそう思わない", "どちらともいえない", "ややそう思う", "そう思う", "とてもそう思う"],
}  # fmt: skip
LONG = {
    "en": "I sometimes choose music that can trigger shivers down my spine while I am eating or drinking.",
    "it": "A volte scelgo musica che può farmi venire i brividi lungo la schiena mentre mangio o bevo.",
    "de": "Manchmal wähle ich Musik aus, die mir beim Essen und Trinken Schauer über den Rücken laufen lässt, zum Beispiel Streichquartettaufnahmen.",
    "ar": "أختار أحيانًا موسيقى يمكن أن تثير القشعريرة في جسدي أثناء الأكل أو الشرب.",
    "ja": "食べたり飲んだりしているときに、背筋がぞくぞくするような音楽を選ぶことがある。",
}  # fmt: skip


def _hardest(language: str) -> list[Question]:
    steps, long = SEVEN[language], LONG[language]
    ends = (steps[0], steps[-1])
    return [
        Question("seven", "steps", long, low=1, high=7, labels=tuple(steps), word=long),
        Question("eleven", "steps", long, low=0, high=10, labels=(long, long)),
        Question("hundred", "slider", long, low=0, high=100, labels=ends, start=40.0),
        Question("ends", "slider", long, low=0, high=10, labels=(long, long), start=0.0),
        Question("fourteen", "choice", long, options={f"o{i}": f"{steps[i % 7]} {i}" for i in range(14)}),
        Question("thirty", "choice", long, options={f"o{i}": f"{steps[i % 7]} {i}" for i in range(30)}),
        Question("number", "number", long, low=1, high=110),
    ]


HARDEST = {language: _hardest(language) for language in LANGUAGES}


def words_of(language: str, count: int) -> str:
    """A text of so many words, in paragraphs of a hundred; of Japanese, of as many groups of five letters."""
    found = LONG[language].split() if language != "ja" else [LONG["ja"][i : i + 5] for i in range(0, 40, 5)]
    blank = "" if language == "ja" else " "
    words = [found[i % len(found)] for i in range(count)]
    return "\n\n".join(blank.join(words[i : i + 100]) for i in range(0, count, 100))


def in_window(sizes: Sequence[tuple[int, int]], languages: Sequence[str], folder: str, enlarged: float) -> None:
    """In a process of its own: draw every screen and print, a line each, what stands on it."""
    from experiment.choices import consenting
    from experiment.lab import opening
    from experiment.lab.fitting import every_screen
    from experiment.lab.reading import seen
    from experiment.lab.window import Window
    from tastelab.study import load_study

    base = load_study(ROOT / "study.toml").experiment
    for size in sizes:
        opening.windowed = lambda *_, size=size: size  # type: ignore[misc]  # one after another, in place of what fits this display
        for language in languages:
            config = base.model_copy(update={"headphones": "both", "languages": [language]})
            shipped = language in ("en", "it")
            config = config if shipped else spoken(config, language)
            window = Window(language, False, folder=config.texts, enlarged=enlarged)
            long = window.compose.pages(LONG[language], words_of(language, 600), consenting(window.words))
            screens = [*_kinds(every_screen(window.compose, config, language))]
            screens += [(f"hard, {q.item}", window.compose.question(q, window.words)) for q in HARDEST[language]]
            screens += [
                (f"consent of 600 words, page {i + 1}", window.compose.choose(LONG[language], page, consenting(window.words)))
                for i, page in enumerate(long)
                if i in (0, len(long) - 1)
            ]  # fmt: skip
            always = window.compose.foot(("stop", window.words["stop"]), ("back", window.words.get("back", "\u2190")))
            corner = window.compose.corner(window.words["progress"].format(done=49, total=49))
            keys = max((w.format(first=1, last=9) for w in window.words.get("keys", {}).values()), key=len, default="")
            hint = window.compose.keys(keys, always)
            for name, shown in screens:
                widgets = [corner, *shown.parts, *shown.buttons, *always, *([hint] if hint else [])]
                window._draw(widgets)
                told = [x for w in widgets for x in seen(w, size)]
                print(
                    json.dumps({"size": size, "language": language, "screen": name, "shown": told, "pages": len(long)})
                )
                if folder and (name in SEEN or name.startswith(("hard", "question", "consent of"))):
                    _picture(
                        window, size, Path(folder) / f"{size[0]}x{size[1]}-{language}-{name.replace(' ', '-')}.png"
                    )
            window.close()


def _picture(window: Any, size: tuple[int, int], path: Path) -> None:
    """What stands on the display where the window is."""
    from PIL import ImageGrab

    window.window.flip(clearBuffer=False)
    window.window.flip(clearBuffer=False)
    x, y = window.window.winHandle.get_location()
    whole = ImageGrab.grab(xdisplay=os.environ["DISPLAY"])
    whole.crop((x, y, x + size[0], y + size[1])).save(path)


def spoken(config: ExperimentConfig, language: str) -> ExperimentConfig:
    """The default study in a language that does not ship."""
    labels = {language: SEVEN[language][:5]}
    assert config.ratings is not None
    adjectives = [a.model_copy(update={"words": {language: a.words["en"]}}) for a in config.ratings.adjectives]
    ratings = config.ratings.model_copy(update={"labels": labels, "adjectives": adjectives})
    tastes = {language: config.taste_words["en"]}
    return config.model_copy(update={"texts": TEXTS, "ratings": ratings, "taste_words": tastes})


def _kinds(screens: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """One of several questions that are asked alike."""
    alike: set[str] = set()
    for name, shown in screens:
        kind = name.split(", ")[1] if name.startswith("question") else name
        if kind not in alike and not (kind in ADJECTIVES and alike & ADJECTIVES):
            yield name, shown
        alike.add(kind)


ADJECTIVES = {"salty", "sweet", "bitter", "sour", "happy", "sad", "anger", "disgust", "fear", "surprise", "hot", "cold"}


def drawn(
    sizes: Sequence[tuple[int, int]], languages: Sequence[str], folder: str = "", enlarged: float = 1.0
) -> list[dict[str, Any]]:
    """What stands on every screen, as windows of these sizes drew it on a virtual desk."""
    from experiment.lab.desk import virtual_desk

    with virtual_desk(sound=False, size=(max(w for w, _ in sizes), max(h for _, h in sizes))) as desk:
        call = f"from benchmarks.screens import in_window; in_window({list(sizes)}, {list(languages)}, {folder!r}, {enlarged})"
        done = subprocess.run(
            [sys.executable, "-c", call], env=desk.environment, capture_output=True, text=True, cwd=ROOT
        )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def boxes(shown: Sequence[dict[str, Any]]) -> list[tuple[str, float, float, float, float]]:
    """What stands there: words, boxes, lines; left, top, right, bottom in pixels."""
    found = []
    for x in shown:
        if "line" in x:
            (x0, y0), (x1, y1) = x["line"]
            found.append(("line", min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
        else:
            w, h = x.get("box") or x["size"]
            name = "box" if "box" in x else f"words {x['text'][:40]!r}"
            found.append((name, x["at"][0] - w / 2, x["at"][1] - h / 2, x["at"][0] + w / 2, x["at"][1] + h / 2))
    return found


def faults(marker: dict[str, Any]) -> list[str]:
    """What is wrong with a screen: things that lie over one another or leave it."""
    width, height = marker["size"]
    found = []
    things = boxes(marker["shown"])
    for name, left, top, right, bottom in things:
        if left < 0 or top < 0 or right > width or bottom > height:
            found.append(f"{name} leaves the screen: {left:.0f} {top:.0f} {right:.0f} {bottom:.0f}")
    for (a, *p), (b, *q) in itertools.combinations(things, 2):
        apart = p[2] <= q[0] or q[2] <= p[0] or p[3] <= q[1] or q[3] <= p[1]
        inside = (
            b.startswith("words") and a == "box" and p[0] <= q[0] and p[1] <= q[1] and q[2] <= p[2] and q[3] <= p[3]
        )
        if apart or inside or a == b == "line" or ("plays" in marker["screen"] and a == b == "box"):
            continue
        found.append(f"{a} and {b} lie over one another")
    return found


if __name__ == "__main__":
    where = sys.argv[1] if len(sys.argv) > 1 else ""
    total = 0
    for size in SIZES:
        for enlarged in (1.0, 1.5):
            screens = drawn(
                [size], LANGUAGES, where if size in (SIZES[1], SIZES[6]) and enlarged == 1 else "", enlarged
            )
            wrong = [(m["language"], m["screen"], f) for m in screens for f in faults(m)]
            total += len(wrong)
            print(f"{size[0]} x {size[1]}, letters x {enlarged}: {len(screens)} screens, {len(wrong)} faults")
            for line in wrong[:5]:
                print("  ", *line)
    sys.exit(total > 0)
