"""Which tests a study declares, how many and how corrected, is told before there are data, as the report tells it after."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tastelab.cli import app
from tests.conftest import ROOT

THREE = (
    (ROOT / "studies" / "three-conditions.toml")
    .read_text(encoding="utf-8")
    .replace('"effects/', f'"{(ROOT / "studies" / "effects").as_posix()}/')
)
DEFAULT = (ROOT / "study.toml").read_text(encoding="utf-8")
DECLARED = '[[analysis.hypotheses]]\ntaste = "sweet"\nalternative = "greater"\n[[analysis.hypotheses]]\ntaste = "bitter"\nalternative = "less"\n'


# The comparisons of the three conditions as two tasks.
COMPARED = """kind = "preference"
trials = 12                # four tastes, three pairs
pairs = [["nano-taste", "nano-base"], ["rendered", "nano-base"], ["rendered", "nano-taste"]]
"""
TWO_TASKS = """name = "models"
kind = "preference"
trials = 8
pairs = [["nano-taste", "nano-base"]]

[[experiment.tasks]]
name = "tracks"
kind = "preference"
trials = 4
pairs = [["rendered", "nano-base"], ["nano-base", "nano-taste"]]
"""
assert COMPARED in THREE


def two_tasks(old: str = "trials = 4", new: str = "trials = 4") -> str:
    """Two tasks of comparisons, which have one of their pairs in common, the other way round."""
    return without_hypotheses(THREE).replace(COMPARED, TWO_TASKS.replace(old, new))


def without_hypotheses(text: str) -> str:
    """A study file as if nobody had declared anything: its tables of that kind are the last ones."""
    return text.split("[[analysis.hypotheses]]")[0]


def checked(tmp_path: Path, text: str, *options: str) -> str:
    file = tmp_path / "study.toml"
    file.write_text(text, encoding="utf-8")
    found = CliRunner().invoke(app, ["study", "check", str(file), *options])
    assert found.exit_code == 0, found.output or found.exception
    return found.output


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            without_hypotheses(THREE) + DECLARED,
            "all tastes together (two-sided), sweet (greater), bitter (less), each of them of 3 pairs of conditions; "
            "Bonferroni over the 9 declared tests: 6 one-sided, 3 two-sided.",
        ),
        (
            without_hypotheses(DEFAULT) + DECLARED + '[[analysis.equivalence]]\ntaste = "all"\nbound = 0.5\n',
            "all tastes together (two-sided), sweet (greater), bitter (less), all within ±0.5; "
            "Bonferroni over the 4 declared tests: 2 one-sided, 1 two-sided, 1 of equivalence.",
        ),
        (
            two_tasks() + DECLARED,
            "all tastes together (two-sided), sweet (greater), bitter (less), each of them of 2 pairs of conditions; "
            "Bonferroni over the 6 declared tests: 4 one-sided, 2 two-sided.",
        ),
        (
            without_hypotheses(DEFAULT),
            "all tastes together (two-sided); Bonferroni over the 1 declared test: 1 two-sided.",
        ),
    ],
)
def test_declared_tests_are_told(tmp_path: Path, text: str, line: str) -> None:
    assert f"Declared before the data: {line}\n" in checked(tmp_path, text)
    assert "Declared before the data" not in checked(tmp_path, text, "--json")


def favouring(*declared: tuple[str, str], task: str = "") -> str:
    of = f'task = "{task}"\n' if task else ""
    return "".join(f'[[analysis.hypotheses]]\n{of}taste = "{t}"\nfavours = "{c}"\n' for t, c in declared)


def test_a_direction_may_name_the_condition_that_is_expected_to_fit_better(tmp_path: Path) -> None:
    """The default study compares the second condition with the first: a score over the middle speaks for finetuned."""
    named = favouring(("sweet", "finetuned"), ("bitter", "base"), ("sour", "either"), task="preference")
    told = checked(tmp_path, without_hypotheses(DEFAULT) + named)
    assert "all tastes together (two-sided), sweet (greater), bitter (less), sour (two-sided); " in told
    head, tail = without_hypotheses(THREE).split("pairs = [[", 1)
    one = head + 'pairs = [["nano-base", "rendered"], ["nano-base", "nano-taste"]]\n' + tail.split("\n", 1)[1]
    named = favouring(("sweet", "rendered"), ("bitter", "nano-base"))
    told = checked(tmp_path, one.replace(', ["nano-base", "nano-taste"]]', "]") + named)
    assert "sweet (less), bitter (greater); " in told


def test_one_study_said_in_both_ways_is_one_study(tmp_path: Path) -> None:
    from tastelab.study import load_study, study_digest

    digests = set()
    for declared in (DECLARED, favouring(("sweet", "finetuned"), ("bitter", "base"))):
        (tmp_path / "study.toml").write_text(without_hypotheses(DEFAULT) + declared, encoding="utf-8")
        digests.add(study_digest(load_study(tmp_path / "study.toml")))
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (DEFAULT, ""),
        (without_hypotheses(DEFAULT) + favouring(("sweet", "finetune")), "there is no condition 'finetune'; did you mean 'finetuned'?"),
        (without_hypotheses(DEFAULT) + favouring(("sweet", "base"), task="ratings"), "task = 'ratings': directions are declared of comparisons, here 'preference'"),
        (without_hypotheses(DEFAULT) + DECLARED + favouring(("sour", "base")) + 'alternative = "less"\n', "favours and alternative say the same thing"),
        (two_tasks() + favouring(("sweet", "nano-base"), task="preference"), ""),  # the second of both pairs
        (two_tasks() + favouring(("sweet", "rendered")), "'rendered' does not stand on one side of every pair"),
        (two_tasks() + DECLARED.replace('greater"', 'greater"\ntask = "models"'), "task = 'models': a direction holds for all comparisons, here 'models' and 'tracks'; leave task out"),
        (two_tasks() + DECLARED.replace('greater"', 'greater"\ntask = "preference"'), ""),
        (two_tasks("trials = 4", "trials = 4\nlow = 1\nhigh = 7"), "comparisons on different sliders ('models' 0 to 10 and 'tracks' 1 to 7) can't be analysed together"),
        (without_hypotheses(THREE) + favouring(("sweet", "nano-taste")), "'nano-taste' does not stand on one side of every pair"),
    ],
)  # fmt: skip
def test_a_direction_that_names_no_side_is_refused(text: str, told: str, tmp_path: Path) -> None:
    from tastelab.errors import UserError
    from tastelab.study import load_study

    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    if not told:
        load_study(path)
        return
    with pytest.raises(UserError) as caught:
        load_study(path)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_word_is_rated_on_one_scale(tmp_path: Path) -> None:
    from tastelab.errors import UserError
    from tastelab.study import load_study

    rated = THREE[THREE.index('[[experiment.tasks]]\nkind = "ratings"') : THREE.index("[analysis]")]
    again = rated.replace('kind = "ratings"', 'kind = "ratings"\nname = "again"')
    path = tmp_path / "study.toml"
    for text, told in (
        (again, ""),
        (again.replace("clips = 3", "clips = 3\nlow = 0\nhigh = 4"), "'sweet' is rated on different scales ('ratings' 1 to 5 and 'again' 0 to 4)"),
    ):  # fmt: skip
        path.write_text(THREE.replace("[analysis]", text + "[analysis]"), encoding="utf-8")
        if not told:
            load_study(path)
            continue
        with pytest.raises(UserError) as caught:
            load_study(path)
        assert told in str(caught.value)
