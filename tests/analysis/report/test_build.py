"""The report as a person finds it: every section of the study, made anew when what it needs has changed and only then."""

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.config import AnalysisConfig
from analysis.page.inputs import Inputs
from analysis.report.build import build
from analysis.report.provenance import check
from experiment.bots.effects import load_effects
from tests.analysis.report.study import answers, clips, inputs, sketched

# Sections in the report's order, by the words that a reader meets.
SECTIONS = {
    "people": "Participants",
    "preference": "Which fits the taste better: the fine-tuned model or the base model",
    "ratings": "What the music calls up",
    "mediation": "From music to taste by way of feeling",
    "identification": "Which taste the music calls up",
    "agreement": "",  # no targets were declared
    "factors": "Factor analysis",
    "recovery": "Declared and recovered effects",
    "sound": "The sound itself",
    "captions": "Do captions say what prompts asked for",
    "seed-paper": "As the seed paper did it",
    "session": "A real session on a virtual desk",
    "clips": "Listen",
}
ANSWERS = {
    "people",
    "preference",
    "ratings",
    "mediation",
    "identification",
    "agreement",
    "factors",
    "recovery",
    "sound",
    "captions",
    "seed-paper",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    path, made = build(inputs(folder))
    assert made
    return path


@pytest.fixture(scope="module")
def first_sketch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sketch")
    with sketched():
        build(inputs(folder))
    return folder


@pytest.fixture
def sketch(first_sketch: Path, tmp_path: Path) -> Path:
    """A copy of a report whose figures are a few bytes; its sections are as old as can be."""
    folder = Path(shutil.copytree(first_sketch, tmp_path / "sketch"))
    for path in (folder / "sections").iterdir():
        os.utime(path, (0, 0))
    return folder


def fresh(folder: Path) -> set[str]:
    """Sections that were written since the copy was made."""
    return {p.stem for p in (folder / "sections").iterdir() if p.stat().st_mtime > 0}


def louder(given: Inputs) -> Inputs:
    first, *rest = given.clips
    return inputs(given.out, clips=[replace(first, sha256="another"), *rest])


def described(given: Inputs, **changes: object) -> Inputs:
    first, *rest = given.clips
    return replace(given, clips=[replace(first, **changes), *rest])


def answered(given: Inputs, **changes: object) -> Inputs:
    return replace(given, data=replace(given.data, **changes))


# What changes, and which sections a reader may then no longer see as they were.
CHANGES: dict[str, tuple[Callable[[Inputs], Inputs], set[str]]] = {
    "an answer": (lambda i: answered(i, digest="1" * 64), ANSWERS),
    "a session without answers": (lambda i: answered(i, sessions={"complete": 4, "withdrawn": 3}), ANSWERS),
    "the kind of session": (lambda i: answered(i, kind="imported"), ANSWERS),
    "who is left out": (lambda i: replace(i, excluded={"spread": [9]}), ANSWERS),
    "a feature of a clip": (lambda i: described(i, features={"tempo": 1.0, "pitch_height": 0.0}), {"mediation", "sound"}),
    "a caption": (lambda i: described(i, caption="Fast drums."), {"captions", "clips"}),
    "the sound of a clip": (louder, {"sound", "clips"}),
    "where a clip lies": (lambda i: described(i, file="clips/other.wav"), {"sound", "clips"}),
    "what prompts ask for": (lambda i: replace(i, asked={"sweet": {"tempo": ["fast"]}}), {"captions"}),
    "what bots were told": (
        lambda i: replace(i, effects=load_effects().model_copy(update={"name": "others"})), {"recovery"},
    ),
    "the driven session": (lambda i: replace(i, desk={"answers": 3, "matching": 3, "audio": []}), {"session"}),
    "the study file": (lambda i: replace(i, study_sha256="b" * 64), set(SECTIONS)),
    "a setting": (lambda i: replace(i, config=AnalysisConfig(resamples=100, alpha=0.01)), set(SECTIONS)),
    "tastelab": (lambda i: replace(i, version="1"), set(SECTIONS)),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_stands_on_a_change_is_made_anew_and_nothing_else(sketch: Path, change: str) -> None:
    """Seen from the files: a section that is kept is not written."""
    made, wanted = CHANGES[change]
    assert {p.stem for p in (sketch / "sections").iterdir()} == set(SECTIONS)
    with sketched():
        assert build(inputs(sketch))[1] is False
        assert fresh(sketch) == set()
        assert build(made(inputs(sketch)))[1]
        assert fresh(sketch) == wanted
        assert build(made(inputs(sketch)))[1] is False


@pytest.mark.parametrize("change", ["code", "libraries"])
def test_after_an_update_everything_is_made_anew(sketch: Path, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from analysis.report import provenance

    with sketched():
        name, value = {"code": ("code_digest", "new"), "libraries": ("versions", {"numpy": "99"})}[change]
        monkeypatch.setattr(provenance, name, lambda: value)
        assert build(inputs(sketch))[1]
    assert fresh(sketch) == set(SECTIONS)


def test_reference_music_that_changed_changes_the_distances(sketch: Path, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"12")
    from analysis.report.provenance import parts

    given = replace(inputs(sketch), config=AnalysisConfig(reference=str(tmp_path)))
    before = parts(given)
    assert parts(given) == before
    (tmp_path / "b.wav").write_bytes(b"1")
    after = parts(given)
    assert {k for k in before if before[k] != after[k]} == {"reference"}
    assert parts(replace(given, embedders=["musicnn"]))["reference"] != after["reference"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: (f / "sections" / "ratings.json").write_text("{"),
        lambda f: (f / "figures" / "heatmap.svg").write_text("<svg>by hand</svg>"),
        lambda f: (f / "figures" / "heatmap.pdf").unlink(),
    ],
    ids=["a broken section", "a figure changed by hand", "a lost figure"],
)
def test_what_was_damaged_is_made_anew(sketch: Path, damage: Callable[[Path], object]) -> None:
    with sketched():
        before = {p: p.read_bytes() for p in [*sketch.glob("figures/*"), *sketch.glob("sections/*")]}
        damage(sketch)
        build(inputs(sketch, title="Another"))
        after = {p: p.read_bytes() for p in before}
        assert after == before


def test_a_report_that_a_check_finds_fault_with_is_built_again(sketch: Path) -> None:
    """What check advises works: files changed or lost, data that changed, another version of a library."""
    with sketched():
        given = inputs(sketch)
        assert check(given) == []
        (sketch / "tables" / "means.csv").write_text("changed")
        (sketch / "figures" / "qq.png").unlink()
        assert sorted(check(given)) == ["figures/qq.png is missing", "tables/means.csv was changed by hand"]
        assert build(given)[1]
        assert check(given) == []
        assert build(given)[1] is False


def test_every_section_stands_in_its_place(built: Path) -> None:
    text = built.read_text()
    found = re.findall(r'<section id="([^"]+)">\s*<h2>([^<]+)</h2>', text)
    assert found == [*((k, v) for k, v in SECTIONS.items() if v), ("manifest", "How this was made")]
    listed = re.findall(r'<a href="#([^"]+)">([^<]+)</a>', text[text.index("<nav") : text.index("</nav>")])
    assert listed == found


def test_it_stands_in_one_file_with_everything_linked(built: Path) -> None:
    text = built.read_text()
    assert "A study &lt;with&gt; &amp; signs" in text
    assert "<with>" not in text
    ids = re.findall(r'\bid="([^"]+)"', text)
    plain = [
        i
        for i in ids
        if not re.match(
            r"\w+-(m|D|C|p)[0-9A-Za-z]+|.*-(axes|text|line2d|patch|figure|legend|xtick|ytick|matplotlib|Line|Path|Quad|Poly|mesh)",
            i,
        )
    ]
    assert len(plain) == len(set(plain))
    for target in re.findall(r'href="#([^"]+)"', text):
        assert target in ids, target
    links = re.findall(r'href="((?:tables|figures)/[^"]+)"', text)
    assert len(links) > 20
    for link in links:
        assert (built.parent / link).exists(), link
    assert "SIMULATED" in text
    assert "These answers were not given by people" in text


def test_kept_sections_give_the_same_report(built: Path) -> None:
    """Taken from the last report or made anew, every byte but the manifest's is the same."""
    first = built.read_text()
    again, made = build(inputs(built.parent, timings={"x": 1.0}, title="Other"))
    assert made

    def cut(t):
        return t[t.index("<nav") : t.index('<section id="manifest">')].replace(
            "Other", "A study &lt;with&gt; &amp; signs"
        )

    assert cut(again.read_text()) == cut(first)


def test_figures_come_in_three_formats(built: Path) -> None:
    stems = {p.stem for p in (built.parent / "figures").iterdir()}
    assert {"preference", "distribution", "qq", "heatmap", "correlations", "fad", "features"} <= stems
    for stem in stems:
        assert {p.suffix for p in (built.parent / "figures").glob(f"{stem}.*")} == {".svg", ".png", ".pdf"}


def test_the_manifest_says_where_everything_came_from(built: Path) -> None:
    made = json.loads((built.parent / "manifest.json").read_text())
    assert made["study_sha256"] == "a" * 64
    assert made["data_sha256"] == "0" * 64
    assert made["kind"] == "bot"
    assert made["tastelab"] == "0"
    assert made["analysis"]["resamples"] == 100
    assert made["libraries"]["numpy"]
    rows = {c["clip"]: c for c in made["clips"]}
    assert set(rows) == {c.clip for c in clips()}
    assert rows["sweet-base-1"] == {
        "clip": "sweet-base-1", "sha256": "sha-sweet-base-1", "prompt": "a sweet prompt", "seed": 1, "checkpoint": "nano-base",
        "checkpoint_sha256": "c" * 64,
    }  # fmt: skip
    assert {"report.html", "tables/means.csv", "figures/fad.svg"} <= set(made["files"])


def test_summary_sentences_point_at_the_section_that_they_stand_on(built: Path) -> None:
    text = built.read_text()
    box = text[text.index('<div class="summary"') : text.index("</ul>")]
    pairs = re.findall(r"<li>(.*?) <a href=\"#([^\"]+)\"", box)
    assert pairs
    for line, where in pairs:
        wanted = (
            "preference" if line.startswith(("By taste", "No test was declared")) else "ratings" if "own word" in line
            else "identification" if line.startswith("Of the music of") else "sound" if line.startswith(("FAD", "Music for")) else "factors"
        )  # fmt: skip
        assert where == wanted, line
    # Each can be followed, by the place that the page gives it.
    index = json.loads((built.parent / "trace" / "index.json").read_text(encoding="utf-8"))
    kept = {s["id"]: s for s in index["sentences"]}
    assert [k for k in kept if k.startswith("summary.")] == [f"summary.{n}" for n in range(len(pairs))]
    assert all(kept[f"summary.{n}"]["on"] for n in range(len(pairs)))


def test_the_page_can_be_walked_by_keyboard(built: Path) -> None:
    text = built.read_text()
    assert text.index('class="skip" href="#main"') < text.index("<nav")
    assert '<nav aria-label="Contents">' in text
    # What scrolls can be reached: tables and the manifest take the focus and have a name.
    assert len(
        re.findall(r'<div class="scroll[^"]*" role="region" aria-labelledby="[^"]+" tabindex="0">', text)
    ) == text.count('class="scroll')
    assert 'lang="en"' in text


def test_people_are_not_called_simulated_and_have_no_effects_to_recover(tmp_path: Path) -> None:
    with sketched():
        given = inputs(tmp_path, data=answers("person"), clips=[], desk=None, effects=None)
        text = build(given)[0].read_text()
    assert "SIMULATED" not in text
    assert "not given by people" not in text
    assert set(re.findall(r'<section id="([^"]+)">', text)) == {
        "people", "preference", "ratings", "mediation", "identification", "factors", "seed-paper", "manifest",
    }  # fmt: skip


def test_progress_names_the_section_that_is_ready(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    with sketched():
        given = inputs(tmp_path, clips=[], desk=None, effects=None)
        build(given, lambda done, total, what: told.append((done, total, what)))
    assert [(d, t) for d, t, _ in told] == [(k, len(SECTIONS)) for k in range(1, len(SECTIONS) + 1)]
    assert [w for _, _, w in told][:3] == [
        "Participants",
        SECTIONS["preference"],
        "What the music calls up",
    ]
    assert told[-1][2] == ""
