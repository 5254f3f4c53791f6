"""What a study names, and what that only names: which models are pulled, from where and in which format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models import named
from models.config import ModelsConfig
from models.errors import ModelError
from models.named import checked, named_in, only_named, pull_named

Asked = list[tuple[Any, ...]]


@pytest.fixture(autouse=True)
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """A pull that writes nothing but an empty folder, and notes what was asked of it."""
    monkeypatch.setenv("TASTELAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    given: Asked = []

    def pull(name: str, source: Path | None, layout: str, progress: Any = None) -> Path:
        given.append((name, source, layout, progress))
        folder = tmp_path / "cache" / "models" / name.replace("/", "--")
        folder.mkdir(parents=True)
        return folder

    monkeypatch.setattr(named, "pull", pull)
    return given


def captioner(folder: Path, **described: str) -> str:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"dual": {}, **described}))
    return str(folder)


def models(**changes: Any) -> ModelsConfig:
    conditions = [{"name": n, "checkpoint": c} for n, c in (("a", "one/small"), ("b", "nano-base"), ("c", "two/large"))]
    return ModelsConfig.model_validate({"conditions": conditions, **changes})


def test_each_name_stands_once_in_its_order() -> None:
    conditions = [
        {"name": "a", "checkpoint": "one/small"}, {"name": "t", "tracks": "folder"},
        {"name": "d", "checkpoint": "one/small", "prompts_of": "other tastes"}, {"name": "b", "checkpoint": "nano-base"},
        {"name": "e", "blend": {"from": "a", "to": "b", "share": 0.5}},
    ]  # fmt: skip
    config = models(conditions=conditions, captioner="nano", embedders=["yamnet", "clap:laion/clap"])
    assert named_in(config) == ["one/small", "nano-base", "nano", "yamnet", "clap:laion/clap"]


def test_what_is_released_is_pulled_with_what_it_only_names(asked: Asked, tmp_path: Path) -> None:
    own = captioner(tmp_path / "own", encoder="m-a-p/MERT", llm="mistralai/Mistral")
    config = models(captioner=own, embedders=["yamnet", "vggish:some/file.pth", "encodec:one/codec", "clap:nowhere"])
    told: list[str] = []

    def begin(name: str) -> Any:
        told.append(name)
        return f"of {name}"

    found = pull_named(config, Path("mirror"), "audiocraft", begin)
    names = ["one/small", "two/large", "one/codec", "m-a-p/MERT", "mistralai/Mistral"]
    assert [n for n, _ in found] == told == names
    assert [p.name for _, p in found] == [n.replace("/", "--") for n in names]
    # The format that is asked for is the checkpoints'; codecs, encoders and language models have one.
    assert asked == [
        (n, Path("mirror"), "audiocraft" if n in ("one/small", "two/large") else "auto", f"of {n}") for n in names
    ]


def test_what_is_a_directory_ships_or_lies_in_the_hubs_cache_is_not_fetched(asked: Asked, tmp_path: Path) -> None:
    (tmp_path / "one" / "small").mkdir(parents=True)
    there = tmp_path / "hub" / "models--two--large" / "snapshots" / "c0ffee"
    there.mkdir(parents=True)
    (tmp_path / "own" / "mert").mkdir(parents=True)
    (tmp_path / "own" / "config.json").write_text(json.dumps({"dual": {}, "encoder": "mert", "llm": "smollm2"}))
    assert pull_named(models(captioner=str(tmp_path / "own"))) == [("two/large", there)]
    assert asked == []
    (tmp_path / "cache" / "models" / "two--large").mkdir(parents=True)  # begun to be pulled: it goes on
    with pytest.raises(FileExistsError):
        pull_named(models())
    assert [a[0] for a in asked] == ["two/large"]


def test_a_mirror_that_is_one_model_is_not_taken_for_all(asked: Asked, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="is one model; a study's mirror holds a folder for each"):
        pull_named(models(), tmp_path)
    assert asked == []


def test_a_captioners_own_parts_are_no_names(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    captioner(folder, encoder="m-a-p/MERT", llm="here/llm")
    (folder / "m-a-p" / "MERT").mkdir(parents=True)
    (tmp_path / "here" / "llm").mkdir(parents=True)
    assert only_named(folder) == []
    (tmp_path / "here" / "llm").rmdir()
    assert only_named(folder) == ["here/llm"]
    (folder / "config.json").unlink()
    assert only_named(folder) == []


def test_what_is_not_there_is_a_finding_and_the_others_are_looked_at() -> None:
    config = models(conditions=[{"name": "a", "checkpoint": "one/small"}], embedders=["yamnet"])
    found = {name: [(f.part, f.state) for f in parts] for name, parts in checked(config, "cpu")}
    assert found["one/small"] == [("model", "missing")]
    assert ("audio", "good") in found["nano"]
    assert ("audio", "good") in found["yamnet"]
