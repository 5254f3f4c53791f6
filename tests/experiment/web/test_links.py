"""Tokens: random, made by this server alone, kept as a hash."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from sqlalchemy import select

from experiment import launch
from experiment.data.store import Store
from experiment.data.tables import Link
from experiment.errors import ExperimentError
from experiment.web import links
from experiment.web.site import Site
from tests.conftest import ROOT
from tests.experiment.bots.test_remote import entered

KEY, OTHER = bytes(32), bytes([1]) * 32


def test_the_server_s_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "server.key"
    key = links.secret(path)
    assert len(key) == 32
    assert links.secret(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("hello")
    with pytest.raises(ExperimentError, match="is no key of a server"):
        links.secret(path)


def test_a_token_shows_which_server_made_it_and_for_whom() -> None:
    token = links.made_for(KEY, "panel", "1", "5f0")
    assert links.TOKEN.fullmatch(token)
    assert links.made_for(KEY, "panel", "1", "5f0") == token
    others = [
        links.made_for(KEY, "panel", "1", "5f1"), links.made_for(KEY, "panel", "2", "5f0"),
        links.made_for(KEY, "open", "1", "5f0"), links.made_for(OTHER, "panel", "1", "5f0"),
    ]  # fmt: skip
    assert len({token, *others}) == 5
    assert links.entry_of(KEY, "1", token) == "panel"
    assert links.entry_of(KEY, "1", others[2]) == "open"
    assert links.entry_of(KEY, "2", token) is None
    assert links.entry_of(OTHER, "1", token) is None
    body, sign = token.split(".")
    assert links.entry_of(KEY, "1", body) is None
    assert links.entry_of(KEY, "1", f"{body[::-1]}.{sign}") is None


def test_a_token_is_kept_once_as_a_hash_with_a_code(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    study = store.ensure_study("s", "S", {})
    made = links.invite(store, study, 3, "g")
    assert len({code for code, _ in made}) == 3
    assert len({token for _, token in made}) == 3
    code, token = made[0]
    assert links.enter(store, study, token, "invited") == code
    found = links.find(store, study, token)
    assert found is not None
    assert (found.session, found.status, found.code, found.group) == (None, None, code, "g")
    assert links.find(store, study + 1, token) is None
    assert links.find(store, study, None) is None
    assert links.find(store, study, "' OR 1=1 --") is None
    with store.transaction() as s:
        rows = s.scalars(select(Link)).all()
        assert [r.digest for r in rows] == [hashlib.sha256(t.encode()).hexdigest() for _, t in made]
    store.close()


def test_a_session_whose_acknowledgement_was_lost_is_found(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    study = store.ensure_study("s", "S", {})
    assert links.begun_under(store, study, "abcd234", lambda code: len(code)) == 7
    store.close()


def test_a_code_is_four_letters_and_three_digits_and_nobody_else_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Letters and digits that are taken for others (i, l, o; 0, 1) are left out; a code that a link or a person has is drawn anew."""
    prepared = entered(tmp_path / "s", ROOT / "study.toml")
    store, study = prepared.store, prepared.study_id
    codes = [code for code, _ in links.invite(store, study, 30)]
    assert all(re.fullmatch("[a-hjkmnp-z]{4}[2-9]{3}", code) for code in codes)
    launch.begin(prepared, "Bbbb333", "person", "en", "x", files=False)
    drawn = iter(["aaaa222", "aaaa222", "bbbb333", "cccc444"])
    letters: list[str] = []

    def choice(some: str) -> str:
        if not letters:
            letters.extend(next(drawn))
        return letters.pop(0)

    monkeypatch.setattr(links.secrets, "choice", choice)
    assert [code for code, _ in links.invite(store, study, 2)] == ["aaaa222", "cccc444"]
    store.close()


def test_a_link_leads_to_its_session_once_one_began(tmp_path: Path) -> None:
    """Then the participant's code stands in the session alone, and the link says whether it runs, and in which language."""
    prepared = entered(tmp_path / "s", ROOT / "study.toml")
    store, study = prepared.store, prepared.study_id
    ((code, token), (_, other)) = links.invite(store, study, 2, "g")
    began: list[str] = []

    def begin(own: str) -> int:
        began.append(own)
        return launch.begin(prepared, own, "person", "it", "x", files=False)

    session = links.begun_under(store, study, code, begin)
    assert links.begun_under(store, study, code, begin) == session
    assert began == [code]
    known = links.find(store, study, token)
    assert known is not None
    links.bind(store, known.link, session)
    found = links.find(store, study, token)
    assert found == links.Known(known.link, session, "running", code, "g", "it")
    unbound = links.find(store, study, other)
    assert unbound is not None
    assert unbound.session is None
    with store.transaction() as s:
        assert s.get_one(Link, known.link).code is None
        assert [x.entry for x in s.scalars(select(Link))] == ["invited", "invited"]
    store.close()


def test_a_panels_person_who_began_before_tokens_knew_of_names_goes_on(tmp_path: Path) -> None:
    """The token is what the release before made of this key, study 1 and this id."""
    before = "CzX8ei12qaURfkKLaH8Tz4IgrpPzNnmU.2lOt0zyGjJdgWGm5"
    prepared = entered(tmp_path / "s", ROOT / "study.toml")
    site = Site(prepared, bytes(range(32)), "person", "https://lab.example")
    try:
        fresh = site.panel_token("5f0ada")
        assert fresh != before
        links.enter(prepared.store, prepared.study_id, before, "panel")
        assert site.panel_token("5f0ada") == before
        assert site.panel_token("5f0adb") not in {before, fresh}
    finally:
        site.close()
        prepared.store.close()
