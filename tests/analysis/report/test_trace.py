"""What stands behind a number is what it was made of: an answer that is changed changes no number but those that name it."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.data.careless import without
from analysis.data.frames import StudyData
from analysis.errors import AnalysisError
from analysis.report import build as building
from analysis.report.origins import DRAWN, SOURCES, UNSAID, Source, source_of
from analysis.report.reach import Clip, Pools, Reach
from analysis.report.trace import Number, Trace, place_of, read_trace
from tests.analysis.report.study import answers, clips, inputs, sketched

ROOT = Path(__file__).resolve().parents[3]
PEOPLE = 12
CHEAP = ("people", "preference", "ratings", "identification", "recovery", "seed-paper")


def data() -> StudyData:
    """A dozen people, three of whom are of the smaller sex, who heard one pair again."""
    given = answers(people=PEOPLE)
    again = [
        (p, "preference", "sweet-finetuned-0", "preference", 5.0 + p % 3, 5.0 + p % 4) for p in range(1, PEOPLE + 1)
    ]
    people = given.people.assign(
        sex=[*["female"] * 9, *["male"] * 3], hearing_experience=["none", "amateur"] * 6, eating_experience="none"
    )
    return replace(
        given,
        people=people,
        repeats=pd.DataFrame(again, columns=["participant", "block", "clip", "item", "first", "again"]),
    )


@cache
def _made(folder: Path, changed: tuple[str, int, Any] | None = None) -> Trace:
    given = data()
    if changed is not None:
        name, row, value = changed
        frame = getattr(given, name).copy()
        frame.loc[
            row, {"preference": "score", "ratings": "value", "identification": "answered", "repeats": "again"}[name]
        ] = value
        given = replace(given, **{name: frame})
    out = folder / str(changed)
    with sketched(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "STEPS", tuple(s for s in building.STEPS if s[0] in CHEAP))
        building.build(inputs(out, data=given))
    return Trace(json.loads((out / "trace" / "index.json").read_text(encoding="utf-8")), given)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("traced")
    _made.cache_clear()


@pytest.fixture
def traced(folder: Path) -> Trace:
    return _made(folder)


def by_words(trace: Trace) -> dict[tuple[str, str, str], Number]:
    """Cells by what their row says, since a row may come elsewhere."""
    return {(n.table, trace.row_words(n.table, n.row), n.column): n for n in trace.numbers.values() if n.table}


def row_of(trace: Trace, task: str, number: int) -> int:
    """The answer that a row of a frame is, in the trace's own counting."""
    own = trace.pools.answers.index[trace.pools.answers["task"] == task]
    return int(own[number])


@pytest.mark.parametrize(
    ("task", "row", "value", "least"),
    [("preference", 3, 1.25, 60), ("ratings", 5, 4.5, 60), ("identification", 2, "bitter", 20), ("repeats", 2, 1.0, 2)],
)
def test_an_answer_that_is_changed_changes_no_number_but_those_that_name_it(
    folder: Path, traced: Trace, task: str, row: int, value: Any, least: int
) -> None:
    before, after = traced, _made(folder, (task, row, value))
    assert getattr(before.pools.data, task).loc[row].tolist() != getattr(after.pools.data, task).loc[row].tolist()
    named = {
        key
        for trace in (before, after)  # a count of what was answered may lose the answer, another gain it
        for key, number in by_words(trace).items()
        if row_of(trace, task, row) in trace.behind(number).answers
    }
    old, new = by_words(before), by_words(after)
    moved = {k for k in old.keys() & new.keys() if not math.isclose(old[k].value or 0, new[k].value or 0, rel_tol=1e-9)}
    assert moved - named == set()
    assert len(moved) >= least


def literal_tables() -> set[str]:
    """Names of tables that the sections' code makes, read from its text."""
    found = set()
    for path in (ROOT / "analysis").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Table" and call.args:
                first = call.args[0]
                if isinstance(first, ast.Constant):
                    found.add(str(first.value))
    return found


def test_every_table_says_what_it_stands_on() -> None:
    from analysis.agreement.section import TITLES
    from analysis.factors.section import PAPER

    made = literal_tables() | set(TITLES) | {f"factors_{name}" for name in PAPER}
    assert len(made) > 55
    assert made == set(SOURCES)
    with pytest.raises(KeyError, match="table 'new' says nowhere what it stands on"):
        source_of("new")


def test_code_is_where_it_is_said_to_be() -> None:
    for code in {s.code for s in SOURCES.values()}:
        place = place_of(code)
        lines = (ROOT / place["file"]).read_text(encoding="utf-8").splitlines()
        assert lines[place["line"] - 1].startswith(f"def {code.partition(':')[2]}("), code
        assert re.fullmatch(r"[0-9a-f]{12}", place["sha256"])


def test_nothing_tells_what_single_people_are(folder: Path, traced: Trace) -> None:
    """Three men are too few for a count of their own, and no set of people or answers may be theirs, or everybody's but theirs."""
    men = {10, 11, 12}
    told = traced.tables["demographics"]["rows"]
    assert [r["n"] for r in told if r["item"] == "sex"] == [None, None]
    apart = {k for k, s in SOURCES.items() if UNSAID in s.note}
    assert {"demographics", "moderators", "anova", "paper_flow"} <= apart & set(traced.tables)
    for number in traced.numbers.values():
        if number.table in apart:
            people = traced.behind(number).people
            assert people in (frozenset(range(1, PEOPLE + 1)), frozenset()), number.id
            assert not people & men or people - men
    page = "".join(p.read_text(encoding="utf-8") for p in (folder / "None" / "trace").glob("*.html"))
    assert not re.search(r"\b(fe)?male\b", re.sub(r"<table>.*?</table>", "", page, flags=re.S))


def pools(**changes: Any) -> Pools:
    return Pools(replace(data(), **changes), set(), [Clip.of(c) for c in clips()])


@pytest.mark.parametrize(
    ("source", "row", "column", "told"),
    [
        (Source("", ("sound",), ("model", "taste")), {"model": "base", "taste": "sweet"}, "value", ["sweet-base-0", "sweet-base-1"]),
        (Source("", ("sound",), ("model", "!taste")), {"model": "base", "taste": "sweet"}, "value", ["bitter-base-0", "bitter-base-1"]),
        (Source("", ("sound",), ("clip",)), {"clip": "sweet-base-1"}, "value", ["sweet-base-1"]),
        (
            Source("", ("features",), ("model", "taste1", "taste2"), {"n1": ("model", "taste1")}),
            {"model": "base", "taste1": "sweet", "taste2": "bitter"}, "n1", ["sweet-base-0", "sweet-base-1"],
        ),
    ],
)  # fmt: skip
def test_a_row_chooses_clips(source: Source, row: dict[str, Any], column: str, told: list[str]) -> None:
    assert sorted(pools().reach(source, row, column).clips) == told


def test_answers_to_tracks_without_targets_stand_behind_no_agreement() -> None:
    """They move none of its numbers (tests/analysis/agreement)."""
    rated = data().ratings
    names = sorted(set(rated["clip"]))
    some = Pools(data(), set(), [Clip.of(c) for c in clips()], [name.replace("-", "_") for name in names[:2]])
    named = some.reach(SOURCES["agreement_correlations"], {"item": "sweet"}, "r")
    wanted = (rated["clip"].isin(names[:2]) & (rated["adjective"] == "sweet")).sum()
    assert len(named.answers) == wanted > 0
    assert named.clips == set(names[:2])
    assert pools().reach(SOURCES["agreement_tests"], {"test": "mantel"}, "p").answers == frozenset()


def test_what_was_chosen_before_the_data_stands_on_nothing() -> None:
    source = Source("", ("preference",), settings=("alpha",))
    assert pools().reach(source, {"alpha": 0.05}, "alpha") == Reach()
    assert len(pools().reach(source, {"alpha": 0.05}, "p").answers) == PEOPLE * 4


def test_the_papers_correlations_stand_on_clips_that_were_rated_whole() -> None:
    """Person 2 left one word of a clip out and finished: the clip's other words are in the paper's means, in no correlation of clips."""
    ratings = data().ratings
    own = ratings[ratings["participant"] == 2]
    trial, word = own.iloc[0][["trial", "adjective"]]
    ratings = ratings.drop(own.index[0])
    found = pools(ratings=ratings)
    of_clip = found.answers[
        (found.answers["task"] == "ratings") & (found.answers["participant"] == 2) & (found.answers["trial"] == trial)
    ]
    words = sorted(ratings["adjective"].unique())
    assert len(of_clip) == len(words) - 1
    assert word not in set(of_clip["item"])
    every = frozenset(found.answers.index[found.answers["task"] == "ratings"])
    assert found.reach(Source("", ("rated",)), {}, "n").answers == every
    assert found.reach(Source("", ("correlated",)), {}, "r").answers == every - frozenset(of_clip.index)


def test_a_corrected_p_stands_on_its_whole_family(traced: Trace) -> None:
    """A taste's own word is tested on the ratings of that word; its correction is over all of them."""
    rows = {n.column: traced.behind(n) for n in traced.numbers.values() if n.table == "own_word" and n.row == 0}
    words = {c: {traced.pools.answers.loc[a, "item"] for a in reach.answers} for c, reach in rows.items()}
    assert words["p"] == {"bitter"}
    assert words["p_adjusted"] == {"bitter", "sweet"}


def test_a_snapshot_that_is_gone_is_said_in_a_line(folder: Path, traced: Trace) -> None:
    from analysis.errors import AnalysisError

    assert read_trace(folder / "nowhere") is None
    with pytest.raises(AnalysisError, match="are gone; run 'tastelab analysis report'"):
        read_trace(folder / "None")


def test_answers_of_a_person_stand_under_their_headings(folder: Path, traced: Trace) -> None:
    page = (folder / "None" / "trace" / "people.html").read_text(encoding="utf-8")
    one = page[page.index('id="person-2"') : page.index('id="person-3"')]
    head, *rows = [
        re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", one, re.DOTALL)
    ]
    shown = [dict(zip(head, row, strict=True)) for row in rows]
    own = traced.pools.data.ratings
    own = own[own["participant"] == 2]
    rated = [(r["trial"], r["item"], r["clip"], float(r["answer"])) for r in shown if r["task"] == "ratings"]
    wanted = [(str(r.trial), r.adjective, r.clip, float(r.value)) for r in own.itertuples()]
    assert len(wanted) > 0
    assert sorted(rated) == sorted(wanted)
    chosen = traced.pools.data.preference
    chosen = chosen[chosen["participant"] == 2]
    pairs = {(r["trial"], *sorted((r["clip"], r["against"]))) for r in shown if r["task"] == "preference"}
    assert pairs == {(str(r.trial), *sorted((r.clip_over, r.clip_under))) for r in chosen.itertuples()}


def test_every_sentence_with_numbers_has_a_place_that_links_back(folder: Path, traced: Trace) -> None:
    page = (folder / "None" / "trace" / "sentences.html").read_text(encoding="utf-8")
    with_numbers = {n.column for n in traced.numbers.values() if not n.table}
    assert len(with_numbers) > 3
    assert set(re.findall(r'<h2 id="([^"]+)">', page)) == with_numbers
    assert {n.id for n in traced.numbers.values() if not n.table} == set(
        re.findall(r'href="../report.html#([^"]+)"', page)
    )


def test_every_number_of_the_report_is_a_link_to_its_own_place(folder: Path, traced: Trace) -> None:
    report = (folder / "None" / "report.html").read_text(encoding="utf-8")
    led = set(re.findall(r'href="trace/([a-z_0-9]+)\.html#([^"]+)"', report))
    wanted = {(n.table or "sentences", n.id) for n in traced.numbers.values()}
    assert len(wanted) > 30
    assert wanted <= led
    # Captions and methods too: of their numbers only settings, versions and years lead nowhere.
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", report, re.DOTALL)
    assert len(captions) > 0
    for said in captions:
        assert re.findall(r"(?<![\w.-])\d+(?![\w%])(?! %)", re.sub(r"<a .*?</a>", "", said)) == []
    methods = report[report.index('<section id="manifest">') :]
    linked = r'<a id="(methods.0.0)" href="trace/sentences.html#\1">48</a> preferences were given by <a [^>]+>12</a>'
    assert re.search(linked, methods)
    (people,) = (n for n in traced.numbers.values() if n.id == "methods.0.1")
    assert traced.behind(people).people == frozenset(range(1, PEOPLE + 1))


def test_the_caption_of_every_figure_says_what_it_counts() -> None:
    drawn = [
        call.args[2].value
        for path in (ROOT / "analysis").rglob("figures.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and getattr(call.func, "id", "") == "save"
        and isinstance(call.args[2], ast.Constant)
    ]
    assert len(drawn) >= 17
    assert set(drawn) == set(DRAWN)


def test_whoever_rules_leave_out_has_a_place_on_the_page_of_people(tmp_path: Path) -> None:
    """Counts of sessions stand on these people too: what links to them leads somewhere, and says that they were left out."""
    gone = {3, 5}
    with sketched(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "STEPS", tuple(s for s in building.STEPS if s[0] in CHEAP))
        building.build(inputs(tmp_path, data=without(data(), gone), excluded={"straight": sorted(gone)}))
    pages = {f.name: f.read_text(encoding="utf-8") for f in (tmp_path / "trace").glob("*.html")}
    led = {p for text in pages.values() for p in re.findall(r'href="people\.html#([^"]+)"', text)}
    there = set(re.findall(r'id="(person-\d+)"', pages["people.html"]))
    assert led == there == {f"person-{p}" for p in range(1, PEOPLE + 1)}
    assert pages["people.html"].count("counted among sessions and special categories alone") == len(gone)
    index = json.loads((tmp_path / "trace" / "index.json").read_text(encoding="utf-8"))
    pools = Trace(index, without(data(), gone)).pools
    everybody = set(range(1, PEOPLE + 1))
    assert (set(pools.pool("people").people), set(pools.pool("everybody").people)) == (everybody - gone, everybody)


@pytest.mark.parametrize("said", ['{"study"', "{}", "[]", '{"kind": "bot", "data_sha256": 1}'])
def test_an_index_that_can_t_be_read_is_one_line(tmp_path: Path, said: str) -> None:
    (tmp_path / "trace").mkdir()
    (tmp_path / "trace" / "index.json").write_text(said, encoding="utf-8")
    with pytest.raises(AnalysisError, match=r"index\.json is no trace of a report; run 'tastelab analysis report'"):
        read_trace(tmp_path)
