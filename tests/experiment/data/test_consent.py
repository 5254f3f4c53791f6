"""What the database says of a consent: the fingerprint of exactly what was shown, and what was agreed to."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from experiment import launch
from experiment.bots.bots import Bot
from experiment.bots.effects import load_effects
from experiment.data.store import Store
from experiment.data.tables import Consent, SessionRow
from experiment.items import consent_sha256
from experiment.launch import Prepared
from experiment.session import run_session
from tests.conftest import ROOT, TASTES


class Asks(Bot):
    """Agrees to take part, and to questions of special categories or not."""

    special = True

    def consent(self) -> tuple[bool, bool]:
        return True, self.special


@pytest.fixture
def ready(tmp_path: Path, config: object) -> Prepared:
    """The default study in both of its languages, on SQLite."""
    from tastelab.study import load_study

    asked = load_study(ROOT / "study.toml").experiment
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    study_id = store.ensure_study("s", "S", {"experiment": asked.model_dump(mode="json")})
    rows = [
        {"clip": f"{t}-{m}-{n}", "taste": t, "model": m, "number": n, "path": None, "sha256": "0" * 64}
        for t in TASTES for m in ("base", "finetuned") for n in range(5)
    ]  # fmt: skip
    return Prepared(store, study_id, asked, store.ensure_stimuli(study_id, rows))


def consented(
    ready: Prepared, code: str, language: str = "en", special: bool = True, texts: Path | None = None
) -> Consent:
    """The consent stored of one session."""
    config = ready.config.model_copy(update={"texts": texts})
    session = launch.begin(ready, code, "bot", language, "x")
    bot = Asks(config, load_effects(), np.random.default_rng(0), 0)
    bot.special = special
    run_session(ready.store, session, config, bot)
    with ready.store.transaction() as s:
        row = s.get_one(SessionRow, session)
        return s.scalars(select(Consent).where(Consent.participant_id == row.participant_id)).one()


def own_words(folder: Path, word: str) -> Path:
    """The English texts with one of the consent's words changed."""
    text = (ROOT / "experiment" / "texts" / "en.toml").read_text(encoding="utf-8")
    words = tomllib.loads(text)["consent"]
    folder.mkdir()
    assert text.count(words[word].splitlines()[0]) == 1
    (folder / "en.toml").write_text(text.replace(words[word].splitlines()[0], "Something else."), encoding="utf-8")
    return folder


def test_the_fingerprint_is_of_what_was_shown(ready: Prepared, tmp_path: Path) -> None:
    """The same words give the same; any word of consent in any language, or of the study's own, gives another."""
    english = consented(ready, "A")
    assert len(english.text_sha256) == 64
    assert consented(ready, "B").text_sha256 == english.text_sha256
    shown = [english.text_sha256, consented(ready, "C", "it").text_sha256]
    for word in ("text", "special_text"):
        changed = own_words(tmp_path / word, word)
        shown.append(consented(ready, word, texts=changed).text_sha256)
    assert len(set(shown)) == len(shown) == 4


def test_a_fingerprint_stays_what_it_was_in_version_0_1() -> None:
    """Whoever looks an old consent up finds its text: SHA-256 of the words in order of their names."""
    found = consent_sha256({"consent": {"title": "Welcome", "text": "Listen."}, "sound": {"title": "Tones"}})
    assert found == "a5521ccca44cb24fbaeb6057a4fb694671c7baa20002a4816562ff844b883ffb"


def test_special_categories_are_agreed_to_apart(ready: Prepared) -> None:
    assert consented(ready, "A").special_categories is True
    assert consented(ready, "B", special=False).special_categories is False
