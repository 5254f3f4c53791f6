"""No code is about one paper's conditions, tastes or tasks: those are names in a study file."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT

PACKAGES = ("analysis", "experiment", "stimuli", "tastelab", "models")
CONDITIONS = ("base", "finetuned", "fine-tuned")
TASTES = ("sweet", "sour", "salty", "bitter", "spicy")
# A column may be called `given`; nothing may be compared with it.
COMPARED = ("given", "preference", "ratings", "identification")
# Modules that are about these names, and why.
ABOUT = {
    "models/conditions.py": "what version 0.1 called its conditions, the one place for it",
    "experiment/data/imports.py": "the seed paper's survey file",
    "stimuli/config.py": "version 0.1's source = 'given'",
    "analysis/preference/paper.py": "the seed paper's tests",
    "analysis/sound/correspondences.py": "published correspondences between tastes and sound",
    "analysis/report/write.py": "names of the report's own sections",
    "stimuli/dataset/taste.py": "the taste set of chorales, which embedded captioner and earlier taste models learned from",
    "stimuli/dataset/pulse/tasting.py": "the corpus from which the shipped taste model learned, of bands",
    "stimuli/dataset/build.py": "a corpus is called base",
    "tastelab/commands/stimuli.py": "a corpus is called base",
    "tastelab/commands/models.py": "a network that one can train is called base",
    "experiment/data/declared.py": "tables of the texts, which are called as the kinds of tasks",
    "experiment/data/connect.py": "what Alembic calls an empty database",
}


def modules() -> list[str]:
    return [p.relative_to(ROOT).as_posix() for name in PACKAGES for p in sorted((ROOT / name).rglob("*.py"))]


def spoken_of(text: str) -> Iterator[tuple[int, str]]:
    """Lines of some code, and the paper's names that stand there as strings outside of docstrings."""
    tree = ast.parse(text)
    above = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or isinstance(above[node], ast.Expr):
            continue
        outer: ast.AST = node
        while isinstance(above[outer], ast.Tuple | ast.List | ast.Set):
            outer = above[outer]
        place = above[outer]
        literal = isinstance(place, ast.Subscript) and ast.unparse(place.value).endswith("Literal")
        compared = isinstance(place, ast.Compare | ast.MatchValue)
        if node.value in (*CONDITIONS, *TASTES) or (
            node.value in COMPARED and (compared or (literal and node.value == "given"))
        ):
            yield node.lineno, node.value
        elif any(name in node.value for name in ("finetuned", "clip_base")) and " " not in node.value:
            yield node.lineno, node.value  # part of a column's or a clip's name


@pytest.mark.parametrize("module", modules())
def test_no_module_speaks_of_the_papers_conditions_tastes_or_tasks(module: str) -> None:
    found = [f"{module}:{line}: {name!r}" for line, name in spoken_of((ROOT / module).read_text(encoding="utf-8"))]
    assert found == [] or module in ABOUT, found


@pytest.mark.parametrize("module", sorted(ABOUT))
def test_modules_that_are_about_them_are_still_there_and_still_are(module: str) -> None:
    assert list(spoken_of((ROOT / module).read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ('if x == "base": pass', ["base"]),
        ('"""base"""\ndef f():\n    "sweet"', []),
        ('x = {"sweet": 1}', ["sweet"]),
        ('y: Literal["base", "other", "given"]', ["base", "given"]),
        ('z = x in ("given", "other")', ["given"]),
        ('given = row["given"]', []),
        ('kind: Literal["preference"] = "preference"', []),
        ('rows[rows["kind"] == "preference"]', ["preference"]),
        ('match x:\n    case "ratings":\n        pass', ["ratings"]),
        ('row["clip_finetuned"]', ["clip_finetuned"]),
        ('say("the finetuned model is read")', []),
        ('f(model="finetuned")', ["finetuned"]),
    ],
)
def test_what_counts_as_speaking_of_them(code: str, names: list[str]) -> None:
    assert [name for _, name in spoken_of(code)] == names
