"""A step as a browser shows it: its words, what can be pressed, the addresses of its sounds; nothing else of it.

Names that a study file gives (items, options, blocks) may tell what a clip is, or which answer is right: steps go by a keyed hash,
options by their places, sounds by addresses of this session alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from experiment import choices, tones
from experiment.choices import Choice
from experiment.config import ExperimentConfig
from experiment.headphones import NEEDED, PROOF, RATE, SIDES, trials, wording
from experiment.looks import MANY, right_to_left
from experiment.question import Question
from experiment.steps import (
    NOT_PASSED,
    Ask,
    Consent,
    Form,
    Headphones,
    Level,
    Listen,
    Page,
    Practice,
    SoundCheck,
    Step,
    Stored,
)
from experiment.texts import texts
from experiment.web.flac import alike, encode, filled
from experiment.web.links import keyed

PROOF_SIZE = 96 * 1024  # bytes, over what any number of tones comes to: it is not to be told by
Shown = dict[str, Any]
Sound = tuple[Any, ...]  # ("clip", id), ("tone", side), ("noise",), ("chord", place), ("test", name, seeds, place)


@dataclass(frozen=True)
class Addresses:
    """Where the sounds of one session lie, and what its steps are called."""

    key: bytes
    session: int

    def of(self, sound: Sound) -> str:
        """The address of a sound."""
        return "/sound/" + keyed(self.key, "sound", self.session, *sound)

    def step(self, step: Step) -> str:
        """The name of a step."""
        return keyed(self.key, "step", self.session, step.id)[:16]


def turn(stored: Stored) -> int:
    """How much was done in a sitting: it grows with everything that is stored of it, so that no message counts twice."""
    given = len(stored.answered) + sum(stored.superseded.values()) + stored.screenings
    return given + len(stored.seen) + (stored.special is not None)


def sounds(clips: Iterable[int], draw: tuple[int, ...]) -> list[Sound]:
    """Every sound that a browser may fetch in a session: of its `clips`, and of tests by their present `draw`."""
    tests = [("test", name, draw, k) for name in NEEDED for k in range(6)]
    return [
        *(("clip", i) for i in clips),
        *(("tone", side) for side in tones.SIDES),
        ("noise",),
        ("chord", 0),
        ("chord", 1),
        *tests,
    ]


@lru_cache(maxsize=32)
def _alike(*sound: Any) -> list[bytes]:
    """Sounds of one kind, all of one size, at 48 kHz."""
    match sound:
        case ("tone",):
            found = [tones.tone(side) for side in tones.SIDES]
        case ("noise",):
            found = [tones.reference_noise(tones.LEVEL_SECONDS)]
        case ("chord",):
            found = tones.two_chords()
        case ("test", name, draw):
            found = [x.audio for x in trials(name, np.random.default_rng(draw))]
            if name == PROOF:
                return [filled(encode(x, RATE, "PCM_16"), PROOF_SIZE) for x in found]
        case _:
            raise LookupError(f"no such sound: {sound}")
    return alike(encode(x, RATE, "PCM_16") for x in found)


def made(sound: Sound) -> bytes:
    """A sound that is no clip, as a file."""
    match sound:
        case ("noise",):
            return _alike("noise")[0]
        case ("tone", side):
            return _alike("tone")[tones.SIDES.index(side)]
    return _alike(*sound[:-1])[sound[-1]]


def pressed(some: Sequence[Choice]) -> list[Shown]:
    """Buttons."""
    return [c._asdict() for c in some]


def around(language: str, config: ExperimentConfig) -> Shown:
    """What every screen has: its language, how soon it can be answered, the way to stop, what is said where something fails."""
    w = texts(language, config.texts)
    web, broken = w["web"], w.get("broken", {})
    return {
        "language": language,
        "rtl": right_to_left(language),
        "dead_time": config.dead_time,
        "fullscreen": config.web.fullscreen,
        "stop": {"label": w["stop"], "text": w["stop_question"], "buttons": pressed(choices.stopping(w))},
        "next": w["next"],
        "loading": web["loading"],
        "offline": web["offline"],
        "no_sound": web["no_sound"],
        "broken": {
            "title": broken.get("title", "!"),
            "again": broken.get("again", ""),
            "over": web["broken"],
            "buttons": pressed([choices.onward(w)]),
        },
    }


def shown(
    step: Step, stored: Stored, config: ExperimentConfig, at: Addresses, seconds: Callable[[int], float]
) -> Shown:
    """A step; `seconds` is how long a clip is."""
    w = texts(stored.language, config.texts)
    told: Shown = {
        "kind": type(step).__name__.lower(),
        "step": at.step(step),
        "turn": turn(stored),
        "gain_db": stored.gain_db,
        **around(stored.language, config),
        "ahead": _ahead(step, stored, config, at),
    }
    match step:
        case Consent():
            body = "\n\n".join([w["consent"]["text"].replace("{minutes}", str(step.minutes)), *step.more])
            more = _page(w["consent"]["title"], body, choices.consenting(w))
            asked = {"yes": w["yes"], "no": w["no"]}
            title, text = w["consent"]["special_title"], w["consent"]["special_text"]
            more["special"] = {"title": title, "text": text, **_listed(asked)} if step.special else None
        case Page():
            text = w["web"]["headphones_failed"] if step.id == f"page:{NOT_PASSED}" else step.text
            more = _page(step.title, text, [choices.onward(w)])
        case SoundCheck():
            more = _page(w["sound"]["title"], w["sound"]["text"], choices.sound_heard(w))
            more["call"] = _page(w["sound"]["title"], w["web"]["sound_call"], [choices.onward(w)])
            more["sounds"] = [
                {"sound": at.of(("tone", side)), "seconds": tones.TONE_SECONDS, "text": w["sound"][side]}
                for side in tones.SIDES
            ]
            more["play"] = pressed([choices.play(w)])
        case Level():
            ends = (w["level"]["softer"], w["level"]["louder"])
            steps = -step.softest // 3
            scale = Question("level", "slider", "", high=steps, labels=ends, start=float(steps // 2))
            more = _page(w["level"]["title"], w["level"]["text"], [choices.play(w)])
            more |= {"question": question(scale, w), "sound": at.of(("noise",)), "seconds": tones.LEVEL_SECONDS}
        case Headphones():
            title, text, which = wording(w, step.test)
            more = _page(title, text, [choices.onward(w)])
            more |= {"asked": which, "intervals": pressed(choices.intervals(step.test, w))}
            more["sided"] = step.test == SIDES
            more["trials"] = [
                _test(at, ("test", step.test, step.draw, k), t.audio) for k, t in enumerate(step.trials())
            ]
        case Practice():
            titles = [w["preference"][x] for x in ("listen_first", "listen_second")]
            more = {"question": question(step.question, w), "corner": w["practice"]["title"]}
            more["play"] = pressed([choices.play(w)])
            more["clips"] = [
                {"sound": at.of(("chord", k)), "seconds": tones.CHORD_SECONDS, "title": title}
                for k, title in enumerate(titles)
            ]
        case Listen():
            more = {"replays": config.replays, "play": pressed([choices.play(w)])}
            more["heard"] = pressed(choices.clip_heard(w))
            more["clips"] = [
                {"sound": at.of(("clip", c.id)), "seconds": seconds(c.id), "title": title}
                for c, title in zip(step.clips, step.titles, strict=True)
            ]
        case Ask():
            more = {"question": question(step.question, w), "corner": _progress(w, step.progress)}
        case Form():
            more = {"questions": [question(q, w) for q in step.questions], "corner": _progress(w, step.progress)}
        case _:
            raise LookupError(f"{step.id} is not shown")
    return told | more


def _page(title: str, text: str, buttons: Sequence[Choice]) -> Shown:
    return {"title": title, "text": text, "buttons": pressed(buttons)}


def _progress(words: dict[str, Any], progress: tuple[int, int]) -> str:
    return str(words["progress"].format(done=progress[0] + 1, total=progress[1]))


def _test(at: Addresses, sound: Sound, audio: np.ndarray) -> Shown:
    return {"sound": at.of(sound), "seconds": len(audio) / RATE}


def _listed(options: dict[str, str]) -> Shown:
    """Options by their places."""
    found = choices.listed(options)
    return {"options": [{"label": c.label, "key": c.key} for c in found]}


def question(asked: Question, words: dict[str, Any]) -> Shown:
    """A question, without its name."""
    told: Shown = {
        "kind": asked.kind,
        "text": asked.text,
        "hint": choices.hint(asked, words),
        "low": asked.low,
        "high": asked.high,
        "labels": list(asked.labels),
        "word": asked.word,
        "long": len(asked.word) >= MANY,
        "start": asked.start,
        "back": words.get("back", "\u2190") if asked.back else None,
    }
    if asked.options is not None:
        told |= _listed(asked.options)
        told["alone"] = list(asked.options).index(asked.alone) if asked.alone else None
    if asked.kind == "number":
        told["pad"] = pressed(choices.number_pad(words))
        sure = {k: words[k] for k in ("yes", "no")}
        told["doubt"] = asked.doubt
        told["sure"] = {"text": words.get("sure", "{answer}?"), **_listed(sure)}
    return told


def _ahead(step: Step, stored: Stored, config: ExperimentConfig, at: Addresses) -> list[str]:
    """Sounds that come next, to be fetched while this step is done: those before the first clip, or of the next trial that is heard."""
    first: list[Sound] = [("tone", side) for side in tones.SIDES] if config.sound_check else []
    first += [("noise",)] if config.level.by == "participant" else []
    if first and "level" not in stored.seen and not any(x.startswith("heard:") for x in stored.seen):
        return [at.of(sound) for sound in first]
    trial = getattr(step, "trial", None)
    now = trial.position if trial is not None else -1
    for later in stored.plan:
        if later.position > now and later.first_id is not None and stored.open(later):
            return [at.of(("clip", i)) for i in (later.first_id, later.second_id) if i is not None]
    return []
