"""A study at a link: who comes, what they are shown, what they did; over one engine and one database, and of no network.

Nothing about a session is kept between two messages: the server may be ended at any moment, and another may answer the next.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from experiment import answering, choices, launch, wire
from experiment.config import ExperimentConfig
from experiment.data import lease
from experiment.data.allotment import FullError
from experiment.data.connect import shown as url_shown
from experiment.data.queries import failed_most
from experiment.data.store import Store
from experiment.data.tables import Place, Screening, SessionRow, StudyRow, Trial, utc_now
from experiment.data.withdrawal import withdraw
from experiment.entrance import Outcome
from experiment.errors import ExperimentError
from experiment.launch import Prepared
from experiment.steps import NOT_PASSED, TOO_YOUNG, End, Listen, Step, Stored, next_step
from experiment.texts import texts
from experiment.web import links
from experiment.web.flac import Clips
from experiment.web.links import Known
from experiment.web.messages import Done, MessageError, Opened, did_of
from experiment.web.showing import Addresses, Shown, Sound, around, made, pressed, shown, sounds, turn

STATION = "web"
NOTHING = "there is nothing here"
AWAY = 75.0  # s without a sign of life after which a session may be gone on with in another window without asking
BEAT = 25.0  # s between a window's signs of life
TRIES = 2  # at a headphone test that is required


class Refused(Exception):
    """A request that is answered with a status of HTTP and one line."""

    def __init__(self, status: int, words: str):
        super().__init__(words)
        self.status = status


@dataclass
class Site:
    """A study at a link.

    Attributes
    ----------
    key : bytes
        Of this server (`links.secret`).
    kind : str
        Of its sessions: ``person``, ``pilot``; ``bot`` where whoever answers hears nothing.
    url : str
        How people reach it.
    places : callable
        Gives where else something of a person may lie that the database does not know of (`erasure.places_here`).
    after_withdrawal : callable
        Told that somebody withdrew, so that all places are seen to.
    """

    prepared: Prepared
    key: bytes
    kind: str = "person"
    url: str = "http://127.0.0.1:8000"
    places: Callable[[], list[Place]] = list
    after_withdrawal: Callable[[], None] = lambda: None
    clips: Clips = field(init=False)

    def __post_init__(self) -> None:
        self.clips = Clips(self.prepared.stimuli)
        self._names = {c.id: c.clip for c in self.prepared.stimuli}

    def close(self) -> None:
        """Delete what was made for it."""
        self.clips.close()

    @property
    def store(self) -> Store:
        """The database."""
        return self.prepared.store

    @property
    def config(self) -> ExperimentConfig:
        """The study's sessions."""
        return self.prepared.config

    # Who comes -----------------------------------------------------------------------------------------------------

    def panel_token(self, who: str) -> str:
        """The token of a panel's person, whose id is kept nowhere."""
        if not 1 <= len(who) <= 200:
            raise Refused(400, "this is no id of a panel")
        before = links.panel_before(self.key, self.prepared.study_id, who)
        if links.find(self.store, self.prepared.study_id, before) is not None:
            return before
        return links.made_for(self.key, "panel", self._study().name, who)

    def knows(self, token: str) -> bool:
        """Whether a token leads to a session, or to where one may begin."""
        return links.find(self.store, self.prepared.study_id, token) is not None

    def open(self, token: str | None, message: Opened) -> tuple[Shown, str | None]:
        """What a window shows, and the token that it has from now on (None: as before)."""
        known = links.find(self.store, self.prepared.study_id, token)
        language = self._language(message.language)
        if known is None or known.session is None:
            entry = self.config.web.entry
            made = token is not None and known is None and links.entry_of(self.key, self._study().name, token) == entry
            if known is None and not made and entry != "open":
                return self._notice("closed", language), None
            if message.begin is None:
                return self._welcome(language), None
            if known is None:
                if token is None or not made:
                    token = links.made_for(self.key, "open", self._study().name, message.begin)
                links.enter(self.store, self.prepared.study_id, token, entry)
                known = links.find(self.store, self.prepared.study_id, token)
                assert known is not None
            if known.session is None:
                try:
                    self._begin(known, language)
                except FullError:
                    return self._notice("full", language, "full"), None
                known = links.find(self.store, self.prepared.study_id, token)
            assert known is not None
        assert token is not None
        return self._sit(known, token, message), token

    def _begin(self, known: Known, language: str) -> None:
        def begin(code: str) -> int:
            return launch.begin(
                self.prepared,
                code,
                self.kind,
                language,
                STATION,
                group=known.group,
                told={"server": STATION},
                files=False,
            )

        links.bind(self.store, known.link, links.begun_under(self.store, self.prepared.study_id, known.code, begin))

    def _language(self, wanted: str | None) -> str:
        """The study's language that is nearest to what a browser asks for."""
        there = self.config.languages
        plain = {x.lower(): x for x in there}
        asked = (wanted or "").lower()
        return plain.get(asked) or plain.get(asked.split("-")[0]) or there[0]

    def _sit(self, known: Known, token: str, message: Opened) -> Shown:
        """Go on with a session in this window, or say why not."""
        assert known.session is not None
        session, language = known.session, known.language or self.config.languages[0]
        if known.status == "running" and answering.sitting_of(self.store, session) == message.tab:
            if launch.late(self.prepared, session):  # the same window, days later
                return self._late(known, token, language)
            return self._screen(answering.read(self.store, session), token)
        if known.status == "stopped" and (not message.again or self._screened_out(session)):
            return self._stopped(session, token)
        if known.status not in ("running", "stopped"):
            return self._screen(answering.read(self.store, session), token)
        if known.status == "running" and not message.here and self._lives(session):
            w = texts(language, self.config.texts)
            return self._notice("elsewhere", language) | {"buttons": [_button("here", w["web"]["here"])]}
        try:
            launch.resume(self.prepared, known.code, anywhere=True)
        except launch.LateError:
            return self._late(known, token, language)
        return self._screen(answering.started(self.store, session, message.tab), token)

    def _late(self, known: Known, token: str, language: str) -> Shown:
        return self._notice("late", language) | self._own(token, known.code, language, over=True)

    def _lives(self, session: int) -> bool:
        """Whether another window gave a sign of life lately."""

        def look(s: Session) -> bool:
            row = s.get_one(SessionRow, session)
            alive = row.alive_at
            if alive is None or row.sitting == 0:
                return False
            silent = (utc_now() - (alive if alive.tzinfo else alive.replace(tzinfo=UTC))).total_seconds()
            # One from the future, of a clock that was set back since, says no more than silence.
            return abs(silent) < AWAY

        return self.store.do(look)

    # What is shown -------------------------------------------------------------------------------------------------

    def _addresses(self, session: int) -> Addresses:
        return Addresses(self.key, session)

    def _seconds(self, clip: int) -> float:
        return self.clips.seconds.get(clip, 0.0)

    def _screen(self, stored: Stored, token: str) -> Shown:
        """The next step, or how the session ended; of who is too young nothing is left that could say what was read."""
        if stored.status == TOO_YOUNG:
            return self._over(stored, token)
        step = next_step(stored, self.config)
        if not isinstance(step, End):
            return shown(step, stored, self.config, self._addresses(stored.session_id), self._seconds)
        if stored.status == "stopped":
            return self._stopped(stored.session_id, token)
        return self._over(stored, token)

    def _over(self, stored: Stored, token: str) -> Shown:
        w, language = texts(stored.language, self.config.texts), stored.language
        if stored.status == "complete":
            told = self._said(
                "over", language, w["end"]["title"], w["end"]["text"].format(code=stored.code), "complete"
            )
            return told | self._own(token, None, language, over=True)
        if stored.status == "refused":
            declined = w.get("declined", {"title": "", "text": ""})
            return self._said("over", language, declined["title"], declined["text"], "refused")
        if stored.status == "too_young":
            return self._said("over", language, w["too_young"]["title"], w["too_young"]["text"], "too_young")
        return self._notice("withdrawn", language)

    def _stopped(self, session: int, token: str) -> Shown:
        stored = answering.read(self.store, session)
        language, w = stored.language, texts(stored.language, self.config.texts)
        outcome: Outcome = "screened_out" if NOT_PASSED in stored.seen else "stopped"
        over = self._screened_out(session)
        name = ("screened_out" if over else "screened_once") if outcome == "screened_out" else "stopped"
        told = self._notice(name, language, outcome) | self._own(token, stored.code, language, over)
        return told | {"kind": "stopped", "buttons": [] if over else [_button("again", w["web"]["go_on"])]}

    def _screened_out(self, session: int) -> bool:
        """Whether a required headphone test was not passed as often as it may be tried: nobody is there who would put it right."""
        if not self.config.headphones_required or NOT_PASSED not in answering.read(self.store, session).seen:
            return False
        return failed_most(self.store, session) >= TRIES

    def _own(self, token: str, code: str | None, language: str, over: bool = False) -> Shown:
        """One's own link, what it is good for (of a session that is `over`, no more to go on), code, and the way to withdraw."""
        web = texts(language, self.config.texts)["web"]
        asked = {"title": web["withdraw_title"], "text": web["withdraw_text"]}
        buttons = pressed(choices.stopping(texts(language, self.config.texts)))
        return {
            "link": f"{self.url}/p/{token}",
            "link_text": web.get("link_over", web["link"]) if over else web["link"],
            "code": web["code"].format(code=code) if code else None,
            "withdraw": {"label": web["withdraw"], **asked, "buttons": buttons},
        }

    def _welcome(self, language: str) -> Shown:
        web = texts(language, self.config.texts)["web"]
        told = self._said("welcome", language, web["welcome_title"], web["welcome"])
        told["title"], told["study"] = web["welcome_title"], self._study().title
        told["buttons"] = [_button("begin", web["begin"])]
        told["languages"] = list(self.config.languages)
        return told

    def _study(self) -> StudyRow:
        return self.store.do(lambda s: s.get_one(StudyRow, self.prepared.study_id))

    def _notice(self, name: str, language: str, outcome: Outcome | None = None) -> Shown:
        web = texts(language, self.config.texts)["web"]
        there = name if name in web else "stopped"  # a study's own texts may be older
        return self._said(name, language, web[f"{there}_title"], web[there], outcome)

    def _said(self, kind: str, language: str, title: str, text: str, outcome: Outcome | None = None) -> Shown:
        told: Shown = {"kind": kind, **around(language, self.config), "title": title, "text": text, "buttons": []}
        back = self.config.web.returns.get(outcome) if outcome is not None else None
        web = texts(language, self.config.texts)["web"]
        if back is not None and back.startswith("https://"):
            told["return"] = {"label": web["return"], "href": back}
        elif back is not None:
            told["panel_code"] = web["panel_code"].format(code=back)
        return told

    # What was done -------------------------------------------------------------------------------------------------

    def _held(self, token: str | None, tab: str) -> tuple[Known, Stored]:
        """The session of a token, which goes on in this window."""
        known = links.find(self.store, self.prepared.study_id, token)
        if known is None or known.session is None:
            raise Refused(401, "there is no session here; open its link again")
        session = known.session
        self.store.do(lambda s: lease.alone_with(s, session))
        sitting = answering.sitting_of(self.store, known.session)
        if sitting is None or not hmac.compare_digest(sitting, tab):
            raise Refused(409, "this session goes on in another window")
        return known, answering.read(self.store, known.session)

    def done(self, token: str | None, message: Done) -> Shown:
        """Store what was done, and show what comes next, all in one transaction; what was stored before is not stored again."""
        return self.store.together(lambda: self._done(token, message))

    def _done(self, token: str | None, message: Done) -> Shown:
        try:
            known, stored = self._held(token, message.tab)
        except Refused as no:
            there = links.find(self.store, self.prepared.study_id, token)
            if no.status == 409 and there is not None and there.session is not None:
                if there.status in ("running", "stopped"):
                    return self._notice("taken", there.language or self.config.languages[0])
                return self._screen(answering.read(self.store, there.session), str(token))
            raise
        assert token is not None
        if stored.status == "running" and launch.late(self.prepared, stored.session_id):
            return self._late(known, token, stored.language)
        step: Step = next_step(stored, self.config)
        at = self._addresses(stored.session_id)
        if isinstance(step, End) or message.turn < turn(stored):
            return self._screen(stored, token)  # it was done already, and the answer was lost
        if message.turn > turn(stored) or not hmac.compare_digest(at.step(step), message.step):
            raise Refused(409, "this is not what is asked now; load the page again")
        clips = [c.id for c in step.clips] if isinstance(step, Listen) else []
        names, lengths = [self._names[i] for i in clips], [self._seconds(i) for i in clips]
        try:
            did = did_of(step, message.did, names, lengths, self.kind != "bot")
            answering.left(self.store, stored, [(x.at, {"what": x.what, "seconds": x.seconds}) for x in message.left])
            stored = wire.done(self.store, stored, self.config, step, message.at, did)
        except MessageError as error:
            raise Refused(400, str(error)) from None
        except lease.LostError as lost:
            if lost.status is None:
                return self._notice("taken", stored.language)
            stored = answering.read(self.store, stored.session_id)
        except ExperimentError:
            raise Refused(422, "this can't be an answer to what is asked") from None
        if isinstance(next_step(stored, self.config), End):
            stored = answering.read(self.store, stored.session_id)
        return self._screen(stored, token)

    def alive(self, token: str | None, tab: str) -> Shown:
        """A window's sign of life."""
        known, stored = self._held(token, tab)
        assert known.session is not None
        session = known.session
        try:
            self.store.do(lambda s: lease.held(s, session, stored.sitting))
        except lease.LostError:
            raise Refused(409, "this session goes on in another window") from None
        return {"kind": "alive"}

    def withdraw(self, token: str | None) -> Shown:
        """The person withdraws: all answers are deleted, and other places are seen to."""
        known = links.find(self.store, self.prepared.study_id, token)
        if known is None or known.session is None:
            raise Refused(401, "there is no session here; open its link again")
        language = known.language or self.config.languages[0]
        if known.status not in ("withdrawn", "refused", "too_young"):
            own = Place(kind="database", path=url_shown(self.store.url), machine=None)
            withdraw(self.store, known.code, self._study().name, [own, *self.places()])
            self.after_withdrawal()
        return self._notice("withdrawn", language)

    def sound(self, token: str | None, address: str) -> bytes:
        """A sound of a session by its address."""
        found = self.store.together(lambda: self._sounds(token)).get(address)
        sound = None if found is None else self.clips.read(found[1]) if found[0] == "clip" else made(found)
        if sound is None:
            raise Refused(404, NOTHING)
        return sound

    def _sounds(self, token: str | None) -> dict[str, Sound]:
        """What whoever has a token may hear now, by its address."""
        known = links.find(self.store, self.prepared.study_id, token)
        if known is None or known.session is None:
            return {}
        session = known.session

        def look(s: Session) -> tuple[list[int], int, int]:
            planned = s.execute(select(Trial.first_id, Trial.second_id).where(Trial.session_id == session))
            made = select(func.count()).select_from(Screening).where(Screening.session_id == session)
            clips = dict.fromkeys(i for pair in planned for i in pair if i is not None)
            return list(clips), s.get_one(SessionRow, session).seed, int(s.scalar(made) or 0)

        clips, seed, screenings = self.store.do(look)
        at = self._addresses(session)
        return {at.of(sound): sound for sound in sounds(clips, (seed, session, screenings))}


def _button(name: str, label: str) -> Shown:
    return {"name": name, "label": label, "key": "space", "primary": True}
