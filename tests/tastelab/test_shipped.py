"""Study files and guides are there wherever tastelab is installed: in a source distribution, in a wheel, in the repository."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import sbom
from tastelab import shipped
from tests.conftest import ROOT

STUDIES = [ROOT / "study.toml", *sorted((ROOT / "studies").rglob("*.toml"))]
GUIDES = sorted((ROOT / "docs").glob("*.md"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What setuptools lists for a source distribution, and copies for a wheel; weights are left out, which takes a second less."""
    folder = tmp_path_factory.mktemp("built")
    copy = folder / "copy"
    shutil.copytree(
        ROOT, copy,
        ignore=shutil.ignore_patterns(".*", "tests", "outputs", "*.safetensors", "*.egg-info", "benchmarks", "__pycache__", "log"),
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(folder), "build_py", "--build-lib", str(folder / "lib")],
        cwd=copy, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def test_a_source_distribution_has_all_that_a_wheel_carries(built: Path) -> None:
    listed = set((built / "tastelab.egg-info" / "SOURCES.txt").read_text().splitlines())
    wanted = [
        *STUDIES,
        *GUIDES,
        *(ROOT / n for n in ("README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE", "setup.py", "constraints.txt")),
    ]
    assert [p for p in wanted if p.relative_to(ROOT).as_posix() not in listed] == []
    assert not any(name.startswith("tests/") for name in listed)


def test_a_wheel_carries_studies_guides_drafts_and_cards(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carried = built / "lib" / "tastelab" / "carried"
    for path in (*STUDIES, *GUIDES, ROOT / "README.md", ROOT / "SECURITY.md"):
        assert (carried / path.relative_to(ROOT)).read_bytes() == path.read_bytes()
    drafts = sorted(p.name for p in (ROOT / "tastelab" / "beginning" / "drafts").iterdir() if p.suffix == ".toml")
    assert sorted(p.name for p in (built / "lib" / "tastelab" / "beginning" / "drafts").iterdir()) == drafts
    for card in (ROOT / "models" / "weights").glob("*/README.md"):
        assert (built / "lib" / card.relative_to(ROOT)).is_file()
    here = shipped.studies()
    monkeypatch.setattr(shipped, "HERE", built / "lib" / "tastelab")
    there = shipped.studies()
    assert list(there) == list(here)
    assert next(iter(there)) == "multimodal-symphony"
    assert all(path.is_relative_to(carried) for path in there.values())


def test_the_lockfile_has_the_pinned_versions_by_hash_and_names_no_host() -> None:
    """Whatever the project file asks for is in it; `constraints.txt`, by which set-up installs, says the same of each."""
    import re

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    from tests.tastelab.without import declared

    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert not re.search(r"https?:|index-url|find-links|@ ", "\n".join(lines))
    blocks = re.findall(
        r"^([A-Za-z0-9._-]+)(?:\[[^\]\n]*\])?==(\S+)(?: ; [^\\\n]*)? \\\n((?: {4}--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)",
        text,
        re.MULTILINE,
    )
    locked = {canonicalize_name(name): version for name, version, _ in blocks}
    assert len(locked) == len(re.findall(r"^[A-Za-z0-9]", text, re.MULTILINE))
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    of = {canonicalize_name(name): version for name, version in pinned.items()}
    assert {n: (v, of[n]) for n, v in locked.items() if n in of and of[n] != v} == {}
    for line in declared():
        wanted = Requirement(line)
        if wanted.name == "tastelab" or "'dev'" in line or '"dev"' in str(wanted.marker):
            continue
        assert wanted.specifier.contains(locked[canonicalize_name(wanted.name)]), line


def test_every_pinned_package_has_its_licence_in_the_list() -> None:
    """Of those that are installed here the list says what they say themselves (tomli is for older Pythons)."""
    lines = [x.split(" | ") for x in (ROOT / "docs" / "licences.md").read_text(encoding="utf-8").splitlines()]
    listed = {x[0].strip("| "): (x[1].strip(), x[2].strip("| ")) for x in lines if len(x) == 3}
    pins = dict(x.split("==") for x in (ROOT / "constraints.txt").read_text(encoding="utf-8").split())
    assert {name: listed.get(name, ("",))[0] for name in pins if name != "tomli"} == {
        n: v for n, v in pins.items() if n != "tomli"
    }
    assert [name for name, (_, licence) in listed.items() if not licence] == []
    for name, licence in (
        ("pingouin", "GPL-3.0"),
        ("torch", "BSD-3-Clause"),
        ("psycopg", "LGPL-3.0-only"),
        ("wakepy", "MIT"),
    ):
        assert licence in listed[name][1]


def test_networks_stand_in_the_bill_of_materials_by_their_own_sum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASTELAB_CACHE", str(tmp_path))
    there = {c["name"]: c for c in sbom.networks()}
    weights = sorted((ROOT / "models" / "weights").glob("*/model.safetensors"))
    assert sorted(there) == [w.parent.name for w in weights]
    for path in weights:
        (known,) = there[path.parent.name]["hashes"]
        assert known == {"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}
    pulled = tmp_path / "models" / "t5-base"
    pulled.mkdir(parents=True)
    files = {"model.safetensors": {"sha256": "ab" * 32, "bytes": 1}, "config.json": {"sha256": "cd" * 32, "bytes": 1}}
    (pulled / "pulled.json").write_text(json.dumps({"name": "t5-base", "commit": "0" * 40, "files": files}))
    (more,) = [c for c in sbom.networks() if c["name"] not in there]
    assert more["bom-ref"] == "network:t5-base"
    assert more["licenses"] == [{"license": {"name": "Apache-2.0"}}]
    assert more["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
