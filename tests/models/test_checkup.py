"""What is told of models as they lie on a disk: whole ones, and ones that lack a part; every published layout that is read."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from models import checkup
from models.checkup import Finding, apart, check_model
from models.errors import ModelError
from models.musicgen.checkpoints import find
from models.musicgen.generate import load_generator
from models.weights import load_pickle
from tests.models.sonicverse.released import transformers_checkpoint
from tests.models.test_published import in_cache, sharded
from tests.tastelab.conftest import call


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(checkup, "SECONDS", 0.2)
    for kept in (find, load_generator):
        kept.cache_clear()
    yield
    for kept in (find, load_generator):
        kept.cache_clear()


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One small MusicGen in transformers' and in audiocraft's format."""
    from models.musicgen.audiocraft_format import write_audiocraft

    folder = tmp_path_factory.mktemp("released")
    ours = transformers_checkpoint(folder / "transformers")
    return ours, write_audiocraft(find(str(ours)), folder / "audiocraft")


def copied(files: Path, to: Path) -> Path:
    return Path(shutil.copytree(files, to))


def told(found: list[Finding]) -> dict[str, tuple[str, str]]:
    assert len({f.part for f in found}) == len(found)
    return {f.part: (f.state, f.found) for f in found}


def test_a_whole_model_is_good_in_every_part(released: tuple[Path, Path], tmp_path: Path) -> None:
    """Both formats, pickled shards, a clone with both formats, a model in the hub's cache by its name."""
    clone = copied(released[0], tmp_path / "clone")
    for name in ("state_dict.bin", "compression_state_dict.bin"):
        shutil.copy(released[1] / name, clone)
    shards = copied(released[0], tmp_path / "shards")
    sharded(shards)
    in_cache(tmp_path / "hub", released[0], "c0ffee")
    for name in (released[0], shards, clone, "somebody/tiny", released[1]):
        found = told(check_model(str(name), "cpu"))
        assert {state for state, _ in found.values()} <= {"good", "not tried"}, found
        assert found["network"] == ("good", "16000 Hz, 4 codebooks, 25 frames a second")
        assert found["prompt"] == ("good", "5 tokens, 5 of them different")  # four words and the end
        assert found["step"][0] == "good"
        assert re.fullmatch(
            r"0.2 s: all codes audiocraft's, (the same sound|sound [1-9]\.\de-\d\d of its peak off)", found["audio"][1]
        )
    assert told(check_model(str(shards), "cpu"))["weights"][1].startswith("pytorch_model-00001-of-00002.bin and 1 more")
    assert told(check_model(str(clone), "cpu"))["beside"] == (
        "not tried",
        "audiocraft's files too; transformers' are read",
    )


@pytest.mark.parametrize(
    ("lost", "part", "found"),
    [
        ("config.json", "config.json", "not there"),
        ("tokenizer.json", "tokenizer", "tokenizer.json or spiece.model"),
        ("pytorch_model-00002-of-00002.bin", "weights", "part 2 of the weights is missing"),
    ],
)
def test_what_is_missing_is_named_and_nothing_else_is_tried(
    lost: str, part: str, found: str, released: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = copied(released[0], tmp_path / "lacking")
    sharded(folder)
    (folder / lost).unlink()
    rows = told(check_model(str(folder), "cpu"))
    assert rows[part][0] == "missing"
    assert found in rows[part][1]
    assert rows["audio"] == ("not tried", "the files first")
    assert "network" not in rows


def test_all_that_is_missing_is_told_at_once(released: tuple[Path, Path], tmp_path: Path) -> None:
    """An index of whose parts none is there; a tokenizer that is a link to nothing; a file that is not the pulled one."""
    folder = copied(released[0], tmp_path / "lacking")
    sharded(folder)
    for shard in folder.glob("pytorch_model-*"):
        shard.unlink()
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").symlink_to(tmp_path / "nowhere")
    record = {"commit": "c0ffee" * 3, "files": {"config.json": {"sha256": "0" * 64}, "gone": {"sha256": ""}}}
    (folder / "pulled.json").write_text(json.dumps(record))
    rows = told(check_model(str(folder), "cpu"))
    assert rows["weights"] == ("missing", "pytorch_model-00001-of-00002.bin, pytorch_model-00002-of-00002.bin")
    assert rows["tokenizer"][0] == "missing"
    assert rows["as pulled"] == ("wrong", "another SHA-256: config.json")


def test_what_an_audiocraft_package_only_names_is_asked_for(
    released: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASTELAB_CACHE", str(tmp_path / "cache"))
    from audiocraft.utils.export import export_pretrained_compression_model

    folder = copied(released[1], tmp_path / "named")
    shutil.rmtree(folder / "text_encoder")
    export_pretrained_compression_model("facebook/encodec_32khz", folder / "compression_state_dict.bin")
    rows = told(check_model(str(folder), "cpu"))
    assert rows["codec named"] == ("missing", "facebook/encodec_32khz: tastelab models pull facebook/encodec_32khz")
    package = load_pickle(folder / "state_dict.bin")
    name = rows["text encoder"][1].partition(":")[0]
    assert f"name: {name}" in package["xp.cfg"]
    assert rows["text encoder"][0] == "missing"
    del package["xp.cfg"]
    torch.save(package, folder / "state_dict.bin")
    assert "nothing that audiocraft exports" in told(check_model(str(folder), "cpu"))["language model"][1]
    (folder / "state_dict.bin").unlink()
    rows = told(check_model(str(folder), "cpu"))
    assert rows["language model"] == ("missing", "state_dict.bin")
    assert rows["audio"][0] == "not tried"


def test_a_tokenizer_to_which_all_words_are_one_is_wrong(released: tuple[Path, Path], tmp_path: Path) -> None:
    folder = copied(released[0], tmp_path / "deaf")
    words = json.loads((folder / "tokenizer.json").read_text())
    words["model"]["vocab"] = {w: i for w, i in words["model"]["vocab"].items() if w.startswith("<")}
    words["pre_tokenizer"] = None
    (folder / "tokenizer.json").write_text(json.dumps(words))
    rows = told(check_model(str(folder), "cpu"))
    assert rows["prompt"] == ("wrong", "two prompts are the same tokens; its tokenizer's files are not its own")


def test_a_codec_that_is_misread_is_heard(released: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A codec taken to be causal has the same codes and other sound: against audiocraft's own loader."""
    from models.musicgen import checkpoints

    read = checkpoints.encodec_config

    def causal(config: dict[str, object]) -> object:
        made = read(config)
        made.use_causal_conv = True
        return made

    monkeypatch.setattr(checkpoints, "encodec_config", causal)
    rows = told(check_model(str(released[1]), "cpu"))
    assert rows["audio"][0] == "wrong"
    assert "other sound of the same codes than audiocraft" in rows["audio"][1]


def test_a_configuration_that_both_ways_take_from_us_is_held_to_audiocrafts_loader(
    released: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What we read of xp.cfg goes into both engines; audiocraft's own loader reads the file itself."""
    from models.musicgen import audiocraft_format, checkpoints

    read = checkpoints.read_config

    def misread(text: str) -> dict[str, object]:
        found = read(text)
        for section in ("encodec", "seanet"):
            if section in found:
                found[section]["causal"] = True
        return found

    monkeypatch.setattr(checkpoints, "read_config", misread)
    monkeypatch.setattr(audiocraft_format, "read_config", misread)
    assert told(check_model(str(released[1]), "cpu"))["audio"][0] == "wrong"


def test_shipped_captioner_and_spaces_are_tried() -> None:
    rows = told(check_model("nano", "cpu"))
    assert rows["prompt"][0] == rows["audio"][0] == rows["projector"][0] == "good"
    assert rows["heads"][1].startswith("instrument 29, mood 10, tempo 3, key 24")
    assert "tokens, first word '" in rows["audio"][1]
    assert told(check_model("yamnet", "cpu"))["audio"] == ("good", "0.2 s of noise: 1 x 1024, finite")
    assert told(check_model("vggish:nowhere.pt", "cpu"))["weights"] == ("missing", "nowhere.pt")
    with pytest.raises(ModelError, match="no shipped weights named 'nowhere'"):
        check_model("nowhere")


def test_a_captioner_says_which_networks_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASTELAB_CACHE", str(tmp_path / "cache"))
    config = {
        "kind": "captioner", "dual": {"preset": "released"}, "encoder": "m-a-p/MERT-v1-95M", "lora_rank": 8,
        "llm": "mistralai/Mistral-7B-Instruct-v0.1", "labels": {},
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "mert").mkdir()
    rows = told(check_model(str(tmp_path), "cpu"))
    assert rows["projector"] == ("missing", "model.safetensors or model.pt")
    assert rows["factors"] == ("missing", "adapter.safetensors")
    assert rows["encoder"] == ("missing", "m-a-p/MERT-v1-95M: tastelab models pull m-a-p/MERT-v1-95M")
    assert rows["llm"][0] == "missing"
    assert rows["audio"] == ("not tried", "the files first")


def test_the_command_shows_a_table_and_ends_with_two_where_something_is_missing(
    released: tuple[Path, Path], tmp_path: Path
) -> None:
    said = call("models", "check", released[0], "--device", "cpu")
    assert (said.status, said.err) == (0, "")
    assert all(len(line) <= 80 for line in said.out.splitlines())
    folder = copied(released[0], tmp_path / "lacking")
    (folder / "tokenizer.json").unlink()
    said = call("models", "check", folder, "--json")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert said.err == f"tastelab: {folder}: tokenizer is missing (tokenizer.json or spiece.model)\n"
    rows = json.loads(said.out)["tables"]["parts"]
    assert {"part": "tokenizer", "state": "missing", "found": "tokenizer.json or spiece.model"} in rows
    (folder / "model.safetensors").unlink()
    assert call("models", "check", folder).err.rstrip().endswith(", and 1 more")


def test_a_sound_is_the_same_or_so_much_off() -> None:
    assert apart(0.0) == "the same sound"
    assert apart(3.21e-06) == "sound 3.2e-06 of its peak off"


@pytest.mark.parametrize("differ", [0, 1, 6])
def test_two_prompts_that_are_the_same_to_a_model_without_a_tokenizer_are_told(differ: int) -> None:
    """As far as one number apart they are two; three tokens have a state."""
    one = torch.tensor([[[1.0, 2.0], [3.0, 0.0], [0.0, 5.0], [0.0, 0.0]]])
    other = one + torch.arange(8).reshape(1, 4, 2).lt(differ)
    states = {p: s for p, s in zip(checkup.PROMPTS, (one, other), strict=True)}
    generator = SimpleNamespace(engine=SimpleNamespace(text=lambda prompts: (states[prompts[0]],)))
    if differ:
        assert checkup._prompt(generator) == "3 tokens"
    else:
        with pytest.raises(ModelError, match="two prompts are the same to it"):
            checkup._prompt(generator)
