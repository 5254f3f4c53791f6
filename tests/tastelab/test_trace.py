"""`tastelab trace`, and the links of the report: twenty random numbers back to the answers that plain SQL finds, and forward again."""

from __future__ import annotations

import csv
import html
import json
import os
import random
import re
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.report.trace import Trace, read_trace
from stimuli.manifest import read_manifest, update_manifest
from tests.analysis.report.study import sketched
from tests.conftest import ROOT, TASTES
from tests.tastelab.conftest import BOTS, Lived, call, clip_rows

SAMPLED = 20
EVERYBODY = set(range(1, BOTS + 1))


@pytest.fixture(scope="module")
def reported(lived: Lived, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """The lived study with captions, features and embeddings of its clips, and a report; figures are a few bytes."""
    own = Lived(tmp_path_factory.mktemp("reported") / "study")
    shutil.copytree(lived.folder, own.folder)
    folder = own.out / "small" / "stimuli"
    rows = [
        replace(r, caption=f"Slow {r.taste} piano.", features={"tempo": 90.0 + r.number, "pitch_height": 1.0 * len(r.taste) + r.number})
        for r in read_manifest(folder)
    ]  # fmt: skip
    update_manifest(folder, rows)
    for name, width in (("musicnn", 200), ("codec", 64)):
        cache = own.out / "small" / "embeddings" / name
        cache.mkdir(parents=True)
        for r in rows:
            rng = np.random.default_rng(sum(r.sha256.encode()))
            np.save(cache / f"{r.sha256}.npy", rng.normal(size=(30, width)).astype(np.float32))
    with sketched():
        said = call("analysis", "report", "--kind", "bot", "--quiet", *own.where)
    assert said.status == 0, said.err
    return own


def traced(lived: Lived, what: str) -> dict[str, list[dict[str, Any]]]:
    said = call("trace", what, *lived.where, "--json")
    assert said.status == 0, said.err
    found = json.loads(said.out)
    assert found["analysis"] == "trace"
    tables: dict[str, list[dict[str, Any]]] = found["tables"]
    return tables


def trace_of(lived: Lived) -> Trace:
    found = read_trace(lived.out / "small")
    assert found is not None
    return found


class Links(HTMLParser):
    """The links of a page: by the identity that they carry, where they lead and what they say; and all identities."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.to: dict[str, tuple[str, str]] = {}
        self.hrefs: list[str] = []
        self.ids: list[str] = []
        self._open: str | None = None
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {k: v or "" for k, v in attrs}
        self.ids += [found["id"]] if "id" in found else []
        if tag == "a":
            self.hrefs.append(found["href"])
            self._open = found.get("id")
            if self._open:
                self.to[self._open] = (found["href"], "")

    def handle_endtag(self, tag: str) -> None:
        self._open = None if tag == "a" else self._open

    def handle_data(self, data: str) -> None:
        if self._open:
            self.to[self._open] = (self.to[self._open][0], self.to[self._open][1] + data)


# What a number stands on, by plain SQL: the numbers of people, by the order of their rows, and all that they answered to clips.
SQL = """
select dense_rank() over (order by session.participant_id) as person, block, position, item,
       one.clip as first, two.clip as second, one.taste as taste, one.model as first_model, value
from response join trial on trial.id = trial_id join session on session.id = session_id
join stimulus as one on one.id = first_id left join stimulus as two on two.id = second_id where session.kind = 'bot'
"""


@pytest.fixture(scope="module")
def stored(reported: Lived) -> pd.DataFrame:
    with closing(sqlite3.connect(reported.database)) as connection:
        return pd.read_sql_query(SQL, connection)


Which = Callable[[pd.DataFrame, dict[str, str]], pd.Series]
PAIRS: Which = lambda s, r: s.block == "preference"  # noqa: E731
WORDS: Which = lambda s, r: s.block == "ratings"  # noqa: E731
TASTE: Which = lambda s, r: PAIRS(s, r) & ((s.taste == r["taste"]) | (r["taste"] == "all"))  # noqa: E731
WORD: Which = lambda s, r: WORDS(s, r) & s.item.isin([r.get(k) for k in ("adjective", "item", "item1", "item2")])  # noqa: E731
OWN: Which = lambda s, r: WORDS(s, r) & s.item.isin(TASTES)  # noqa: E731
NOBODY: Which = lambda s, r: pd.Series(False, index=s.index)  # noqa: E731
RULES: dict[str, Which] = {
    **dict.fromkeys(("flow", "demographics", "paper_flow", "fad", "clip_distances", "correspondences", "feature_tests", "captions"), NOBODY),
    **dict.fromkeys(("careless", "without_marked"), lambda s, r: PAIRS(s, r) | WORDS(s, r)),
    **dict.fromkeys(
        ("preference_mixed", "preference_equivalence", "preference_spread", "preference_variances", "preference_sensitivity",
         "preference_detectable", "moderators", "preference_bias", "distance_preference", "preference_agreement", "preference_sides"),
        PAIRS,
    ),
    **dict.fromkeys(("preference_effects", "preference_tests", "preference_normality", "recovery_preference"), TASTE),
    **dict.fromkeys(("own_word", "own_word_ordinal", "prompts_mixed", "correlations", "icc", "caption_words"), WORD),
    "means": lambda s, r: WORD(s, r) & (s.taste == r["prompt"]),
    **dict.fromkeys(("mediation", "recovery_ratings", "anova", "tukey"), WORDS),
}  # fmt: skip
# Columns that count or correct something else than their row is about, and settings.
OTHERWISE: dict[tuple[str, str], Which] = {
    **dict.fromkeys([("preference_mixed", "n"), ("preference_equivalence", "n")], TASTE),
    **dict.fromkeys([("preference_detectable", "alpha"), ("preference_detectable", "power"), ("preference_equivalence", "bound"),
                     ("preference_sensitivity", "bound"), ("preference_sensitivity", "interval_level"), ("preference_equivalence", "interval_level"),
                     ("factors_loading_intervals", "resamples"),
                     ("recovery_preference", "declared")], NOBODY),
    **dict.fromkeys([("own_word", "p_adjusted"), ("own_word_ordinal", "p_adjusted")], OWN),
    **dict.fromkeys([("prompts_mixed", "p_adjusted"), ("caption_words", "p_adjusted")], WORDS),
    ("preference_tests", "p_adjusted"): PAIRS,
    ("factors_scores_by_prompt", "n"): lambda s, r: WORDS(s, r) & (s.taste == r["prompt"]),
}  # fmt: skip
# Sentences, by how they begin.
SAID: list[tuple[str, Which]] = [
    (r"(The sound of|\d+ participants were left out)", NOBODY),
    (r"\d+ preferences were given", PAIRS),
    ("(Of all|24 sessions|24 of 24|Left out|32 clips|FAD|Music for|Whether music|4 and 4 clips)", NOBODY),
    (r"(Parallel|Taken as|\d+ ratings|Music prompted)", WORDS),
    ("(Over all tastes|By taste|96 choices|With 80|For )", PAIRS),
]

# Captions of figures, by their section.
CAPTIONS: dict[str, Which] = {
    **dict.fromkeys(("first-figure", "caption-preference", "caption-seed-paper"), PAIRS),
    **dict.fromkeys(("caption-ratings", "caption-factors", "caption-mediation"), WORDS), "caption-sound": NOBODY,
}  # fmt: skip


def expected(stored: pd.DataFrame, name: str, said: str, rows: dict[str, list[dict[str, str]]]) -> set[tuple[Any, ...]]:
    """The answers that a number should stand on."""
    table, place, column = name.rsplit(".", 2)
    row: dict[str, str] = {}
    if table in rows:
        row = rows[table][int(place)]
        which = OTHERWISE.get((table, column)) or RULES.get(table) or (WORDS if table.startswith("factors_") else None)
    else:
        which = CAPTIONS.get(table) or next((w for pattern, w in SAID if re.match(pattern, said)), None)
        named = re.match(r"For (\w+)", said)
        if table.startswith("text-seed-paper") and named and "adjusted" not in said:
            which, row = TASTE, {"taste": named[1]}
        if said.startswith("Music prompted"):
            which = OWN
    assert which is not None, (name, said)
    part = stored[which(stored, row)]
    answers = {
        (int(a.person), a.block, int(a.position), "" if a.block == "preference" else a.item) for a in part.itertuples()
    }
    return answers


def test_twenty_numbers_of_the_report_go_back_to_their_answers_and_forward_again(
    reported: Lived, stored: pd.DataFrame
) -> None:
    links = Links(reported.out / "small" / "report.html").to
    rows = {
        p.stem: list(csv.DictReader(p.open(encoding="utf-8")))
        for p in (reported.out / "small" / "tables").glob("*.csv")
    }
    trace = trace_of(reported)
    assert set(trace.numbers) == {k for k, (href, _) in links.items() if href.startswith("trace/")}
    assert len(links) > 2500
    said = {line.id: line.said for line in trace.sentences.values()}
    sentences = sorted(k for k in links if k.rpartition(".")[0] in said)
    drawn = random.Random(20).sample(sorted(set(links) - set(sentences)), SAMPLED - 6) + random.Random(6).sample(
        sentences, 6
    )
    assert {name.rsplit(".", 2)[0] for name in sentences} >= {"caption-preference", "caption-factors", "methods"}
    clips_of = {c: {n.id for n in trace.forward([c])} for c in (c.clip for c in trace.clips)}
    people_of = {p: {n.id for n in trace.forward(person=p)} for p in EVERYBODY}
    heard = {(p, b, int(k)): {c for c in (one, two) if isinstance(c, str)} for p, b, k, one, two in stored[["person", "block", "position", "first", "second"]].itertuples(index=False)}  # fmt: skip
    for name in [*drawn, "means.5.mean"]:  # the last is of some people alone, which of twenty none may be
        found = traced(reported, name)
        assert found["number"][0]["printed"] == links[name][1]
        wanted = expected(stored, name, said.get(name.rpartition(".")[0], ""), rows)
        back = {(a["person"], a["task"], a["trial"], a["item"]) for a in found["answers"]}
        assert back == wanted, name
        table, place, column = name.rsplit(".", 2)
        if table in rows:
            assert found["number"][0]["value"] == pytest.approx(float(rows[table][int(place)][column]), rel=1e-12)
        # Forward again, from every clip and every person: this number stands under those alone that it came from.
        clips, people = {c["clip"] for c in found["clips"]}, {p["person"] for p in found["people"]}
        assert {c for c, numbers in clips_of.items() if name in numbers} == clips
        assert {p for p, numbers in people_of.items() if name in numbers} == people
        if wanted:
            assert people == {a[0] for a in wanted}
            # A feature counts in standard deviations over all clips, heard or not.
            whole = table == "caption-mediation" or (
                table == "mediation" and rows[table][int(place)]["music"] != "prompt"
            )
            assert clips == ({c.clip for c in clip_rows()} if whole else set().union(*(heard[a[:3]] for a in wanted)))
    assert sum(bool(expected(stored, n, said.get(n.rpartition(".")[0], ""), rows)) for n in drawn) >= SAMPLED / 2


def test_numbers_that_hang_on_sound_go_back_to_clips_seeds_and_checkpoints(reported: Lived) -> None:
    rows = list(csv.DictReader((reported.out / "small" / "tables" / "fad.csv").open(encoding="utf-8")))
    for k in (0, 1, 7):
        found = traced(reported, f"fad.{k}.value")
        own = [c for c in clip_rows() if c.model == rows[k]["model"] and rows[k]["taste"] in ("all", c.taste)]
        told = {c["clip"]: (c["prompt"], c["seed"], c["checkpoint"], c["sha256"]) for c in found["clips"]}
        assert told == {c.clip: (c.prompt, c.seed, c.checkpoint, c.sha256[:12]) for c in own}
        assert (found["answers"], found["people"]) == ([], [])
        (made,) = found["made_by"]
        assert (made["function"], made["file"]) == ("analysis.sound.distances:analyse", "analysis/sound/distances.py")


def test_every_number_of_a_table_is_a_link_and_every_link_leads_somewhere(reported: Lived) -> None:
    folder = reported.out / "small"
    page = (folder / "report.html").read_text(encoding="utf-8")
    cells = re.findall(r'<td class="n">(.*?)</td>', page)
    bare = [c for c in cells if not c.startswith("<a ") and html.unescape(c) not in ("–", "yes", "no")]
    assert len(cells) > 2000
    assert bare == []
    first = page[page.index('class="first"') : page.index('class="summary"')]
    answer = first[first.index("<h2>Answer</h2>") : first.index("<h2>Is it the taste</h2>")]
    assert re.findall(r"(?<![\w.-])\d+\.\d+", re.sub(r"<a .*?</a>", "", answer)) == []
    pages = {p.name: Links(p) for p in (folder / "trace").glob("*.html")}
    report = Links(folder / "report.html")
    assert len(pages) > 45
    for name, links in pages.items():
        assert len(links.ids) == len(set(links.ids)), name
        for href in links.hrefs:
            file, _, mark = href.partition("#")
            there = report if file == "../report.html" else pages[file or name]
            assert not mark or mark in there.ids, (name, href)
    for name, (href, shown) in report.to.items():
        file, _, mark = href.removeprefix("trace/").partition("#")
        assert mark == name
        assert pages[file].to[name] == (f"../report.html#{name}", shown)


def test_pages_say_of_people_no_more_than_numbers_and_answers(reported: Lived) -> None:
    (codes,) = zip(*reported.asked("select code from participant"), strict=True)
    asked = [
        c for (c,) in reported.asked("select distinct choice from response where item in ('sex', 'eating_experience')")
    ]
    for path in (reported.out / "small" / "trace").glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not any(code in text for code in codes), path.name
        if path.stem in ("people", "clips", "sentences"):
            assert not any(re.search(rf"\b{word}\b", text) for word in asked if word not in ("none", "other")), (
                path.name
            )
    assert all(code.startswith("bot-") for code in codes)
    if os.name != "nt":
        assert stat.S_IMODE((reported.out / "small" / "trace").stat().st_mode) == 0o700


def test_size_stays_reasonable(reported: Lived) -> None:
    """Pages are shared: a number takes hundreds of bytes of them, not thousands."""
    pages = sum(p.stat().st_size for p in (reported.out / "small" / "trace").iterdir())
    assert pages / len(trace_of(reported).numbers) < 1000


def test_a_clip_a_person_and_a_checkpoint_go_forward_by_the_same_function(reported: Lived) -> None:
    trace = trace_of(reported)
    (code, person), *_ = reported.asked(
        "select code, (select count(*) from participant as p where p.id <= participant.id) from participant order by id desc"
    )
    assert person == BOTS
    for what, numbers in (
        ("sour-base-002", trace.forward(["sour-base-002"])), ("person-7", trace.forward(person=7)),
        (code, trace.forward(person=person)), ("nano-base", trace.forward([c.clip for c in clip_rows() if c.model == "base"])),
    ):  # fmt: skip
        found = traced(reported, what)
        assert [n["number"] for n in found["numbers"]] == [n.id for n in numbers]
        assert sum(r["numbers"] for r in found["went_into"]) == len(numbers)
        assert 0 < len(numbers) < len(trace.numbers)
    assert {a["person"] for a in traced(reported, code)["answers"]} == {person}
    assert [c["clip"] for c in traced(reported, "c" * 12)["clips"]] == [c.clip for c in clip_rows()]
    assert next(n["number"] for n in traced(reported, "own_word.1")["numbers"]) == "own_word.1.n"


def test_what_a_person_reads_fits_eighty_columns(reported: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for words in (
        ("trace", "preference_mixed.4.p", *reported.where), ("trace", "own_word", *reported.where),
        ("trace", "first.1.0", *reported.where), ("trace", "sweet-base-001", *reported.where), ("trace", "person-3", *reported.where),
        ("trace", "nano-base", *reported.where), ("models", "info"), ("experiment", "status", "--all", *reported.answers),
    ):  # fmt: skip
        said = call(*words)
        assert said.status == 0, said.err
        assert max(map(len, said.out.splitlines())) <= 80, words
        assert said.out.count("\n") > 10
    said = call("trace", "preference_mixed.4.p", *reported.where)
    assert "preference_mixed.4.p: ." in said.out
    assert "stands on 96 answers of 24 people, 32 clips" in said.out
    assert "--csv" not in said.out


def test_answers_that_came_since_are_not_counted_to_a_code(reported: Lived, tmp_path: Path) -> None:
    own = Lived(tmp_path / "own")
    shutil.copytree(reported.folder, own.folder)
    with closing(sqlite3.connect(own.database)) as connection, connection:
        connection.execute(
            "update response set value = 1.5 where id = (select max(id) from response where item = 'preference')"
        )
    said = call("trace", "bot-1-0003", *own.where)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith(
        "tastelab: there are other answers than when the report was made; run 'tastelab analysis report"
    )
    assert call("trace", "person-4", *own.where).status == 0
    shutil.rmtree(own.out / "small" / "snapshots")
    said = call("trace", "person-4", *own.where)
    assert (said.status, said.out) == (2, "")
    assert "are gone; run 'tastelab analysis report" in said.err


def test_a_withdrawal_deletes_the_trace_with_the_report(reported: Lived, tmp_path: Path) -> None:
    own = Lived(tmp_path / "own")
    shutil.copytree(reported.folder, own.folder)
    with closing(sqlite3.connect(own.database)) as connection, connection:
        connection.execute("update copy set path = ? where kind = 'snapshots'", (str(own.out / "small" / "snapshots"),))
    base = own.out / "small"
    assert (base / "trace" / "people.html").exists()
    said = call("experiment", "withdraw", "bot-1-0003", "--db", own.db, "--out", own.out, "--no-key")
    assert said.status == 0, said.out + said.err
    left = {p.name for p in base.iterdir()}
    assert left == {"stimuli", "embeddings", "distances", "snapshots"}  # clips, and what is measured of them alone


def guide(page: str) -> str:
    """The code for a notebook that a guide holds."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return str(code)


def equal(found: pd.DataFrame, table: Path) -> None:
    """Whether a frame holds what a table of the report does, number by number."""
    if not table.exists():
        assert found.empty
        return
    told = pd.read_csv(table)
    for column in told.select_dtypes("number"):
        np.testing.assert_allclose(
            found[column].astype(float), told[column], rtol=1e-12, err_msg=f"{table.stem}: {column}"
        )


def test_the_guides_code_gives_the_reports_numbers(reported: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = reported.out / "small" / "tables"
    (snapshot,) = (reported.out / "small" / "snapshots").glob("bot-*")
    monkeypatch.chdir(reported.folder)
    with sketched():
        for page in ("analyst.md", "gallery.md"):
            given: dict[str, Any] = {"folder": snapshot}
            exec(guide(page), given)
            if page == "gallery.md":
                equal(pd.DataFrame(given["tables"]["loadings"]), tables / "factors_loadings.csv")
                continue
            tests = given["tests"].rename(columns={"effect": "difference"})
            equal(tests, tables / "preference_mixed.csv")
            assert tests["alternative"].tolist() == pd.read_csv(tables / "preference_mixed.csv")["alternative"].tolist()
            assert set(tests["alternative"]) == {"greater"}
            for name in ("loadings", "reliability", "invariance"):
                equal(given[name], tables / f"factors_{name}.csv")


@pytest.mark.parametrize("what", ["means.0.nothing", "means.900", "person-25", "person-0", "bot-9-0001", "nano"])
def test_what_the_report_does_not_have_is_a_mistake_too(reported: Lived, what: str) -> None:
    said = call("trace", what, *reported.where)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith(f"tastelab: nothing of small is called {what!r}: ")
    assert said.err.endswith("no checkpoint is called so\n")
