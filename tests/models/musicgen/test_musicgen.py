from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import ModelError
from models.musicgen.codec import CodecConfig, build_codec
from models.musicgen.generate import Sampling, generator_sha256, load_generator
from models.musicgen.language import LanguageConfig, build_language_model
from models.musicgen.losses import mel_distance
from models.musicgen.nano import load_codec, load_language_model, save_codec, save_language_model
from models.musicgen.train_codec import revive_dead_codes
from models.musicgen.train_language import TrainSettings, codebook_losses, evaluate, train_language_model
from models.weights import WEIGHTS

PROMPT = "Flowing background music: slow tempo, 70 BPM, high-pitched, legato, with harp."


def music(seconds: float = 3.0) -> np.ndarray:
    """A rendered phrase at 16 kHz."""
    from stimuli.dataset.arrange import arrange
    from stimuli.dataset.render import render
    from tests.stimuli.dataset.test_dataset import SKELETON, attributes

    a = attributes(instruments=("strings",), articulation="legato")
    return render(arrange(SKELETON, a, seconds, np.random.default_rng(0)), a.instruments, seconds, 16000)


def test_codec_keeps_the_sound_and_shuffled_codes_do_not() -> None:
    codec = load_codec()
    x = torch.from_numpy(music())[None, None]
    with torch.no_grad():
        codes, _ = codec.encode(x)
        assert codes.shape == (1, 6, 75)
        back = codec.decode(codes)[..., : x.shape[-1]]
        shuffled = codec.decode(codes[:, torch.randperm(6, generator=torch.Generator().manual_seed(1))])
    own = float(mel_distance(x[:, 0], back[:, 0], 16000))
    assert own < 0.35
    assert own < 0.6 * float(mel_distance(x[:, 0], shuffled[..., : x.shape[-1]][:, 0], 16000))


def test_a_clip_is_the_same_alone_and_in_a_batch() -> None:
    generator = load_generator("nano-base")
    alone = generator.generate(PROMPT, 1.0, [7])
    beside = generator.generate(PROMPT, 1.0, [5, 7])
    assert alone.shape == (1, 1, 16000)
    assert alone.dtype == np.float32
    assert np.abs(alone[0] - beside[1]).max() < 1e-3
    assert np.abs(beside[0] - beside[1]).max() > 0.01
    again = generator.generate(PROMPT, 1.0, [7])
    assert np.array_equal(alone, again)


def test_the_prompt_matters() -> None:
    generator = load_generator("nano-base")
    high = generator.generate(PROMPT, 1.0, [7], Sampling(top_k=50))
    low = generator.generate("Deep background music: fast tempo, low-pitched, with deep brass.", 1.0, [7], Sampling(50))
    assert np.abs(high - low).max() > 0.01


def test_conditioning_does_not_depend_on_its_neighbours() -> None:
    lm = load_language_model(WEIGHTS / "nano-base")
    codes = torch.randint(0, 512, (1, 6, 20), generator=torch.Generator().manual_seed(0))
    longer = [PROMPT, "x " * 40]
    with torch.no_grad():
        alone = codebook_losses(lm, codes, [PROMPT])
        both = codebook_losses(lm, codes.expand(2, -1, -1), longer)
        only = codebook_losses(lm, codes, [longer[1]])
    assert ((alone + only) / 2).numpy() == pytest.approx(both.numpy(), rel=1e-4)


def random_corpus() -> tuple[LanguageConfig, torch.Tensor, list[tuple[str, ...]]]:
    config = LanguageConfig(n_q=2, bins=16, width=32, layers=1, heads=2, dropout=0.1, cfg_dropout=0.5)
    codes = torch.randint(0, 16, (12, 2, 20), generator=torch.Generator().manual_seed(0))
    return config, codes, [(f"clip {i}", f"another word for clip {i}") for i in range(12)]


def trained(state: Path, settings: TrainSettings, stop: int | None = None, dropout: float = 0.1) -> object:
    config, codes, texts = random_corpus()
    config = replace(config, dropout=dropout)
    torch.manual_seed(0)
    lm = build_language_model(config)
    held_out = (codes[:4].flip(2), texts[:4])
    return train_language_model(lm, codes, texts, state, settings, held_out, report=_stop_at(stop) if stop else None)


def test_training_resumes_to_the_same_losses(tmp_path: Path) -> None:
    """With dropout, dropped prompts, several wordings and a moving average; stopped between two checkpoints."""
    settings = TrainSettings(8, batch=4, seed=3, ema=0.9, save_every=2, report_every=1, evaluate_every=3)
    whole = trained(tmp_path / "a.pt", settings)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "b.pt", settings, stop=5)
    resumed = trained(tmp_path / "b.pt", settings)
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)
    curves = [[json.loads(x) for x in (tmp_path / f"{n}.jsonl").read_text().splitlines()] for n in "ab"]
    by_step = {row["step"]: row for row in curves[1]}
    assert [by_step[row["step"]] for row in curves[0]] == curves[0]
    with pytest.raises(ModelError, match="begun with another lr, seed; choose"):
        trained(tmp_path / "b.pt", replace(settings, steps=9, lr=1e-2, seed=4))


def test_a_codebook_that_counts_for_nothing_is_not_learned(tmp_path: Path) -> None:
    """Its head only shrinks (weight decay); the other's turns. Losses are shown of both, unweighted."""
    settings = TrainSettings(6, batch=4, warmup=1, precision="no", report_every=1)
    config, _, _ = random_corpus()
    torch.manual_seed(0)
    before = build_language_model(config)
    heads = {}
    for weights in ((), (3.0, 0.0)):
        lm = trained(tmp_path / f"{len(weights)}.pt", replace(settings, codebooks=weights), dropout=0.0)
        heads[weights] = [
            float(torch.cosine_similarity(a.weight.flatten(), b.weight.flatten(), dim=0).detach())
            for a, b in zip(before.linears, lm.linears, strict=True)
        ]
    assert max(heads[()]) < 0.9999
    assert heads[(3.0, 0.0)][0] < 0.9999
    assert heads[(3.0, 0.0)][1] == pytest.approx(1, abs=1e-6)
    first = [json.loads((tmp_path / f"{n}.jsonl").read_text().splitlines()[0]) for n in (0, 2)]
    assert all(first[0][k] == first[1][k] for k in ("loss", "codebook_1", "codebook_2"))
    with pytest.raises(ModelError, match="3 weights of losses for 2 codebooks"):
        trained(tmp_path / "x.pt", replace(settings, codebooks=(1.0, 1.0, 1.0)))
    with pytest.raises(ModelError, match="begun with another codebooks"):
        trained(tmp_path / "0.pt", replace(settings, codebooks=(1.0, 2.0)), dropout=0.0)


def test_a_training_does_not_go_on_with_other_positions(tmp_path: Path) -> None:
    config, codes, texts = random_corpus()
    settings = TrainSettings(2, batch=4, precision="no")
    for positions in ("rope", "sin_rope", "sin"):
        torch.manual_seed(0)
        lm = build_language_model(replace(config, positional_embedding=positions))
        if positions == "rope":
            train_language_model(lm, codes, texts, tmp_path / "a.pt", settings)
        else:
            with pytest.raises(ModelError, match="begun with another positions"):
                train_language_model(lm, codes, texts, tmp_path / "a.pt", settings)


def test_the_recipe_of_a_base_model_has_the_shape_and_corpora_asked(tmp_path: Path) -> None:
    from models.musicgen.recipe import BASE, train_nano_base
    from stimuli.dataset.build import save, write_metadata

    for name, n in (("a", 2), ("b", 3), ("held", 1)):
        (tmp_path / name / "audio").mkdir(parents=True)
        rows = []
        for k in range(n):
            save(tmp_path / name / "audio" / f"{k}.wav", np.roll(music(1.0), 1000 * k), 16000)
            rows.append({"path": f"audio/{k}.wav", "duration": 1.0, "description": f"{name} {k}"})
        write_metadata(tmp_path / name, rows)
    config = LanguageConfig(width=64, layers=2, heads=1, positional_embedding="sin_rope")
    seen: list[int] = []
    settings = replace(BASE, steps=2, batch=3, codebooks=(3, 2, 1, 0.5, 0.25, 0.25))
    out, one = (
        train_nano_base(
            [tmp_path / c for c in corpora], tmp_path / "held", tmp_path / f"out-{corpora}", None, config, settings,
            report=lambda step, total, row: seen.append(total),
        )
        for corpora in ("ab", "a")
    )  # fmt: skip
    assert set(seen) == {2}
    back, less = load_language_model(out), load_language_model(one)
    assert back.transformer.positional_embedding == "sin_rope"
    assert len(back.transformer.layers) == 2
    assert not torch.equal(back.linears[0].weight, less.linears[0].weight)  # what it learned from the second corpus


def test_two_processes_train_to_the_losses_of_one(tmp_path: Path) -> None:
    """torchrun with two processes on CPU (gloo): the same clips a step, of which one learns from three and one from two."""
    script = """
import sys
from pathlib import Path
from tests.models.musicgen.test_musicgen import SPREAD, trained
trained(Path(sys.argv[1]), SPREAD, dropout=0.0)
"""
    (tmp_path / "run.py").write_text(script)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "PYTHONPATH": str(WEIGHTS.parents[1]), "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [*torchrun, str(tmp_path / "run.py"), str(tmp_path / "two.pt")],
        check=True, env=environment, capture_output=True, timeout=300,
    )  # fmt: skip
    trained(tmp_path / "one.pt", SPREAD, dropout=0.0)
    one, two = (torch.load(tmp_path / f"{n}.pt", weights_only=True)["model"] for n in ("one", "two"))
    assert all(torch.allclose(one[k], two[k], atol=2e-5) for k in one)


SPREAD = TrainSettings(6, batch=5, lr=1e-3, warmup=2, seed=3, precision="no")


def test_patience_stops_and_returns_the_best(tmp_path: Path) -> None:
    settings = TrainSettings(60, batch=4, lr=0.05, warmup=1, evaluate_every=2, patience=2, precision="no")
    lm = trained(tmp_path / "a.pt", settings)
    rows = [json.loads(x) for x in (tmp_path / "a.jsonl").read_text().splitlines()]
    losses = [row["held_out"] for row in rows if "held_out" in row]
    assert rows[-1]["step"] < 59
    assert min(losses) == min(losses[:-3])
    _, codes, texts = random_corpus()
    assert evaluate(lm, codes[:4].flip(2), [t[0] for t in texts[:4]]) == pytest.approx(min(losses), abs=1e-4)


def _stop_at(n: int):
    def report(step: int, total: int, row: dict[str, float]) -> None:
        if step >= n:
            raise KeyboardInterrupt

    return report


def test_dead_codes_come_alive() -> None:
    codec = build_codec(CodecConfig(n_q=1))
    z = torch.randn(4, 64, 40, generator=torch.Generator().manual_seed(0))
    codec.train()
    codec.quantizer(z.repeat(1, 1, 4), 25)
    book = codec.quantizer.vq.layers[0]._codebook
    book.cluster_size[:100] = 0
    before = book.embed[:100].clone()
    assert revive_dead_codes(codec, z, torch.Generator().manual_seed(0)) >= 100
    assert not torch.equal(before, book.embed[:100])
    assert torch.equal(book.embed[:100], book.embed_avg[:100])


def test_saved_models_come_back(tmp_path: Path) -> None:
    config = LanguageConfig(n_q=2, bins=16, width=32, layers=1, heads=2)
    lm = build_language_model(config).eval()
    save_language_model(lm, config, tmp_path / "lm", torch.float32)
    back = load_language_model(tmp_path / "lm")
    assert all(torch.equal(a, b) for a, b in zip(lm.parameters(), back.parameters(), strict=True))
    codec = load_codec()
    save_codec(codec, CodecConfig(), tmp_path / "codec")
    x = torch.from_numpy(music(1.0))[None, None]
    assert torch.equal(codec.encode(x)[0], load_codec(tmp_path / "codec").encode(x)[0])


def test_audiocraft_checkpoints_load(tmp_path: Path) -> None:
    """A small checkpoint in audiocraft's own export format, made here: state_dict.bin and compression_state_dict.bin."""
    import omegaconf
    from audiocraft.models.builders import get_compression_model, get_lm_model

    codec_cfg = """
device: cpu
dtype: float32
compression_model: encodec
sample_rate: 16000
channels: 1
encodec: {autoencoder: seanet, quantizer: rvq, sample_rate: 16000, channels: 1, causal: false, renormalize: false}
seanet:
  dimension: 16
  channels: 1
  causal: false
  n_filters: 4
  n_residual_layers: 1
  ratios: [8, 5, 4, 4]
  activation: ELU
  activation_params: {alpha: 1.0}
  norm: weight_norm
  norm_params: {}
  kernel_size: 7
  residual_kernel_size: 3
  last_kernel_size: 7
  dilation_base: 2
  pad_mode: constant
  true_skip: true
  compress: 2
  lstm: 0
  disable_norm_outer_blocks: 0
  decoder: {trim_right_ratio: 1.0, final_activation: null, final_activation_params: null}
  encoder: {}
rvq: {n_q: 4, q_dropout: false, bins: 32, decay: 0.99, kmeans_init: false, kmeans_iters: 1,
      threshold_ema_dead_code: 2, orthogonal_reg_weight: 0.0, orthogonal_reg_active_codes_only: false,
      orthogonal_reg_max_codes: null}
"""
    lm_cfg = """
device: cpu
dtype: float32
solver: musicgen
lm_model: transformer_lm
sample_rate: 16000
channels: 1
dataset: {segment_duration: 20}
interleave_stereo_codebooks: {use: false}
fsdp: {use: false}
codebooks_pattern: {modeling: delay, delay: {delays: [0, 1, 2, 3], flatten_first: 0, empty_initial: 0}}
classifier_free_guidance: {training_dropout: 0.3, inference_coef: 3.0}
attribute_dropout: {}
fuser: {cross_attention_pos_emb: false, cross_attention_pos_emb_scale: 1, sum: [], prepend: [], cross: [description],
        input_interpolate: []}
conditioners: {description: {model: lut, lut: {n_bins: 32, dim: 16, tokenizer: noop}}}
transformer_lm:
  n_q: 4
  card: 32
  dim: 16
  num_heads: 2
  num_layers: 1
  hidden_scale: 2
  dropout: 0.0
  emb_lr: null
  activation: gelu
  norm_first: true
  bias_ff: false
  bias_attn: false
  bias_proj: false
  past_context: null
  causal: true
  custom: false
  memory_efficient: true
  attention_as_float32: false
  layer_scale: null
  positional_embedding: sin
  xpos: false
  checkpointing: none
  weight_init: gaussian
  depthwise_init: current
  zero_bias_init: true
  norm: layer_norm
  cross_attention: true
  qk_layer_norm: false
  qk_layer_norm_cross: false
  attention_dropout: null
  kv_repeat: 1
"""
    torch.manual_seed(0)
    for name, text, build in (
        ("compression_state_dict.bin", codec_cfg, get_compression_model),
        ("state_dict.bin", lm_cfg, get_lm_model),
    ):
        config = omegaconf.OmegaConf.create(text)
        model = build(config)
        package = {
            "best_state": model.state_dict(),
            "xp.cfg": omegaconf.OmegaConf.to_yaml(config),
            "version": "1.3.0",
            "exported": True,
        }
        torch.save(package, tmp_path / name)
    generator = load_generator(str(tmp_path), "audiocraft")
    audio = generator.generate("anything", 0.5, [1, 2])
    assert audio.shape == (2, 1, 8000)
    assert np.array_equal(audio, generator.generate("anything", 0.5, [1, 2]))
    with pytest.raises(ModelError, match="not by T5"):
        load_generator(str(tmp_path))


def test_weights_are_safetensors_under_64_megabytes_with_cards() -> None:
    files = [p for p in WEIGHTS.rglob("*") if p.is_file()]
    assert {p.suffix for p in files} <= {".safetensors", ".json", ".md", ".jsonl"}
    assert sum(p.stat().st_size for p in files) < 64e6
    for folder in (p.parent for p in files if p.suffix == ".safetensors"):
        card = (folder / "README.md").read_text()
        for heading in ("Trained on", "What it can't do", "Licence"):
            assert heading in card, folder


def test_unknown_models_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"there are:.*nano-base"):
        generator_sha256("nano-bass")
    with pytest.raises(ModelError, match="neither"):
        generator_sha256(str(tmp_path))
    with pytest.raises(ModelError, match="not a nano MusicGen"):
        generator_sha256("codec-nano")
