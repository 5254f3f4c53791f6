"""Whether a study's words have room: every screen that a person can see, composed for a screen and drawn on none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import atan, degrees

from experiment import choices
from experiment.config import ExperimentConfig
from experiment.headphones import PROOF, tests_of, wording
from experiment.items import consent_more, every_question, reader
from experiment.lab.composing import Composed, Composer
from experiment.lab.form import composed
from experiment.lab.layout import FLOOR, Sheet
from experiment.lab.typefaces import CAPITAL, PaperRuler, typeface
from experiment.lab.widgets import Pen
from experiment.question import Question
from experiment.tasks.pages import PageTask
from experiment.tasks.ratings import RatingsTask
from experiment.texts import texts

NARROWEST = (1280, 1024)  # the squarest screen on which everything has to have room
LEAST_ANGLE = 16.0  # minutes of arc, of capitals (ISO 9241-303)
A_CODE = "M" * 20


def every_screen(compose: Composer, config: ExperimentConfig, language: str) -> Iterator[tuple[str, Composed]]:
    """All screens that a study can show in a language, each with a name of its own."""
    w = texts(language, config.texts)
    on = [choices.onward(w)]

    def page(title: str, body: str, buttons: list[choices.Choice] = on) -> Iterator[Composed]:
        *before, last = compose.pages(title, body, buttons)
        for i, part in enumerate(before):
            yield compose.choose(title, part, choices.reading(w, i == 0))
        yield compose.choose(title, last, buttons)

    agreed_to = "\n\n".join([w["consent"]["text"].replace("{minutes}", "100"), *consent_more(config, language)])
    notices = {"debrief": config.debrief, "end": config.completion}
    said: dict[str, tuple[str, str, list[choices.Choice]]] = {
        "consent": (w["consent"]["title"], agreed_to, choices.consenting(w)),
        "sound": (w["sound"]["title"], w["sound"]["text"], choices.sound_heard(w)),
        "end": (w["end"]["title"], w["end"]["text"].format(code=A_CODE), on),
        **{k: (*n.read(language, A_CODE), on) for k, n in notices.items() if n is not None},
        "pause": (w["pause"]["title"], w["pause"]["text"], on),
        "practice": (w["practice"]["title"], w["practice"]["text"], on),
        "too young": (w["too_young"]["title"], w["too_young"]["text"], on),
    }
    said |= {k: (w[k]["title"], w[k]["text"], on) for k in ("declined",) if k in w}
    if "call" in w["sound"]:
        said["sound, call"] = (w["sound"]["title"], w["sound"]["call"], on)
    if "broken" in w:
        said |= {f"broken, {k}": (w["broken"]["title"], w["broken"][k], on) for k in ("again", "call")}
    tests = tests_of(config.headphones, config.sides)
    for test in (*tests, *([PROOF] if config.attention.listening else [])):
        title, told, which = wording(w, test)
        said[test] = (title, told, on)
        said[f"{test}, question"] = (which, "", choices.intervals(test, w))
    if tests:
        said["headphones failed"] = (w["headphones"]["failed_title"], w["headphones"]["failed"], on)
    for task in config.sequence():
        if isinstance(task, PageTask):
            said[task.block] = (task.title[language], task.text[language], on)
        elif task.heard:
            longest = max([str(w[task.kind].get("intro_title", "")), *w.get("parts", {}).values()], key=len)
            said[f"{task.block}, introduction"] = (longest, w[task.kind]["intro"], on)
        for title in task.titles(reader(config, language)):
            said[f"{task.block}, {title}"] = (title, "", choices.clip_heard(w))
            yield f"{task.block}, {title} plays", compose.playing(title)
    for name, (title, body, buttons) in said.items():
        for i, shown in enumerate(page(title, body, buttons), 1):
            yield f"{name}, page {i}" if i > 1 else name, shown
    special = w["consent"]["special_title"], w["consent"]["special_text"]
    yield "special", compose.pick(*special, choices.listed({k: w[k] for k in ("yes", "no")}), w["next"])
    yield "stop", compose.asked_whether(w["stop_question"], choices.stopping(w))
    if "sure" in w:
        sure = w["sure"].format(answer=999)
        yield "sure", compose.pick("", sure, choices.listed({k: w[k] for k in ("yes", "no")}), w["next"])
    for side in ("left", "right", "both"):
        yield f"tone, {side}", compose.sounding(w["sound"]["title"], w["sound"][side])
    if config.level.by == "participant":
        ends = (w["level"]["softer"], w["level"]["louder"])
        steps = -config.level.softest // 3
        scale = Question("level", "slider", w["level"]["text"], high=steps, labels=ends, start=steps // 2)
        yield "level", compose.level(w["level"]["title"], w["level"]["text"], scale, w["next"])
    together: set[str] = set()
    for task in config.sequence():
        if isinstance(task, RatingsTask) and task.one_page:
            items = list(task.items)
            while items:
                there = task.together(items)
                asked = [task.asks(item, None, reader(config, language)) for item in there]
                form = composed(compose, asked, w["next"])
                rows = [x for row in form.rows for x in (*row.words, *row.steps)]
                yield f"{task.block}, {there[0]} and more on one page", Composed([*form.above, *rows], [])
                items, together = items[len(there) :], together | {*there}
    for i, (_, question) in enumerate(every_question(config, language)):
        if question.item not in together:
            yield f"question {i + 1}, {question.item}", compose.question(question, w)


@dataclass(frozen=True)
class Tight:
    """A screen whose letters are smaller than wanted: its name, and their size in shares of the screen's height; 0: no room."""

    screen: str
    size: float


def tried(compose: Composer, config: ExperimentConfig, language: str) -> tuple[float, list[Tight]]:
    """The size of the smallest letters on any screen of a study, and the screens on which letters are under their floor."""
    w = texts(language, config.texts)
    compose.smallest = 1.0
    compose.foot(("stop", w["stop"]), ("back", w.get("back", "\u2190")))
    compose.corner(w["progress"].format(done=999, total=999))
    least, tight = compose.smallest, []
    compose.smallest = 1.0
    for name, _ in every_screen(compose, config, language):
        if compose.smallest < FLOOR - 1e-9:
            tight.append(Tight(name, compose.smallest))
        least = min(least, compose.smallest)
        compose.smallest = 1.0
    return least, tight


def on_paper(config: ExperimentConfig, language: str, size: tuple[int, int] = NARROWEST) -> tuple[float, list[Tight]]:
    """The same for a screen of this many pixels, with nothing drawn."""
    pen = Pen(None, typeface(language, config.font), PaperRuler())
    return tried(Composer(pen, Sheet.of(*size), config.text_size, config.logo), config, language)


def minutes_of_arc(size: float, height_cm: float, distance_cm: float) -> float:
    """How large capitals look, of letters of a size (share of the screen's height), on a screen of a height at a distance."""
    return degrees(2 * atan(CAPITAL * size * height_cm / distance_cm / 2)) * 60
