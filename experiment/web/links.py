"""Links to a study: random tokens, of which the database keeps a hash, each bound to one session.

A token is 24 random bytes; whoever has it is the participant. Where somebody begins by the link for all, it is made of a number
that the browser drew, under the server's key, so that a second request after a lost answer finds the same session; of a panel's
person it is made of the panel's id in the same way, so that the id itself is stored nowhere.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from experiment.data.codes import same
from experiment.data.private import write_own
from experiment.data.store import Store, alone
from experiment.data.tables import Link, Participant, SessionRow
from experiment.errors import ExperimentError

TOKEN = re.compile(r"[A-Za-z0-9_-]{32}(\.[A-Za-z0-9_-]{16})?")
LETTERS = "abcdefghjkmnpqrstuvwxyz"  # none that is taken for another, or for a digit
DIGITS = "23456789"


def secret(path: Path) -> bytes:
    """The server's key, from its own file; made where there is none."""
    if not path.exists():
        write_own(path, secrets.token_hex(32) + "\n")
    found = path.read_text(encoding="utf-8").strip()
    if not re.fullmatch("[0-9a-f]{64}", found):
        raise ExperimentError(
            f"{path} is no key of a server; move it away, and a new one is made (old links end with it)"
        )
    return bytes.fromhex(found)


def keyed(key: bytes, *what: object) -> str:
    """32 letters that nobody can tell, or make, without the key."""
    said = "\n".join(map(str, what)).encode()
    return urlsafe_b64encode(hmac.digest(key, said, "sha256")[:24]).decode()


def made_for(key: bytes, entry: str, study: str, who: str) -> str:
    """The token of somebody who begins: of a browser's own number, or of a panel's id. It shows that this server made it, for
    this study: a browser brings the cookie of whatever study was at the same address before.
    """
    token = keyed(key, entry, study, who)
    return f"{token}.{_sign(key, entry, study, token)}"


def panel_before(key: bytes, study_id: int, who: str) -> str:
    """The token that a panel's id had when tokens knew of a study's number alone: whoever began under it goes on under it."""
    token = keyed(key, "panel", str(study_id), who)
    return f"{token}.{keyed(key, 'made', 'panel', token)[:16]}"


def _sign(key: bytes, entry: str, study: str, token: str) -> str:
    return keyed(key, "made", entry, study, token)[:16]


def entry_of(key: bytes, study: str, token: str) -> str | None:
    """How somebody came to whom this server gave the token for a study; None where it did not."""
    body, _, sign = token.partition(".")
    return next((e for e in ("open", "panel") if hmac.compare_digest(_sign(key, e, study, body), sign)), None)


def digest(token: str) -> str:
    """What the database keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True)
class Known:
    """A link as it is stored, and what became of its session."""

    link: int
    session: int | None
    status: str | None
    code: str
    group: str | None
    language: str | None


def find(store: Store, study_id: int, token: str | None) -> Known | None:
    """The link of a token; None where there is none."""
    if token is None or not TOKEN.fullmatch(token):
        return None

    def look(s: Session) -> Known | None:
        asked = (
            select(Link.id, Link.code.label("own"), Link.group_name, SessionRow.id.label("session"), SessionRow.status,
                   Participant.code, SessionRow.language)
            .outerjoin(SessionRow, SessionRow.id == Link.session_id)
            .outerjoin(Participant, Participant.id == SessionRow.participant_id)
            .where(Link.digest == digest(token), Link.study_id == study_id)
        )  # fmt: skip
        row = s.execute(asked).first()
        if row is None:
            return None
        return Known(row.id, row.session, row.status, row.code or row.own or "", row.group_name, row.language)

    return store.do(look)


def enter(store: Store, study_id: int, token: str, entry: str, group: str | None = None) -> str:
    """Keep a token, with a code under which its session is to begin; returns the code. The same token is kept once."""

    def write(s: Session) -> str:
        alone(s)
        row = s.scalar(select(Link).where(Link.digest == digest(token), Link.study_id == study_id))
        if row is None:
            row = Link(study_id=study_id, digest=digest(token), entry=entry, code=_free(s), group_name=group)
            s.add(row)
        return row.code or ""

    return store.do(write)


def _free(s: Session) -> str:
    """A code that nobody has."""
    while True:
        code = "".join(secrets.choice(LETTERS) for _ in range(4)) + "".join(secrets.choice(DIGITS) for _ in range(3))
        there = s.scalar(select(Participant.id).where(Participant.norm == same(code)))
        if there is None and s.scalar(select(Link.id).where(Link.code == code)) is None:
            return code


def bind(store: Store, link: int, session: int) -> None:
    """The session of a link has begun: its code stands there from now on."""

    def write(s: Session) -> None:
        row = s.get_one(Link, link)
        row.session_id, row.code = session, None

    store.do(write)


def invite(store: Store, study_id: int, n: int, group: str | None = None) -> list[tuple[str, str]]:
    """Make links for so many people; returns code and token of each, which stand nowhere else."""
    made: list[tuple[str, str]] = []
    for _ in range(n):
        token = urlsafe_b64encode(secrets.token_bytes(24)).decode()
        made.append((enter(store, study_id, token, "invited", group), token))
    return made


def written(store: Store, study_id: int, n: int, group: str | None, url: str, file: Path) -> None:
    """Make links for so many people and write them to a file with their codes: all of it, or nothing."""

    def make() -> None:
        rows = [f"{code},{url.rstrip('/')}/p/{token}" for code, token in invite(store, study_id, n, group)]
        write_own(file, "\n".join(["code,link", *rows]) + "\n")

    try:
        # Nobody else's links are written over, or taken away where these fail.
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise ExperimentError(f"{file} is there already; its links may be in use. Choose another name") from None
    try:
        store.together(make)  # no link is there that stands nowhere
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def begun_under(store: Store, study_id: int, code: str, begin: Callable[[str], int]) -> int:
    """Begin a session under a code that was issued; one that began already, whose acknowledgement was lost, or that another request
    of the same link begins at this moment, is found.
    """

    def look(s: Session) -> int | None:
        own = select(SessionRow.id).join(Participant).where(Participant.code == code, SessionRow.study_id == study_id)
        return s.scalar(own)

    there = store.do(look)
    if there is not None:
        return there
    try:
        return begin(code)
    except ExperimentError:
        there = store.do(look)
        if there is None:
            raise
        return there
