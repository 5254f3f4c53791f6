"""The documentation as a site: ``sphinx-build -W docs outputs/site``; the tests build it."""

from __future__ import annotations

import re
from importlib.metadata import version as of
from pathlib import Path
from typing import Any

project, author, copyright = "tastelab", "the authors of tastelab", "the authors of tastelab, GPL-3.0-or-later"
version = release = of("tastelab")
extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["log", "evidence"]
html_theme, html_title, html_show_sphinx = "furo", "tastelab", False
myst_heading_anchors = 4
autosummary_generate = False
autodoc_typehints = "none"  # the signature has them; numpydoc's tables say what they mean
numpydoc_show_class_members = False
# Pages of the site that stand at the top of the repository.
PAGES = {
    "CONTRIBUTING.md": "developer.md",
    "CHANGELOG.md": "changes.md",
    "SECURITY.md": "security.md",
    "README.md": "readme.md",
}
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)\s#]+)")


def read(app: Any, path: Path, docname: str, content: list[str]) -> None:
    """Let a page from the top of the repository link to the site's pages, and to files as they lie there."""

    def linked(found: re.Match[str]) -> str:
        target = found[1]
        return "](" + PAGES.get(target, target.removeprefix("docs/") if target.startswith("docs/") else f"../{target}")

    content[0] = LINK.sub(linked, content[0])


def setup(app: Any) -> None:
    """Sphinx calls it."""
    app.connect("include-read", read)
