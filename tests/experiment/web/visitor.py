"""A browser without a screen: it fetches, shows what it gets to a presenter, and sends what that did."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select
from starlette.testclient import TestClient

from experiment import answering
from experiment.data.tables import SessionRow
from experiment.launch import Prepared
from experiment.question import JOINED, Answer, Back, Question
from experiment.session import Presenter
from experiment.steps import Ask, Form, Headphones, Listen, next_step
from experiment.web.application import application
from experiment.web.site import Site

KEY = bytes(range(32))
HOME = "http://testserver"


@contextmanager
def at(prepared: Prepared, kind: str = "bot", **more: Any) -> Iterator[TestClient]:
    """The site of a study, and a browser at it."""
    site = Site(prepared, KEY, kind, HOME, **more)
    try:
        yield TestClient(application(site), base_url=HOME)
    finally:
        site.close()


class Visitor:
    """Somebody at a browser. What a simulated person knows of a clip is read from the database, as by its ear."""

    def __init__(self, client: TestClient, prepared: Prepared, language: str = "en"):
        self.client, self.prepared, self.language = client, prepared, language
        self.tab, self.nonce = secrets.token_hex(16), secrets.token_hex(16)
        self.screens: list[dict[str, Any]] = []
        self.at = 0.0

    def post(self, what: str, message: Any, status: int = 200) -> dict[str, Any]:
        answer = self.client.post(f"/api/{what}", json=message)
        while answer.status_code == 429 != status:  # faster than people are; a browser waits as well
            time.sleep(0.1)
            answer = self.client.post(f"/api/{what}", json=message)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return dict(answer.json())

    def open(self, **more: Any) -> dict[str, Any]:
        found = self.post("open", {"tab": self.tab, "language": self.language, **more})
        self.screens.append(found)
        return found

    def did(self, screen: dict[str, Any], **did: Any) -> dict[str, Any]:
        self.at += 1.0
        message = {"tab": self.tab, "step": screen["step"], "turn": screen["turn"], "at": self.at, "did": did}
        found = self.post("did", message)
        self.screens.append(found)
        return found

    def begin(self) -> dict[str, Any]:
        assert self.open()["kind"] == "welcome"
        return self.open(begin=self.nonce)

    def run(self, who: Presenter, screen: dict[str, Any] | None = None) -> dict[str, Any]:
        """From the first screen, or one that is shown, to the end."""
        screen = screen or self.begin()
        while "step" in screen:
            screen = self.did(screen, **self.does(screen, who))
        return screen

    def step(self) -> Any:
        """What the engine says is next: what a presenter hears of it."""
        with self.prepared.store.transaction() as s:
            session = s.scalars(select(SessionRow.id).order_by(SessionRow.id.desc())).first()
        assert session is not None
        return next_step(answering.read(self.prepared.store, session), self.prepared.config)

    def does(self, screen: dict[str, Any], who: Presenter) -> dict[str, Any]:
        """What a presenter does on a screen, in a browser's words."""
        step = self.step()
        assert screen["kind"] == type(step).__name__.lower()
        if screen["gain_db"] is not None:
            who.gain_db = screen["gain_db"]
        match screen["kind"]:
            case "consent":
                who.asks_special = screen["special"] is not None
                takes_part, special = who.consent()
                return {"takes_part": takes_part, "special": special}
            case "page":
                who.page(screen["title"], screen["text"])
            case "soundcheck":
                found = who.sound_check()
                return {} if found is None else {"plays": found["plays"]}
            case "level":
                return {"gain_db": who.adjust_level(-24)}
            case "headphones":
                assert isinstance(step, Headphones)
                return {"given": who.screen_headphones(step.test, step.trials())}
            case "practice":
                who.practice(Question("practice", "slider", screen["question"]["text"]))
            case "listen":
                assert isinstance(step, Listen)
                found = who.listen(list(step.clips), [c["title"] for c in screen["clips"]])
                return {"records": [played(k, c["seconds"]) for k, c in enumerate(screen["clips"])] if found else []}
            case "ask":
                assert isinstance(step, Ask)
                answer = who.ask(asked(screen["question"], step.question), step.trial, step.progress)
                return {"back": True} if isinstance(answer, Back) else {"answer": said(answer, step.question)}
            case "form":
                assert isinstance(step, Form)
                questions = [asked(a, b) for a, b in zip(screen["questions"], step.questions, strict=True)]
                given = who.fill(questions, step.trial, step.progress)
                return {"answers": [said(given[q.item], q) for q in step.questions]}
        return {}


def played(clip: int, seconds: float, **more: Any) -> dict[str, Any]:
    """A sound that was heard whole."""
    told = {
        "clip": clip, "at": 1.0, "onset_delay": 0.08, "onset_error": 0.001, "driver": False, "seconds": seconds + 0.1,
        "played": seconds, "underruns": 0, "hidden": 0.0, "whole": True,
    }  # fmt: skip
    return told | more


def asked(shown: dict[str, Any], known: Question) -> Question:
    """A question as it was shown: what the browser got, under names that it did not get."""
    assert shown["kind"] == known.kind
    assert [o["label"] for o in shown.get("options", [])] == list((known.options or {}).values())
    assert shown["text"] == known.text
    assert shown["word"] == known.word
    options = known.options and dict(zip(known.options, [o["label"] for o in shown["options"]], strict=True))
    keys = list(known.options or {})
    alone = keys[shown["alone"]] if shown.get("alone") is not None else ""
    labels = tuple(shown["labels"])
    return Question(
        known.item, shown["kind"], shown["text"], options, shown["low"], shown["high"], labels, shown["word"],
        shown["start"], shown["back"] is not None, shown.get("doubt"), alone,
    )  # fmt: skip


def said(answer: Answer, question: Question) -> dict[str, Any]:
    """An answer as a browser sends it."""
    told: dict[str, Any] = {"response_time": answer.response_time}
    if answer.value is not None:
        told["value"] = answer.value
    if answer.choice is not None:
        keys = list(question.options or {})
        told["chosen"] = [keys.index(x) for x in answer.choice.split(JOINED) if x]
    if answer.said is not None:
        told["said"] = answer.said
    return told


def written(folder: Path, prepared: Prepared, seconds: float = 0.2) -> None:
    """A small file of noise for every clip of a study, each its own."""
    import hashlib

    import numpy as np
    import soundfile

    with prepared.store.transaction() as s:
        for k, clip in enumerate(prepared.stimuli):
            path = folder / f"{clip.clip}.wav"
            noise = np.random.default_rng(k).normal(0, 0.02 + 0.001 * k, (round(seconds * 48000), 2))
            soundfile.write(path, noise, 48000, subtype="PCM_24")
            clip.path, clip.seconds = str(path), seconds
            clip.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            s.merge(clip)
