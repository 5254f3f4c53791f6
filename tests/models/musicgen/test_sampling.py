"""Sampled codes, held against audiocraft's own `generate` under the same draws, and against plain arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.errors import ModelError
from models.musicgen import generate
from models.musicgen.checkpoints import find
from models.musicgen.engines import AudiocraftEngine, TransformersEngine
from models.musicgen.generate import MusicGenerator, load_generator
from models.musicgen.language import LanguageConfig, build_language_model
from models.musicgen.nano import save_language_model
from models.musicgen.sampling import Sampling, draw, sample_codes
from tests.models.sonicverse.released import PROMPT, transformers_checkpoint

SPECIAL = 32  # of the small checkpoints: one over the last of 32 codes


@pytest.fixture(scope="module", params=["nano", "mono", "stereo"])
def engines(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TransformersEngine, AudiocraftEngine]:
    """A small random MusicGen, ours or in the released format with one or two channels, on both engines."""
    where = find(str(checkpoint(request.param, tmp_path_factory.mktemp("checkpoint"))))
    return TransformersEngine(where), AudiocraftEngine(where)


def checkpoint(kind: str, folder: Path) -> Path:
    if kind == "nano":
        torch.manual_seed(0)
        config = LanguageConfig(n_q=6, bins=32, width=32, layers=2, heads=4, hidden_scale=2)
        lm = build_language_model(config)
        with torch.no_grad():
            for name, p in lm.named_parameters():
                if p.dim() > 1 and not name.startswith("emb"):
                    p.normal_(std=0.3)
        save_language_model(lm, config, folder, torch.float32)
        return folder
    return transformers_checkpoint(folder / "released", 2 if kind == "stereo" else 1)


class Draws:
    """In place of torch.multinomial: the same uniform numbers for whoever asks, by the inverse of the cumulated
    probabilities, the likeliest first; so two samplers that lay out their candidates differently can be compared."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(1)
        self.asked = 0

    def __call__(
        self, weights: torch.Tensor, num_samples: int, replacement: bool = False, *, generator: Any = None
    ) -> torch.Tensor:
        rows = weights.reshape(-1, weights.shape[-1]).double().numpy()
        self.asked += len(rows)
        chosen = []
        for row in rows:
            order = np.argsort(-row, kind="stable")
            cumulated = np.cumsum(row[order]) / row.sum()
            chosen.append(order[int(np.searchsorted(cumulated, self.rng.random(), side="right"))])
        return torch.tensor(np.array(chosen))[:, None]


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(top_k=5, temperature=0.9, guidance=3.0), Sampling(top_k=20, temperature=1.7, guidance=0.5),
        Sampling(top_k=32, temperature=0.4, guidance=6.0), Sampling(top_k=7, temperature=1.0, guidance=1.0),
        Sampling(top_k=1, temperature=1.0, guidance=3.0),
    ],
    ids=str,
)  # fmt: skip
def test_both_engines_sample_what_audiocraft_itself_does(
    engines: tuple[TransformersEngine, AudiocraftEngine], sampling: Sampling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three clips of nine frames: every code, by the delays of the model, from both engines."""
    from audiocraft.modules.conditioners import ConditioningAttributes

    frames, seeds = 9, [1, 2, 3]
    monkeypatch.setattr(torch, "multinomial", Draws())
    expected = engines[1].lm.generate(
        conditions=[ConditioningAttributes(text={"description": PROMPT})] * len(seeds), max_gen_len=frames,
        use_sampling=sampling.top_k > 1, temp=sampling.temperature, top_k=sampling.top_k, cfg_coef=sampling.guidance,
    )  # fmt: skip
    assert len(expected.unique()) >= 8
    assert expected.max() < SPECIAL
    for engine in engines:
        monkeypatch.setattr(torch, "multinomial", Draws())
        own = MusicGenerator("x", engine, "x").codes([PROMPT] * len(seeds), frames, seeds, sampling)
        assert torch.equal(own, expected)


def test_the_sound_of_codes_is_audiocrafts(engines: tuple[TransformersEngine, AudiocraftEngine]) -> None:
    engine, oracle = engines
    codes = torch.randint(0, 32, (2, len(engine.delays), 10), generator=torch.Generator().manual_seed(3))
    ours, theirs = engine.decode(codes), oracle.codec.decode(codes, None)
    assert ours.shape == theirs.shape
    assert ours.std() > 1e-3
    assert (ours - theirs).abs().max() < 1e-5
    assert (ours - engine.decode(codes.flip(1))).abs().max() > 1e-3  # each codebook has its place
    assert (oracle.decode(codes) - theirs).abs().max() < 1e-5
    assert (engine.rate, engine.frame_rate) == (oracle.rate, oracle.frame_rate)


def logits_of(books: int, card: int, seed: int) -> torch.Tensor:
    return torch.randn(2, books, card, generator=torch.Generator().manual_seed(seed))


def test_a_clip_is_drawn_by_a_generator_seeded_with_its_seed() -> None:
    """torch draws one of n by the largest ratio of probability to an exponential number: written out here."""
    sampling = Sampling(top_k=6, temperature=0.8)
    for round_ in range(20):
        logits = logits_of(4, 12, round_)
        own = draw(logits, sampling, [torch.Generator().manual_seed(s + round_) for s in (5, 6)])
        for clip, seed in enumerate((5, 6)):
            generator = torch.Generator().manual_seed(seed + round_)
            exponential = torch.empty(4, 6).exponential_(1, generator=generator)
            for book in range(4):
                ranked = sorted(range(12), key=lambda k: -float(logits[clip, book, k]))[:6]
                raised = np.exp(np.array([float(logits[clip, book, k]) / 0.8 for k in ranked]))
                ratio = raised / raised.sum() / exponential[book].double().numpy()
                assert int(own[clip, book]) == ranked[int(ratio.argmax())]


def test_frequencies_are_the_tempered_probabilities_of_the_likeliest() -> None:
    """Logits 2, 1, 0, -1 at temperature 0.5, the top three: e^4, e^2, 1 over their sum."""
    rows = 20000
    logits = torch.tensor([0.0, 2.0, -1.0, 1.0]).repeat(1, rows, 1)
    drawn = draw(logits, Sampling(top_k=3, temperature=0.5), [torch.Generator().manual_seed(0)])[0]
    raised = np.exp([0.0, 4.0, -np.inf, 2.0])
    shares = np.bincount(drawn.numpy(), minlength=4) / rows
    assert shares == pytest.approx(raised / raised.sum(), abs=0.01)
    assert shares[2] == 0


def test_greedy_takes_the_likeliest_and_more_candidates_than_codes_take_all() -> None:
    logits = logits_of(3, 8, 0)
    assert torch.equal(draw(logits, Sampling(top_k=1), []), logits.argmax(-1))
    generators = [torch.Generator().manual_seed(0) for _ in range(2)]
    again = [torch.Generator().manual_seed(0) for _ in range(2)]
    assert torch.equal(draw(logits, Sampling(top_k=100), generators), draw(logits, Sampling(top_k=8), again))


class Script:
    """An engine that writes down its tokens and would have each codebook say its own position number."""

    def __init__(self, guided: bool, clips: int, books: int, card: int = 64) -> None:
        self.guided, self.clips, self.books, self.card = guided, clips, books, card
        self.heard: list[torch.Tensor] = []

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        position = len(self.heard)
        self.heard.append(tokens.clone())
        wanted = torch.zeros(self.clips, self.books, self.card)
        for book in range(self.books):
            wanted[:, book, (10 * book + position) % self.card] = 1.0
        return torch.cat([wanted, torch.zeros_like(wanted)]) if self.guided else wanted


@pytest.mark.parametrize("delays", [[0, 1, 2], [0, 0, 1, 1], [0, 0, 0], [1, 0, 3]])
def test_codebooks_lag_by_their_delays_and_special_stands_where_none_has_a_frame(delays: list[int]) -> None:
    frames, special = 5, 63
    script = Script(False, 2, len(delays))
    told: list[tuple[int, int]] = []
    codes = sample_codes(
        script, delays, special, frames, [0, 1], Sampling(top_k=1, guidance=1), lambda *x: told.append(x)
    )
    steps = frames + max(delays)
    for book, delay in enumerate(delays):
        assert codes[:, book].tolist() == [[10 * book + delay + t for t in range(frames)]] * 2
        given = [int(tokens[0, book]) for tokens in script.heard]
        # What a step is given is what the step before it drew, where that has a frame.
        said = [special] + [10 * book + p if 0 <= p - delay < frames else special for p in range(steps - 1)]
        assert given == said
    assert told == [(p + 1, steps) for p in range(steps)]


@pytest.mark.parametrize(("guidance", "expected"), [(1.0, 0), (3.0, 1), (0.0, 2)])
def test_guidance_goes_from_without_the_prompt_to_with_it_and_beyond(guidance: float, expected: int) -> None:
    """By hand: with the prompt (1, .9, .8), without (1, .6, 1.3): at 3 they make (1, 1.5, -.2), at 0 the latter."""
    conditional, free = torch.tensor([1.0, 0.9, 0.8]), torch.tensor([1.0, 0.6, 1.3])

    def step(tokens: torch.Tensor) -> torch.Tensor:
        rows = [conditional] if guidance == 1 else [conditional, free]
        return torch.stack(rows)[:, None]

    codes = sample_codes(step, [0], 3, 2, [0], Sampling(top_k=1, guidance=guidance))
    assert codes.tolist() == [[[expected, expected]]]


def test_defaults_are_the_nano_models() -> None:
    """models/weights/nano-base/README.md and study.toml: 120 of 512 codes, temperature 0.9, guidance 5."""
    s = Sampling()
    assert (s.top_k, s.temperature, s.guidance) == (120, 0.9, 5.0)


def test_a_clip_does_not_depend_on_what_is_beside_it(engines: tuple[TransformersEngine, AudiocraftEngine]) -> None:
    made = MusicGenerator("x", engines[0], "x").codes
    beside = made([PROMPT, "bitter", PROMPT], 8, [7, 8, 9], Sampling(top_k=20))
    for clip, (prompt, seed) in enumerate(((PROMPT, 7), ("bitter", 8), (PROMPT, 9))):
        assert torch.equal(made([prompt], 8, [seed], Sampling(top_k=20))[0], beside[clip])
    assert not torch.equal(beside[0], beside[2])


def test_audio_has_just_the_seconds_asked_for(engines: tuple[TransformersEngine, AudiocraftEngine]) -> None:
    generator = MusicGenerator("x", engines[0], "x")
    codes, audio = generator.clips([PROMPT, "bitter"], 0.43, [1, 2], Sampling(top_k=5))
    assert codes.shape[-1] == -(-0.43 * generator.engine.frame_rate // 1)
    assert audio.shape == (2, max(1, len(generator.engine.delays) // 4), round(0.43 * 16000))
    assert audio.dtype == np.float32
    whole = engines[0].decode(codes).numpy()
    assert whole.shape[-1] > audio.shape[-1]  # whole frames; what is over at their end goes
    assert np.array_equal(audio, whole[..., : audio.shape[-1]])
    assert np.array_equal(generator.generate([PROMPT, "bitter"], 0.43, [1, 2], Sampling(top_k=5)), audio)
    one = generator.generate("bitter", 0.43, [2], Sampling(top_k=5))
    assert np.abs(one[0] - audio[1]).max() < 1e-5


def test_the_batch_fits_into_a_quarter_of_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand: 100 bytes a step, 2 s at 25 frames and a delay of 3 are 53 steps: 5,300 bytes a clip."""
    import psutil

    class Engine:
        frame_rate, delays, cache_bytes, rate = 25.0, [0, 1, 3], 100, 16000
        device = torch.device("cpu")

    generator = MusicGenerator("x", Engine(), "x")  # type: ignore[arg-type]
    for clips, expected in ((0.5, 1), (1.01, 1), (2.01, 2), (3.99, 2), (4.01, 4), (8.01, 8), (1000, 8)):
        monkeypatch.setattr(psutil, "virtual_memory", lambda c=clips: type("M", (), {"total": 4 * 5300 * c})())
        assert generator.batch_size(2.0) == expected


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_going_on_from_given_codes_is_audiocrafts(
    engines: tuple[TransformersEngine, AudiocraftEngine], guidance: float
) -> None:
    """Greedy, because audiocraft does not draw for the frames that are given."""
    from audiocraft.modules.conditioners import ConditioningAttributes

    books = len(engines[0].delays)
    heard = torch.randint(0, 32, (2, books, 4), generator=torch.Generator().manual_seed(4))
    expected = engines[1].lm.generate(
        prompt=heard,
        conditions=[ConditioningAttributes(text={"description": PROMPT})] * 2,
        max_gen_len=9,
        use_sampling=False,
        cfg_coef=guidance,
    )
    for engine in engines:
        own = MusicGenerator("x", engine, "x").codes(
            [PROMPT] * 2, 9, [1, 2], Sampling(1, guidance=guidance), None, heard
        )
        assert torch.equal(own, expected)


@pytest.mark.parametrize("given", [0, 5])
def test_what_is_longer_than_a_window_is_made_as_audiocraft_extends_it(
    engines: tuple[TransformersEngine, AudiocraftEngine], given: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows of 0.6 s, 0.35 s apart, for 1.7 s; greedy, as audiocraft draws from one generator for all clips."""
    from audiocraft.models import MusicGen

    rate, books = engines[1].frame_rate, len(engines[1].delays)
    theirs = MusicGen("x", engines[1].codec, engines[1].lm, max_duration=30)
    theirs.max_duration = 0.6
    theirs.set_generation_params(use_sampling=False, duration=1.7, cfg_coef=3.0, extend_stride=0.35)
    heard = torch.randint(0, 32, (2, books, given), generator=torch.Generator().manual_seed(4)) if given else None
    attributes, _ = theirs._prepare_tokens_and_attributes([PROMPT] * 2, None)
    expected = theirs._generate_tokens(attributes, heard)
    monkeypatch.setattr(generate, "WINDOW", 0.6)
    monkeypatch.setattr(generate, "STRIDE", 0.35)
    steps: list[tuple[int, int]] = []
    own = MusicGenerator("x", engines[0], "x").codes(
        [PROMPT] * 2, int(1.7 * rate), [1, 2], Sampling(1, guidance=3.0), lambda *step: steps.append(step), heard
    )
    assert own.shape[-1] == int(1.7 * rate) > 2 * int(0.6 * rate)
    assert torch.equal(own, expected)
    assert [s for s, _ in steps] == sorted(s for s, _ in steps)
    assert steps[-1][0] == steps[-1][1] == own.shape[-1]


def test_windows_draw_on_and_more_than_a_window_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "WINDOW", 1.0)
    monkeypatch.setattr(generate, "STRIDE", 0.6)
    model = load_generator("nano-base")
    codes = model.codes(["slow", "fast"], 60, [5, 6])
    assert codes.shape == (2, 6, 60)
    assert torch.equal(codes[..., :25], model.codes(["slow", "fast"], 25, [5, 6]))
    assert torch.equal(codes, model.codes(["slow", "fast"], 60, [5, 6]))
    assert torch.equal(codes[:1], model.codes(["slow"], 60, [5]))  # whatever is made beside it
    # The second window is no repetition of the first one's draws.
    again = model.codes(["slow", "fast"], 25, [5, 6], heard=codes[..., 15:25])
    assert not torch.equal(codes[..., 25:40], again[..., 10:25])
    with pytest.raises(ModelError, match="30 frames are heard of 60; a window holds 25"):
        model.codes(["slow"], 60, [5], heard=codes[:1, :, :30])


CARD = 50
DELAYS = [0, 1, 2]


def count_on(tokens: torch.Tensor) -> torch.Tensor:
    """A model whose every codebook counts: after a token comes the next one; after none, 0."""
    following = torch.where(tokens == CARD, 0, (tokens + 1) % CARD)
    return torch.nn.functional.one_hot(following, CARD).float()


def test_each_codebook_goes_on_from_the_last_frame_it_was_given() -> None:
    heard = torch.tensor([[[3, 9, 20], [0, 0, 30], [7, 7, 40]], [[1, 2, 3], [4, 5, 6], [7, 8, 9]]])
    codes = sample_codes(count_on, DELAYS, CARD, 6, [0, 1], Sampling(1, guidance=1), heard=heard)
    assert codes[0].tolist() == [[3, 9, 20, 21, 22, 23], [0, 0, 30, 31, 32, 33], [7, 7, 40, 41, 42, 43]]
    assert codes[1].tolist() == [[1, 2, 3, 4, 5, 6], [4, 5, 6, 7, 8, 9], [7, 8, 9, 10, 11, 12]]
    alone = sample_codes(count_on, DELAYS, CARD, 3, [0, 1], Sampling(1, guidance=1))
    assert alone.tolist() == [[[0, 1, 2]] * 3] * 2


def test_a_model_goes_on_from_its_own_codes_as_it_did_and_from_others_otherwise() -> None:
    model = load_generator("nano-base")
    whole = model.codes(["slow"], 16, [5])
    assert torch.equal(model.codes(["slow"], 16, [5], heard=whole[..., :9]), whole)
    other = (whole[..., :9] + 100) % 512
    changed = model.codes(["slow"], 16, [5], heard=other)
    assert torch.equal(changed[..., :9], other)
    assert (changed[..., 9:] != whole[..., 9:]).any()
