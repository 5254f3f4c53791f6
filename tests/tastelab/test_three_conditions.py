"""studies/three-conditions.toml from its file to its report as a user goes, on clips of two seconds and few people."""

from __future__ import annotations

import csv
import html
import json
import re

import pytest

from stimuli.manifest import read_manifest
from tests.conftest import ROOT
from tests.tastelab.conftest import Lived, call

pytestmark = pytest.mark.slow

PEOPLE = 16
CONDITIONS = ("nano-base", "nano-taste", "rendered")
SHORTER = (
    ("seconds = 10", "seconds = 2"),
    ("clips_per_taste = 8", "clips_per_taste = 3"),
    ("clips = 12 ", "clips = 4 "),
    ("trials = 12 ", "trials = 4 "),
    ("clips = 3\n", "clips = 2\n"),
    ('embedders = ["yamnet", "musicnn", "codec"]', 'embedders = ["codec"]'),
    ("seed = 7\n", "seed = 7\nresamples = 200\n"),
)


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """A study's folder in which every command was called that leads to the report."""
    found = Lived(tmp_path_factory.mktemp("three") / "studies")
    (found.folder / "effects").mkdir(parents=True)
    text = (ROOT / "studies" / "three-conditions.toml").read_text()
    for old, new in SHORTER:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    found.study.write_text(text)
    effects = "effects/three-conditions.toml"
    (found.folder / effects).write_text((ROOT / "studies" / effects).read_text())
    tracks = found.folder.parent / "rendered"
    for words in (
        ("stimuli", "dataset", "build", "taste", tracks, "-n", "12", "--seconds", "2"),
        ("study", "check", found.study),
        ("stimuli", "generate", "--quiet", *found.clips),
        ("stimuli", "features", "--quiet", *found.clips),
        ("experiment", "simulate", "-n", str(PEOPLE), *found.where),
        ("analysis", "report", "--quiet", *found.where),
    ):
        said = call(*words)
        # How far it is, where it takes long: of a busy machine's.
        assert (said.status, re.sub(r"bots \d+ of \d+\n", "", said.err)) == (0, ""), (words, said.err)
        if words[:2] == ("experiment", "simulate"):  # nothing is neutral, so nothing is said of that
            assert said.out.splitlines() == [f"{PEOPLE} simulated sessions run, 0 were there already"]
    return found


def table(of: Lived, name: str) -> list[dict[str, str]]:
    (path,) = of.out.rglob(f"tables/{name}.csv")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_as_many_tracks_are_rendered_as_the_models_have_clips() -> None:
    """By the command in the study file's head: eight of each of four tastes, as clip n is compared with clip n."""
    text = (ROOT / "studies" / "three-conditions.toml").read_text()
    (tracks,) = re.findall(r"tastelab stimuli dataset build taste rendered -n (\d+) --seconds 10\n", text)
    (each,) = re.findall(r"^clips_per_taste = (\d+)$", text, re.M)
    assert int(tracks) == 4 * int(each) == 32


def test_every_condition_has_its_clips(reported: Lived) -> None:
    rows = read_manifest(reported.out / "three-conditions" / "stimuli")
    for condition in CONDITIONS:
        own = [r for r in rows if r.model == condition]
        assert sorted({r.taste for r in own}) == ["bitter", "salty", "sour", "sweet"]
        assert len(own) >= 12
        assert all((r.prompt is None) == (condition == "rendered") for r in own)


def test_every_answer_of_the_three_tasks_is_in_the_report(reported: Lived) -> None:
    counted = dict(
        reported.asked("select block, count(*) from response join trial on trial.id = trial_id group by block")
    )
    assert counted == {
        "demographics": PEOPLE * 8, "identification": PEOPLE * 4, "preference": PEOPLE * 4, "ratings": PEOPLE * 2 * 6,
    }  # fmt: skip
    assert sum(int(r["n"]) for r in table(reported, "identification_confusion")) == PEOPLE * 4
    pairs = {r["pair"] for r in table(reported, "preference_mixed")}
    assert pairs == {"nano-taste - nano-base", "rendered - nano-base", "rendered - nano-taste"}
    assert {r["condition"] for r in table(reported, "worth")} == set(CONDITIONS)
    assert {r["condition"] for r in table(reported, "recovery_identification")} == set(CONDITIONS)
    (ratings,) = table(reported, "recovery_ratings")
    assert int(ratings["cells"]) == 3 * 4  # each condition's means of a taste's own word
    assert float(ratings["largest_difference"]) < 2.5  # of the study's scale, 1 to 5


def test_the_page_speaks_of_this_studys_conditions_alone(reported: Lived) -> None:
    (path,) = reported.out.rglob("report.html")
    page = html.unescape(path.read_text(encoding="utf-8"))
    assert "SIMULATED" in page
    assert "'three-conditions' (three-conditions.toml)" in page
    for condition in CONDITIONS:
        assert condition in page
    assert "rendered tracks" in page
    assert "rendered model" not in page
    assert "Of the rendered tracks" in page
    assert "music of rendered" not in page
    assert "music of the rendered" not in page
    for strange in ("fine-tuned", "finetuned", "base model and", "preferred"):
        assert strange not in page, strange


def test_the_same_again_changes_nothing(reported: Lived) -> None:
    said = call("analysis", "report", *reported.where)
    assert said.status == 0
    assert said.out.rstrip().endswith("(nothing has changed)")
    checked = call("analysis", "report", "--check", *reported.where)
    assert (checked.status, checked.err) == (0, "")
    preference = json.loads(call("analysis", "preference", *reported.answers, "--json").out)
    whole = [r for r in preference["tables"]["worth"] if r["taste"] == "all"]
    assert [r["condition"] for r in whole] == list(CONDITIONS)
