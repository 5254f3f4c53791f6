"""`tastelab analysis ...`: the declared JSON, CSV, plans and corrections, and what is refused; on two dozen bots."""

from __future__ import annotations

import csv
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tastelab.conftest import BOTS, Lived, call

# DESIGN's tables and keys: what other programs read.
DECLARED: dict[tuple[str, str], dict[str, set[str]]] = {
    ("preference", "paper"): {
        "tests": {"taste", "test", "alternative", "n", "statistic", "p", "p_adjusted", "effect", "ci_low", "ci_high"},
        "normality": {"taste", "n", "statistic", "p"},
    },
    ("preference", "robust"): {
        "tests": {"taste", "test", "alternative", "n", "statistic", "p", "p_adjusted", "effect", "ci_low", "ci_high"},
        "moderators": {"moderator", "level", "people", "n", "effect", "ci_low", "ci_high", "p", "p_adjusted", "state"},
    },
    ("ratings", "paper"): {
        "anova": {"term", "df", "sum_sq", "mean_sq", "F", "p"},
        "tukey": {"factor", "group1", "group2", "diff", "ci_low", "ci_high", "p"},
        "means": {"prompt", "item", "mean", "n"},
    },
    ("factors", "paper"): {
        "retention": {"method", "n_factors"},
        "eigenvalues": {"index", "actual", "threshold"},
        "loadings": {"item", "F1"},
        "phi": {"factor1", "factor2", "r"},
        "variance": {"factor", "ss_loadings", "proportion", "cumulative"},
        "scores_by_prompt": {"prompt", "F1"},
    },
}


def asked(lived: Lived, name: str, *more: str | Path) -> dict[str, Any]:
    said = call("analysis", name, *lived.answers, "--json", *more)
    assert said.status == 0, said.err
    found: dict[str, Any] = json.loads(said.out)
    assert set(found) == {"analysis", "plan", "data_sha256", "version", "tables"}
    assert found["analysis"] == name
    return found


@pytest.mark.parametrize(("name", "plan"), DECLARED)
def test_json_has_the_declared_tables_and_keys_and_says_which_plan_ran(lived: Lived, name: str, plan: str) -> None:
    # Two dozen bots may show one factor alone, which correlates with no other.
    more = ["--factors", "2"] if (name, plan) == ("factors", "paper") else []
    found = asked(lived, name, "--plan", plan, *more)
    assert found["plan"] == plan
    assert len(found["data_sha256"]) == 64
    for table, keys in DECLARED[name, plan].items():
        assert keys <= set(found["tables"][table][0]), table
        assert all(not isinstance(v, (dict, list)) for row in found["tables"][table] for v in row.values()), (
            "rows are flat"
        )


def test_rows_count_what_the_database_holds(lived: Lived) -> None:
    """n and means of the one-sided tests against plain SQL: scores over the middle are the fine-tuned clip's."""
    rows = {
        r["taste"]: r
        for r in asked(lived, "preference", "--plan", "paper")["tables"]["tests"]
        if r["alternative"] == "greater"
    }
    by_hand = lived.asked(
        "select trial.taste, count(*), avg(case when stimulus.model = 'base' then value else 10 - value end) from response "
        "join trial on trial.id = trial_id join stimulus on stimulus.id = first_id where item = 'preference' group by trial.taste"
    )
    assert len(by_hand) == 4
    for taste, n, mean in by_hand:
        assert rows[taste]["n"] == n
        assert rows[taste]["mean"] == pytest.approx(mean)
    assert rows["all"]["n"] == sum(n for _, n, _ in by_hand) == 4 * BOTS


def test_the_plan_is_the_study_s_unless_another_is_asked(lived: Lived) -> None:
    assert 'plan = "robust"' in lived.study.read_text()
    assert asked(lived, "preference")["plan"] == "robust"
    said = call("analysis", "preference", *lived.answers, "--plan", "papr")
    assert (said.status, said.out) == (2, "")
    assert said.err == "tastelab: --plan 'papr' is not known here; there is: robust, paper\n"


def test_corrections_are_the_ones_that_are_asked(lived: Lived) -> None:
    """Bonferroni: p times four, at most one. Holm: the k-th smallest times 5 - k, never under a smaller one's."""

    def corrected(*more: str) -> list[tuple[float, float]]:
        rows = asked(lived, "preference", "--plan", "paper", *more)["tables"]["tests"]
        return sorted((r["p"], r["p_adjusted"]) for r in rows if r["taste"] != "all" and r["p_adjusted"] is not None)

    plain = corrected()
    assert len(plain) == 4
    assert [q for _, q in plain] == pytest.approx([min(1.0, 4 * p) for p, _ in plain])
    holm, highest = [], 0.0
    for k, (p, _) in enumerate(plain):
        highest = max(highest, min(1.0, (4 - k) * p))
        holm.append(highest)
    assert [q for _, q in corrected("--correction", "holm")] == pytest.approx(holm)
    assert corrected("--correction", "bonferroni") == plain
    said = call("analysis", "preference", *lived.answers, "--correction", "fdr")
    assert (said.status, said.err) == (2, "tastelab: --correction 'fdr' is not known; there are: bonferroni, holm\n")


def test_a_seed_moves_the_drawn_intervals_alone(lived: Lived) -> None:
    def tests(*more: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = asked(lived, "preference", "--plan", "paper", *more)["tables"]["tests"]
        return rows

    one, again, other = tests("--seed", "5"), tests("--seed", "5"), tests("--seed", "6")
    assert one == again
    assert [r["p"] for r in one] == [r["p"] for r in other]
    assert [r["ci_low"] for r in one] != [r["ci_low"] for r in other]


def test_csv_is_the_first_table_of_the_json(lived: Lived, tmp_path: Path) -> None:
    path = tmp_path / "anova.csv"
    rows = asked(lived, "ratings", "--plan", "paper", "--csv", path)["tables"]["anova"]
    with path.open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert [r["term"] for r in read] == [r["term"] for r in rows]
    assert [float(r["sum_sq"]) for r in read] == [r["sum_sq"] for r in rows]


def test_a_reader_is_told_what_the_numbers_are_of(lived: Lived) -> None:
    said = call("analysis", "preference", *lived.answers, "--plan", "paper")
    digest = asked(lived, "preference", "--plan", "paper")["data_sha256"]
    assert said.out.splitlines()[0] == f"live database, SIMULATED, data {digest[:12]}"


def test_a_snapshot_gives_what_the_database_gave_and_once_only(mine: Lived) -> None:
    said = call("analysis", "freeze", *mine.where)
    folder = Path(said.out.strip().removeprefix("frozen in "))
    assert folder.parent == mine.out / "small" / "snapshots"
    assert call("analysis", "freeze", *mine.where).out == said.out
    live = asked(mine, "preference", "--plan", "paper")
    frozen = asked(mine, "preference", "--plan", "paper", "--snapshot", folder)
    assert frozen == live
    mine.database.unlink()
    assert asked(mine, "preference", "--plan", "paper", "--snapshot", folder) == live
    assert not mine.database.exists()
    assert call("analysis", "preference", *mine.answers, "--plan", "paper", "--snapshot", folder).out.startswith(
        "tests"
    )


def test_kinds_are_never_mixed(lived: Lived) -> None:
    said = call("analysis", "ratings", *lived.answers, "--kind", "person")
    assert (said.status, said.out) == (2, "")
    assert said.err == "tastelab: study 'small' has no sessions of kind 'person'; there are: bot\n"
    assert asked(lived, "mediation", "--kind", "bot")["data_sha256"] == asked(lived, "mediation")["data_sha256"]


def test_whom_the_study_leaves_out_is_left_out_and_counted(mine: Lived) -> None:
    text = mine.study.read_text()
    mine.study.write_text(text + "\n[analysis.exclude]\nincomplete = true\n")
    import contextlib
    import sqlite3

    with contextlib.closing(sqlite3.connect(mine.database)) as connection:
        connection.execute("update session set status = 'stopped' where id in (select id from session limit 2)")
        connection.commit()
    rows = asked(mine, "preference", "--plan", "paper")["tables"]["tests"]
    assert next(r["n"] for r in rows if r["taste"] == "all") == 4 * (BOTS - 2)
    said = call("analysis", "preference", *mine.answers, "--plan", "paper")
    assert said.out.splitlines()[1] == "2 participants left out by the study file's rules"
    assert "left out" not in call("analysis", "freeze", *mine.where).out  # a snapshot holds everybody


def test_a_number_of_factors_can_be_asked(lived: Lived) -> None:
    tables = asked(lived, "factors", "--plan", "paper", "--factors", "2")["tables"]
    assert [k for k in tables["loadings"][0] if k[0] == "F" and k[1:].isdigit()] == ["F1", "F2"]
    assert "scores" not in tables
    said = call("analysis", "factors", *lived.answers, "--factors", "0")
    assert said.status == 2
    for plan in ("paper", "robust"):
        said = call("analysis", "factors", "--plan", plan, *lived.answers, "--factors", "9")
        assert (said.status, said.out.count("loadings")) == (2, 0)
        assert "9 factors of 12 adjectives: they carry 5 at most" in said.err


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ("20,x", "give whole numbers with commas, e.g. 40,80,120"),
        ("", "give whole numbers with commas"),
        ("1,20", "a study has 2 to 100000 participants"),
        ("100001", "a study has 2 to 100000 participants"),
    ],
)
def test_power_refuses_what_is_no_number_of_people(lived: Lived, sizes: str, told: str) -> None:
    said = call("analysis", "power", *lived.clips, "--n", sizes)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith(f"tastelab: --n {sizes!r}: ")
    assert told in said.err


@pytest.mark.parametrize(
    ("given", "told"), [("5,x", "give whole numbers with commas"), ("0", "1 to 1000 pairs"), ("1001", "1 to 1000")]
)
def test_power_refuses_what_is_no_number_of_clips(lived: Lived, given: str, told: str) -> None:
    said = call("analysis", "power", *lived.clips, "--clips", given)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith(f"tastelab: --clips {given!r}: ")
    assert told in said.err


def test_power_looks_for_what_draws_before_it_computes(lived: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "seaborn", None)  # as where it is not installed
    said = call("analysis", "power", *lived.clips, "--n", "20", "--simulations", "20")
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("tastelab: this needs seaborn, which is not installed here")
    assert not (lived.out / "small" / "power").exists()


def test_power_tells_every_size_once_draws_a_figure_and_knows_no_effect(mine: Lived) -> None:
    arguments = ["analysis", "power", *mine.clips, "--n", "30,20,30", "--simulations", "20", "--jobs", "1", "--json"]
    said = call(*arguments)
    assert said.status == 0, said.err
    rows = json.loads(said.out)["tables"]["power"]
    assert [r["people"] for r in rows if r["taste"] == "all"] == [20, 30]
    assert {r["plan"] for r in rows} == {json.loads(said.out)["plan"]}
    assert all(0 <= r["ci_low"] <= r["power"] <= r["ci_high"] <= 1 for r in rows)
    assert (mine.out / "small" / "power.svg").stat().st_size > 1000
    assert (mine.out / "small" / "power.png").stat().st_size > 1000
    nothing = json.loads(call(*arguments, "--null").out)["tables"]["power"]
    total = {
        name: sum(r["power"] for r in found if r["taste"] == "all")
        for name, found in (("some", rows), ("none", nothing))
    }
    assert total["none"] < total["some"]
    plain = call(*arguments[:-1]).out
    assert all(
        f" {name} " in plain for name in ("taste", "people", "clips", "power", "ci_low", "ci_high")
    )  # in 80 columns
    assert plain.rstrip().endswith(f"figure {mine.out / 'small' / 'power.svg'}")


def test_power_is_shared_out_by_its_batches_and_goes_on(
    mine: Lived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["analysis", "power", *mine.clips, "--n", "4,8", "--simulations", "220", "--plan", "paper", "--quiet"]
    listed = call(*command, "--todo").out.split()
    assert [name.rpartition("-")[0] for name in listed] == ["4x4-0", "4x4-1", "8x4-0", "8x4-1"]
    assert not (mine.out / "small" / "power").exists()
    share = tmp_path / "share"
    share.write_text("\n".join(listed[1:3]) + "\n")
    said = call(*command, "--units", share)
    assert (said.status, said.out) == (0, "2 of 2 batches are made\n")
    assert call(*command, "--todo").out.split() == [listed[0], listed[3]]
    assert not (mine.out / "small" / "power.svg").exists()
    row = next(
        r
        for r in json.loads(call("study", "status", *mine.clips, "--json").out)["tables"]["steps"]
        if r["step"] == "power"
    )
    assert (row["units"], row["done"], row["failed"]) == (4, 2, 0)
    there = {p: p.stat().st_mtime_ns for p in (mine.out / "small" / "power").iterdir()}
    whole = json.loads(call(*command, "--json").out)["tables"]["power"]
    assert {p: p.stat().st_mtime_ns for p in there} == there
    assert call(*command, "--todo").out == ""
    for path in (mine.out / "small" / "power").iterdir():
        path.unlink()
    assert json.loads(call(*command, "--json", "--jobs", "1").out)["tables"]["power"] == whole
    # Batches of another question are no units of this one.
    said = call(*command, "--units", share, "--seed", "99")
    assert said.status == 2
    assert f"power: {listed[1]}: UserError: step power has no unit '{listed[1]}'" in said.out
    assert said.err == ("tastelab: 2 units were not made; what was is kept, and the same command makes the rest\n")
    from analysis.power import batches

    monkeypatch.setattr(batches, "found_in", lambda *_: 1 / 0)
    said = call(*command, "--seed", "98", "--jobs", "1", "--json")
    assert (said.status, said.out) == (2, "")
    assert said.err.splitlines()[-1].startswith("tastelab: power: 4x4-0-")
    assert "ZeroDivisionError: division by zero; 4 units were not made" in said.err
    row = json.loads(call("study", "status", *mine.clips, "--json").out)["tables"]["steps"][-1]
    assert (row["step"], row["done"], row["failed"]) == ("power", 0, 4)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--executor", "pbs"), "--executor 'pbs' is not known; there are: local, slurm"),
        (("--site", "x.toml"), "--site is for --executor slurm"),
        (("--units", "nowhere"), "--units nowhere cannot be read"),
    ],
)
def test_power_refuses_what_it_cannot_share_out(lived: Lived, words: tuple[str, ...], told: str) -> None:
    said = call("analysis", "power", *lived.clips, *words)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith(f"tastelab: {told}")


def test_captions_are_held_against_what_was_asked_or_it_is_said_that_there_are_none(mine: Lived) -> None:
    said = call("analysis", "captions", *mine.clips)
    again = " ".join(map(str, mine.clips))
    assert (said.status, said.err) == (
        2, f"tastelab: no clip of this study has a caption yet; run 'tastelab stimuli caption {again}'\n",
    )  # fmt: skip
    path = mine.out / "small" / "stimuli" / "manifest.json"
    manifest = json.loads(path.read_text())
    for row in manifest["clips"]:
        row["caption"] = "A slow piece for harp, high and legato." if row["taste"] == "sweet" else "A piece."
    path.write_text(json.dumps(manifest))
    said = call("analysis", "captions", *mine.clips, "--json")
    assert said.status == 0, said.err
    assert {r["taste"] for r in json.loads(said.out)["tables"]["captions"]} >= {"sweet", "sour"}


COMMANDS = (
    ("preference", "--plan", "robust"), ("preference", "--plan", "paper"), ("ratings", "--plan", "robust"), ("ratings", "--plan", "paper"),
    ("factors", "--plan", "robust"), ("factors", "--plan", "paper"), ("mediation",),
)  # fmt: skip


@pytest.mark.parametrize("people", [1, 2, 3])
def test_pilots_get_what_can_be_computed_and_a_line_for_the_rest(people: int, tmp_path: Path) -> None:
    """No traceback, nothing that is no number in print, and one line with status 2 where nothing can be computed."""
    import numpy as np

    from tests.analysis.seed_layout import person, write

    rng = np.random.default_rng(people)
    root = Path(__file__).parents[2]
    study = tmp_path / "study.toml"
    study.write_text((root / "study.toml").read_text(encoding="utf-8").replace("resamples = 2000", "resamples = 100"))
    where = ["--study", study, "--db", f"sqlite:///{tmp_path}/x.db"]
    file = write(tmp_path / "x.csv", [person(f"p{k}", rng) for k in range(people)])
    assert call("experiment", "import", "psytoolkit", file, *where).status == 0
    for command in COMMANDS:
        said = call("analysis", *command, *where)
        assert said.status in (0, 2), command
        if said.status:
            assert said.err.startswith("tastelab: ")
            assert said.err.count("\n") == 1
        words = said.out.replace("│", " ").split()
        assert not {"nan", "inf", "-inf", "NaN", "None", "∞"} & set(words), command


def test_a_session_that_was_begun_and_not_answered_hides_nobody(mine: Lived) -> None:
    (n,) = mine.asked("select count(*) from session")[0]
    kinds = {r[0] for r in mine.asked("select distinct kind from session")}
    assert kinds == {"bot"}
    connection = sqlite3.connect(mine.database)
    columns = [r[1] for r in connection.execute("pragma table_info(session)")]
    kept = ", ".join(c for c in columns if c not in ("id", "kind", "status", "participant_id", "design_row"))
    code = [r[1] for r in connection.execute("pragma table_info(participant)")]
    rest = ", ".join(c for c in code if c not in ("id", "code", "norm"))
    connection.execute(f"insert into participant (code, {rest}) select 'new', {rest} from participant limit 1")
    connection.execute(
        f"insert into session (kind, status, participant_id, {kept}) select 'person', 'running', (select max(id) from participant), {kept} "
        "from session limit 1"
    )
    connection.commit()
    connection.close()
    assert mine.asked("select count(*) from session")[0][0] == n + 1
    said = call("analysis", "preference", *mine.answers, "--plan", "paper")
    assert said.status == 0, said.err
    assert "SIMULATED" in said.out


def test_a_check_writes_nothing(lived: Lived, tmp_path: Path) -> None:
    """Where no report lies it says so, and leaves no snapshot behind."""
    said = call("analysis", "report", "--check", *lived.answers, "--out", tmp_path / "new")
    assert said.status == 2
    assert "there is no report" in said.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("plan", ["robust", "paper"])
def test_whom_a_positive_difference_speaks_for_is_said(lived: Lived, plan: str) -> None:
    said = call("analysis", "preference", *lived.answers, "--plan", plan)
    line = (
        "finetuned - base: over the middle (5) the fine-tuned model fits better, under it the base model fits better."
    )
    assert said.out.splitlines()[-1] == line
