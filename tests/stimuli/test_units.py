"""Any share of a step makes what the whole makes; what can't be made is told, and keeps nobody; nothing is made twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stimuli import waiting
from stimuli.generate import generate
from stimuli.manifest import read_manifest, verify
from stimuli.units import Clips, Described, Distinct
from tests.stimuli.test_generate import Bench, bench, models, study
from tests.stimuli.test_sources import conditions, tracks

__all__ = ["bench", "tracks"]


@dataclass
class Told:
    """An account that keeps what it is told."""

    at: list[tuple[str, ...]] = field(default_factory=list)
    well: list[str] = field(default_factory=list)
    wrong: dict[str, str] = field(default_factory=dict)

    def begins(self, names: Sequence[str]) -> None:
        self.at.append(tuple(names))

    def made(self, names: Sequence[str]) -> None:
        self.well += names

    def failed(self, names: Sequence[str], error: Exception) -> None:
        self.wrong |= dict.fromkeys(names, str(error))


FIVE = {"clips_per_taste": 5}


def test_shares_make_the_manifest_that_the_whole_makes(bench: Bench, tmp_path: Path) -> None:
    """In any order, each by a step of its own as on a machine of its own; the calls are the same batches."""
    chosen = models(batch=2)
    whole = generate(study(**FIVE), chosen, tmp_path / "whole")
    calls = sorted(str(c) for c in bench.calls)
    bench.calls.clear()
    folder = tmp_path / "shared"
    names = [u.name for u in Clips(study(**FIVE), chosen, folder).units()]
    assert len(names) == len(set(names)) == 20
    shares = [names[k : k + 2] for k in range(0, 5, 2)] + [names[k : k + 5] for k in range(5, 20, 5)]
    shares[2] = names[4:5]
    for share in reversed(shares):
        account = Told()
        Clips(study(**FIVE), chosen, folder).make(share, account)
        assert sorted(account.well) == sorted(share)
        assert account.wrong == {}
    assert not (folder / "manifest.json").exists()  # nobody wrote but files of their own
    step = Distinct(study(**FIVE), chosen, folder)
    step.make([u.name for u in step.units()], Told())
    step.gather()
    assert read_manifest(folder) == whole
    assert sorted(str(c) for c in bench.calls) == calls
    assert verify(folder) == []
    assert waiting.found(folder) == []
    assert generate(study(**FIVE), chosen, folder) == whole


def test_what_is_made_is_not_made_again_and_a_changed_file_is(bench: Bench, tmp_path: Path) -> None:
    step = Clips(study(), models(), tmp_path)
    names = [u.name for u in step.units()]
    step.make(names, Told())
    assert step.done(step.units()) == set(names)
    bench.calls.clear()
    account = Told()
    step.make(names, account)
    assert bench.calls == []
    assert sorted(account.well) == sorted(names)
    (tmp_path / "clips" / f"{names[3]}.wav").unlink()
    assert step.done(step.units()) == set(names) - {names[3]}
    step.make(names, Told())
    assert len(bench.calls) == 1
    step.gather()
    assert verify(tmp_path) == []


def test_a_unit_s_fingerprint_is_of_what_it_is_made_of_and_of_nothing_else(bench: Bench, tmp_path: Path) -> None:
    def of(chosen: Any = None, **changes: Any) -> dict[str, str]:
        return {u.name: u.fingerprint for u in Clips(study(**changes), chosen or models(), tmp_path).units()}

    before = of()
    assert of(models(batch=7, device="cpu")) == before
    assert {n: f for n, f in of(clips_per_taste=4).items() if n in before} == before
    assert not set(before.values()) & set(of(loudness=-30.0).values())
    assert not set(before.values()) & set(of(models(temperature=0.5)).values())
    bench.weights["two"] = "3" * 64
    assert len(set(before.values()) & set(of().values())) == 6  # of the other checkpoint


def test_one_clip_that_cannot_be_made_is_told_and_its_neighbours_are_made(bench: Bench, tmp_path: Path) -> None:
    first = 4_000_000
    bench.faulty[first + 1] = "silent"
    bench.faulty |= {first + 1 + 500_000 * k + 1: "silent" for k in range(1, 5)}
    step = Clips(study(), models(batch=3), tmp_path)
    account, names = Told(), [u.name for u in step.units()]
    step.make(names, account)
    lost = [names[1], names[7]]  # the second of the first taste, in both conditions
    assert sorted(account.wrong) == sorted(lost)
    assert all("unusable clips" in line for line in account.wrong.values())
    assert step.done(step.units()) == set(names) - set(lost)
    apart = Distinct(study(), models(batch=3), tmp_path)
    assert sorted(u.name for u in apart.units()) == ["sour, base", "sour, finetuned"]  # of sets that are whole
    bench.faulty.clear()
    step.make(names, Told())
    assert len(apart.units()) == 4
    apart.make([u.name for u in apart.units()], Told())
    apart.gather()
    assert read_manifest(tmp_path) == generate(study(), models(batch=3), tmp_path / "whole")


def test_a_block_of_units_is_what_is_made_at_once(bench: Bench, tmp_path: Path) -> None:
    assert Clips(study(), models(batch=3), tmp_path).aligned == 3
    assert Clips(study(), models(), tmp_path).aligned == 8  # docs/scale.md: blocks of eight


def test_a_model_that_does_not_load_fails_its_clips_and_no_others(bench: Bench, tmp_path: Path) -> None:
    bench.misread.add("two")
    step, account = Clips(study(), models(), tmp_path), Told()
    names = [u.name for u in step.units()]
    step.make(names, account)
    assert len(account.wrong) == len(account.well) == 6
    assert set(account.wrong.values()) == {"two: off audiocraft's"}


def test_a_track_that_is_too_short_is_told_and_the_others_are_taken(tracks: Path, tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tracks / "brief.wav", np.zeros(1000), 8000)
    step = Clips(study(), conditions({"name": "film", "tracks": tracks}), tmp_path)
    assert step.aligned == 1  # nothing of them is made in batches
    account = Told()
    step.make([u.name for u in step.units()], account)
    assert len(account.well) == 2
    (line,) = account.wrong.values()
    assert "brief.wav is shorter than seconds = 2" in line
    step.gather()
    assert {r.track for r in read_manifest(tmp_path)} == {"one-track", "another-one"}


def test_features_of_shares_are_those_of_the_whole(bench: Bench, tmp_path: Path) -> None:
    from stimuli.describe import describe

    for name in ("whole", "shared"):
        generate(study(), models(), tmp_path / name)
    whole = describe(tmp_path / "whole", "features", models())
    step = Described("features", models(), tmp_path / "shared")
    units = step.units()
    assert step.done(units) == set()
    account = Told()
    step.make([u.name for u in units[7:]] + ["clip-unknown"], account)
    assert list(account.wrong) == ["clip-unknown"]
    assert step.done(units) == {u.name for u in units[7:]}
    assert sorted(account.well) == sorted(u.name for u in units[7:])
    again = Told()
    Described("features", models(), tmp_path / "shared").make([u.name for u in units[:9]], again)  # two of them again
    assert sorted(again.well) == sorted(u.name for u in units[:9])
    step.gather()
    assert read_manifest(tmp_path / "shared") == whole


def test_what_is_no_units_fault_goes_through(bench: Bench, tmp_path: Path) -> None:
    """Whoever keeps the account may refuse an error: then nothing more is made."""

    class Strict(Told):
        def failed(self, names: Sequence[str], error: Exception) -> None:
            raise error

    bench.misread.add("one")
    with pytest.raises(Exception, match="off audiocraft's"):
        Clips(study(), models(), tmp_path).make([u.name for u in Clips(study(), models(), tmp_path).units()], Strict())
