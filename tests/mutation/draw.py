"""Single faults that may be drawn: every place in a module's logic where one small change would make it wrong.

Kinds: ``comparison`` (< for <=, == for !=, in for not in), ``sign`` (+ for -, * for /, a lost minus), ``boolean`` (and for or, a lost
not), ``constant`` (a number moved, True for False), ``arguments`` (two neighbours exchanged), ``dropped`` (a statement left
out), ``return`` (None, or a tuple's first two exchanged), ``strings`` (two neighbouring strings of a table exchanged).
Left out: docstrings, annotations, messages of raised errors, texts in format, imports, help of the command line; what only asserts
(`strict` of `zip`); and two texts
of a set, of what `in` and `not in` look through, of what a text may begin or end with, and what `max` and `min` choose from:
their order means nothing by the language's own rules. Whatever else changes nothing stays among the faults. The well-kept mutation tools (mutmut 3, cosmic-ray 8)
have no exchanged arguments, dropped statements or tables, and make the whole set instead of drawing from it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
SIGNS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
}  # fmt: skip
EITHER = ("max", "min", "maximum", "minimum")  # calls that say the same of two numbers in either order
ANY_OF = ("startswith", "endswith", "set", "frozenset", "sorted")  # calls that look at each of a tuple's texts alike
HELP = ("Option", "Argument", "add_typer", "Typer")  # calls whose arguments are words for the command line


@dataclass(frozen=True)
class Mutant:
    """One fault: the text from `start` to `end` (byte offsets) of `file` becomes `new`."""

    file: str
    line: int
    kind: str
    start: int
    end: int
    old: str
    new: str

    def applied(self, root: Path) -> str:
        """The module's text with the fault in it."""
        data = (root / self.file).read_bytes()
        return (data[: self.start] + self.new.encode() + data[self.end :]).decode()


class _Finder:
    def __init__(self, file: str, text: str):
        self.file, self.data = file, text.encode()
        self.starts = [0]
        for row in self.data.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(row))
        self.found: list[Mutant] = []
        self._unordered: set[int] = set()  # displays that `in` looks through

    def span(self, node: ast.AST) -> tuple[int, int]:
        line, column, end_line, end_column = (
            getattr(node, n) for n in ("lineno", "col_offset", "end_lineno", "end_col_offset")
        )
        return self.starts[line - 1] + column, self.starts[end_line - 1] + end_column

    def _source(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.data[start:end].decode()

    def add(self, node: ast.AST, kind: str, new: str) -> None:
        start, end = self.span(node)
        old = self.data[start:end].decode()
        if old != new:
            self.found.append(Mutant(self.file, int(getattr(node, "lineno")), kind, start, end, old, new))  # noqa: B009

    def exchange(self, a: ast.AST, b: ast.AST, kind: str) -> None:
        """Exchange two nodes that follow each other."""
        (start, a_end), (b_start, end) = self.span(a), self.span(b)
        between = self.data[a_end:b_start].decode()
        new = self._source(b) + between + self._source(a)
        old = self.data[start:end].decode()
        if old != new:
            self.found.append(Mutant(self.file, int(getattr(a, "lineno")), kind, start, end, old, new))  # noqa: B009

    def visit(self, node: ast.AST) -> None:
        """Collect the faults in a node and below it."""
        for child in _logic(node):
            self._at(child)
            self.visit(child)

    def _at(self, node: ast.AST) -> None:
        if isinstance(node, ast.Compare):
            looked = zip(node.ops, node.comparators, strict=True)
            self._unordered |= {id(x) for op, x in looked if isinstance(op, (ast.In, ast.NotIn))}
        if isinstance(node, ast.Call) and _named(node) in ANY_OF and len(node.args) == 1 and not node.keywords:
            self._unordered.add(id(node.args[0]))
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS:
            changed = ast.Compare(node.left, [COMPARISONS[type(node.ops[0])]()], node.comparators)
            self.add(node, "comparison", f"({ast.unparse(changed)})")
        elif isinstance(node, ast.BinOp) and type(node.op) in SIGNS and not _words(node):
            self.add(node, "sign", f"({ast.unparse(ast.BinOp(node.left, SIGNS[type(node.op)](), node.right))})")
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            self.add(node, "sign", f"({ast.unparse(node.operand)})")
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            self.add(node, "boolean", f"({ast.unparse(node.operand)})")
        elif isinstance(node, ast.BoolOp):
            other = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
            self.add(node, "boolean", f"({ast.unparse(ast.BoolOp(other, node.values))})")
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
            self.add(node, "constant", str(not node.value))
        elif isinstance(node, ast.Constant) and isinstance(node.value, int):
            self.add(node, "constant", str(node.value + 1))
        elif isinstance(node, ast.Constant) and isinstance(node.value, float):
            self.add(node, "constant", repr(node.value * 1.25 if node.value else 0.25))
        elif isinstance(node, ast.Return) and node.value is not None:
            if isinstance(node.value, ast.Tuple) and len(node.value.elts) > 1:
                self.exchange(node.value.elts[0], node.value.elts[1], "return")
            elif not (isinstance(node.value, ast.Constant) and node.value.value is None):
                self.add(node, "return", "return None")
        elif (
            (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
            or isinstance(node, ast.AugAssign)
            or (isinstance(node, ast.Assign) and isinstance(node.targets[0], (ast.Subscript, ast.Attribute)))
        ):
            self.add(node, "dropped", "pass")
        if isinstance(node, ast.Call):
            plain = [a for a in node.args if not isinstance(a, ast.Starred)]
            if len(plain) == len(node.args) > 1 and _named(node) not in (*HELP, *EITHER):
                self.exchange(node.args[0], node.args[1], "arguments")
        elif isinstance(node, (ast.Dict, ast.List, ast.Tuple)) and id(node) not in self._unordered:
            items = node.values if isinstance(node, ast.Dict) else node.elts
            for a, b in pairwise(items):
                if _text(a) and _text(b):
                    self.exchange(a, b, "strings")


def _text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _words(node: ast.BinOp) -> bool:
    """Sums of texts: exchanging + and - in them only breaks them."""
    return any(_text(x) or isinstance(x, ast.JoinedStr) for x in (node.left, node.right))


def _named(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _logic(node: ast.AST) -> Iterator[ast.AST]:
    """Children of a node that are logic."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params", "format_spec"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, (ast.Import, ast.ImportFrom, ast.Raise)):
                continue
            if isinstance(child, ast.Expr) and _text(child.value):
                continue  # a docstring
            if isinstance(child, ast.JoinedStr) and not any(
                isinstance(part, ast.FormattedValue) and not isinstance(part.value, ast.Name) for part in child.values
            ):
                continue
            if isinstance(child, ast.Call) and _named(child) in HELP:
                continue
            if (
                isinstance(child, ast.keyword)
                and child.arg == "strict"
                and isinstance(node, ast.Call)
                and _named(node) == "zip"
            ):
                continue  # an assertion: of what is right it says nothing
            if isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING":
                continue
            if isinstance(child, ast.Assign) and getattr(child.targets[0], "id", "") == "__all__":
                continue
            yield child


def mutants(file: str, text: str) -> list[Mutant]:
    """Every single fault of a module, in the order of its text; none within formatted strings."""
    finder = _Finder(file, text)
    tree = ast.parse(text)
    finder.visit(tree)
    # Python 3.11 does not know where the parts of a formatted string stand.
    spans = [finder.span(n) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr)]
    kept = [m for m in finder.found if not any(a <= m.start < b for a, b in spans)]
    return sorted(kept, key=lambda m: (m.start, m.end, m.kind, m.new))


def parses(text: str) -> bool:
    """Whether a module with a fault in it is still Python."""
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True
