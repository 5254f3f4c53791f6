"""The study at a link: the same rows as in a booth, whatever is sent twice; who comes, who comes back, who withdraws."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from experiment import launch
from experiment.bots.bots import Bot
from experiment.bots.effects import load_effects
from experiment.data.erasure import at_start
from experiment.data.store import Store
from experiment.data.tables import (
    Event,
    Link,
    Participant,
    Response,
    Screening,
    Seen,
    SessionRow,
    Superseded,
    Trial,
    utc_now,
)
from experiment.entrance import WebConfig
from experiment.launch import Prepared
from experiment.question import Answer, Back, Question
from experiment.session import run_session
from experiment.web import links
from experiment.web.site import AWAY, Refused, Site
from tests.conftest import ROOT
from tests.experiment.bots.test_remote import entered as entered_study
from tests.experiment.test_own_questions import NAMING, OWN
from tests.experiment.test_own_questions import config as own_config
from tests.experiment.test_steps import Listener, rows_of
from tests.experiment.web.visitor import HOME, KEY, Visitor, at, played, written

SECRET = "machine"  # the condition of all clips: nothing that is served may say so
STUDIES = [("study.toml", 5), ("studies/five-tastes.toml", 5), ("studies/three-conditions.toml", 8)]


def bot(prepared: Prepared) -> Bot:
    return Bot(prepared.config, load_effects(prepared.config.effects), np.random.default_rng(3), 3)


def counted(prepared: Prepared, *kinds: type[Any]) -> list[int]:
    with prepared.store.transaction() as s:
        return [int(s.scalar(select(func.count()).select_from(kind)) or 0) for kind in kinds]


@pytest.mark.parametrize(("file", "clips"), STUDIES)
@pytest.mark.parametrize("language", ["en", "it"])
def test_the_same_bot_through_a_browser_gives_the_same_rows(
    tmp_path: Path, file: str, clips: int, language: str
) -> None:
    here, there = (entered_study(tmp_path / name, ROOT / file, clips) for name in ("here", "there"))
    if language not in here.config.languages:
        pytest.skip(f"{file} has no {language}")
    run_session(here.store, launch.begin(here, "b", "bot", language, "x"), here.config, bot(here))
    with at(there) as client:
        visitor = Visitor(client, there, language)
        assert visitor.run(bot(there))["kind"] == "over"
    assert len(rows_of(here.store)) > 40
    assert rows_of(there.store) == rows_of(here.store)
    assert counted(there, Seen) == counted(here, Seen)
    with there.store.transaction() as s:
        (row,) = s.scalars(select(SessionRow))
        assert (row.status, row.kind, row.language, row.station, row.sitting) == ("complete", "bot", language, "web", 1)
    for prepared in (here, there):
        prepared.store.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Callable[..., Prepared]]:
    """A small study of which every option is asked: two clips, own questions, a form, a way back; clips of a fifth of a second."""
    opened: list[Prepared] = []

    def enter(**more: Any) -> Prepared:
        labels = {x: ["1", "2", "3", "4", "5"] for x in ("en", "it")}
        adjectives = [{"name": n, "words": {"en": n, "it": n}} for n in ("hot", "cold")]
        form = {
            "kind": "ratings",
            "clips": 1,
            "low": 1,
            "high": 5,
            "one_page": True,
            "labels": labels,
            "adjectives": adjectives,
        }
        asked = own_config(
            **{"tasks": [NAMING, form, OWN], "demographics": ["sex", "age"], "sound_check": False} | more
        )
        folder = tmp_path / str(len(opened))
        folder.mkdir()
        store = Store(f"sqlite:///{folder / 'p.db'}")
        study = store.ensure_study("s", "A study of two", {"experiment": asked.model_dump(mode="json")})
        rows = [
            {
                "clip": f"{taste}-{SECRET}-{n}",
                "taste": taste,
                "model": SECRET,
                "number": n,
                "path": None,
                "sha256": None,
            }
            for taste in ("sweet", "sour")
            for n in range(3)
        ]
        prepared = Prepared(store, study, asked, store.ensure_stimuli(study, rows))
        written(folder, prepared)
        opened.append(prepared)
        return prepared

    yield enter
    for prepared in opened:
        prepared.store.close()


class Person(Listener):
    """Answers everything, free text too, and goes back once."""

    def __init__(self) -> None:
        super().__init__()
        self.went_back = False

    def ask(self, question: Question, trial: Trial, progress: tuple[int, int]) -> Answer | Back:
        if question.back and not self.went_back:
            self.went_back = True
            return Back()
        if question.kind == "text":
            return Answer(said="nothing", response_time=3.0)
        if question.kind == "multiple":
            return Answer(choice="piano;voice", response_time=1.0)
        return super().ask(question, trial, progress)


def status(prepared: Prepared) -> list[str]:
    with prepared.store.transaction() as s:
        return list(s.scalars(select(SessionRow.status).order_by(SessionRow.id)))


def to(visitor: Visitor, kind: str, who: Person | None = None) -> dict[str, Any]:
    """The first screen of a kind."""
    who, screen = who or Person(), visitor.begin()
    while screen["kind"] != kind:
        screen = visitor.did(screen, **visitor.does(screen, who))
    return screen


def test_every_kind_of_question_and_the_way_back_give_the_rows_of_a_booth(home: Callable[..., Prepared]) -> None:
    here, there = home(headphones="huggins"), home(headphones="huggins")
    assert run_session(here.store, launch.begin(here, "a", "person", "en", "x"), here.config, Person()) == "complete"
    with at(there, "person") as client:
        last = Visitor(client, there).run(Person())
    assert (last["kind"], last["title"]) == ("over", "Thank you")
    assert rows_of(there.store) == rows_of(here.store)
    assert {"plays", "thoughts", "hot", "cold"} <= {row[1] for row in rows_of(there.store)}
    assert counted(there, Seen, Screening, Superseded) == counted(here, Seen, Screening, Superseded)
    assert counted(there, Superseded, Screening) == [1, 1]
    with there.store.transaction() as s:
        heard = list(s.scalars(select(Event).where(Event.name == "audio_onset").order_by(Event.id)))
        planned = s.scalars(select(Trial).where(Trial.first_id.is_not(None)).order_by(Trial.position))
        assert [x.detail["clip"] for x in heard] == [t.first.clip for t in planned if t.first]
        assert [(x.at, x.detail["whole"], x.detail["played"]) for x in heard] == [(1.0, True, 0.2)] * 3


def test_every_message_may_come_twice_and_another_server_may_answer_it(home: Callable[..., Prepared]) -> None:
    """Each message goes to one of two servers that know nothing of each other, and then, as if its answer had been lost, to the other."""
    here, there = home(), home()
    run_session(here.store, launch.begin(here, "a", "person", "en", "x"), here.config, Person())
    with at(there, "person") as one, at(there, "person") as two:

        class Restarted(Visitor):
            def post(self, what: str, message: Any, status: int = 200) -> dict[str, Any]:
                for self.client, other in ((one, two), (two, one)):
                    found = super().post(what, message, status)
                    other.cookies.clear()
                    other.cookies.set("tastelab", self.client.cookies.get("tastelab") or "", domain="testserver.local")
                return found

        assert Restarted(one, there).run(Person())["kind"] == "over"
    assert rows_of(there.store) == rows_of(here.store)
    assert counted(there, SessionRow, Link) == [1, 1]


def test_an_old_message_never_stands_in_for_an_answer_that_was_given_anew(home: Callable[..., Prepared]) -> None:
    prepared = home()
    with at(prepared, "person") as client:
        visitor = Visitor(client, prepared)
        screen = visitor.did(visitor.begin(), takes_part=True, special=True)
        old = {"tab": visitor.tab, "step": screen["step"], "turn": screen["turn"], "at": 1.0,
               "did": {"answer": {"chosen": [0], "response_time": 1.0}}}  # fmt: skip
        visitor.post("did", old)
        again = visitor.did(visitor.post("did", old), back=True)
        assert again["step"] == old["step"]
        assert visitor.did(again, answer={"chosen": [1], "response_time": 2.0})["question"]["kind"] == "number"
        assert visitor.post("did", old)["question"]["kind"] == "number"
        assert [(r[1], r[3]) for r in rows_of(prepared.store)] == [("sex", "female")]


def test_a_second_window_is_told_and_takes_over_when_asked(home: Callable[..., Prepared]) -> None:
    prepared = home()
    with at(prepared, "person") as client:
        first = Visitor(client, prepared)
        screen = first.begin()
        second = Visitor(client, prepared)
        told = second.open()
        assert (told["kind"], told["buttons"][0]["name"]) == ("elsewhere", "here")
        assert first.did(screen, takes_part=True, special=True)["kind"] == "ask"
        there = second.open(here=True)
        assert there["kind"] == "ask"
        assert first.did(first.screens[-1], answer={"chosen": [0]})["kind"] == "taken"
        assert rows_of(prepared.store) == []
        assert second.did(there, answer={"chosen": [0]})["question"]["kind"] == "number"
        # A window that was closed is not waited for: after a while nobody is asked, nor where a clock was set back by days since.
        for ago in (timedelta(seconds=AWAY + 1), -timedelta(days=3)):
            with prepared.store.transaction() as s:
                s.scalars(select(SessionRow)).one().alive_at = utc_now() - ago
            assert Visitor(client, prepared).open()["kind"] == "ask"


def test_signs_of_life_keep_a_session_in_its_window(home: Callable[..., Prepared]) -> None:
    prepared = home()
    with at(prepared, "person") as client:
        visitor = Visitor(client, prepared)
        visitor.begin()
        with prepared.store.transaction() as s:
            s.scalars(select(SessionRow)).one().alive_at = utc_now() - timedelta(seconds=AWAY + 1)
        assert visitor.post("alive", {"tab": visitor.tab}) == {"kind": "alive"}
        assert Visitor(client, prepared).open()["kind"] == "elsewhere"
        visitor.post("alive", {"tab": "0" * 32}, 409)


def test_who_stopped_goes_on_by_the_own_link_and_may_withdraw(home: Callable[..., Prepared]) -> None:
    prepared, told = home(), []
    with at(prepared, "person", after_withdrawal=lambda: told.append(1)) as client:
        visitor = Visitor(client, prepared)
        screen = visitor.did(visitor.begin(), takes_part=True, special=True)
        stopped = visitor.did(screen, stopped=True)
        assert (stopped["kind"], stopped["buttons"][0]["name"], status(prepared)) == ("stopped", "again", ["stopped"])
        client.cookies.clear()
        assert Visitor(client, prepared).open()["kind"] == "welcome"
        went = client.get(stopped["link"], follow_redirects=False)
        assert (went.status_code, went.headers["location"]) == (303, "/")
        later = Visitor(client, prepared)
        assert later.open()["kind"] == "stopped"
        assert later.open(again=True)["kind"] == "ask"
        assert later.post("withdraw", {"sure": True})["kind"] == "withdrawn"
        assert status(prepared) == ["withdrawn"]
        assert told == [1]
        assert counted(prepared, Response, Event, Seen) == [0, 0, 0]
        assert later.open()["kind"] == "withdrawn"
        assert later.post("withdraw", {"sure": True})["kind"] == "withdrawn"


def test_nothing_of_who_withdraws_stays_in_the_files_while_the_server_runs(home: Callable[..., Prepared]) -> None:
    """The log beside the database keeps what was deleted, for as long as a server that nobody ends has it open."""
    prepared = home()

    def files() -> bytes:
        return b"".join(
            p.read_bytes() for p in sorted(Path(str(prepared.store.engine.url.database)).parent.glob("p.db*"))
        )

    with at(prepared, "person", after_withdrawal=lambda: at_start(prepared.store)) as client:
        visitor = Visitor(client, prepared)
        visitor.did(visitor.did(visitor.begin(), takes_part=True, special=True), answer={"chosen": [0]})
        with prepared.store.transaction() as s:
            s.scalars(select(Response)).one().choice = "UNMISTAKABLE"
        assert b"UNMISTAKABLE" in files()
        assert visitor.post("withdraw", {"sure": True})["kind"] == "withdrawn"
        assert b"UNMISTAKABLE" not in files()


def test_who_comes_back_too_late_is_told_so(home: Callable[..., Prepared]) -> None:
    prepared = home(resume_hours=1)
    with at(prepared, "person") as client:
        visitor = Visitor(client, prepared)
        visitor.did(visitor.begin(), stopped=True)
        with prepared.store.transaction() as s:
            s.scalars(select(SessionRow)).one().started_at = utc_now() - timedelta(hours=2)
        late = visitor.open(again=True)
        assert (late["kind"], late["link_text"]) == (
            "late",
            "With this link you can come back and withdraw. Keep it to yourself:",
        )


@pytest.mark.parametrize(("hours", "kind"), [(0.9, "ask"), (1.1, "late")])
def test_a_window_that_was_left_open_too_long_is_no_way_round_that(
    home: Callable[..., Prepared], hours: float, kind: str
) -> None:
    prepared = home(resume_hours=1)
    with at(prepared, "person") as client:
        visitor = Visitor(client, prepared)
        assert visitor.did(visitor.begin(), takes_part=True, special=True)["kind"] == "ask"
        with prepared.store.transaction() as s:
            s.scalars(select(SessionRow)).one().started_at = utc_now() - timedelta(hours=hours)
        assert visitor.open()["kind"] == kind
        assert Visitor(client, prepared).open(here=True)["kind"] == kind


@pytest.mark.parametrize(("hours", "kind"), [(0.9, "ask"), (1.1, "late")])
def test_nor_is_one_that_is_never_loaded_again(home: Callable[..., Prepared], hours: float, kind: str) -> None:
    """An answer of days later, by whoever sits there then, was stored; a window that was loaded again had none."""
    prepared = home(resume_hours=1)
    with at(prepared, "person") as client:
        visitor = Visitor(client, prepared)
        asked = visitor.did(visitor.begin(), takes_part=True, special=True)
        with prepared.store.transaction() as s:
            s.scalars(select(SessionRow)).one().started_at = utc_now() - timedelta(hours=hours)
        assert visitor.did(asked, answer={"chosen": [0], "response_time": 1.0})["kind"] == kind
        assert counted(prepared, Response) == [kind == "ask"]
        with prepared.store.transaction() as s:
            assert s.scalars(select(SessionRow.status)).one() == "running"


def test_a_step_has_no_link_of_one_s_own_but_its_end_has(home: Callable[..., Prepared]) -> None:
    """Who looks over a shoulder, or at a picture of the screen, learns no way into the session."""
    prepared = home()
    with at(prepared, "person") as client:
        visitor = Visitor(client, prepared)
        screen = visitor.begin()
        assert "/p/" not in json.dumps(screen)
        assert "/p/" in visitor.did(screen, stopped=True)["link"]


def test_who_refuses_and_who_is_too_young_leaves_nothing(home: Callable[..., Prepared]) -> None:
    prepared = home(web={"returns": {"refused": "https://panel.example/no", "too_young": "YOUNG-1"}})
    with at(prepared, "person") as client:
        refused = Visitor(client, prepared)
        screen = refused.did(refused.begin(), takes_part=False, special=False)
        assert (screen["kind"], screen["return"]["href"]) == ("over", "https://panel.example/no")
        client.cookies.clear()
        young = Visitor(client, prepared)
        screen = young.did(young.did(young.begin(), takes_part=True, special=True), answer={"chosen": [0]})
        screen = young.did(screen, answer={"value": 17})
        assert (screen["kind"], screen["panel_code"]) == ("over", "Your completion code is YOUNG-1.")
        assert young.open()["title"] == "Thank you for coming"
    assert status(prepared) == ["refused", "too_young"]
    assert counted(prepared, Response, Event, Seen) == [0, 0, 0]


def test_a_full_study_says_so(home: Callable[..., Prepared]) -> None:
    prepared = home(target=1, web={"returns": {"full": "FULL"}})
    with at(prepared, "person") as client:
        Visitor(client, prepared).begin()
        client.cookies.clear()
        late = Visitor(client, prepared).begin()
    assert (late["kind"], late["panel_code"]) == ("full", "Your completion code is FULL.")
    assert len(status(prepared)) == 1


def test_a_clip_that_was_not_heard_whole_is_not_heard(home: Callable[..., Prepared]) -> None:
    prepared = home()
    with at(prepared, "person") as client:
        visitor = Visitor(client, prepared)
        screen = to(visitor, "listen")
        message = {"tab": visitor.tab, "step": screen["step"], "turn": screen["turn"], "at": 1.0}
        before = counted(prepared, Seen, Event)
        for records in (
            [], [played(0, 0.1)], [played(0, 0.2, whole=False)], [played(0, 0.2, underruns=1)], [played(1, 0.2)],
            [played(0, 0.2), played(3, 0.2)],
        ):  # fmt: skip
            refused = visitor.post("did", message | {"did": {"records": records}}, 400)
            assert refused["error"].startswith("did: ")
        assert counted(prepared, Seen, Event) == before
        assert visitor.post("did", message | {"did": {"records": [played(0, 0.2)]}})["kind"] == "ask"


def test_a_link_a_person_and_nobody_else(home: Callable[..., Prepared]) -> None:
    prepared = home(web={"entry": "invited"})
    (code, token), (other, _) = links.invite(prepared.store, prepared.study_id, 2)
    assert code != other
    with at(prepared, "person") as client:
        assert Visitor(client, prepared).open(begin="0" * 32)["kind"] == "closed"
        assert client.get("/p/" + "x" * 32).status_code == 404
        client.get(f"/p/{token}")
        visitor = Visitor(client, prepared)
        assert visitor.begin()["kind"] == "consent"
        with prepared.store.transaction() as s:
            assert [p.code for p in s.scalars(select(Participant))] == [code]
            row = s.scalars(select(Link).where(Link.session_id.is_not(None))).one()
            assert row.code is None
            assert token not in str(vars(row))
        client.cookies.clear()
        client.get(f"/p/{token}")
        assert Visitor(client, prepared).open()["kind"] == "elsewhere"
    assert status(prepared) == ["running"]


def test_a_panel_s_id_is_hashed_and_finds_its_session_again(home: Callable[..., Prepared]) -> None:
    prepared = home(
        web={"entry": "panel", "panel": "PROLIFIC_PID", "returns": {"complete": "https://p.example/c?cc=1"}}
    )
    with at(prepared, "person") as client:
        assert Visitor(client, prepared).open(begin="0" * 32)["kind"] == "closed"
        assert client.get("/", params={"PROLIFIC_PID": "5f0ada", "SESSION_ID": "s"}).status_code == 200
        cookie = client.cookies["tastelab"]
        visitor = Visitor(client, prepared)
        assert visitor.begin()["kind"] == "consent"
        client.cookies.clear()
        client.get("/", params={"PROLIFIC_PID": "5f0ada"})
        assert client.cookies["tastelab"] == cookie
        assert Visitor(client, prepared).open(begin="1" * 32)["kind"] == "elsewhere"
        last = visitor.run(Person(), visitor.open())
        assert last["return"]["href"] == "https://p.example/c?cc=1"
        # Nobody makes such a token without the server's key.
        client.cookies.clear()
        client.cookies.set("tastelab", cookie[:-1] + ("A" if cookie[-1] != "A" else "B"))
        assert Visitor(client, prepared).open(begin="2" * 32)["kind"] == "closed"
    dump = "\n".join(sqlite3.connect(prepared.store.engine.url.database or "").iterdump())
    assert "5f0ada" not in dump
    assert cookie not in dump


def test_a_failed_required_test_ends_kindly(home: Callable[..., Prepared]) -> None:
    prepared = home(headphones="antiphase", headphones_required=True, web={"returns": {"screened_out": "OUT"}})
    with at(prepared, "person") as client:
        visitor, wrong = Visitor(client, prepared), Person()
        wrong.right = False
        last = visitor.run(wrong)
        assert (last["kind"], last["panel_code"]) == ("stopped", "Your completion code is OUT.")
        page = visitor.screens[-2]
        assert "experimenter" not in page["text"]


def test_a_required_test_is_tried_once_more_and_can_t_be_gone_round(home: Callable[..., Prepared]) -> None:
    """Going on in the same window asks it anew; whoever fails twice is told so and goes on no more, whatever is sent."""
    prepared = home(headphones="antiphase", headphones_required=True, web={"returns": {"screened_out": "OUT"}})
    with at(prepared, "person") as client:
        visitor, wrong = Visitor(client, prepared), Person()
        wrong.right = False
        first = visitor.run(wrong)
        assert [b["name"] for b in first["buttons"]] == ["again"]
        assert "once more" in first["text"]
        assert visitor.open()["kind"] == "stopped"  # loading the page anew is no try
        again = visitor.open(again=True)
        assert again["kind"] == "headphones"
        last = visitor.run(wrong, again)
        assert (last["kind"], last["buttons"], last["panel_code"]) == ("stopped", [], "Your completion code is OUT.")
        assert "once more" not in last["text"]
        assert last["withdraw"]  # and what was answered can be taken back
        for more in ({}, {"again": True}, {"again": True, "here": True}):
            assert visitor.open(**more) == last
        with prepared.store.transaction() as s:
            assert [x.passed for x in s.scalars(select(Screening))] == [False, False]
            assert s.scalars(select(SessionRow)).one().status == "stopped"
        assert not any(screen["kind"] == "listen" for screen in visitor.screens)
        client.cookies.clear()
        other, hears = Visitor(client, prepared), Person()
        hears.right = False
        assert other.run(hears)["kind"] == "stopped"
        hears.right = True
        assert other.run(hears, other.open(again=True))["kind"] == "over"
        with prepared.store.transaction() as s:
            assert [x.status for x in s.scalars(select(SessionRow).order_by(SessionRow.id))] == ["stopped", "complete"]


def test_texts_of_before_there_was_a_second_try_still_say_what_they_said(
    home: Callable[..., Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    import copy

    from experiment import texts
    from experiment.web import site

    older = copy.deepcopy(texts.texts("en"))
    for name in ("screened_once", "screened_once_title", "screened_out", "screened_out_title"):
        del older["web"][name]
    monkeypatch.setattr(site, "texts", lambda *_: older)
    prepared = home(headphones="antiphase", headphones_required=True)
    with at(prepared, "person") as client:
        visitor, wrong = Visitor(client, prepared), Person()
        wrong.right = False
        assert visitor.run(wrong)["title"] == older["web"]["stopped_title"]


def test_one_link_in_two_windows_at_once_begins_once_and_nobody_is_named(
    home: Callable[..., Prepared], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each looks before the other has begun: whoever is second finds the session that the first began."""
    prepared, real, both = home(), links.begun_under, threading.Barrier(2)

    def at_once(store: Store, study: int, code: str, begin: Callable[[str], int]) -> int:
        def meet(code: str) -> int:
            both.wait(20)
            return begin(code)

        return real(store, study, code, meet)

    monkeypatch.setattr("experiment.web.links.begun_under", at_once)
    with at(prepared, "person") as client:
        one, two = Visitor(client, prepared), Visitor(client, prepared)
        begun = [{"tab": v.tab, "begin": one.nonce} for v in (one, two)]
        with ThreadPoolExecutor(2) as windows:
            answers = list(windows.map(lambda told: client.post("/api/open", json=told), begun))
    assert {a.status_code for a in answers} == {200}
    assert status(prepared) == ["running"]
    assert caplog.messages == []


def other_study(prepared: Prepared, **web: Any) -> Prepared:
    """Another study of the same clips in the same database, at the same address later."""
    asked = prepared.config.model_copy(update={"web": WebConfig(**web)})
    number = prepared.store.ensure_study("other", "Another", {"experiment": asked.model_dump(mode="json")})
    columns = ("clip", "taste", "model", "number", "path", "sha256", "seconds")
    rows = [{name: getattr(clip, name) for name in columns} for clip in prepared.stimuli]
    return Prepared(prepared.store, number, asked, prepared.store.ensure_stimuli(number, rows))


def test_who_took_part_in_another_study_at_the_same_address_begins_as_everybody_does(
    home: Callable[..., Prepared],
) -> None:
    prepared = home()
    with at(prepared, "person") as client:
        Visitor(client, prepared).begin()
        brought = dict(client.cookies)
    other = other_study(prepared)
    with at(other, "person") as client:
        client.cookies.update(brought)
        assert Visitor(client, other).begin()["kind"] == "consent"
    assert status(prepared) == ["running", "running"]


def test_a_cookie_of_another_study_lets_nobody_in_who_was_not_asked(
    home: Callable[..., Prepared], tmp_path: Path
) -> None:
    panel = {"entry": "panel", "panel": "PID"}
    brought = []
    first = home()
    with at(first, "person") as client:
        Visitor(client, first).begin()
        brought.append(dict(client.cookies))
    second = home(web=panel)
    with at(second, "person") as client:
        client.get("/?PID=5f0")
        brought.append(dict(client.cookies))
    for web in ({"entry": "invited"}, panel):
        other = other_study(home(), **web)
        for cookies in brought:
            with at(other, "person") as client:
                client.cookies.update(cookies)
                visitor = Visitor(client, other)
                assert visitor.open(begin=visitor.nonce)["kind"] == "closed"


def test_an_id_of_a_panel_has_a_length_and_a_browser_s_language_is_the_nearest(home: Callable[..., Prepared]) -> None:
    site = Site(home(), KEY, "person", HOME)
    try:
        assert site.panel_token("x") != site.panel_token("x" * 200)
        for who in ("", "x" * 201):
            with pytest.raises(Refused, match="no id of a panel"):
                site.panel_token(who)
        assert [site._language(x) for x in ("it", "IT-ch", "en-GB", "xx", "", None)] == ["it", "it", *["en"] * 4]
    finally:
        site.close()
