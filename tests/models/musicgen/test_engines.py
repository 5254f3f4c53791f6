"""One MusicGen through both engines and both formats."""

from __future__ import annotations

import json
import shutil
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import ModelError
from models.musicgen.checkpoints import find, split_parts
from models.musicgen.convert import codec_to_transformers, language_to_audiocraft, language_to_transformers, read_config
from models.musicgen.engines import AudiocraftEngine, Language, TransformersEngine, between, read_language
from models.musicgen.generate import MusicGenerator, blend_sha256, load_blend, load_generator
from models.musicgen.sampling import Sampling
from tests.models.sonicverse.released import PROMPT, transformers_checkpoint

GREEDY = Sampling(top_k=1, guidance=3.0)


@pytest.fixture(scope="module", params=[1, 2], ids=["mono", "stereo"])
def formats(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same random checkpoint in transformers' and, converted, in audiocraft's format."""
    from models.musicgen.audiocraft_format import write_audiocraft

    folder = tmp_path_factory.mktemp("formats")
    ours = transformers_checkpoint(folder / "transformers", request.param)
    return ours, write_audiocraft(find(str(ours)), folder / "audiocraft")


def teacher_forced(engine: TransformersEngine | AudiocraftEngine, codes: torch.Tensor) -> torch.Tensor:
    """Logits of every step for given tokens (clips, codebooks, steps), with guidance's second half."""
    with engine.start([PROMPT] * len(codes), True, codes.shape[-1]) as step:
        return torch.stack([step(codes[..., t]) for t in range(codes.shape[-1])])


def test_engines_and_formats_agree(formats: tuple[Path, Path]) -> None:
    engines = [kind(find(str(path))) for path in formats for kind in (TransformersEngine, AudiocraftEngine)]
    books = len(engines[0].delays)
    codes = torch.randint(0, 33, (2, books, 12), generator=torch.Generator().manual_seed(1))
    first = teacher_forced(engines[0], codes)
    assert first.std() > 0.1
    for other in engines[1:]:
        assert other.delays == engines[0].delays
        assert (teacher_forced(other, codes) - first).abs().max() < 1e-4
    audio = [MusicGenerator("x", e, "x").generate(PROMPT, 1.0, [0, 1], GREEDY) for e in engines]
    assert audio[0].shape == (2, books // 4, 16000)
    assert np.abs(audio[0]).max() > 1e-3
    for other in audio[1:]:
        assert np.abs(other - audio[0]).max() < 1e-5


def test_an_empty_prompt_is_nothing_to_both_engines(formats: tuple[Path, Path]) -> None:
    """audiocraft's T5Conditioner masks it to zeros; alone and beside a prompt of several words."""
    ours, theirs = TransformersEngine(find(str(formats[0]))), AudiocraftEngine(find(str(formats[1])))
    codes = torch.randint(0, 33, (2, len(ours.delays), 6), generator=torch.Generator().manual_seed(1))
    for prompts in (["", ""], ["", PROMPT]):
        found = []
        for engine in (ours, theirs):
            with engine.start(prompts, True, 6) as step:
                found.append(torch.stack([step(codes[..., t]) for t in range(6)]))
        empty = found[0][:, 0]
        assert torch.isfinite(found[0]).all()
        assert (empty - found[1][:, 0]).abs().max() < 1e-4
        assert (empty - found[0][:, 2]).abs().max() < 1e-4  # what guidance leads away from is the same nothing


RESOLVED = """
sample_rate: 16000
channels: 1
dtype: float32
device: cpu
solver: compression
compression_model: encodec
dora: {dir: '${hydra:runtime.cwd}/xps'}
encodec: {autoencoder: seanet, quantizer: rvq, sample_rate: '${sample_rate}', channels: '${channels}', causal: false, renormalize: false}
seanet:
  dimension: 16
  channels: '${channels}'
  causal: '${encodec.causal}'
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
  lstm: 2
  disable_norm_outer_blocks: 0
  decoder: {trim_right_ratio: 1.0, final_activation: null, final_activation_params: null}
  encoder: {}
rvq: {n_q: 4, q_dropout: false, bins: 32, decay: 0.99, kmeans_init: false, kmeans_iters: 1, threshold_ema_dead_code: 2,
      orthogonal_reg_weight: 0.0, orthogonal_reg_active_codes_only: false, orthogonal_reg_max_codes: null}
"""


def test_a_configuration_as_audiocraft_exports_it_gives_the_same_audio(
    formats: tuple[Path, Path], tmp_path: Path
) -> None:
    """With its references unresolved, as `export_encodec` writes them: against audiocraft's own loader, audio and codes."""
    from audiocraft.models.builders import get_compression_model
    from audiocraft.models.loaders import load_compression_model
    from omegaconf import OmegaConf

    from models.musicgen.checkpoints import codec_of
    from models.weights import load_pickle

    config = OmegaConf.create(RESOLVED)
    torch.manual_seed(3)
    codec = get_compression_model(config)
    with torch.no_grad():
        for q in codec.quantizer.vq.layers:
            q._codebook.embed.normal_()
            q._codebook.inited.fill_(1)
    text = OmegaConf.to_yaml(config)
    assert "${encodec.causal}" in text
    torch.save(
        {"best_state": codec.state_dict(), "xp.cfg": text, "version": "1.3.0", "exported": True},
        tmp_path / "compression_state_dict.bin",
    )
    config.dora.dir = "nowhere"  # audiocraft resolves it where it trains
    torch.save(
        {"best_state": codec.state_dict(), "xp.cfg": OmegaConf.to_yaml(config), "version": "1.3.0", "exported": True},
        tmp_path / "theirs.bin",
    )
    theirs = load_compression_model(tmp_path / "theirs.bin")
    codes = torch.randint(0, 32, (1, 4, 10), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        wanted = theirs.decode(codes, None)
        ours = codec_of(load_pickle(tmp_path / "compression_state_dict.bin"), tmp_path)
        found = ours.decode(codes[None], [None]).audio_values
    assert wanted.abs().max() > 0.01
    assert (found - wanted).abs().max() < 1e-5
    # The whole way, both engines, with a language model whose text refers too.
    for name in ("state_dict.bin",):
        package = load_pickle(formats[1] / name)
        unresolved = OmegaConf.create(package["xp.cfg"])
        unresolved.transformer_lm.card = "${card}"
        unresolved.card = 32
        torch.save({**package, "xp.cfg": OmegaConf.to_yaml(unresolved)}, tmp_path / name)
    shutil.copytree(formats[1] / "text_encoder", tmp_path / "text_encoder")
    engines = [kind(find(str(tmp_path))) for kind in (TransformersEngine, AudiocraftEngine)]
    one, other = (MusicGenerator("x", e, "x").generate(PROMPT, 0.5, [0], GREEDY) for e in engines)
    assert np.abs(one - other).max() < 1e-5
    assert np.abs(one).max() > 1e-3


def test_what_is_no_configuration_is_one_line() -> None:
    for text, why in (("a: [", "cannot be read"), ("[1, 2]", "not sections"), ("a: ${", "cannot be read")):
        with pytest.raises(ModelError, match=why):
            read_config(text)
    found = read_config("a: 1\nb: {c: '${a}', d: [1, '${b.c}']}\ne: '${nowhere}'\nf: {g: '${hydra:x}'}")
    assert found == {"a": 1, "b": {"c": 1, "d": [1, 1]}}


def test_a_codec_that_is_only_named_is_the_pulled_one(
    formats: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As tasty-musicgen-small and the stereo models are published: compression_state_dict.bin names facebook/encodec_32khz."""
    from audiocraft.utils.export import export_pretrained_compression_model
    from transformers import MusicgenForConditionalGeneration

    ours, theirs = formats
    folder = tmp_path / "named"
    shutil.copytree(theirs, folder)
    export_pretrained_compression_model("facebook/encodec_32khz", folder / "compression_state_dict.bin")
    monkeypatch.setenv("TASTELAB_CACHE", str(tmp_path / "cache"))
    for kind in (TransformersEngine, AudiocraftEngine):
        with pytest.raises(
            ModelError, match="facebook/encodec_32khz is needed and not here; run 'tastelab models pull"
        ):
            kind(find(str(folder)))
    codec = MusicgenForConditionalGeneration.from_pretrained(ours).audio_encoder
    codec.save_pretrained(tmp_path / "cache" / "models" / "facebook--encodec_32khz")
    engines = [
        TransformersEngine(find(str(ours))),
        *(k(find(str(folder))) for k in (TransformersEngine, AudiocraftEngine)),
    ]
    audio = [MusicGenerator("x", e, "x").generate(PROMPT, 0.5, [0], GREEDY) for e in engines]
    assert np.abs(audio[0]).max() > 1e-3
    for other in audio[1:]:
        assert other.shape == audio[0].shape
        assert np.abs(other - audio[0]).max() < 1e-5


def test_logits_are_those_of_transformers_itself(formats: tuple[Path, Path]) -> None:
    from transformers import AutoTokenizer, MusicgenForConditionalGeneration

    model = MusicgenForConditionalGeneration.from_pretrained(formats[0]).eval()
    read = AutoTokenizer.from_pretrained(formats[0])([PROMPT], return_tensors="pt")
    books = model.config.decoder.num_codebooks
    codes = torch.randint(0, 33, (1, books, 9), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        theirs = model(**read, decoder_input_ids=codes[0]).logits.view(books, 9, -1)
    own = teacher_forced(TransformersEngine(find(str(formats[0]))), codes)[:, 0].transpose(0, 1)
    assert (own - theirs).abs().max() < 1e-4


def test_round_trip_keeps_every_bit(formats: tuple[Path, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file

    from models.musicgen.audiocraft_format import write_transformers

    back = write_transformers(find(str(formats[1])), tmp_path / "back")
    before, after = (load_file(path / "model.safetensors") for path in (formats[0], back))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[k], after[k]) for k in before)


def test_a_prompt_means_the_same_beside_longer_ones(formats: tuple[Path, Path]) -> None:
    engine = TransformersEngine(find(str(formats[0])))
    tokens = torch.zeros(1, len(engine.delays), dtype=torch.long)
    with engine.start(["bitter"], False, 2) as step:
        alone = step(tokens)
    with engine.start(["bitter", PROMPT + " and dark low brass"], False, 2) as step:
        beside = step(tokens.expand(2, -1))
    assert (alone[0] - beside[0]).abs().max() < 1e-5


SIZES = {"small": (1024, 24, 16), "medium": (1536, 48, 24), "large": (2048, 48, 32)}


@pytest.mark.parametrize("channels", [1, 2], ids=["mono", "stereo"])
@pytest.mark.parametrize("size", SIZES)
def test_released_names_and_shapes_agree_at_full_size(size: str, channels: int) -> None:
    """musicgen-small, -medium, -large and -stereo-*: every key of both formats, on the meta device (no memory)."""
    from audiocraft.models.builders import get_compression_model
    from omegaconf import OmegaConf
    from transformers import EncodecConfig, EncodecModel, MusicgenDecoderConfig, MusicgenForCausalLM, T5Config

    from models.musicgen.audiocraft_format import audiocraft_configs, build_language
    from models.musicgen.checkpoints import Parts
    from models.musicgen.convert import stereo_delays

    width, layers, heads = SIZES[size]
    config = MusicgenDecoderConfig(
        vocab_size=2048, num_hidden_layers=layers, ffn_dim=4 * width, num_attention_heads=heads, hidden_size=width,
        num_codebooks=4 * channels, audio_channels=channels,
    )  # fmt: skip
    # facebook/encodec_32khz, as its config.json describes it (Copet et al. 2023, section 3.1: 4 x 2048 codes, 50 Hz).
    codec_config = EncodecConfig(
        target_bandwidths=[2.2], sampling_rate=32000, audio_channels=1, num_filters=64, upsampling_ratios=[8, 5, 4, 4],
        use_causal_conv=False, codebook_size=2048, num_lstm_layers=2, use_conv_shortcut=False,
    )  # fmt: skip
    with torch.device("meta"):
        decoder, codec = MusicgenForCausalLM(config), EncodecModel(codec_config)

    class Encoder:
        config = T5Config(d_model=768)

    parts = Parts(decoder.state_dict(), config, stereo_delays(4 * channels, channels), {}, codec, Encoder(), None)
    language, compression = audiocraft_configs(parts)
    with torch.device("meta"):
        lm = build_language(language, Encoder(), None, "meta")
        theirs = get_compression_model(OmegaConf.create({**compression, "device": "meta"}))
    named = language_to_transformers(lm.state_dict())
    state, projection = split_parts(named)
    assert {k: v.shape for k, v in state.items()} == {k: v.shape for k, v in decoder.state_dict().items()}
    assert projection["weight"].shape == (width, 768)
    back = language_to_audiocraft(named)
    assert {k: v.shape for k, v in back.items()} == {k: v.shape for k, v in lm.state_dict().items()}
    ours = codec_to_transformers(theirs.state_dict())
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in codec.state_dict().items()}


def test_nano_is_the_same_on_both_engines() -> None:
    one, other = load_generator("nano-base"), load_generator("nano-base", "audiocraft")
    codes = torch.randint(0, 512, (2, 6, 20), generator=torch.Generator().manual_seed(0))
    assert (teacher_forced(one.engine, codes) - teacher_forced(other.engine, codes)).abs().max() < 1e-4
    a, b = (g.generate(PROMPT, 1.0, [3], GREEDY) for g in (one, other))
    assert np.abs(a).max() > 1e-3
    assert np.abs(a - b).max() < 1e-4


def test_a_misread_checkpoint_is_noticed_before_it_generates() -> None:
    from models.musicgen.engines import load_engine
    from models.musicgen.oracle import oracle_difference

    checkpoint = find("nano-base")
    generator = MusicGenerator("nano-base", load_engine(checkpoint), checkpoint.sha256)
    difference = oracle_difference(generator, PROMPT)
    assert difference is not None
    assert 0 <= difference < 1e-4
    generator.engine.decoder.layers[2].out.weight.mul_(1.05)
    with pytest.raises(ModelError, match="off audiocraft's"):
        oracle_difference(generator, PROMPT)
    assert oracle_difference(load_generator("nano-base", "audiocraft"), PROMPT) is None


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_lower_precision_stays_close(precision: str) -> None:
    codes = torch.randint(0, 512, (2, 6, 20), generator=torch.Generator().manual_seed(0))
    exact = teacher_forced(load_generator("nano-base").engine, codes)
    close = teacher_forced(load_generator("nano-base", "transformers", precision).engine, codes)
    error = (close - exact).square().mean().sqrt() / exact.std()
    assert 0 < error < 0.05
    with pytest.raises(ModelError, match="engine = 'transformers'"):
        load_generator("nano-base", "audiocraft", precision)


def broken(formats: tuple[Path, Path], tmp_path: Path, which: int) -> Path:
    """A copy of a checkpoint, to be broken."""
    import shutil

    find.cache_clear()
    return Path(shutil.copytree(formats[which], tmp_path / "copy"))


@pytest.mark.parametrize(
    "which, file", [(0, "model.safetensors"), (1, "state_dict.bin"), (1, "compression_state_dict.bin")]
)
def test_truncated_files_are_one_line(formats: tuple[Path, Path], tmp_path: Path, which: int, file: str) -> None:
    copy = broken(formats, tmp_path, which)
    data = (copy / file).read_bytes()
    (copy / file).write_bytes(data[: len(data) // 2])
    for kind in (TransformersEngine, AudiocraftEngine):
        with pytest.raises(ModelError, match=file) as told:
            kind(find(str(copy)))
        assert "\n" not in str(told.value)


def test_tampered_and_wrong_files_are_one_line(formats: tuple[Path, Path], tmp_path: Path) -> None:
    copy = broken(formats, tmp_path, 0)
    (copy / "pulled.json").write_text(json.dumps({"files": {"model.safetensors": {"sha256": "0" * 64}}}))
    with pytest.raises(ModelError, match="not the file that was pulled"):
        TransformersEngine(find(str(copy)))
    (copy / "pulled.json").unlink()
    described = json.loads((copy / "config.json").read_text())
    described["decoder"]["ffn_dim"] = 64
    (copy / "config.json").write_text(json.dumps(described))
    with pytest.raises(ModelError, match=r"do not fit|cannot be read"):
        TransformersEngine(find(str(copy)))


def test_a_pickle_with_code_is_refused(formats: tuple[Path, Path], tmp_path: Path) -> None:
    import os

    class Code:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, ("true",)

    copy = broken(formats, tmp_path, 1)
    torch.save({"best_state": Code(), "xp.cfg": ""}, copy / "state_dict.bin")
    with pytest.raises(ModelError, match=r"state_dict.bin cannot be read as weights"):
        TransformersEngine(find(str(copy)))


def weights(of: Language, name: str) -> np.ndarray:
    return of.state[name].float().numpy()


def test_a_blend_lies_between_its_ends_by_its_share() -> None:
    base, taste = (read_language(find(name)) for name in ("nano-base", "nano-taste"))
    before = {k: v.clone() for k, v in base.state.items()}
    quarter = between(base, taste, 0.25, ("nano-base", "nano-taste"))
    moved = 0
    for name in base.state:
        wanted = 0.75 * weights(base, name) + 0.25 * weights(taste, name)
        assert np.allclose(weights(quarter, name), wanted, atol=1e-6)
        moved += not np.array_equal(weights(base, name), weights(taste, name))
    assert moved > 10  # fine-tuning changed what is blended
    for name, vector in base.projection.items():
        wanted = 0.75 * vector.float().numpy() + 0.25 * taste.projection[name].float().numpy()
        assert np.allclose(quarter.projection[name].numpy(), wanted, atol=1e-6)
    assert all(torch.equal(v, base.state[k]) for k, v in before.items())  # the ends stay what they are


def test_a_blend_plays_and_has_a_fingerprint_of_its_own() -> None:
    half = load_blend("nano-base", "nano-taste", 0.5)
    assert half.name == "nano-base and 0.5 of nano-taste"
    assert (
        half.sha256 == load_blend("nano-base", "nano-taste", 0.5).sha256 == blend_sha256("nano-base", "nano-taste", 0.5)
    )
    others = {blend_sha256("nano-taste", "nano-base", 0.5), blend_sha256("nano-base", "nano-taste", 0.25)}
    assert len(others | {half.sha256, find("nano-base").sha256, find("nano-taste").sha256}) == 5
    codes = torch.randint(0, 400, (1, len(half.engine.delays), 6), generator=torch.Generator().manual_seed(1))
    ends = [teacher_forced(TransformersEngine(find(n)), codes) for n in ("nano-base", "nano-taste")]
    found = teacher_forced(half.engine, codes)
    assert all((found - end).abs().max() > 0.01 for end in ends)
    near = TransformersEngine(find("nano-base"), toward=(find("nano-taste"), 1e-6))
    assert (teacher_forced(near, codes) - ends[0]).abs().max() < 1e-3


def test_models_of_two_layouts_are_not_blended(formats: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nano-base and .* are not of one layout"):
        load_blend("nano-base", str(formats[0]), 0.5)
    one = read_language(find(str(formats[0])))
    assert between(one, read_language(find(str(formats[1]))), 0.5, ("a", "b")).delays == one.delays
    changes = {"heads": one.heads + 1, "delays": [0, *one.delays], "positions": "rope"}
    for changed in [{k: v} for k, v in changes.items()]:
        with pytest.raises(ModelError, match="a and b are not of one layout"):
            between(one, replace(one, **changed), 0.5, ("a", "b"))
    assert one.parts is not None
    codec = deepcopy(one.parts.codec)
    with torch.no_grad():
        next(iter(codec.parameters())).add_(1.0)
    with pytest.raises(ModelError, match="a and b are not of one layout"):  # they would be heard through different ears
        between(one, replace(one, parts=replace(one.parts, codec=codec)), 0.5, ("a", "b"))
