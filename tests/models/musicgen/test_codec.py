"""The nano codec's arithmetic, written out; its training, the critics' and the recipes, over a few steps that resume."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from models.errors import ModelError
from models.musicgen import critic, train_codec
from models.musicgen.codec import CodecConfig, ConvNeXtBlock, FrameEncoder, SpectralDecoder, build_codec, mel_filters
from models.musicgen.critic import SpectrogramCritic, train_decoder
from models.musicgen.nano import NanoSound, load_codec, save_codec

SMALL = CodecConfig(
    n_mels=16, width=8, encoder_width=8, encoder_blocks=1, latent_blocks=1, decoder_blocks=1, dimension=4, n_q=2, bins=8
)


def test_overlapping_frames_add_up_to_the_sound_they_were_cut_from() -> None:
    """Frames of 640 samples, 160 apart, the first centred on sample 80: each times the window, as the analysis cuts them."""
    decoder = SpectralDecoder(SMALL)
    audio = torch.randn(1, 160 * 20, generator=torch.Generator().manual_seed(0))
    padded = nn.functional.pad(audio, (240, 240))
    frames = padded.unfold(1, 640, 160)[:, :20] * torch.hann_window(640)
    back = decoder._overlap_add(torch.fft.rfft(frames, dim=2).transpose(1, 2))
    assert back.shape == audio.shape
    # At the ends fewer windows overlap, and what little they hold is not blown up.
    assert (back - audio)[:, 100:-100].abs().max() < 1e-4
    assert back.abs().max() < 2 * audio.abs().max()


def test_a_decoders_spectrum_is_of_log_magnitudes_and_phases() -> None:
    """All layers taken out: what comes from the head is magnitude (at most e^5) and phase of each bin."""
    decoder = SpectralDecoder(SMALL)
    decoder.stem = decoder.slow = decoder.up = decoder.fast = decoder.norm = decoder.head = nn.Identity()
    g = torch.Generator().manual_seed(1)
    log_magnitude, phase = torch.randn(1, 321, 6, generator=g), 6 * torch.rand(1, 321, 6, generator=g)
    log_magnitude[0, 10] = 9.0
    found = decoder(torch.cat([log_magnitude, phase], dim=1))
    spectrum = np.exp(np.minimum(5, log_magnitude.numpy())) * np.exp(1j * phase.numpy())
    expected = decoder._overlap_add(torch.from_numpy(spectrum))
    assert found.shape == (1, 1, 960)
    assert (found[:, 0] - expected).abs().max() < 1e-3 * expected.abs().max()


def test_the_encoder_hears_log_mels_of_centred_frames() -> None:
    encoder = FrameEncoder(SMALL)
    encoder.stem = encoder.fast = encoder.down = encoder.slow = encoder.out = nn.Identity()
    audio = np.random.default_rng(0).normal(size=1500).astype(np.float32)
    found = encoder(torch.from_numpy(audio)[None, None])[0].numpy()
    # Filled up to a multiple of four analysis frames of 160 samples; windows of 1,024 around them.
    filled = np.concatenate([np.zeros(432), audio, np.zeros(1920 - 1500 + 432)])
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    bank = mel_filters(1024, 16, 16000).numpy()
    expected = [np.log10(bank @ np.abs(np.fft.rfft(filled[k * 160 : k * 160 + 1024] * hann)) + 1e-4) for k in range(12)]
    assert found == pytest.approx(np.array(expected).T, abs=1e-4)
    assert SMALL.stride == 4


def test_a_block_is_depthwise_norm_and_two_layers_beside_its_input() -> None:
    torch.manual_seed(0)
    block = ConvNeXtBlock(4)
    with torch.no_grad():
        block.norm.weight.normal_()
        block.norm.bias.normal_()
    x = torch.randn(1, 4, 9)
    w = {k: v.detach().double().numpy() for k, v in block.state_dict().items()}
    padded = np.pad(x[0].double().numpy(), ((0, 0), (3, 3)))
    h = np.array(
        [
            [padded[c, t : t + 7] @ w["depthwise.weight"][c, 0] + w["depthwise.bias"][c] for t in range(9)]
            for c in range(4)
        ]
    ).T
    h = (h - h.mean(1, keepdims=True)) / np.sqrt(h.var(1, keepdims=True) + 1e-5) * w["norm.weight"] + w["norm.bias"]
    h = h @ w["up.weight"].T + w["up.bias"]
    h = h * 0.5 * (1 + np.vectorize(math.erf)(h / math.sqrt(2)))
    h = h @ w["down.weight"].T + w["down.bias"]
    expected = x[0].numpy() + (w["gamma"] * h).T
    assert block(x)[0].detach().numpy() == pytest.approx(expected, abs=1e-5)
    assert w["up.weight"].shape == (12, 4)
    assert (w["gamma"] == np.float32(0.2)).all()


def test_a_codec_is_written_and_read_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(0)
    codec = build_codec(SMALL).eval()
    for layer in codec.quantizer.vq.layers:
        layer._codebook.embed.normal_(std=0.05)
        layer._codebook.inited.fill_(1)
    save_codec(codec, SMALL, tmp_path / "codec", torch.float32)
    described = json.loads((tmp_path / "codec" / "config.json").read_text())
    assert described == {"kind": "codec", "codec": SMALL.to_dict()}
    x = torch.randn(2, 1, 6400, generator=torch.Generator().manual_seed(1)) * torch.linspace(0, 1, 6400) ** 4
    with torch.no_grad():
        codes, _ = codec.encode(x)
        audio = codec.decode(codes)
        again = load_codec(tmp_path / "codec")
        assert torch.equal(again.encode(x)[0], codes)
        assert (again.decode(codes) - audio).abs().max() < 1e-6
    assert len(codes[0, 0].unique()) > 1
    assert (NanoSound(tmp_path / "codec").decode(codes) - audio).abs().max() < 1e-5
    described["codec"]["width"] = 16
    (tmp_path / "codec" / "config.json").write_text(json.dumps(described))
    with pytest.raises((ModelError, RuntimeError)):
        NanoSound(tmp_path / "codec")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    where = tmp_path / "corpus"
    where.mkdir()
    lines = []
    for i in range(3):
        t = np.arange(16000) / 16000
        soundfile.write(where / f"{i}.wav", 0.3 * np.sin(2 * np.pi * 220 * (i + 1) * t), 16000)
        lines.append(json.dumps({"path": f"{i}.wav", "description": "", "duration": 1.0}))
    (where / "metadata.jsonl").write_text("\n".join(lines))
    return where


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few short clips a step, the quantizer from the third step on, a state after every other step."""
    for module in (train_codec, critic):
        for name, value in (("BATCH", 4), ("SEGMENT", 0.32), ("SAVE_EVERY", 2)):
            monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(train_codec, "WARM", 2)
    monkeypatch.setattr(train_codec, "REVIVE_EVERY", 2)


def curve(path: Path) -> list[dict[str, float]]:
    return [json.loads(x) for x in path.read_text().splitlines()]


def stop_at(step: int):
    def report(done: int, total: int, row: dict[str, float]) -> None:
        if done >= step:
            raise KeyboardInterrupt

    return report


def test_a_codec_learns_and_goes_on_to_the_same_weights(corpus: Path, tmp_path: Path, short: None) -> None:
    whole = train_codec.train_codec(corpus, tmp_path / "a", 7, seed=3, config=SMALL)
    with pytest.raises(KeyboardInterrupt):
        train_codec.train_codec(corpus, tmp_path / "b", 7, seed=3, config=SMALL, report=stop_at(5))
    resumed = train_codec.train_codec(corpus, tmp_path / "b", 7, seed=3, config=SMALL)
    for (name, a), b in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    rows = {r["step"]: r for r in curve(tmp_path / "a" / "codec.jsonl")}
    assert sorted(rows) == [0, 2, 4, 6]
    assert all(r["loss"] > 0 and r["mel_distance"] > 0 for r in rows.values())
    assert rows[6]["loss"] < rows[0]["loss"]
    assert "usage_first" not in rows[0]
    assert 1 / 8 <= rows[4]["usage_first"] <= 1
    assert not whole.training
    other = train_codec.train_codec(corpus, tmp_path / "c", 3, seed=4, config=SMALL)
    assert any(not torch.equal(a, b) for a, b in zip(whole.parameters(), other.parameters(), strict=True))
    with pytest.raises(ModelError, match="another seed"):
        train_codec.train_codec(corpus, tmp_path / "b", 9, seed=4, config=SMALL)


def test_a_decoder_learns_against_critics_and_its_codes_stay(
    corpus: Path, tmp_path: Path, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    codec = build_codec(SMALL).eval()
    for layer in codec.quantizer.vq.layers:
        layer._codebook.embed.normal_(std=0.3)
        layer._codebook.inited.fill_(1)
    save_codec(codec, SMALL, tmp_path / "codec", torch.float32)
    monkeypatch.setattr(critic, "RESOLUTIONS", ((256, 64),))

    def trained(out: str, stop: int | None = None) -> nn.Module:
        load_codec.cache_clear()
        report = stop_at(stop) if stop else None
        return train_decoder(corpus, tmp_path / "codec", tmp_path / out, 5, 1, report)

    whole = trained("a")
    x = torch.randn(1, 1, 6400, generator=torch.Generator().manual_seed(1))
    assert torch.equal(whole.encode(x)[0], codec.encode(x)[0])
    moved = {k.split(".")[0] for k, v in whole.state_dict().items() if not torch.equal(v, codec.state_dict()[k])}
    assert moved == {"decoder"}
    rows = curve(tmp_path / "a" / "decoder.jsonl")
    assert [r["step"] for r in rows] == [0, 4]
    assert all(r[k] > 0 for r in rows for k in ("reconstruction", "critic", "matching", "mel_distance"))
    assert rows[0]["critic"] == pytest.approx(2, abs=0.5)  # a fresh critic says about nothing of either: 1 + 1
    again = trained("b")
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))
    load_codec.cache_clear()


def test_a_critic_sees_one_resolution() -> None:
    torch.manual_seed(0)
    judge = SpectrogramCritic(256, 64, channels=4)
    maps = judge(torch.randn(2, 4096))
    assert len(maps) == 5
    frames = 4096 // 64 + 1
    assert [m.shape for m in maps] == [
        (2, 4, 65, frames), (2, 4, 33, frames), (2, 8, 17, frames), (2, 8, 9, frames), (2, 1, 9, frames),
    ]  # fmt: skip
    negative = [(-m[m < 0].mean() / m[m > 0].mean()).item() for m in maps[:-1]]
    assert max(negative) < 0.4  # leaky rectifiers: a tenth of what is under zero
    silent = judge(torch.zeros(1, 4096))
    assert all(torch.isfinite(m).all() for m in silent)


def test_segments_are_made_louder_and_softer(corpus: Path) -> None:
    """Gains from one half to 1.2 of tones of amplitude 0.3."""
    from models.training import read_corpus

    found = train_codec._batch(read_corpus(corpus), np.random.default_rng(0), 60, 0.2, 16000)
    assert found.shape == (60, 1, 3200)
    peaks = found.abs().amax(2)[:, 0].numpy()
    assert 0.15 <= peaks.min() < 0.18
    assert 0.33 < peaks.max() <= 0.36
    strongest = {int(np.abs(np.fft.rfft(x[0].numpy())).argmax()) for x in found}
    assert strongest == {44, 88, 132}


def test_dead_codes_move_to_what_is_there_and_live_ones_stay() -> None:
    codec = build_codec(CodecConfig(n_q=1, dimension=4, bins=16))
    book = codec.quantizer.vq.layers[0]._codebook
    book.embed.copy_(torch.arange(64.0).view(16, 4))
    book.cluster_size.fill_(10.0)
    book.cluster_size[3] = 0.5
    book.cluster_size[7] = 0.94  # the mean is 8.84, a tenth of it 0.88
    before = book.embed.clone()
    latents = 1000 + torch.randn(2, 4, 30, generator=torch.Generator().manual_seed(0))
    assert train_codec.revive_dead_codes(codec, latents, torch.Generator().manual_seed(0)) == 1
    assert (latents.transpose(1, 2).reshape(-1, 4) == book.embed[3]).all(1).any()
    assert torch.equal(book.embed_avg[3], book.embed[3])
    assert float(book.cluster_size[3]) == 1.0
    others = [i for i in range(16) if i != 3]
    assert torch.equal(book.embed[others], before[others])
