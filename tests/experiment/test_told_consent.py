"""What a study file says of consent: read by people, part of its fingerprint, refused where it contradicts itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select
from typer.testing import CliRunner

from experiment import answering
from experiment.config import ExperimentConfig
from experiment.consent import ConsentConfig
from experiment.data.declared import differences, structure
from experiment.data.store import Store
from experiment.data.tables import Consent as Given
from experiment.items import consent_sha256
from experiment.lab.screens import Screens
from experiment.lab.station import check_retention
from experiment.launch import Prepared, begin
from experiment.steps import Consent, next_step
from experiment.texts import texts
from experiment.wire import told
from tastelab.cli import app
from tests.conftest import ROOT
from tests.experiment.lab.glass import World

ALL: dict[str, Any] = {
    "controller": "University of X, 1 Hill Road",
    "approval": "EK 2026/12",
    "payment": {"en": "You are paid 10 euro.", "it": "Ricevi 10 euro."},
    "open_data": {"en": "Answers are published without names.", "it": "Le risposte sono pubblicate senza nomi."},
    "music": "told",
    "beyond": {"en": "Printed reports stay.", "it": "I rapporti stampati restano."},
    "retention": "2031-12-31",
}
RATED: dict[str, Any] = {
    "ratings": {
        "labels": {"en": ["a", "b"]},
        "adjectives": [{"name": "hot", "words": {"en": "hot"}}],
        "low": 1,
        "high": 5,
    }
}
READ = [
    "The music was made by a computer program (artificial intelligence).", "You are paid 10 euro.",
    "Answers are published without names.", "Printed reports stay.",
    "Your answers are kept until 2031-12-31 (year-month-day); after that they are deleted.", "Ethics approval: EK 2026/12",
    "Responsible for your data: University of X, 1 Hill Road",
]  # fmt: skip


def having(config: ExperimentConfig, **consent: Any) -> ExperimentConfig:
    return ExperimentConfig.model_validate({**config.model_dump(mode="json"), "consent": consent})


def test_what_is_said_is_read_and_stands_in_the_fingerprint(glass: World, booth: Prepared) -> None:
    asked = having(booth.config, **ALL)
    stored = answering.started(booth.store, begin(booth, "A", "person", "en", "b"))
    step = next_step(stored, asked)
    assert isinstance(step, Consent)
    assert list(step.more) == READ
    assert told(step)["more"] == READ
    screens, seen = Screens("en", 0, marker=lambda m: seen.append(m)), list[dict[str, Any]]()
    screens.more = step.more
    pages: list[Callable[[], None]] = [lambda: None, lambda: glass.window.tap("space")]
    glass.window.todo.extend([*pages, lambda: None, lambda: glass.window.tap("2"), *pages])
    screens.consent()
    read = " ".join(str(x.get("text")) for m in seen for x in m["shown"])
    assert all(words in read for words in READ)
    answering.agreed(booth.store, stored, asked, True, False, 1.0)
    with booth.store.transaction() as s:
        kept = s.scalars(select(Given.text_sha256)).one()
    assert kept == consent_sha256(texts("en"), READ)
    # A study that says nothing has the fingerprint that it always had.
    assert consent_sha256(texts("en"), []) == consent_sha256(texts("en")) != kept


def test_nothing_is_said_of_what_is_empty(config: ExperimentConfig) -> None:
    words = texts("it")["told"]
    assert config.consent.paragraphs("it", words) == []
    some = ConsentConfig(approval="7", music="debriefed")
    assert some.paragraphs("it", words) == ["Approvazione etica: 7"]
    assert (len(config.consent.empty()), len(some.empty()), ConsentConfig(**ALL).empty()) == (7, 5, [])
    # Of one's own tracks nobody asks whether a machine made them: the study file does not say it.
    assert [x for x in config.consent.empty() if x not in config.consent.empty(generated=False)] == [
        'whether people are told that machines made the music, or debriefed (music = "told" or "debriefed")'
    ]
    assert [x.split("(")[1].split(" ")[0].rstrip(")") for x in some.empty()] == [
        "controller",
        "payment",
        "open_data",
        "beyond",
        "retention",
    ]
    assert ConsentConfig(**ALL).needed() == ["told.controller", "told.approval", "told.music", "told.retention"]
    assert some.needed() == ["told.approval"]


@pytest.mark.parametrize(
    ("consent", "says"),
    [
        ({"music": "debriefed"}, "there is no \\[experiment.debrief\\] that tells it"),
        ({"payment": {"en": "None."}}, "consent.payment has no words in 'it'"),
        ({"beyond": {"en": "x", "it": " "}}, "consent.beyond has no words in 'it'"),
        ({"fee": "x"}, "Extra inputs"),
        ({"retention": "soon"}, "date"),
    ],
)
def test_what_contradicts_itself_is_refused(config: ExperimentConfig, consent: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        having(config, **consent)


def test_it_may_be_amended_as_a_text(config: ExperimentConfig) -> None:
    now = having(config, **ALL)
    assert structure(config, config.languages) == structure(now, now.languages)
    changes = differences(config, now)
    assert {c.where.split(".")[0] for c in changes} == {"consent"}
    assert {c.weight for c in changes} == {"text"}
    assert "consent.payment.it" in {c.where for c in changes}


def test_the_check_names_what_is_empty(tmp_path: Path) -> None:
    text = (ROOT / "study.toml").read_text(encoding="utf-8")
    some = '[experiment.consent]\ncontroller = "X"\napproval = "7"\nmusic = "told"\n\n[analysis]'
    (tmp_path / "study.toml").write_text(text.replace("[analysis]", some, 1), encoding="utf-8")
    found = CliRunner().invoke(app, ["study", "check", str(tmp_path / "study.toml")])
    assert found.exit_code == 0
    said = " ".join(found.output.split())
    assert "The consent does not say, in [experiment.consent]: what people are paid" in said
    assert (
        "(open_data); what of this lab's own a withdrawal can't reach (beyond); until when answers are kept (retention)."
        in said
    )
    assert "controller" not in said


def test_who_keeps_answers_longer_than_was_told_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last day is still right; from the next one on `doctor` warns, and `status` says it under the day."""
    kept = ConsentConfig(retention=date(2026, 3, 1))
    assert kept.over(date(2026, 3, 1)) is None
    assert ConsentConfig().over(date(2026, 3, 2)) is None
    assert str(kept.over(date(2026, 3, 2))).startswith("answers were to be kept until 2026-03-01, as people were told")
    for day, state in (("2999-01-01", "ok"), ("2020-01-01", "warning")):
        config = ExperimentConfig.model_validate({**RATED, "consent": {"retention": day}})
        assert check_retention(config).state == state
    text = (ROOT / "study.toml").read_text(encoding="utf-8")
    said = "[experiment.consent]\nretention = 2020-01-01\n\n[analysis]"
    (tmp_path / "study.toml").write_text(text.replace("[analysis]", said, 1), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    Store("sqlite:///participants.db").close()
    shown = CliRunner().invoke(app, ["experiment", "status"])
    assert "answers were to be kept until 2020-01-01" in " ".join(shown.output.split())
