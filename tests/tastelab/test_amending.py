"""`tastelab study amend` as an experimenter meets it: refused, amended, gone on with, and told in the report's first screen."""

from __future__ import annotations

from tastelab.report import inputs
from tastelab.study import load_study
from tests.tastelab.conftest import BOTS, Lived, call


def edited(study: Lived, old: str, new: str) -> None:
    text = study.study.read_text()
    assert old in text
    study.study.write_text(text.replace(old, new))


def test_a_study_in_its_course_is_amended_and_the_report_tells_it(mine: Lived) -> None:
    edited(mine, 'languages = ["en", "it"]', 'languages = ["it", "en"]\nresume_hours = 48')
    said = call("experiment", "simulate", "-n", str(BOTS + 1), "--quiet", *mine.where)
    assert (said.status, said.out) == (2, "")
    assert "languages: en, it -> it, en (and 1 more); say why with 'tastelab study amend --note WHY" in said.err
    said = call("study", "amend", *mine.answers[1:2], *mine.answers[2:])
    assert (said.status, said.err.count("an amendment needs --note WHY")) == (2, 1)
    said = call("study", "amend", mine.study, *mine.answers[2:], "--note", "most people are Italian")
    assert (said.status, said.err) == (0, "")
    assert said.out.splitlines() == [
        "small: 2 changed; whoever comes, and whoever goes on, meets it as it is now",
        "  limit: languages: en, it -> it, en",
        "  limit: resume_hours: 24.0 -> 48.0",
    ]
    assert call("experiment", "simulate", "-n", str(BOTS + 1), "--quiet", *mine.where).status == 0
    edited(mine, 'taste_words.en]\nsweet = "sweet"', 'taste_words.en]\nsweet = "sweetish"')
    said = call("study", "amend", mine.study, *mine.answers[2:], "--note", "a word")
    assert (said.status, "would read otherwise: taste_words.en.sweet: 'sweet' -> 'sweetish'" in said.err) == (2, True)
    said = call("study", "amend", mine.study, *mine.answers[2:], "--wording", "nobody said sweet")
    assert (said.status, "  wording: taste_words.en.sweet: 'sweet' -> 'sweetish'" in said.out) == (0, True)
    edited(mine, "trials = 4", "trials = 3")
    said = call("study", "amend", mine.study, *mine.answers[2:], "--note", "shorter", "--wording", "shorter")
    assert (said.status, "began under another design" in said.err) == (2, True)
    edited(mine, "trials = 3", "trials = 4")
    told = inputs(load_study(mine.study), mine.db, mine.out, None).amendments
    assert [(x["number"], x["before"], x["since"]) for x in told] == [(2, BOTS, 1), (3, BOTS + 1, 0)]
    assert mine.asked("SELECT declared, count(*) FROM session GROUP BY declared") == [(1, BOTS), (2, 1)]


def test_nobody_took_part_yet(mine: Lived) -> None:
    said = call("study", "amend", mine.study, "--db", f"sqlite:///{mine.folder / 'no.db'}", "--note", "x")
    assert (said.status, "there is no such database" in said.err) == (2, True)
    mine.asked("SELECT 1")
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(mine.database)) as connection, connection:
        connection.execute("UPDATE session SET kind = 'pilot'")
    said = call("study", "amend", mine.study, *mine.answers[2:], "--note", "x")
    assert said.out == "nobody took part in small yet (pilots and imports bind nothing): the file counts as it is\n"


def test_a_study_that_only_simulated_people_took_part_in_changes_when_they_are_deleted(mine: Lived) -> None:
    """More clips to rate: another design, which nothing amends; without the simulated people the file counts."""
    edited(mine, 'languages = ["en", "it"]', 'languages = ["en"]')
    refused = call("experiment", "simulate", "-n", str(BOTS), "--quiet", *mine.where)
    amended = call("study", "amend", mine.study, *mine.answers[2:])
    for said in (refused, amended):
        assert (said.status, said.out) == (2, "")
        assert "Only simulated people took part: 'tastelab experiment discard-bots --" in said.err
    gone = call("experiment", "discard-bots", *mine.answers)
    assert (gone.status, gone.err) == (0, "")
    assert gone.out.splitlines() == [
        f"{BOTS} simulated sessions of small deleted; backups, exports and reports made meanwhile still hold them"
    ]
    assert call("experiment", "discard-bots", *mine.answers).out.splitlines() == ["no simulated people"]
    assert call("experiment", "simulate", "-n", "2", "--quiet", *mine.where).status == 0
    assert mine.asked("select count(*) from session") == [(2,)]
