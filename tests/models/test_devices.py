"""Devices by name, what is not there, and networks that stay where they are put."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from models import devices
from models.config import ModelsConfig
from models.embeddings import spaces
from models.errors import ModelError
from models.musicgen.checkpoints import find
from models.musicgen.engines import TransformersEngine
from models.musicgen.generate import MusicGenerator, load_generator
from models.musicgen.nano import load_codec
from models.sonicverse.captioner import Captioner
from models.sonicverse.full.captioner import FullCaptioner
from models.sonicverse.llm import converted_smollm2
from models.sonicverse.nano.captioner import NanoCaptioner
from models.sonicverse.projector import DualProjector
from models.weights import weights_directory
from tests.models.one_device import OneDevice
from tests.models.sonicverse.released import transformers_checkpoint
from tests.models.sonicverse.test_projector import in_file, mert_directory, release

META = torch.device("meta")


def cards(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: n > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n)


def test_auto_is_a_card_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    cards(monkeypatch, 0)
    assert devices.chosen("auto") == torch.device("cpu")
    assert devices.chosen() == torch.device("cpu")
    cards(monkeypatch, 2)
    assert devices.chosen("auto") == torch.device("cuda:0")
    assert devices.chosen("cpu") == torch.device("cpu")
    assert devices.chosen("cuda") == torch.device("cuda:0")
    assert devices.chosen("cuda:1") == torch.device("cuda:1")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert devices.chosen("auto") == torch.device("cuda:0")
    cards(monkeypatch, 0)
    assert devices.chosen("auto") == devices.chosen("mps") == torch.device("mps")


@pytest.mark.parametrize(
    ("name", "n", "said"),
    [
        ("cuda", 0, "it has no card"), ("cuda:0", 0, "it has no card"), ("cuda:1", 1, "its card is cuda:0"),
        ("cuda:4", 3, "its cards are cuda:0 to cuda:2"), ("mps", 0, "not on this machine"), ("gpu", 0, "no device"),
        ("cuda:", 1, "no device"), ("cuda:-1", 1, "no device"), ("CPU", 0, "no device"), ("", 0, "no device"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_one_line(name: str, n: int, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cards(monkeypatch, n)
    with pytest.raises(ModelError, match=said) as error:
        devices.chosen(name)
    assert "\n" not in str(error.value)


def test_a_study_file_names_a_device_that_can_be() -> None:
    assert ModelsConfig().device == "auto"
    assert (
        ModelsConfig(device="cuda:3").device == "cuda:3"
    )  # of another machine: whether it is there is asked when it is used
    with pytest.raises(ValidationError, match="no device; there are: auto, cpu, cuda, cuda:N, mps"):
        ModelsConfig(device="gpu")


def test_batches_are_halved_until_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def work(size: int) -> str:
        tried.append(size)
        if size > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return f"{size} at a time"

    assert devices.fitting(work, 12) == "1 at a time"
    assert tried == [12, 6, 3, 1]
    tried.clear()
    assert devices.fitting(work, 8) == "2 at a time"
    assert tried == [8, 4, 2]

    def never(size: int) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(ModelError, match="too small for one clip"):
        devices.fitting(never, 4)
    with pytest.raises(ZeroDivisionError):  # other mistakes stay what they are
        devices.fitting(lambda size: size // 0, 4)


@pytest.fixture(scope="module", params=["nano-base", "mono", "stereo"])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "nano-base":
        return "nano-base"
    channels = 1 if request.param == "mono" else 2
    return str(transformers_checkpoint(tmp_path_factory.mktemp("meta") / request.param, channels))


def keep_sizes(on_meta: TransformersEngine, real: TransformersEngine) -> None:
    """EnCodec reads how much it pads from single numbers among its buffers; those keep their values."""
    modules = dict(on_meta.sound.codec.named_modules())  # type: ignore[union-attr]
    for name, value in real.sound.codec.named_buffers():  # type: ignore[union-attr]
        if value.dim() == 0:
            owner, _, own = name.rpartition(".")
            modules[owner]._buffers[own] = value


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_generating_and_decoding_stay_on_one_device(checkpoint: str, precision: str) -> None:
    engine = TransformersEngine(find(checkpoint), precision, device=META)
    if checkpoint != "nano-base":
        keep_sizes(engine, TransformersEngine(find(checkpoint)))
    books = len(engine.delays)
    with OneDevice() as watch, engine.start(["sweet music, calm", "sour"], True, 4) as step:
        for _ in range(3):
            logits = step(torch.zeros(2, books, dtype=torch.long))
            assert logits.device == META
            assert logits.shape[:2] == (4, books)
        audio = engine.decode(torch.zeros(2, books, 6, dtype=torch.long))
    assert audio.device == META
    assert watch.seen["meta"] > 200


def test_a_clip_is_made_whole_on_one_device(checkpoint: str) -> None:
    engine = TransformersEngine(find(checkpoint), device=META)
    if checkpoint != "nano-base":
        keep_sizes(engine, TransformersEngine(find(checkpoint)))
    with OneDevice() as watch:
        audio = MusicGenerator("m", engine, "0").generate(["sweet", "sour"], 0.5, [1, 2])
    assert audio.shape == (2, 2 if len(engine.delays) == 8 else 1, round(0.5 * engine.rate))
    assert watch.seen["meta"] > 500


def one_pass(captioner: Captioner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the language model read once: transformers' loop asks the device when to end, and this one never answers."""

    def generate(inputs_embeds: torch.Tensor, attention_mask: torch.Tensor, **_: object) -> torch.Tensor:
        logits = captioner.llm(inputs_embeds=inputs_embeds, attention_mask=attention_mask, use_cache=False).logits
        return logits[:, -2:].argmax(-1).cpu()

    monkeypatch.setattr(captioner.llm, "generate", generate)


def test_a_caption_is_written_on_one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    captioner = NanoCaptioner(weights_directory("sonicverse-nano")).to(META)
    one_pass(captioner, monkeypatch)
    clip = np.random.default_rng(0).normal(0, 0.1, 16000 * 3).astype(np.float32)
    rows = [captioner.encode(clip)] * 2
    with OneDevice() as watch:
        heard = captioner.hear(rows)
        said = captioner.describe_layers({name: np.stack([r[name] for r in rows]) for name in rows[0]})
    assert len(said) == len(heard) == 2
    assert watch.seen["meta"] > 1000


def full_captioner(folder: Path) -> Path:
    """A captioner of the release's layout at small widths, before the shipped language model."""
    mert_directory(folder / "mert")
    config = release(width=16, layers=3, frames=76, summed=True).but({"llm_width": 576})
    torch.save({k: v.clone() for k, v in in_file(DualProjector(config)).items()}, folder / "model.pt")
    labels = {k: [f"{k}{i}" for i in range(n)] for k, n in config.heads.items()}
    described = {"dual": asdict(config), "labels": labels, "encoder": "mert", "llm": str(converted_smollm2())}
    (folder / "config.json").write_text(json.dumps(described))
    return folder


def test_the_full_captioner_is_on_one_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captioner = FullCaptioner(full_captioner(tmp_path), META)
    one_pass(captioner, monkeypatch)
    clip = np.random.default_rng(0).normal(0, 0.1, 24000).astype(np.float32)
    with OneDevice() as watch:
        (said,) = captioner.describe([clip])
    assert set(said.features) == set(captioner.labels)
    assert watch.seen["meta"] > 300
    assert captioner.llm.dtype == torch.float32  # bfloat16 on a CUDA card alone


def test_embeddings_are_made_on_one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces, "chosen", lambda name: META)
    space = spaces.open_space.__wrapped__("codec")
    with OneDevice() as watch:
        found = space.embed(np.zeros(16000, dtype=np.float32))
    assert found.shape == (25, 64)
    assert watch.seen["meta"] > 20
    assert next(load_codec().encoder.parameters()).device == torch.device("cpu")  # the shared codec stays


def test_the_watch_sees_what_was_left_behind() -> None:
    engine = TransformersEngine(find("nano-base"), device=META)
    engine.decoder.offsets = torch.zeros(6, dtype=torch.long)
    with pytest.raises(AssertionError, match="cpu and meta"), OneDevice(), engine.start(["sweet"], True, 2) as step:
        step(torch.zeros(1, 6, dtype=torch.long))


def test_an_engine_on_the_processor_says_so_and_int8_is_its_own() -> None:
    model = load_generator("nano-base", device="cpu")
    assert devices.called(model.engine.device) == "cpu"
    assert "cuda" not in repr(model.engine.decoder.table.device)


def test_a_card_is_called_by_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA A100")
    assert devices.called(torch.device("cuda:1")) == "cuda (NVIDIA A100)"


def test_a_device_that_is_not_there_is_told_when_a_model_is_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cards(monkeypatch, 0)
    with pytest.raises(ModelError, match="device 'cuda:1' is not on this machine"):
        load_generator("nano-base", device="cuda:1")
