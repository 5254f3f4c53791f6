"""Which clip is made with which prompt, seed, checkpoint and setting, when again, and what is not kept.

The networks are a stand-in that plays a tone of its own for every checkpoint, prompt and seed, so that what a file holds
tells what it was made of.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from models.config import ModelsConfig
from models.errors import ModelError
from stimuli.config import StimuliConfig
from stimuli.errors import StimulusError
from stimuli.generate import generate
from stimuli.manifest import ClipRow, read_manifest, update_manifest, verify
from stimuli.sets import clip_seed, tried

RATE = 16000
PROMPTS = {"a prompt": 300, "another": 600}
CHECKPOINTS = {"one": 0, "two": 1000}


@dataclass
class Bench:
    """The networks' stand-in: what was asked of it, and what is wrong with which seeds."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    compared: list[tuple[str, str]] = field(default_factory=list)
    weights: dict[str, str] = field(default_factory=lambda: {"one": "1" * 64, "two": "2" * 64})
    faulty: dict[int, str] = field(default_factory=dict)
    twins: set[int] = field(default_factory=set)
    misread: set[str] = field(default_factory=set)

    def load(self, name: str, engine: str, precision: str, device: str) -> Any:
        def clips(
            prompts: list[str], seconds: float, seeds: list[int], sampling: Any, progress: Any
        ) -> tuple[torch.Tensor, np.ndarray]:
            self.calls.append(
                {"checkpoint": name, "engine": engine, "precision": precision, "device": device, "prompts": prompts, "seconds": seconds,
                 "seeds": seeds, "top_k": sampling.top_k, "temperature": sampling.temperature,
                 "guidance": sampling.guidance}
            )  # fmt: skip
            if progress:
                for step in range(50):
                    progress(step + 1, 50)
            return (
                torch.stack([self.codes(s, seconds) for s in seeds]),
                np.stack([self.sound(name, p, s, seconds)[None] for p, s in zip(prompts, seeds, strict=True)]),
            )

        return SimpleNamespace(
            clips=clips, rate=RATE, engine=SimpleNamespace(frame_rate=25, device=torch.device("cpu")),
            batch_size=lambda seconds: 2, name=name,
        )  # fmt: skip

    def codes(self, seed: int, seconds: float) -> torch.Tensor:
        frames = round(25 * seconds)
        drawn = np.random.default_rng(seed).integers(512, size=(6, frames))
        if self.faulty.get(seed) == "stuck":
            drawn[:] = drawn[:, :1]
        return torch.from_numpy(drawn)

    def sound(self, checkpoint: str, prompt: str, seed: int, seconds: float) -> np.ndarray:
        """A tone whose pitch tells checkpoint, prompt and seed, in a rhythm that the seed draws."""
        drawn = 7 if seed in self.twins else seed
        rng = np.random.default_rng(drawn)
        t = np.arange(round(RATE * seconds)) / RATE
        envelope = np.repeat(rng.uniform(0.1, 1, size=16), -(-len(t) // 16))[: len(t)]
        audio = 0.3 * envelope * np.sin(2 * np.pi * pitch(checkpoint, prompt, drawn) * t)
        if self.faulty.get(seed) == "silent":
            audio[: round(0.6 * len(t))] = 0
        if self.faulty.get(seed) == "clipped":
            audio = np.clip(6 * audio, -1, 1)
        return audio.astype(np.float32)


def pitch(checkpoint: str, prompt: str, seed: int) -> int:
    return CHECKPOINTS[checkpoint] + PROMPTS[prompt] + 10 * (seed % 10)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    from models.musicgen import generate as networks
    from models.musicgen import oracle

    made = Bench()

    def compared(generator: Any, prompt: str) -> float:
        made.compared.append((generator.name, prompt))
        if generator.name in made.misread:
            raise ModelError(f"{generator.name}: off audiocraft's")
        return 0.0

    monkeypatch.setattr(networks, "load_generator", made.load)
    monkeypatch.setattr(networks, "generator_sha256", lambda name: made.weights[name])
    monkeypatch.setattr(oracle, "oracle_difference", compared)
    return made


def study(**changes: Any) -> StimuliConfig:
    given = {
        "tastes": [{"name": "sweet", "prompt": "a prompt"}, {"name": "sour", "prompt": "another"}],
        "clips_per_taste": 3, "seconds": 2.0, "seed": 4, "rate": RATE, **changes,
    }  # fmt: skip
    return StimuliConfig.model_validate(given)


def models(**changes: Any) -> ModelsConfig:
    return ModelsConfig.model_validate({"base": "one", "finetuned": "two", **changes})


ONE_TASTE = {"tastes": [{"name": "sweet", "prompt": "a prompt"}]}


def heard(folder: Path, row: ClipRow) -> float:
    """The pitch that a file holds, in Hz."""
    audio, rate = soundfile.read(folder / row.file)
    return float(np.abs(np.fft.rfft(audio[:, 0] * np.hanning(len(audio)))).argmax() * rate / len(audio))


def test_every_file_is_of_its_rows_taste_model_and_seed(bench: Bench, tmp_path: Path) -> None:
    rows = generate(study(), models(), tmp_path)
    checkpoints = {"base": "one", "finetuned": "two"}
    prompts = {"sweet": "a prompt", "sour": "another"}
    assert [(r.taste, r.model, r.number) for r in rows] == [
        (t, m, n) for t in ("sour", "sweet") for m in ("base", "finetuned") for n in range(3)
    ]
    for row in rows:
        assert row.told == f"{row.taste}-{row.model}-00{row.number}"
        assert row.prompt == prompts[row.taste]
        assert row.checkpoint == checkpoints[row.model]
        assert row.checkpoint_sha256 == bench.weights[checkpoints[row.model]]
        # Study seed, place of the taste in the study, number of the clip.
        assert row.seed == 4_000_000 + {"sweet": 0, "sour": 10_000}[row.taste] + row.number
        assert heard(tmp_path, row) == pytest.approx(pitch(row.checkpoint or "", row.prompt or "", row.seed), abs=1)
    assert verify(tmp_path) == []


def test_seeds_differ_between_clips_and_not_between_models(bench: Bench, tmp_path: Path) -> None:
    """Those in the manifest, and those that the two models were really asked for."""
    rows = generate(study(), models(batch=3), tmp_path)
    by_model = {m: [(r.taste, r.number, r.seed) for r in rows if r.model == m] for m in ("base", "finetuned")}
    assert by_model["base"] == by_model["finetuned"]
    assert len({r.seed for r in rows}) == 6
    asked = {c: [s for call in bench.calls if call["checkpoint"] == c for s in call["seeds"]] for c in ("one", "two")}
    assert asked["one"] == asked["two"]
    assert sorted(asked["one"]) == sorted({r.seed or 0 for r in rows})
    many = StimuliConfig.model_validate({**study().model_dump(), "clips_per_taste": 100})
    assert len({clip_seed(many, t, n) for t in ("sweet", "sour") for n in range(100)}) == 200
    assert clip_seed(study(seed=5), "sweet", 0) not in {
        clip_seed(many, t, n) for t in ("sweet", "sour") for n in range(100)
    }


def test_the_settings_are_those_of_the_study(bench: Bench, tmp_path: Path) -> None:
    chosen = models(top_k=50, temperature=0.7, guidance=3.5, engine="audiocraft", batch=4, device="cuda:1")
    rows = generate(study(fade=0.5, loudness=-30), chosen, tmp_path)
    for call in bench.calls:
        assert (call["top_k"], call["temperature"], call["guidance"]) == (50, 0.7, 3.5)
        assert (call["engine"], call["precision"], call["seconds"]) == ("audiocraft", "float32", 2.0)
        assert call["device"] == "cuda:1"
    for row in rows:
        kept = {
            k: row.settings[k] for k in ("top_k", "temperature", "guidance", "engine", "precision", "batch", "fade")
        }
        assert kept == {
            "top_k": 50, "temperature": 0.7, "guidance": 3.5, "engine": "audiocraft", "precision": "float32",
            "batch": 4, "fade": 0.5,
        }  # fmt: skip
        assert row.settings["torch"] == torch.__version__
        assert row.settings["device"] == "cpu"  # where the engine says that it is
        assert row.loudness == pytest.approx(-30, abs=0.1)


def test_where_the_cards_memory_does_not_do_batches_are_halved_and_the_rows_say_so(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = bench.load

    def small(*how: str) -> Any:
        loaded = load(*how)

        def clips(prompts: list[str], *rest: Any) -> Any:
            if len(prompts) > 2:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
            return made(prompts, *rest)

        made, loaded.clips = loaded.clips, clips
        return loaded

    monkeypatch.setattr("models.musicgen.generate.load_generator", small)
    rows = generate(study(clips_per_taste=5, **ONE_TASTE), models(batch=8), tmp_path / "halved")
    assert {r.settings["batch"] for r in rows} == {2}
    monkeypatch.setattr("models.musicgen.generate.load_generator", load)
    plain = generate(study(clips_per_taste=5, **ONE_TASTE), models(batch=2), tmp_path / "plain")
    assert [r.sha256 for r in rows] == [r.sha256 for r in plain]
    # A machine with another card or none keeps what is there.
    calls = len(bench.calls)
    manifest = tmp_path / "plain" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"device": "cpu"', '"device": "cuda (a card)"'))
    generate(study(clips_per_taste=5, **ONE_TASTE), models(batch=2), tmp_path / "plain")
    assert len(bench.calls) == calls


def test_clip_n_lies_at_one_place_of_a_batch_of_one_shape(bench: Bench, tmp_path: Path) -> None:
    generate(study(clips_per_taste=5, **ONE_TASTE), models(batch=3), tmp_path)
    base = [c for c in bench.calls if c["checkpoint"] == "one"]
    first = 4_000_000
    assert [c["seeds"] for c in base] == [[first, first + 1, first + 2], [first + 3, first + 4, 0]]
    assert all(c["prompts"] == ["a prompt"] * 3 for c in base)
    lost = read_manifest(tmp_path)[4]
    (tmp_path / lost.file).unlink()
    bench.calls.clear()
    again = generate(study(clips_per_taste=5, **ONE_TASTE), models(batch=3), tmp_path)
    assert [c["seeds"] for c in bench.calls] == [[0, first + 4, 0]]
    assert [r.sha256 for r in again] == [r.sha256 for r in read_manifest(tmp_path)]
    assert again[4].sha256 == lost.sha256


def test_without_a_batch_size_the_generators_own_is_taken(bench: Bench, tmp_path: Path) -> None:
    rows = generate(study(**ONE_TASTE), models(), tmp_path)
    assert {len(c["seeds"]) for c in bench.calls} == {2}
    assert {r.settings["batch"] for r in rows} == {2}


def made_again(bench: Bench, folder: Path, config: StimuliConfig, chosen: ModelsConfig) -> set[str]:
    """Clips that a further run makes."""
    before = {r.clip: (folder / r.file).stat().st_mtime_ns for r in read_manifest(folder)}
    bench.calls.clear()
    rows = generate(config, chosen, folder)
    return {r.told for r in rows if before.get(r.clip) != (folder / r.file).stat().st_mtime_ns}


def test_finished_clips_are_kept(bench: Bench, tmp_path: Path) -> None:
    generate(study(), models(), tmp_path)
    compared = len(bench.compared)
    assert made_again(bench, tmp_path, study(), models()) == set()
    assert bench.calls == []
    assert made_again(bench, tmp_path, study(), models(batch=5)) == set()  # any batch size will do
    assert len(bench.compared) == compared


def test_new_weights_make_new_clips_of_that_model_alone(bench: Bench, tmp_path: Path) -> None:
    generate(study(), models(), tmp_path)
    bench.weights["two"] = "3" * 64
    made = made_again(bench, tmp_path, study(), models())
    assert made == {f"{t}-finetuned-00{n}" for t in ("sweet", "sour") for n in range(3)}
    assert {r.checkpoint_sha256 for r in read_manifest(tmp_path) if r.model == "finetuned"} == {"3" * 64}


@pytest.mark.parametrize(
    ("of_study", "of_models"),
    [
        ({"seed": 5}, {}), ({"fade": 0.1}, {}), ({"loudness": -30.0}, {}), ({"peak": -3.0}, {}), ({"seconds": 1.5}, {}),
        ({"rate": 22050}, {}), ({}, {"top_k": 10}), ({}, {"temperature": 1.0}), ({}, {"guidance": 2.0}),
        ({}, {"engine": "audiocraft"}), ({}, {"precision": "int8"}),
    ],
    ids=str,
)  # fmt: skip
def test_another_setting_makes_all_clips_anew(
    bench: Bench, tmp_path: Path, of_study: dict[str, Any], of_models: dict[str, Any]
) -> None:
    few = {"clips_per_taste": 1, **ONE_TASTE}
    generate(study(**few), models(), tmp_path)
    made = made_again(bench, tmp_path, study(**few, **of_study), models(**of_models))
    assert made == {"sweet-base-000", "sweet-finetuned-000"}


def test_another_prompt_makes_the_clips_of_its_taste_anew(bench: Bench, tmp_path: Path) -> None:
    generate(study(), models(), tmp_path)
    tastes = [{"name": "sweet", "prompt": "a prompt"}, {"name": "sour", "prompt": "a prompt"}]
    made = made_again(bench, tmp_path, study(tastes=tastes), models())
    assert made == {f"sour-{m}-00{n}" for m in ("base", "finetuned") for n in range(3)}


def test_a_changed_file_is_mended_and_surplus_goes(bench: Bench, tmp_path: Path) -> None:
    rows = generate(study(), models(), tmp_path)
    (tmp_path / rows[3].file).write_bytes(b"changed")
    assert made_again(bench, tmp_path, study(), models()) == {rows[3].told}
    assert {r.clip: r.sha256 for r in read_manifest(tmp_path)} == {r.clip: r.sha256 for r in rows}
    fewer = generate(study(clips_per_taste=2), models(), tmp_path)
    assert {r.number for r in fewer} == {0, 1}
    assert len(list((tmp_path / "clips").iterdir())) == len(fewer) == 8
    more = made_again(bench, tmp_path, study(clips_per_taste=4), models())
    assert more == {f"{t}-{m}-00{n}" for t in ("sweet", "sour") for m in ("base", "finetuned") for n in (2, 3)}


@pytest.mark.parametrize("fault", ["silent", "clipped", "stuck"])
def test_a_faulty_clip_is_drawn_again_with_another_seed(bench: Bench, tmp_path: Path, fault: str) -> None:
    """The second clip of three; the first try after it is faulty too."""
    seed = 4_000_001
    bench.faulty = {seed: fault, seed + 500_001: "silent"}
    rows = generate(study(**ONE_TASTE), models(), tmp_path)
    for row in rows:
        if row.number == 1:
            assert row.seed == seed
            assert (row.checks["tries"], row.checks["drawn_again"]) == (3, [fault, "silent"])
            assert heard(tmp_path, row) == pytest.approx(
                pitch(row.checkpoint or "", "a prompt", seed + 1_000_001), abs=1
            )
        else:
            assert (row.checks["tries"], row.checks["drawn_again"]) == (1, [])
            assert heard(tmp_path, row) == pytest.approx(pitch(row.checkpoint or "", "a prompt", row.seed or 0), abs=1)
        assert row.checks["silent_share"] == row.checks["clipped_share"] == 0
        assert row.checks["stuck_share"] < 0.1
    asked = [c["seeds"] for c in bench.calls if c["checkpoint"] == "one"]
    assert asked[:3] == [[4_000_000, seed], [0, seed + 500_001], [0, seed + 1_000_001]]
    assert made_again(bench, tmp_path, study(**ONE_TASTE), models()) == set()


def test_no_try_of_one_clip_is_a_try_of_another() -> None:
    """The third try of a clip was the second of its neighbour: two clips of one prompt, equal to the bit."""
    seeds = {tried(1_000_000 + taste * 10_000 + n, k) for taste in range(40) for n in range(200) for k in range(4)}
    assert len(seeds) == 40 * 200 * 4
    assert [tried(7, k) for k in range(3)] == [7, 500_008, 1_000_008]


def test_a_prompt_that_gives_nothing_usable_ends_in_one_line(bench: Bench, tmp_path: Path) -> None:
    seed = 4_000_000
    bench.faulty = {seed: "silent"} | {seed + 500_000 * n + 1: "clipped" for n in range(1, 10)}
    with pytest.raises(StimulusError, match=r"'a prompt' gave 4 unusable clips \(silent, clipped, clipped, clipped\)"):
        generate(study(clips_per_taste=1, **ONE_TASTE), models(), tmp_path)
    assert list((tmp_path / "clips").iterdir()) == []
    with pytest.raises(StimulusError, match="no stimuli in"):
        read_manifest(tmp_path)


def test_the_later_of_two_all_but_equal_clips_is_drawn_again(bench: Bench, tmp_path: Path) -> None:
    bench.twins = {4_000_000, 4_000_002}
    rows = generate(study(**ONE_TASTE), models(), tmp_path)
    for row in rows:
        drawn = {0: 7, 1: 4_000_001, 2: 4_000_002 + 500_001}[row.number]
        assert heard(tmp_path, row) == pytest.approx(pitch(row.checkpoint or "", "a prompt", drawn), abs=1)
        assert row.checks["drawn_again"] == (["near-duplicate"] if row.number == 2 else [])
        assert row.checks["nearest"] < 0.95
        assert row.checks["nearest_clip"] in {r.clip for r in rows if r.model == row.model and r.clip != row.clip}
        assert row.checks["of"] == 3
    assert made_again(bench, tmp_path, study(**ONE_TASTE), models()) == set()


def test_a_prompt_that_gives_one_clip_only_ends_in_one_line(bench: Bench, tmp_path: Path) -> None:
    bench.twins = {4_000_000 + n for n in range(2)} | {
        4_000_001 + c + 500_000 * n for n in range(1, 20) for c in range(2)
    }
    with pytest.raises(StimulusError, match="'a prompt' keeps giving all but equal clips"):
        generate(study(clips_per_taste=2, **ONE_TASTE), models(), tmp_path)


def test_clips_of_two_models_may_be_alike(bench: Bench, tmp_path: Path) -> None:
    """A pair has one seed; only clips of one taste and model are compared."""
    rows = generate(study(clips_per_taste=1), models(), tmp_path)
    assert all("nearest" not in r.checks for r in rows)
    assert [r.checks["drawn_again"] for r in rows] == [[]] * 4


def test_an_engine_that_misreads_a_checkpoint_makes_nothing(bench: Bench, tmp_path: Path) -> None:
    bench.misread = {"two"}
    with pytest.raises(ModelError, match="two: off audiocraft's"):
        generate(study(), models(), tmp_path)
    assert {c["checkpoint"] for c in bench.calls} == {"one"}
    assert sorted(bench.compared) == [("one", "a prompt"), ("two", "a prompt")]  # once a checkpoint


def test_what_another_process_made_meanwhile_is_not_made_twice(bench: Bench, tmp_path: Path) -> None:
    rows = generate(study(**ONE_TASTE), models(), tmp_path)
    own = {r.told: r for r in rows}
    kept = own["sweet-base-001"]
    kept.caption = "known"
    update_manifest(tmp_path, [kept])
    (tmp_path / own["sweet-base-000"].file).unlink()
    generate(study(**ONE_TASTE), models(), tmp_path)
    assert {r.told: r for r in read_manifest(tmp_path)}["sweet-base-001"].caption == "known"


def test_progress_goes_up_to_the_number_of_clips(bench: Bench, tmp_path: Path) -> None:
    told: list[tuple[float, int, str]] = []
    generate(study(), models(), tmp_path, lambda done, total, what: told.append((done, total, what)))
    assert {total for _, total, _ in told} == {12}
    done = [d for d, _, _ in told]
    assert done == sorted(done)
    assert 0 < done[0] < 2
    assert done[-1] == 12
    ends = list(dict.fromkeys(what for _, _, what in told))
    assert ends == ["sweet, base", "sour, base", "sweet, finetuned", "sour, finetuned"]
    told.clear()
    (tmp_path / read_manifest(tmp_path)[0].file).unlink()  # sour, base, 0
    generate(study(), models(), tmp_path, lambda done, total, what: told.append((done, total, what)))
    assert [d for d, _, _ in told] == sorted(d for d, _, _ in told)
    assert (3 + 3 - 1) < min(d for d, _, w in told if w == "sour, base") < 6
