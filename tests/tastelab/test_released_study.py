"""A study of released models from a mirror to captions, by the command line and its file alone; against plain references.

The mirror has the hub's file names and layouts with small random weights: musicgen-small as a whole clone of both formats, -medium in
shards, -large in pickled shards, -stereo-small in half and in single precision, tasty-musicgen-small in audiocraft's format that only
names its codec and text encoder, and SonicVerse with MERT and Mistral. References are transformers' own models on the files as they
were before they were mirrored, greedy, and the release's projector by hand.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from models.embeddings.spaces import open_space
from models.musicgen.audiocraft_format import write_audiocraft
from models.musicgen.checkpoints import find
from models.musicgen.generate import load_generator
from models.sonicverse.full.presets import PAPER, PRESETS
from models.sonicverse.full.released import in_file
from models.sonicverse.load import load_captioner
from models.sonicverse.projector import DualProjector
from models.weights import load_pickle
from stimuli.audio import load_mono
from stimuli.manifest import ClipRow, read_manifest
from tests.models.sonicverse.released import tokenizer, transformers_checkpoint
from tests.models.sonicverse.test_arithmetic import HEADS, plain, released_by_hand
from tests.models.sonicverse.test_projector import mert_directory
from tests.models.test_published import sharded
from tests.tastelab.conftest import call

MUSIC = {
    "small": "facebook/musicgen-small", "medium": "facebook/musicgen-medium", "large": "facebook/musicgen-large",
    "stereo": "facebook/musicgen-stereo-small", "tasty": "csc-unipd/tasty-musicgen-small",
}  # fmt: skip
NAMED = (
    "facebook/encodec_32khz",
    "t5-base",
    "m-a-p/MERT-v1-95M",
    "mistralai/Mistral-7B-Instruct-v0.1",
    "facebook/encodec_24khz",
)
PROMPTS = {"sweet": "sweet flowing music with harp", "bitter": "dark brass and low bitter music"}
ASK = "<s>[INST] Describe the music. <sound> [/INST]"
RATE, FRAMES = 16000, 25
STUDY = """
name = "released"
title = "Released models"

[models]
captioner = "{captioner}"
embedders = ["encodec:facebook/encodec_24khz"]
device = "cpu"
top_k = 1
guidance = 3.0
{conditions}
[stimuli]
seconds = 1
rate = 16000
fade = 0
clips_per_taste = 1

[[stimuli.tastes]]
name = "sweet"
prompt = "{sweet}"

[[stimuli.tastes]]
name = "bitter"
prompt = "{bitter}"

[experiment]
languages = ["en"]

[experiment.taste_words.en]
sweet = "sweet"
bitter = "bitter"

[[experiment.tasks]]
kind = "identification"
"""


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TASTELAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    kept = (find, load_generator, load_captioner, open_space)
    for one in kept:
        one.cache_clear()
    yield
    for one in kept:
        one.cache_clear()


def music(mirror: Path, before: Path) -> None:
    """Five MusicGens as the hub lists them; `before` keeps each as transformers itself writes it."""
    from audiocraft.utils.export import export_pretrained_compression_model
    from safetensors.torch import load_file, save_file
    from transformers import MusicgenForConditionalGeneration

    for seed, (key, name) in enumerate(MUSIC.items()):
        own = transformers_checkpoint(before / key, 2 if key == "stereo" else 1, seed)
        if key != "tasty":
            shutil.copytree(own, mirror / name)
    small, medium, large, stereo, tasty = (mirror / name for name in MUSIC.values())
    both = write_audiocraft(find(str(before / "small")), before / "both")
    for state in ("state_dict.bin", "compression_state_dict.bin"):
        shutil.copy(both / state, small)
    (medium / "model.safetensors").unlink()
    MusicgenForConditionalGeneration.from_pretrained(before / "medium").save_pretrained(medium, max_shard_size="300KB")
    assert len(list(medium.glob("model-0000*-of-0000*.safetensors"))) > 1
    sharded(large)
    weights = load_file(stereo / "model.safetensors")
    save_file(weights, stereo / "model.fp32.safetensors", {"format": "pt"})
    save_file({k: v.half() for k, v in weights.items()}, stereo / "model.safetensors", {"format": "pt"})
    theirs = write_audiocraft(find(str(before / "tasty")), before / "theirs")
    tasty.mkdir(parents=True)
    shutil.copy(theirs / "state_dict.bin", tasty)
    export_pretrained_compression_model("facebook/encodec_32khz", tasty / "compression_state_dict.bin")
    shutil.copytree(theirs / "text_encoder", mirror / "t5-base")
    codec = MusicgenForConditionalGeneration.from_pretrained(before / "tasty").audio_encoder
    codec.save_pretrained(mirror / "facebook" / "encodec_32khz")
    codec.save_pretrained(mirror / "facebook" / "encodec_24khz")


def sonicverse(mirror: Path, captioner: Path) -> DualProjector:
    """The release's projector in bfloat16, a MERT, and a Mistral in two shards."""
    from transformers import MistralConfig, MistralForCausalLM

    mert_directory(mirror / "m-a-p" / "MERT-v1-95M", layers=12)
    torch.manual_seed(7)
    words = tokenizer()
    words.add_special_tokens({"bos_token": "<s>"})
    config = MistralConfig(
        vocab_size=len(words), hidden_size=12, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=6, eos_token_id=1, bos_token_id=words.bos_token_id, pad_token_id=0,
    )  # fmt: skip
    llm = MistralForCausalLM(config)
    with torch.no_grad():
        for p in llm.parameters():
            if p.dim() > 1:
                p.normal_(std=0.4)
    llm.save_pretrained(mirror / "mistralai--Mistral-7B-Instruct-v0.1", max_shard_size="8KB")
    words.save_pretrained(mirror / "mistralai--Mistral-7B-Instruct-v0.1")
    kept = ("features", "layer_weights", "masked", "frames", "summed", "content", "feature")
    dual = replace(
        PAPER, heads=HEADS, layers=13, width=16, llm_width=12, content_tokens=4, tokens_per_head=2,
        backbone=(7, "relu", "dropout"), head=(6, "relu", "dropout"), **{k: getattr(PRESETS["released"], k) for k in kept},
    )  # fmt: skip
    torch.manual_seed(4)
    projector = DualProjector(dual).eval()
    torch.nn.init.normal_(projector.alpha)
    with torch.no_grad():
        for p in projector.parameters():
            p.copy_(p.bfloat16())
    captioner.mkdir()
    torch.save({k: v.bfloat16() for k, v in in_file(projector).items()}, captioner / "model.pt")
    described = {
        "kind": "captioner", "dual": asdict(dual), "labels": {k: [f"{k}{i}" for i in range(n)] for k, n in HEADS.items()},
        "encoder": "m-a-p/MERT-v1-95M", "llm": "mistralai/Mistral-7B-Instruct-v0.1", "prompt": ASK,
    }  # fmt: skip
    (captioner / "config.json").write_text(json.dumps(described))
    return projector


def played(before: Path, prompt: str) -> np.ndarray:
    """A second by transformers' own MusicGen: the likeliest codes under guidance 3, (channels, samples)."""
    from transformers import AutoTokenizer, MusicgenForConditionalGeneration

    model = MusicgenForConditionalGeneration.from_pretrained(before).eval()
    read = AutoTokenizer.from_pretrained(before)([prompt], return_tensors="pt")
    with torch.no_grad():
        audio = model.generate(**read, do_sample=False, guidance_scale=3.0, max_new_tokens=FRAMES + 3)
    return np.asarray(audio[0].numpy())


def told(projector: DualProjector, mirror: Path, clip: np.ndarray) -> str:
    """A caption by transformers' HuBERT and Mistral and the release's projector by hand."""
    from transformers import AutoTokenizer, HubertModel, MistralForCausalLM

    from models.sonicverse.full.mert import Mert

    hubert: HubertModel = Mert(mirror / "m-a-p" / "MERT-v1-95M").model
    llm = MistralForCausalLM.from_pretrained(mirror / "mistralai--Mistral-7B-Instruct-v0.1").eval()
    words = AutoTokenizer.from_pretrained(mirror / "mistralai--Mistral-7B-Instruct-v0.1")
    with torch.no_grad():
        normal = (clip - clip.mean()) / np.sqrt(clip.var() + 1e-7)
        states = hubert(torch.from_numpy(normal)[None], output_hidden_states=True).hidden_states
        hidden = np.stack([s[0].double().numpy() for s in states])
        tokens, _ = released_by_hand(plain(projector.state_dict()), hidden[:, :760])
        embed = llm.get_input_embeddings()
        ids = [words(x, add_special_tokens=False).input_ids for x in ("<s>", "[INST] Describe the music. ", " [/INST]")]
        before, after = embed(torch.tensor([ids[0] + ids[1]])), embed(torch.tensor([ids[2]]))
        given = torch.cat([before, torch.from_numpy(tokens).float()[None], after], 1)
        out = llm.generate(
            inputs_embeds=given, attention_mask=torch.ones(given.shape[:2]), max_new_tokens=128, do_sample=False
        )
    return " ".join(words.decode(out[0], skip_special_tokens=True).split())


def study_file(folder: Path) -> Path:
    conditions = "".join(f'[[models.conditions]]\nname = "{k}"\ncheckpoint = "{v}"\n' for k, v in MUSIC.items())
    path = folder / "study.toml"
    path.write_text(STUDY.format(captioner=folder / "sonicverse", conditions=conditions, **PROMPTS))
    return path


def corpus(folder: Path) -> Path:
    (folder / "audio").mkdir(parents=True)
    rows = []
    for i in range(2):
        t = np.arange(RATE) / RATE
        soundfile.write(folder / "audio" / f"{i}.wav", 0.3 * np.sin(2 * np.pi * 220 * (i + 1) * t), RATE)
        rows.append({"path": f"audio/{i}.wav", "description": "sweet music", "duration": 1.0})
    (folder / "metadata.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return folder


def quiet_call(*words: Any) -> SimpleNamespace:
    said = call(*words)
    assert (said.status, said.err) == (0, ""), said
    return SimpleNamespace(out=said.out)


@pytest.mark.slow
def test_six_models_from_the_study_file_alone(tmp_path: Path) -> None:
    mirror, before = tmp_path / "mirror", tmp_path / "before"
    music(mirror, before)
    projector = sonicverse(mirror, tmp_path / "sonicverse")
    study = study_file(tmp_path)
    of_study = ("--study", study)
    out = (*of_study, "--out", tmp_path / "outputs")

    # What is not there is told by the command that fetches all of it.
    said = call("stimuli", "generate", *out)
    assert said.status == 2
    assert said.err == (
        "tastelab: facebook/musicgen-small is neither a directory nor pulled; "
        f"fetch it with 'tastelab models pull --study {study}'\n"
    )
    said = call("models", "check", *of_study, "--json")
    assert said.status == 2
    missing = [r["model"] for r in json.loads(said.out)["tables"]["parts"] if r["state"] == "missing"]
    assert missing[:5] == list(MUSIC.values())
    assert "encodec:facebook/encodec_24khz" in missing

    pulled = quiet_call("models", "pull", *of_study, "--from", mirror).out
    places = dict(line.split(" in ", 1) for line in pulled.splitlines() if " in " in line)
    assert set(places) == {*MUSIC.values(), *NAMED}
    there = {name: {p.name for p in Path(place).iterdir()} for name, place in places.items()}
    assert "state_dict.bin" not in there[MUSIC["small"]]  # transformers' format is the complete one
    assert {"model.fp32.safetensors"} == {n for n in there[MUSIC["stereo"]] if n.endswith(("tensors", ".bin"))}
    assert there[MUSIC["tasty"]] == {"state_dict.bin", "compression_state_dict.bin", "pulled.json"}
    shutil.rmtree(mirror / "facebook")  # nothing is read from the mirror any more

    parts = json.loads(quiet_call("models", "check", *of_study, "--json").out)["tables"]["parts"]
    assert {r["state"] for r in parts} <= {"good", "not tried"}
    heard = {r["model"]: r["found"] for r in parts if r["part"] == "audio"}
    assert set(heard) == {*MUSIC.values(), str(tmp_path / "sonicverse"), "encodec:facebook/encodec_24khz"}
    assert all("all codes audiocraft's" in heard[name] for name in MUSIC.values())

    quiet_call("stimuli", "generate", *out, "--quiet")
    quiet_call("stimuli", "caption", *out, "--quiet")
    stimuli = tmp_path / "outputs" / "released" / "stimuli"
    rows: dict[tuple[str, str], ClipRow] = {(r.model, r.taste): r for r in read_manifest(stimuli)}
    assert len(rows) == 2 * len(MUSIC)
    for (model, taste), row in rows.items():
        delivered, rate = soundfile.read(stimuli / row.file, dtype="float64")
        wanted = played(before / model, PROMPTS[taste]).T
        assert (rate, delivered.shape, wanted.shape) == (RATE, (RATE, 2), (RATE, 2 if model == "stereo" else 1))
        levelled = wanted * 10 ** (row.gain / 20)
        assert np.abs(delivered - levelled).max() < 1e-3 * np.abs(levelled).max(), (model, taste)
        assert row.caption == told(projector, mirror, load_mono(stimuli / row.file, 24000)), (model, taste)
    assert len({row.caption for row in rows.values()}) > 1

    for model, name in MUSIC.items():
        learned = ("--corpus", corpus(tmp_path / "corpus" / model), "--epochs", "1", "--batch", "2", "--quiet")
        quiet_call(
            "models", "finetune", *of_study, "--base", model, *learned, "--out", tmp_path / "runs", "--name", model
        )
        first = json.loads((tmp_path / "runs" / "state" / f"{model}.jsonl").read_text().splitlines()[0])
        assert np.isfinite(first["loss"])
        after = load_pickle(tmp_path / "runs" / model / "state_dict.bin")["best_state"]
        was = load_pickle(write_audiocraft(find(name), tmp_path / "was" / model) / "state_dict.bin")["best_state"]
        assert set(after) == set(was)
        moved = {k: float((after[k] - was[k]).abs().max()) for k in was}
        # The first step of AdamW is the learning rate of each weight's sign; an eighth of it, as it warms up, and its decay.
        assert 0 < max(moved.values()) < 1e-4 / 8 * 1.02, (model, max(moved.values()))
