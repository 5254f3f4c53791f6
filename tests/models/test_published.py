"""Released models as they lie on the hub, in its cache, in clones and mirrors; file names are those of the hub's listings."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from models.errors import ModelError
from models.locating import locate
from models.musicgen.checkpoints import find, read_parts
from models.published import one_set, snapshot
from models.pull import pull
from tests.models.sonicverse.released import transformers_checkpoint

# Weights in the hub's listings of these models.
STEREO_SMALL = [
    "compression_state_dict.bin",
    "model.fp32.safetensors",
    "model.safetensors",
    "state_dict.bin",
    "tokenizer.json",
]
LARGE = [
    "compression_state_dict.bin", "pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin",
    "pytorch_model.bin.index.json", "state_dict.bin",
]  # fmt: skip
MEDIUM = [
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TASTELAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    find.cache_clear()
    return tmp_path / "cache"


def test_one_set_of_weights_is_taken() -> None:
    assert one_set(STEREO_SMALL, "x") == ["model.fp32.safetensors"]
    assert one_set(LARGE, "x") == [*LARGE[1:3], "pytorch_model.bin.index.json"]
    assert one_set(MEDIUM, "x") == MEDIUM[:3]
    assert one_set(["model.safetensors", "pytorch_model.bin", "model.fp16.onnx"], "x") == ["model.safetensors"]
    assert one_set(["pytorch_model.bin", "optimizer.bin"], "x") == ["pytorch_model.bin"]
    assert one_set(["README.md"], "x") == []
    with pytest.raises(
        ModelError, match=r"here: part 1 of the weights is missing beside pytorch_model-00002-of-00002.bin"
    ):
        one_set(LARGE[2:], "here")
    with pytest.raises(ModelError, match="part 2 of the weights is missing"):
        one_set(MEDIUM[:1], "here")


def sharded(folder: Path) -> None:
    """A checkpoint's weights as musicgen-large has them: two pickles and their index."""
    from safetensors.torch import load_file

    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(state)
    parts = {
        "pytorch_model-00001-of-00002.bin": names[: len(names) // 2],
        "pytorch_model-00002-of-00002.bin": names[len(names) // 2 :],
    }
    for file, own in parts.items():
        torch.save({n: state[n] for n in own}, folder / file)
    index = {"metadata": {"total_size": 1}, "weight_map": {n: file for file, own in parts.items() for n in own}}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))


def test_pickled_shards_and_single_precision_beside_half_are_read(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    plain = transformers_checkpoint(tmp_path / "plain")
    wanted = read_parts(find(str(plain))).decoder
    large = transformers_checkpoint(tmp_path / "large")
    sharded(large)
    found = find(str(large))
    assert [p.name for p in found.files] == LARGE[1:3]
    both = transformers_checkpoint(tmp_path / "both")
    state = load_file(both / "model.safetensors")
    save_file(state, both / "model.fp32.safetensors", {"format": "pt"})
    save_file({k: v.half() for k, v in state.items()}, both / "model.safetensors", {"format": "pt"})
    for directory in (large, both):
        decoder = read_parts(find(str(directory))).decoder
        assert set(decoder) == set(wanted)
        assert all(torch.equal(decoder[k], wanted[k]) for k in wanted)
    (large / "pytorch_model-00001-of-00002.bin").unlink()
    find.cache_clear()
    with pytest.raises(ModelError, match="part 1 of the weights is missing"):
        find(str(large))


def test_a_mirror_is_whole_or_refused_and_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    mirror = transformers_checkpoint(tmp_path / "mirror")
    sharded(mirror)
    assert {p.name for p in pull("a/large", mirror).iterdir()} >= {*LARGE[1:4], "config.json", "tokenizer.json"}
    index = json.loads((mirror / LARGE[3]).read_text())
    (mirror / LARGE[3]).write_text(
        json.dumps({"weight_map": {**index["weight_map"], "x": "pytorch_model-00003-of-00003.bin"}})
    )
    with pytest.raises(ModelError, match=r"names pytorch_model-00003-of-00003\.bin, which is not there"):
        pull("a/other", mirror)
    (mirror / LARGE[3]).write_text(json.dumps(index))
    (mirror / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"has no tokenizer .*all words would be the same"):
        pull("a/other", mirror)
    (mirror / "tokenizer.json").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"tokenizer\.json is a link to nothing"):
        pull("a/other", mirror)
    assert not (cache / "models" / "a--other").exists()
    with pytest.raises(ModelError, match="is neither a directory nor pulled; fetch it with"):
        locate("a/other")


def test_without_a_tokenizer_no_prompt_is_read(tmp_path: Path) -> None:
    from models.musicgen.audiocraft_format import write_audiocraft

    ours = transformers_checkpoint(tmp_path / "ours")
    theirs = write_audiocraft(find(str(ours)), tmp_path / "theirs")
    for folder, of in ((ours, ours), (theirs, theirs / "text_encoder")):
        (of / "tokenizer.json").unlink()
        with pytest.raises(ModelError, match="has no tokenizer"):
            read_parts(find(str(folder)))


def in_cache(root: Path, files: Path, commit: str, main: bool = True) -> Path:
    """A model in the hub's cache: blobs, links to them under snapshots/COMMIT, refs/main."""
    model = root / "models--somebody--tiny"
    (model / "blobs").mkdir(parents=True, exist_ok=True)
    (model / "snapshots" / commit).mkdir(parents=True)
    for i, path in enumerate(sorted(files.iterdir())):
        blob = model / "blobs" / f"{commit}{i}"
        blob.write_bytes(path.read_bytes())
        (model / "snapshots" / commit / path.name).symlink_to(os.path.relpath(blob, model / "snapshots" / commit))
    if main:
        (model / "refs").mkdir(exist_ok=True)
        (model / "refs" / "main").write_text(commit)
    return model


def test_the_hubs_cache_is_read_by_path_and_by_name(tmp_path: Path) -> None:
    plain = transformers_checkpoint(tmp_path / "plain")
    model = in_cache(tmp_path / "hub", plain, "c0ffee")
    assert snapshot(model) == model / "snapshots" / "c0ffee"
    assert find(str(model)).sha256 == find("somebody/tiny").sha256 == find(str(plain)).sha256
    pulled = pull("somebody/tiny", tmp_path / "hub")
    assert (pulled / "model.safetensors").read_bytes() == (plain / "model.safetensors").read_bytes()
    assert not (pulled / "model.safetensors").is_symlink()
    in_cache(tmp_path / "hub", plain, "decade", main=False)
    assert snapshot(model).name == "c0ffee"
    (model / "refs" / "main").unlink()
    with pytest.raises(ModelError, match="holds 2 commits and none is main"):
        snapshot(model)


def test_of_a_whole_clone_the_complete_format_is_read(tmp_path: Path) -> None:
    """facebook/musicgen-small holds audiocraft's files too, which name their text encoder without holding it."""
    clone = transformers_checkpoint(tmp_path / "clone")
    for name in ("state_dict.bin", "compression_state_dict.bin"):
        (clone / name).write_bytes(b"audiocraft's")
    assert find(str(clone)).format == "transformers"
