"""Study files and guides stand at the top of the repository, where people look for them; what is installed carries copies."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
CARRIED = (
    "study.toml",
    "studies/*.toml",
    "studies/effects/*.toml",
    "docs/*.md",
    "README.md",
    "CHANGELOG.md",
    "SECURITY.md",
)


class WithStudies(build_py):
    """Packages, and beside `tastelab/shipped.py` what it shows (in an editable installation it shows the repository's own)."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        if not (HERE / "study.toml").is_file():
            raise FileNotFoundError("study.toml is not here; MANIFEST.in says what a source distribution holds")
        for pattern in CARRIED:
            for path in sorted(HERE.glob(pattern)):
                target = Path(self.build_lib) / "tastelab" / "carried" / path.relative_to(HERE)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


setup(cmdclass={"build_py": WithStudies})
