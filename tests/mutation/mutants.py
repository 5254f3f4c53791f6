"""How many single faults the tests notice: ``make mutants``, or ``python -m tests.mutation.mutants``.

`N` faults are drawn over the logic of all packages: first a kind, then a place, each alike likely (`draw`). The seed is the
commit's hash, so that nobody chooses the faults after the tests, and the tests are those of the commit: a tree that differs from
it is refused. Each fault is put into a copy, and the tests beside the module are run there until one fails: those of its own name,
those of its folder, and last the slow ones; with ``--map`` all tests that run through the changed line but slow ones (coverage's map, made
once for a commit). A fault that no test notices is a survivor; one that changes nothing counts as one too. docs/evidence/mutants.json
has the rates with 95 % intervals (Wilson) and every survivor. It can be stopped and goes on where it was: each verdict is kept. With
``--todo`` it lists the faults that are not judged, with ``--units`` it judges those of a list alone, beside others in the same checkout.

With ``--part 'experiment/tasks/*' experiment/design.py`` the same is done over the files that match, and what is found stands
there among `parts`, with the commit that it is of; with ``--own`` by the tests of the module's own name alone, which can but
lower the rate. With ``--only 'analysis/engines/*'`` it serves while tests are written:
nothing is kept, any tree will do, and the tests are those beside the module, of its own name where there is such a file (or
those named by ``--tests``).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path
from queue import Queue
from typing import Any

from analysis.kept import Kept
from tests.mutation.draw import Mutant, mutants, parses
from tests.mutation.same import why_same
from tests.mutation.tree import ROOT, Runner, broken, copied
from tests.mutation.which import PACKAGES, beside, lines

LIMIT = 1200.0  # s, far longer than the tests beside any module take
LIMIT_OF_ONE = 120.0  # s, the same of one file of tests: what runs on for ever is soon known
QUICK, SLOW = "not slow and not desk", "slow and not desk"  # leaving tests out can but lower the rate
EVIDENCE = ROOT / "docs" / "evidence" / "mutants.json"


def drawn(n: int, seed: str, *only: str) -> list[Mutant]:
    """Draw `n` different faults: a kind, then a place of that kind; the same for the same text and seed.

    Where there are patterns, `only` in files that match one of them.
    """
    by_kind: dict[str, list[Mutant]] = {}
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for file in sorted(listed.splitlines()):
        wanted = not only or any(fnmatch(file, pattern) for pattern in only)
        if file.split("/")[0] in PACKAGES and "/migrations/" not in file and wanted:
            for mutant in mutants(file, (ROOT / file).read_text(encoding="utf-8")):
                by_kind.setdefault(mutant.kind, []).append(mutant)
    rng = random.Random(seed)
    found: list[Mutant] = []
    while len(found) < n and any(by_kind.values()):
        places = by_kind[rng.choice(sorted(k for k in by_kind if by_kind[k]))]
        mutant = places.pop(rng.randrange(len(places)))
        if parses(mutant.applied(ROOT)):
            found.append(mutant)
    return found


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    if n == 0:
        return 0.0, 1.0
    z, p = 1.959964, hits / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


CRASHES = (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGFPE, -signal.SIGBUS)  # what a fault may do to the interpreter
UNUSABLE, UNIMPORTED = 4, "while loading conftest"  # pytest's status and words where what its fixtures import is broken
LATE = 124  # tests that took longer than they may
PATIENCE = 8  # times as long where they are late without the fault too
Group = tuple[list[str], float, str]  # tests, how long they may take in seconds, which of them (pytest's -m)


def noticed(mutant: Mutant, copy: Path, runner: Runner, groups: list[Group]) -> str | None:
    """The test that noticed a fault, or None; tests are run group by group."""
    for tests, seconds, marked in groups:
        if not tests:
            continue
        status, output = _with(mutant, copy, runner, (tests, seconds, marked))
        if status == LATE and runner.run(tests, seconds / 2, ("-m", marked))[0] == LATE:
            # Without the fault they are late too: the machine is busy, or they are long.
            seconds *= PATIENCE
            status, output = _with(mutant, copy, runner, (tests, seconds, marked))
        if status == LATE:
            return f"out of time ({seconds:.0f} s)"
        if status not in (0, 5):
            said = [x for x in output.splitlines() if x.startswith(("FAILED", "ERROR"))]
            if status in CRASHES:
                return f"crashed with signal {-status}"
            if status == UNUSABLE and UNIMPORTED in output:
                return "nothing can be imported any more"
            if not said:
                # Killed, or never begun: that is no test's finding.
                raise RuntimeError(f"pytest ended with status {status} and names no test: {output[-400:]!r}")
            return said[0][:160]
    return None


def _with(mutant: Mutant, copy: Path, runner: Runner, group: Group) -> tuple[int, str]:
    """What tests say with the fault put in."""
    tests, seconds, marked = group
    with broken(copy / mutant.file, mutant.applied(copy)):
        return runner.run(tests, seconds, ("-m", marked))


def run(
    chosen: list[Mutant],
    tests: Callable[[Mutant], list[Group]],
    jobs: int,
    known: dict[str, Any],
    kept: Kept | None = None,
) -> None:
    """Put each fault into one of `jobs` copies; results are added to `known`, and `kept` at once, by the fault's own key."""
    copies: Queue[tuple[Path, Runner]] = Queue()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as held:
        for i in range(jobs):
            copy = held.enter_context(copied(Path(folder) / str(i)))
            copies.put((copy, held.enter_context(Runner(copy))))

        def work(place: int) -> None:
            mutant = chosen[place]
            if key(mutant) in known:
                return
            copy, runner = copies.get()
            started = time.monotonic()
            try:
                by = known[key(mutant)] = noticed(mutant, copy, runner, tests(mutant))
            finally:
                copies.put((copy, runner))
            if kept is not None:
                kept.put(key(mutant), {"by": by})
            state = "noticed " if by else "SURVIVED"
            sys.stdout.write(
                f"{place + 1:4d}/{len(chosen)} {state} {time.monotonic() - started:5.0f} s  {mutant.file}:{mutant.line} "
                f"{mutant.kind}: {short(mutant.old)} -> {short(mutant.new)}   {(by or '')[:90]}\n"
            )
            sys.stdout.flush()

        pool = ThreadPoolExecutor(jobs)
        try:
            list(pool.map(work, range(len(chosen))))
        finally:
            pool.shutdown(cancel_futures=True)


def key(mutant: Mutant) -> str:
    """What makes a fault the same one in another run."""
    return hashlib.sha256(repr(asdict(mutant)).encode()).hexdigest()[:16]


def judged(chosen: list[Mutant], kept: Kept) -> dict[str, Any]:
    """What is known of faults already, by whoever judged them."""
    found = {key(m): kept.get(key(m)) for m in chosen}
    return {name: one["by"] for name, one in found.items() if one is not None}


def listed(mutant: Mutant) -> str:
    """A fault as a line of a list of them."""
    return f"{key(mutant)} {mutant.file}:{mutant.line} {mutant.kind}"


def named(chosen: list[Mutant], lines: list[str]) -> list[Mutant]:
    """The faults that a list names.

    Raises
    ------
    ValueError
        If it names one that was not drawn: it is of another commit, or of another number.
    """
    wanted = [line.split()[0] for line in lines if line.strip()]
    if strange := set(wanted) - {key(m) for m in chosen}:
        raise ValueError(f"no fault that is drawn here is called {min(strange)}")
    return [m for m in chosen if key(m) in wanted]


def short(text: str) -> str:
    """One line of at most 60 characters."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}..."


def rates(chosen: list[Mutant], known: dict[str, Any], by: Callable[[Mutant], str]) -> list[dict[str, Any]]:
    """Faults, noticed ones and their share with interval, by group and over all; the same without those that change nothing."""
    groups: dict[str, list[tuple[bool, bool]]] = {}
    for mutant in chosen:
        hit = known[key(mutant)] is not None
        for name in (by(mutant), "all"):
            groups.setdefault(name, []).append((hit, not hit and why_same(mutant) is not None))
    rows = []
    for name, found in sorted(groups.items(), key=lambda kv: (kv[0] == "all", kv[0])):
        hits, same = sum(hit for hit, _ in found), sum(same for _, same in found)
        row: dict[str, Any] = {"of": name, "faults": len(found), "noticed": hits} | _share(hits, len(found))
        if same:
            row |= {"same": same, "of_others": _share(hits, len(found) - same)}
        rows.append(row)
    return rows


def _share(hits: int, n: int) -> dict[str, float]:
    low, high = wilson(hits, n)
    return {"rate": round(hits / n, 3) if n else 0.0, "low": round(low, 3), "high": round(high, 3)}


def results(chosen: list[Mutant], known: dict[str, Any], by_file: bool) -> dict[str, Any]:
    """Rates by file or by package, by kind, and every survivor."""
    places = {"by_file": rates(chosen, known, lambda m: m.file)}
    if not by_file:
        places = {"by_package": rates(chosen, known, lambda m: m.file.split("/")[0])}
    return {
        **places,
        "by_kind": rates(chosen, known, lambda m: m.kind),
        "survivors": [
            {"file": m.file, "line": m.line, "kind": m.kind, "old": short(m.old), "new": short(m.new)}
            | ({"same": why} if (why := why_same(m)) else {})
            for m in chosen
            if known[key(m)] is None
        ],
    }


def beside_others(before: dict[str, Any], found: dict[str, Any], part: list[str]) -> dict[str, Any]:
    """What the file says with a new result in it: of a part in its own place, of all code before what is known of parts."""
    parts = list(before.get("parts", []))
    if not part:
        return found | ({"parts": parts} if parts else {})
    new, places = {"of": part, **found}, [i for i, known in enumerate(parts) if known["of"] == part]
    for i in places:
        parts[i] = new
    return before | {"parts": parts if places else [*parts, new]}


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def main() -> int:
    """Draw, run, and write down what survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=200, help="how many faults")
    parser.add_argument("--part", nargs="+", default=[], help="faults of files that match one of these patterns")
    parser.add_argument("--only", nargs="+", default=[], help="the same while tests are written; nothing is kept")
    parser.add_argument("--tests", nargs="*", help="with --only: tests to run instead of those beside the module")
    parser.add_argument("--seed", help="with --only: another draw")
    parser.add_argument(
        "--map", action="store_true", help="run all tests that run through the line, not those beside it"
    )
    parser.add_argument("--own", action="store_true", help="run the tests of the module's own name alone")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--todo", action="store_true", help="list the faults that are not judged, one a line; judge none"
    )
    parser.add_argument("--units", type=Path, help="a file of such lines, which alone are judged; figures come later")
    given = parser.parse_args()
    commit = _git("rev-parse", "HEAD")
    known: dict[str, Any] = {}
    if given.only:
        chosen = drawn(given.n, given.seed or commit, *given.only)
        run(
            chosen,
            lambda m: [
                (g, min(LIMIT, LIMIT_OF_ONE * len(g)), QUICK)
                for g in ([given.tests] if given.tests else beside(m.file)[:1])
            ],
            given.jobs,
            known,
        )
        for row in rates(chosen, known, lambda m: m.file):
            sys.stdout.write(f"{row['noticed']:4d} of {row['faults']:4d}  {row['of']}\n")
        return 0
    if _git("status", "--porcelain"):
        sys.stderr.write(
            "the tree differs from its commit: commit first, so that the faults are drawn after the tests\n"
        )
        return 2
    if given.own and not given.part:
        parser.error("--own is for a --part: of all code the rate is that of the tests beside the module")
    chosen = drawn(given.n, commit, *given.part)
    of = "-".join(pattern.replace("/", ".").replace("*", "all") for pattern in given.part)
    kept = Kept(ROOT / ".pytest_cache" / f"mutants-{commit[:12]}-{given.n}{of[:100]}{'-own' * given.own}")
    known = judged(chosen, kept)
    if given.todo:
        sys.stdout.writelines(f"{listed(m)}\n" for m in chosen if key(m) not in known)
        return 0
    try:
        share = named(chosen, given.units.read_text(encoding="utf-8").splitlines()) if given.units else chosen
    except (OSError, ValueError) as error:
        parser.error(f"--units {given.units}: {error}")
    if given.map:
        mapped = lines(commit)

        def groups(mutant: Mutant) -> list[Group]:
            return [(g, mapped.limit(g), QUICK) for g in mapped.of(mutant.file, mutant.line)]
    else:

        def groups(mutant: Mutant) -> list[Group]:
            quick = [(g, LIMIT, QUICK) for g in beside(mutant.file)]
            if given.own:
                return [(tests, 3 * LIMIT_OF_ONE, QUICK) for tests, _, _ in quick[:1]]
            return [*quick, ([*chain(*beside(mutant.file))], LIMIT, SLOW)]

    started = time.monotonic()
    run(share, groups, given.jobs, known, kept)
    if given.units:
        return 0
    run_as = {
        "commit": commit,
        "seed": "the commit's hash",
        "tests": "of its own name" if given.own else "through the line" if given.map else "beside the module",
        "machine": f"{platform.processor() or platform.machine()}, Python {platform.python_version()}",
        "minutes": round((time.monotonic() - started) / 60, 1),
    }
    before = json.loads(EVIDENCE.read_text(encoding="utf-8")) if EVIDENCE.exists() else {}
    found = run_as | results(chosen, known, by_file=bool(given.part))
    EVIDENCE.write_text(json.dumps(beside_others(before, found, given.part), indent=1) + "\n", encoding="utf-8")
    for row in found["by_file" if given.part else "by_package"]:
        sys.stdout.write(
            f"{row['of']:<36} {row['noticed']:4d} of {row['faults']:4d}  {100 * row['rate']:.0f} % "
            f"[{100 * row['low']:.0f}, {100 * row['high']:.0f}]"
            + (
                f"; {row['same']} change nothing: {100 * row['of_others']['rate']:.0f} % of the others"
                if "same" in row
                else ""
            )
            + "\n"
        )
    wrong = [m for m in chosen if known[key(m)] is not None and why_same(m)]
    for m in wrong:
        sys.stderr.write(f"{m.file}:{m.line} is said to change nothing, and was noticed: {known[key(m)]}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
