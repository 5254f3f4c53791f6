"""Positions of a language model: audiocraft's arithmetic, in whole clips and step by step."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from models.errors import ModelError
from models.musicgen.checkpoints import find
from models.musicgen.engines import AudiocraftEngine, TransformersEngine
from models.musicgen.generate import MusicGenerator
from models.musicgen.language import LanguageConfig, build_language_model
from models.musicgen.nano import described_in, save_language_model
from models.musicgen.positions import POSITIONS, rotations, sinusoids, turned
from models.musicgen.sampling import Sampling
from tests.models.sonicverse.released import PROMPT, transformers_checkpoint

DRAWN = Sampling(top_k=40, temperature=0.9, guidance=3.0)


@pytest.fixture(scope="module", params=POSITIONS)
def nano(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random nano model over codec-nano's codes, wide awake: its attention is far from even."""
    config = LanguageConfig(width=48, layers=3, heads=3, positional_embedding=request.param)
    torch.manual_seed(5)
    lm = build_language_model(config)
    with torch.no_grad():
        for name, p in lm.named_parameters():
            if "in_proj" in name or "out_proj" in name:
                p.normal_(std=0.35)
    folder = tmp_path_factory.mktemp(request.param)
    save_language_model(lm, config, folder, torch.float32)
    return folder


def stepped(engine: TransformersEngine | AudiocraftEngine, codes: torch.Tensor) -> torch.Tensor:
    """Logits (clips, codebooks, steps, card) of tokens given one by one."""
    with engine.start([PROMPT] * len(codes), False, codes.shape[-1]) as step:
        return torch.stack([step(codes[..., t]) for t in range(codes.shape[-1])], dim=2)


def at_once(engine: AudiocraftEngine, codes: torch.Tensor) -> torch.Tensor:
    """Logits of whole clips, the way a model is trained; audiocraft's own code alone."""
    from audiocraft.modules.conditioners import ConditioningAttributes

    asked = [ConditioningAttributes(text={"description": PROMPT}) for _ in codes]
    with torch.no_grad():
        lm = engine.lm
        logits: torch.Tensor = lm(codes, [], lm.condition_provider(lm.condition_provider.tokenize(asked)))
        return logits


def test_every_step_is_what_the_whole_clip_says_on_both_engines(nano: Path) -> None:
    """A model is trained on whole clips, and generates step by step: both have to be the same function."""
    own, theirs = TransformersEngine(find(str(nano))), AudiocraftEngine(find(str(nano)))
    codes = torch.randint(0, 513, (2, 6, 24), generator=torch.Generator().manual_seed(1))
    whole = at_once(theirs, codes)
    assert whole.std() > 0.1
    assert (stepped(theirs, codes) - whole).abs().max() < 1e-4
    assert (stepped(own, codes) - whole).abs().max() < 1e-4


def test_the_same_draws_give_the_same_codes_on_both_engines(nano: Path) -> None:
    one, other = (
        MusicGenerator("x", kind(find(str(nano))), "x").codes([PROMPT, ""], 30, [3, 4], DRAWN)
        for kind in (TransformersEngine, AudiocraftEngine)
    )
    assert torch.equal(one, other)
    assert len(one.unique()) > 30


def test_each_kind_of_positions_is_another_function(nano: Path, tmp_path: Path) -> None:
    described = described_in(nano)
    codes = torch.randint(0, 513, (1, 6, 12), generator=torch.Generator().manual_seed(1))
    found = []
    for positions in POSITIONS:
        folder = tmp_path / positions
        folder.mkdir()
        (folder / "model.safetensors").symlink_to(nano / "model.safetensors")
        described["language"]["positional_embedding"] = positions
        (folder / "config.json").write_text(json.dumps(described))
        found.append(stepped(TransformersEngine(find(str(folder))), codes))
    pairs = [(found[i], found[j]) for i in range(3) for j in range(i)]
    assert all((a - b).abs().max() > 0.01 for a, b in pairs)


def test_a_turned_product_knows_the_distance_alone() -> None:
    """Su et al. 2021 (arXiv 2104.09864), section 3.2: pairs (2i, 2i + 1), turned by m * 10000^(-2i / d)."""
    turns = rotations(200, 8)
    expected = [math.cos(150 * 10000 ** (-2 * i / 8)) for i in range(4)]
    assert turns[150, :, 0].tolist() == pytest.approx(expected, abs=1e-4)
    generator = torch.Generator().manual_seed(0)
    q, k = torch.randn(8, generator=generator), torch.randn(8, generator=generator)
    products = [float(turned(q, turns[m]) @ turned(k, turns[n])) for m, n in ((9, 2), (107, 100), (199, 192))]
    assert products == pytest.approx([products[0]] * 3, abs=1e-4)
    assert abs(float(turned(q, turns[9]) @ turned(k, turns[3])) - products[0]) > 0.01
    one = torch.zeros(8)
    one[2] = 1.0
    assert turned(one, turns[1]).tolist() == pytest.approx([0, 0, math.cos(0.1), math.sin(0.1), 0, 0, 0, 0], abs=1e-6)
    assert turned(q.bfloat16(), turns[3]).dtype == torch.bfloat16


def test_sinusoids_are_those_of_transformers() -> None:
    from transformers.models.musicgen.modeling_musicgen import MusicgenSinusoidalPositionalEmbedding

    theirs = MusicgenSinusoidalPositionalEmbedding(60, 48).weights
    assert (sinusoids(60, 48) - theirs).abs().max() < 1e-5


def test_unknown_positions_are_one_line(nano: Path, tmp_path: Path) -> None:
    described = described_in(nano)
    described["language"]["positional_embedding"] = "alibi"
    (tmp_path / "config.json").write_text(json.dumps(described))
    (tmp_path / "model.safetensors").symlink_to(nano / "model.safetensors")
    for kind in (TransformersEngine, AudiocraftEngine):
        with pytest.raises(ModelError, match=r"'alibi' is not known; there are: sin, rope, sin_rope"):
            kind(find(str(tmp_path)))


def rotary_copy(folder: Path, **changes: object) -> Path:
    """A random released-like checkpoint in audiocraft's format whose configuration says something else of positions."""
    import yaml

    from models.musicgen.audiocraft_format import write_audiocraft

    out = write_audiocraft(find(str(transformers_checkpoint(folder / "plain"))), folder / "rotary")
    package = torch.load(out / "state_dict.bin", weights_only=True)
    config = yaml.safe_load(package["xp.cfg"])
    config["transformer_lm"].update(changes)
    # As audiocraft saves them: the constants once for the transformer and once a layer (width 32 in 4 heads: 8 numbers).
    where = ["transformer", *(f"transformer.layers.{i}.self_attn" for i in range(3))]
    constants = {f"{at}.rope.frequencies": 1 / 10000 ** (torch.arange(0, 8, 2) / 8) for at in where}
    state = package["best_state"] | constants
    torch.save({**package, "best_state": state, "xp.cfg": yaml.safe_dump(config)}, out / "state_dict.bin")
    find.cache_clear()
    return out


def test_a_rotary_checkpoint_of_audiocraft_is_read_and_never_converted(tmp_path: Path) -> None:
    from models.musicgen.audiocraft_format import write_audiocraft, write_transformers

    checkpoint = find(str(rotary_copy(tmp_path, positional_embedding="rope")))
    engines = [TransformersEngine(checkpoint), AudiocraftEngine(checkpoint)]
    codes = torch.randint(0, 33, (1, 4, 12), generator=torch.Generator().manual_seed(1))
    whole = at_once(engines[1], codes)
    for engine in engines:
        assert (stepped(engine, codes) - whole).abs().max() < 1e-4
    for write in (write_transformers, write_audiocraft):
        with pytest.raises(
            ModelError, match=r"rotary positions .*'rope'.* does not know; it stays in audiocraft's"
        ) as told:
            write(checkpoint, tmp_path / "out")
        assert "\n" not in str(told.value)
        assert not (tmp_path / "out").exists()


def test_constants_are_not_part_of_what_is_saved(nano: Path) -> None:
    from safetensors.torch import load_file

    assert not [name for name in load_file(nano / "model.safetensors") if "rope" in name]


@pytest.mark.parametrize("change", [{"xpos": True}, {"positional_scale": 0.5}, {"max_period": 500.0}])
def test_positions_that_nothing_here_computes_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    checkpoint = find(str(rotary_copy(tmp_path, positional_embedding="rope", **change)))
    with pytest.raises(ModelError, match="scaled or decaying positions"):
        TransformersEngine(checkpoint)
