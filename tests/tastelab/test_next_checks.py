"""What the papers would check next, as study files: each asks what docs/next-checks.md says, and its sessions can be run and analysed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stimuli.config import render_prompt
from stimuli.manifest import ClipRow, write_manifest
from tastelab.study import Study, load_study
from tests.conftest import ROOT
from tests.tastelab.conftest import call

NAMES = ("enriched-salty", "without-taste-words", "unseen-tastes", "two-cultures")


def study(name: str) -> Study:
    return load_study(ROOT / "studies" / f"{name}.toml")


@pytest.mark.parametrize("name", NAMES)
def test_each_can_be_run_by_the_embedded_models_and_is_explained(name: str) -> None:
    said = call("study", "check", ROOT / "studies" / f"{name}.toml")
    assert said.status == 0, said.err
    assert {c.checkpoint for c in study(name).models.conditions} == {"nano-base", "nano-taste"}
    page = (ROOT / "docs" / "next-checks.md").read_text(encoding="utf-8")
    assert f"[{name}](../studies/{name}.toml)" in page
    assert f"--from {name}\n" in page


def test_salty_music_is_fast_staccato_and_fifty() -> None:
    found = study("enriched-salty").stimuli
    salty = found.taste("salty")
    assert (salty.bpm or 0) > 130
    assert salty.articulation == "staccato"
    assert found.clips_per_taste == 50


def test_prompts_without_taste_words_say_all_else_that_the_default_study_s_say() -> None:
    default, without = load_study(ROOT / "study.toml").stimuli, study("without-taste-words").stimuli
    assert [t.name for t in without.tastes] == [t.name for t in default.tastes]
    for with_word, bare in zip(default.tastes, without.tastes, strict=True):
        prompt = render_prompt(bare, without.setting).lower()
        assert not any(t.name in prompt for t in default.tastes)
        said = [with_word.pitch, with_word.character, with_word.articulation, with_word.harmony, f"{with_word.bpm} bpm"]
        assert [x for x in (*said, *with_word.instruments) if x.lower() not in prompt] == []


def test_unseen_tastes_are_none_of_those_that_were_learnt() -> None:
    learnt = {t.name for t in load_study(ROOT / "study.toml").stimuli.tastes}
    assert not learnt & {t.name for t in study("unseen-tastes").stimuli.tastes}


def test_two_groups_are_as_large_and_each_has_its_language() -> None:
    groups = study("two-cultures").experiment.groups
    assert len({g.language for g in groups}) == 2
    assert len({g.quota for g in groups}) == 1


def test_simulated_people_are_dealt_into_both_groups_and_go_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = study("two-cultures")
    rows = [
        ClipRow(
            clip=f"{t.name}-{c.name}-{k:03d}", taste=t.name, model=c.name, number=k, file=f"clips/{i}{j}{k}.wav", sha256=f"{i}{j}{k:062d}",
            seconds=10.0, rate=48000, loudness=-23.0, peak=-3.0, gain=1.0, prompt="", seed=k, checkpoint=str(c.checkpoint),
        )
        for i, t in enumerate(found.stimuli.tastes) for j, c in enumerate(found.models.conditions)
        for k in range(found.stimuli.clips_per_taste)
    ]  # fmt: skip
    clips = tmp_path / "outputs" / found.name / "stimuli"
    clips.mkdir(parents=True)
    write_manifest(clips, rows)
    where = ("--study", ROOT / "studies" / "two-cultures.toml")
    assert call("experiment", "simulate", "-n", "2", "--quiet", *where).status == 0
    told = json.loads(call("experiment", "status", "--all", "--json", *where).out)["tables"]["sessions"]
    assert sorted(r["group"] for r in told) == ["english", "italian"]
    assert {r["status"] for r in told} == {"complete"}
