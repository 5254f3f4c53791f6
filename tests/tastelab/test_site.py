"""The documentation as a site: it is built without a warning, every page is reached, and what it says is there is there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import typer

from tastelab.cli import app
from tests.conftest import ROOT

DOCS = ROOT / "docs"


def built(docs: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(docs), str(site)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)


class Links(HTMLParser):
    """What a page links to, and the places that it has."""

    def __init__(self) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.places: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.places.add(found.get("id") or "")
        for name in ("href", "src"):
            if found.get(name) and tag in ("a", "img", "audio", "source"):
                self.links.add(str(found[name]))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = built(DOCS, folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def test_every_page_is_there_and_every_link_leads_somewhere(site: Path) -> None:
    pages: dict[Path, Links] = {}
    for path in site.glob("*.html"):
        pages[path] = Links()
        pages[path].feed(path.read_text(encoding="utf-8"))
    assert {p.stem for p in DOCS.glob("*.md")} <= {p.stem for p in pages}
    astray = []
    for path, page in pages.items():
        for link in page.links:
            if re.match(r"(https?|mailto|data):", link):
                continue
            name, _, place = link.partition("#")
            target = (path.parent / name).resolve() if name else path
            if not target.exists() or (place and target in pages and place not in pages[target].places):
                astray.append(f"{path.name}: {link}")
    assert astray == []


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for path in site.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"(https?://[^\"]+)", text), path.name


def test_functions_for_notebooks_say_what_they_take(site: Path) -> None:
    text = (site / "api.html").read_text(encoding="utf-8")
    for name in (
        "analysis.data.freeze.thaw",
        "analysis.preference.robust.preference",
        "analysis.factors.paper.analyse",
    ):
        assert f'id="{name}"' in text
    assert "Satterthwaite" in text


def test_a_link_that_leads_nowhere_and_a_page_that_none_leads_to_stop_the_building(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    shutil.copytree(DOCS, docs, ignore=shutil.ignore_patterns("evidence", "images", "log"))
    for path in docs.glob("*.md"):
        if path.name not in ("index.md", "way.md"):
            path.unlink()
    (docs / "index.md").write_text("# A\n\n```{toctree}\nway\n```\n\n[none](nowhere.md)\n", encoding="utf-8")
    (docs / "alone.md").write_text("# B\n", encoding="utf-8")
    done = built(docs, tmp_path / "site")
    assert done.returncode != 0
    assert "nowhere.md" in done.stderr
    assert "alone.md" in done.stderr


@pytest.mark.parametrize("page", ["papers.md", "participant.md", "way.md", "index.md"])
def test_commands_and_files_that_are_named_are_there(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    commands = re.findall(r"`tastelab ([a-z][a-z0-9 -]*[a-z0-9])`", text)
    for words in commands:
        group = typer.main.get_command(app)
        for word in words.split():
            if not hasattr(group, "commands"):
                break  # what a command is given
            assert word in group.commands, words
            group = group.commands[word]
    for path in re.findall(r"\b((?:analysis|models|stimuli|experiment|studies)/[\w/.-]*\w)", text):
        assert (ROOT / path).exists(), path
