"""What SonicVerse is taught in each step, at both sizes: which clips, which words, how fast; nothing is trained here."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from models.sonicverse.full import train as full
from models.sonicverse.full.musicbench import Row
from models.sonicverse.nano import train as nano
from models.sonicverse.nano.captioner import NANO
from models.sonicverse.nano.labels import labels_of, sentence, targets
from models.sonicverse.projector import DualProjector
from models.training import Clip
from tests.models.sonicverse.test_labels import ROW
from tests.models.sonicverse.test_projector import small

LAYERS = {name: width for name, width in NANO.layers.items()} if isinstance(NANO.layers, dict) else {}
N = 120


def clips() -> list[Clip]:
    """Of 40 pieces; every fourth clip is a recording, of which the voice alone is known, every third is sung."""
    out = []
    for i in range(N):
        row = {**ROW, "title": f"p{i % 40}"} if i % 4 else {"title": f"p{i % 40}"}
        row["voice"] = {"gender": "female", "speaker": "a"} if i % 3 == 0 else None
        if i % 4:
            row["attributes"] = {**ROW["attributes"], "bpm": 60 + i}
        out.append(Clip(Path(f"{i}.wav"), "", row))
    return out


def vectors() -> dict[str, np.ndarray]:
    """The clip's number stands in every layer."""
    return {name: np.repeat(np.arange(N, dtype=np.float32)[:, None], width, 1) for name, width in LAYERS.items()}


@pytest.fixture(scope="module")
def taught() -> list[nano._Projector]:
    """The tasks that `train_projector` gives to the loop, on clips that are numbers."""
    tasks: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nano, "_views", lambda corpora, report: (clips(), vectors()))
        patch.setattr(nano, "fingerprint", lambda clips: "x")
        patch.setattr(nano, "train", lambda task, loop, *_: tasks.append((task, loop)))
        calibrated: list[Any] = []
        patch.setattr(DualProjector, "calibrate", lambda self, logits, wanted: calibrated.append((logits, wanted)))
        nano.train_projector([], Path("nowhere"), 500, seed=7, head_weight=0.25)
    (main, loop), (voices, extra) = tasks
    assert (loop.end, loop.clip, loop.state, loop.curve) == (
        2500, 1.0, Path("nowhere/sonicverse.pt"), Path("nowhere/sonicverse.jsonl")
    )  # fmt: skip
    assert (extra.end, extra.clip, extra.state) == (1500, None, None)
    assert len(calibrated[0][1]["tempo"]) == N - len(main.lesson.free)
    return [main, voices]


def numbers(x: dict[str, torch.Tensor]) -> list[int]:
    assert set(x) == set(LAYERS)
    return [int(v) for v in x["cnn1"][:, 0]]


def test_heads_learn_from_every_free_clip_and_captions_from_the_worded(taught: list[nano._Projector]) -> None:
    main, everything = taught[0], clips()
    lesson = main.lesson
    free = set(lesson.free.tolist())
    kept = {everything[i].row["title"] for i in range(N) if i not in free}
    assert kept
    assert not kept & {everything[i].row["title"] for i in free}
    assert set(lesson.worded.tolist()) == {i for i in free if "attributes" in everything[i].row}
    seen: set[int] = set()
    for step in range(60):
        ((x, y, texts),) = main.lots(step)
        assert texts is None
        assert len(numbers(x)) == 64
        seen |= set(numbers(x))
        for k, i in enumerate(numbers(x)):
            wanted = targets(labels_of(everything[i].row))
            assert np.array_equal(y["tempo"][k].numpy(), wanted["tempo"], equal_nan=True)
            assert np.array_equal(y["vocals"][k].numpy(), wanted["vocals"])
            assert not y["genre"][k].isnan().any()  # distilled, so always known
    assert seen == free
    assert numbers(main.lots(3)[0][0]) == numbers(main.lots(3)[0][0]) != numbers(main.lots(4)[0][0])
    said: set[int] = set()
    for step in range(2000, 2100):
        ((x, _, texts),) = main.lots(step)
        assert texts is not None
        assert len(texts) == 8
        said |= set(numbers(x))
        for i, text in zip(numbers(x), texts, strict=True):
            labels = labels_of(everything[i].row)
            assert text in {sentence(labels, np.random.default_rng(k)) for k in range(12)}
    assert said <= set(lesson.worded.tolist())
    assert len(said) > 0.9 * len(lesson.worded)


def test_rates_of_the_nano_recipe(taught: list[nano._Projector]) -> None:
    """50 steps of warm-up to 0.001, a cosine to a twentieth of it; once for the heads, once more for the captions."""
    main, voices = taught
    assert [main.rate(s) for s in (0, 49, 1025, 1999)] == pytest.approx([2e-5, 1e-3, 5.25e-4, 5e-5], rel=1e-3)
    assert [main.rate(s) for s in (2000, 2049, 2275, 2499)] == pytest.approx([2e-5, 1e-3, 5.25e-4, 5e-5], rel=5e-3)
    assert [voices.rate(s) for s in (0, 49, 775, 1499)] == pytest.approx([2e-5, 1e-3, 5.25e-4, 5e-5], rel=1e-3)
    assert [s for s in range(2500) if main.shows(s)] == [*range(0, 2000, 100), *range(2000, 2500, 10)]
    (group,) = main.optimizer().param_groups
    assert group["weight_decay"] == 0.05
    assert len(group["params"]) == len(list(main.model.parameters()))
    assert main.module.head_weight == 0.25


def test_voices_learn_from_all_kinds_alike(taught: list[nano._Projector]) -> None:
    voices, everything = taught[1], clips()
    counts = dict.fromkeys([(a, b) for a in (True, False) for b in (True, False)], 0)
    for step in range(40):
        ((x, y),) = voices.lots(step)
        assert set(y) == {"vocals", "gender"}
        for i in numbers(x):
            assert i in voices.lesson.free
            counts["attributes" in everything[i].row, bool(everything[i].row["voice"])] += 1
    assert set(counts.values()) == {40 * 16}
    (group,) = voices.optimizer().param_groups
    names = {id(p): name for name, p in voices.model.named_parameters()}
    learning = {names[id(p)] for p in group["params"]}
    assert "beta" in learning
    assert all(name == "beta" or name.startswith(("heads.vocals.", "heads.gender.")) for name in learning)
    assert group["weight_decay"] == 0


def rows() -> list[Row]:
    return [
        Row(Path(f"{i}.wav"), str(i), tuple(f"{i} said {k}" for k in range(1 + i % 3)), None, None, False)
        for i in range(10)
    ]


def stage(number: int, process: int = 0, processes: int = 1, accumulate: int = 1) -> full._Stage:
    lesson = full.Lesson(
        rows(), np.repeat(np.arange(10, dtype=np.float32)[:, None], 24, 1).reshape(10, 3, 8),
        [{"key": np.eye(24, dtype=np.float32)[i]} for i in range(10)],
    )  # fmt: skip
    llm = torch.nn.Linear(2, 2)
    llm.register_parameter("lora_a", torch.nn.Parameter(torch.zeros(1)))
    accelerator: Any = SimpleNamespace(num_processes=processes, process_index=process, device=torch.device("cpu"))
    settings = full.FullSettings(batch=8, accumulate=accumulate, lr=0.5, seed=2)
    return full._Stage(
        number, range(100, 300), lesson, DualProjector(small(heads={"key": 24})), (llm, None), settings, accelerator
    )


def drawn(task: full._Stage, step: int) -> list[tuple[int, str]]:
    out = []
    for hidden, wanted, texts in task.lots(step):
        assert hidden.shape[1:] == (3, 1, 8)
        for k, text in enumerate(texts):
            i = int(hidden[k, 0, 0, 0])
            assert int(wanted["key"][k].argmax()) == i
            assert text.startswith(f"{i} said ")
            out.append((i, text))
    return out


def test_processes_and_lots_share_one_batch() -> None:
    """Whoever works on it, and in however many lots, a step learns from the same clips and captions."""
    for step in range(20):
        whole = drawn(stage(2), step)
        assert len(whole) == 8
        shared = [pair for p in range(2) for pair in drawn(stage(2, p, 2), step)]
        assert sorted(shared) == sorted(whole)
        assert sorted(drawn(stage(2, accumulate=4), step)) == sorted(whole)
        assert len(stage(2, accumulate=4).lots(step)) == 4
    said = {pair for step in range(60) for pair in drawn(stage(2), step)}
    assert said == {(i, text) for i, row in enumerate(rows()) for text in row.captions}
    assert drawn(stage(2), 1) == drawn(stage(2), 1) != drawn(stage(2), 2)


def test_stages_learn_what_they_should_at_their_rate() -> None:
    for number, names in ((1, {"beta", "heads", "backbone"}), (3, {"alpha", "content", "feature"})):
        task = stage(number)
        learning = {n.split(".")[0] for n, p in task.projector.named_parameters() if p.requires_grad}
        assert learning == names
        frozen = {n: p.requires_grad for n, p in task.llm.named_parameters()}
        assert frozen == {"weight": False, "bias": False, "lora_a": number > 1}
        count = sum(p.requires_grad for p in (*task.projector.parameters(), *task.llm.parameters()))
        assert len(task.optimizer().param_groups[0]["params"]) == count
    # 3 % of 200 steps are the warm-up; the cosine ends at a twentieth.
    assert [task.rate(s) for s in (100, 105, 203, 299)] == pytest.approx([0.5 / 6, 0.5, 0.2625, 0.025], rel=5e-3)
    kept = task.kept()
    assert set(kept) == {"projector", "adapter"}
    assert set(kept["adapter"]) == {"lora_a"}


def test_dropout_differs_between_processes_and_comes_back() -> None:
    def draw(process: int, step: int) -> float:
        stage(1, process, 2).begin(step)
        return float(torch.rand(()))

    assert draw(0, 5) == draw(0, 5)
    assert len({draw(p, s) for p in (0, 1) for s in (5, 6)}) == 4
    task = stage(1)
    task.projector.eval()
    task.llm.eval()
    task.begin(0)
    assert (task.projector.training, task.llm.training) == (True, False)
