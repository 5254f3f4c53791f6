"""The language model that comes in another format is converted once on a machine."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from models.sonicverse import llm


def test_of_two_that_want_it_at_once_one_converts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a fresh machine; later nobody does, and what was left half-made is not taken for it."""
    monkeypatch.setenv("TASTELAB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / llm.CONVERTED).mkdir(parents=True)
    converted: list[Path] = []

    def convert(target: Path) -> None:
        converted.append(target)
        time.sleep(0.1)
        (target / "config.json").write_text("{}")

    monkeypatch.setattr(llm, "_convert", convert)
    with ThreadPoolExecutor(2) as both:
        found = list(both.map(lambda _: llm.converted_smollm2(), range(2)))
    assert found == [llm.converted_smollm2()] * 2 == [tmp_path / "cache" / llm.CONVERTED] * 2
    assert converted == [found[0]]


def test_a_first_time_on_a_machine_draws_nothing_from_a_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights are drawn while it is converted; the seed of who trains is not theirs."""

    def convert(target: Path) -> None:
        torch.rand(5)
        target.mkdir(parents=True)
        (target / "config.json").write_text("{}")

    monkeypatch.setattr(llm, "_convert", convert)
    monkeypatch.setenv("TASTELAB_CACHE", str(tmp_path / "cache"))
    drawn = []
    for _ in range(2):
        torch.manual_seed(7)
        llm.converted_smollm2()
        drawn.append(float(torch.rand(1)))
    assert drawn[0] == drawn[1]
