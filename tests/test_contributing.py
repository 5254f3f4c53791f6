"""Each row of CONTRIBUTING.md's table, followed: what it says is done in a copy of the tree, and what was added works there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, write_small_study
from tests.mutation.tree import broken, copied, environment

TABLE = re.findall(r"^\| (.+?) \| (.+?) \|$", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)[1:]

# What a user's disk holds after some bots: run in the copy, as a process of its own.
LIVED = """
import json, sys
from pathlib import Path
from stimuli.manifest import ClipRow, write_manifest
from tastelab.study import load_study
from tests.tastelab.conftest import Lived, call

lived = Lived(Path(sys.argv[1]))
study = load_study(lived.study)
rows = [
    ClipRow(clip=f"{t.name}-{m}-{n:03d}", taste=t.name, model=m, number=n, file=f"clips/{t.name}{m}{n}.wav", sha256="0" * 64,
            seconds=2.0, rate=48000, loudness=-23.0, peak=-3.0, gain=1.0, seed=n)
    for t in study.stimuli.tastes for m in ("base", "finetuned") for n in range(study.stimuli.clips_per_taste)
]
folder = lived.out / study.name / "stimuli"
folder.mkdir(parents=True, exist_ok=True)
write_manifest(folder, rows)

def bots(n, *more):
    said = call("experiment", "simulate", "-n", str(n), "--quiet", *lived.where, *more)
    assert said.status == 0, said.err
"""


class Copy:
    """A copy of the tree in which things are added for the time of one test."""

    def __init__(self, folder: Path, user: Path, undo: ExitStack):
        self.folder, self.user, self._undo = folder, user, undo

    def add(self, name: str, text: str) -> None:
        """Write a new file."""
        path = self.folder / name
        assert not path.exists(), name
        path.write_text(text, encoding="utf-8")
        self._undo.callback(path.unlink)

    def change(self, name: str, old: str, new: str) -> None:
        """Put `new` in the place of `old`, which stands in the file once."""
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, (name, old, text.count(old))
        self._undo.enter_context(broken(path, text.replace(old, new)))

    def study(self, *changes: tuple[str, str]) -> Path:
        """A user's folder with the small study, changed."""
        path = write_small_study(self.user)
        text = path.read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new, 1)
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, code: str, lived: bool = True) -> Any:
        """Run code in the copy, after `LIVED` where a study is wanted; what it prints last, read as JSON."""
        command = [sys.executable, "-c", (LIVED if lived else "import json, sys\n") + code, str(self.user)]
        done = subprocess.run(command, cwd=self.folder, env=environment(self.folder), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with copied(tmp_path_factory.mktemp("copy") / "tree") as folder:
        yield folder


@pytest.fixture
def copy(tree: Path, tmp_path: Path) -> Iterator[Copy]:
    with ExitStack() as undo:
        yield Copy(tree, tmp_path, undo)


def a_taste(copy: Copy) -> None:
    copy.study(
        (
            '[[stimuli.tastes]]\nname = "sour"',
            '[[stimuli.tastes]]\nname = "umami"\npitch = "low-pitched"\nbpm = 100\n\n[[stimuli.tastes]]\nname = "sour"',
        ),
        ("[experiment.taste_words.en]\n", '[experiment.taste_words.en]\numami = "savoury"\n'),
        ("[experiment.taste_words.it]\n", '[experiment.taste_words.it]\numami = "saporito"\n'),
    )
    found = copy.run("""
from types import SimpleNamespace
from experiment.items import question
from stimuli.config import render_prompt
bots(20)
trial = SimpleNamespace(block="preference", taste="umami")
print(json.dumps({
    "prompt": render_prompt(study.stimuli.taste("umami"), "music"),
    "asked": [question(study.experiment, trial, "preference", x).text for x in ("en", "it")],
    "trials": lived.asked("select count(*) from trial where block = 'preference' and taste = 'umami'")[0][0],
    "answers": lived.asked("select count(*) from response join trial on trial.id = trial_id where taste = 'umami'")[0][0],
}))
""")
    assert found["prompt"] == "Umami music: moderate tempo, 100 BPM, low-pitched."
    assert "SAVOURY" in found["asked"][0]
    assert "SAPORITO" in found["asked"][1]
    assert found["trials"] == 20 * 4 / 5  # four trials a person, five tastes in balance
    assert found["answers"] >= found["trials"]


def a_scale_adjectives_another_design(copy: Copy) -> None:
    copy.study(
        ("low = 0\nhigh = 10", "low = -3\nhigh = 3"),
        ("trials = 4", "trials = 2"),
        ("low = 1\nhigh = 5", "low = 1\nhigh = 3"),
        ('en = ["not at all", "a little", "quite", "a lot", "very much"]', 'en = ["no", "some", "yes"]'),
        ('it = ["per niente", "poco", "abbastanza", "molto", "moltissimo"]', 'it = ["no", "un po\'", "sì"]'),
        (
            '[[experiment.ratings.adjectives]]\nname = "salty"',
            '[[experiment.ratings.adjectives]]\nname = "crisp"\nwords = { en = "crisp", it = "croccante" }\n'
            '[[experiment.ratings.adjectives]]\nname = "salty"',
        ),
        (
            "[analysis]\n",
            '[[experiment.questionnaires]]\nname = "hunger"\nlow = 1\nhigh = 3\nquestion = { en = "Now", it = "Ora" }\n'
            'labels = { en = ["no", "some", "yes"], it = ["no", "un po\'", "sì"] }\n'
            'items = [{ name = "hungry", words = { en = "I am hungry", it = "Ho fame" } }]\n\n[analysis]\n',
        ),
    )
    found = copy.run("""
bots(6)
print(json.dumps({block: lived.asked("select count(*), min(value), max(value) from response join trial on trial.id = trial_id "
    "where block = ? and (? = '' or item = ?)", (block, item, item))[0]
    for block, item in (("preference", ""), ("ratings", ""), ("ratings ", ""), ("hunger", "hungry"))}
    | {"crisp": lived.asked("select count(*) from response where item = 'crisp'")[0][0]}))
""")
    n, low, high = found["preference"]
    assert (n, low < 0, low >= -3, high <= 3) == (6 * 2, True, True, True)
    n, low, high = found["ratings"]
    assert (n, low >= 1, high <= 3) == (6 * 2 * 13, True, True)
    assert found["hunger"][0] == 6
    assert found["crisp"] == 6 * 2


TEMPO = '''"""How fast one clip is."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from experiment.question import Question
from experiment.tasks.after import After
from experiment.tasks.task import Reader, Task, scale_question


class TempoTask(Task):
    """How fast is the music?"""

    heard: ClassVar[bool] = True
    kind: Literal["tempo"] = "tempo"
    clips: int = 2
    conditions: tuple[str, ...] = ()
    after: tuple[After, ...] = ()
    repeats: int = 0
    items: ClassVar[tuple[str, ...]] = ("tempo",)

    def asks(self, item: str, taste: str | None, reader: Reader) -> Question:
        """On seven steps."""
        words = reader.words["tempo"]
        return scale_question(item, words["question"], 1, 7, (words["low"], words["high"]))

    def questions(self, reader: Reader) -> Iterator[tuple[str | None, Question]]:
        """One."""
        yield None, self.asks("tempo", None, reader)

    def titles(self, reader: Reader) -> list[str]:
        """One clip."""
        return [reader.words["ratings"]["listen"]]
'''


def a_kind_of_task(copy: Copy) -> None:
    copy.study()
    text = (copy.user / "study.toml").read_text(encoding="utf-8")
    tasks = (
        '[[experiment.tasks]]\nkind = "tempo"\nclips = 3\n'
        '[[experiment.tasks]]\nkind = "preference"\ntrials = 4\npairs = [["finetuned", "base"]]\n\n'
    )
    start, end = text.index("[experiment.preference]"), text.index("[analysis]")
    (copy.user / "study.toml").write_text(text[:start] + tasks + text[end:], encoding="utf-8")
    copy.add("experiment/tasks/tempo.py", TEMPO)
    copy.change("experiment/config.py", "QuestionsTask | PageTask", "QuestionsTask | PageTask | TempoTask")
    line = "from experiment.tasks.task import DEMOGRAPHICS, RESERVED"
    copy.change("experiment/config.py", line, f"from experiment.tasks.tempo import TempoTask\n{line}")
    copy.change(
        "experiment/design.py", "RatingsTask | IdentificationTask", "RatingsTask | IdentificationTask | TempoTask"
    )
    line = "from experiment.tasks.task import AFTER"
    copy.change("experiment/design.py", line, f"from experiment.tasks.tempo import TempoTask\n{line}")
    for language, words in (("en", "How fast?"), ("it", "Quanto veloce?")):
        copy.change(
            f"experiment/texts/{language}.toml", "[identification]",
            f'[tempo]\nintro = "Listen."\nquestion = "{words}"\nlow = "slow"\nhigh = "fast"\n\n[identification]',
        )  # fmt: skip
    found = copy.run("""
from experiment.lab.reading import phrases
bots(8)
print(json.dumps({
    "answers": lived.asked("select block, count(*), min(value) >= 1, max(value) <= 7 from response join trial on trial.id = trial_id "
                           "where first_id is not null group by block"),
    "read": [a.item for w, a in phrases(study.experiment, "it").questions.items() if "Quanto veloce?" in w],
    "checked": call("study", "check", str(lived.study)).status,
}))
""")
    assert sorted(found["answers"])[1] == ["tempo", 8 * 3, 1, 1]
    assert found["answers"][0][:2] == ["preference", 8 * 4]
    assert found["read"] == ["tempo"]
    assert found["checked"] == 0


def a_language(copy: Copy) -> None:
    texts = copy.user / "texts"
    texts.mkdir()
    english = (copy.folder / "experiment" / "texts" / "en.toml").read_text(encoding="utf-8")
    asked = "How do you listen now?"
    assert english.count(asked) == 1
    words = re.findall(r"words = \{ en = \"(.+?)\"", write_small_study(copy.user).read_text(encoding="utf-8"))
    changes = [(f'{{ en = "{word}",', f'{{ de = "{word}-de", en = "{word}",') for word in words]
    study = (
        ('languages = ["en", "it"]', 'languages = ["de", "en", "it"]\ntexts = "texts"'),
        (
            "[experiment.taste_words.en]",
            '[experiment.taste_words.de]\nsweet = "süß"\nsour = "sauer"\nsalty = "salzig"\nbitter = "bitter"\n\n'
            "[experiment.taste_words.en]",
        ),
        ("[experiment.ratings.labels]\n", '[experiment.ratings.labels]\nde = ["nie", "sehr"]\n'),
    )
    code = """
from types import SimpleNamespace
from experiment.items import question
bots(1)
language = lived.asked("select language from session")[0][0]
def said(block, item, taste=None):
    return question(study.experiment, SimpleNamespace(block=block, taste=taste), item, language)
print(json.dumps([language, said("demographics", "device").text, said("preference", "preference", "sweet").text,
                  said("ratings", "happy").word, said("ratings", "happy").labels]))
"""
    (texts / "de.toml").write_text(english.replace(asked, "Wie hören Sie gerade?"), encoding="utf-8")
    copy.study(*changes, *study)
    language, device, preference, word, labels = copy.run(code)
    assert (language, device, word, labels) == ("de", "Wie hören Sie gerade?", "happiness-de", ["nie", "sehr"])
    assert "SÜSS" in preference
    # Shipped instead: the same without a folder.
    copy.add("experiment/texts/de.toml", english.replace(asked, "Und wie hören Sie?"))
    copy.study(*changes, (study[0][0], 'languages = ["de", "en", "it"]'), *study[1:])
    (copy.user / "participants.db").unlink()
    assert copy.run(code)[:2] == ["de", "Und wie hören Sie?"]


def a_question_about_the_person(copy: Copy) -> None:
    copy.study()
    copy.change("experiment/tasks/task.py", '    "device",\n]', '    "device",\n    "handedness",\n]')
    for language, words in (("en", "Which hand?"), ("it", "Quale mano?")):
        file = f"experiment/texts/{language}.toml"
        copy.change(
            file, "[demographics.device]",
            f'[demographics.handedness]\nquestion = "{words}"\noptions = {{ left = "l", right = "r" }}\n[demographics.device]',
        )  # fmt: skip
    found = copy.run("""
bots(8)
said = call("experiment", "export", *lived.where)
assert said.status == 0, said.err
print(json.dumps([lived.asked("select choice, count(*) from response where item = 'handedness' group by choice"),
                  [p.name for p in lived.out.rglob("*.csv") if "handedness" in p.read_text()]]))
""")
    given, files = found
    assert {choice for choice, _ in given} <= {"left", "right"}
    assert sum(n for _, n in given) == 8
    assert files


def a_screen(copy: Copy) -> None:
    copy.study()
    copy.change(
        "experiment/session.py", "    def listen(self, clips",
        '    def rinse(self) -> None:\n        """A sip of water."""\n\n    def listen(self, clips',
    )  # fmt: skip
    copy.change(
        "experiment/session.py", "        case Practice():",
        '        case Rinse():\n            presenter.rinse()\n            return answering.seen(store, stored, step.id, now(), "rinse")\n'
        "        case Practice():",
    )  # fmt: skip
    copy.change("experiment/session.py", "    Practice,\n", "    Practice,\n    Rinse,\n")
    copy.change(
        "experiment/steps.py", "Step = Consent |",
        '@dataclass(frozen=True)\nclass Rinse:\n    """A sip of water before a task."""\n\n    id: str\n\n\nStep = Rinse | Consent |',
    )  # fmt: skip
    copy.change(
        "experiment/steps.py", "    if f\"intro:{trial.block}\" not in stored.seen:\n",
        "    if f\"rinse:{trial.block}\" not in stored.seen:\n        return Rinse(f\"rinse:{trial.block}\")\n"
        "    if f\"intro:{trial.block}\" not in stored.seen:\n",
    )  # fmt: skip
    copy.change(
        "experiment/bots/bots.py", "    def page(self, title",
        '    def rinse(self) -> None:\n        """Bots taste nothing."""\n\n    def page(self, title',
    )  # fmt: skip
    copy.change(
        "experiment/lab/screens.py", "    def consent(self)",
        '    def rinse(self) -> None:\n        """A sip of water."""\n        self.page("Water", "Take a sip.")\n\n    def consent(self)',
    )  # fmt: skip
    found = copy.run("""
from experiment.lab.screens import Screens
bots(2)
shown = []
screens = Screens.__new__(Screens)
screens.page = lambda title, text: shown.append(title)
screens.rinse()
print(json.dumps([lived.asked("select count(*) from event where name = 'rinse'")[0][0], shown]))
""")
    assert found == [2 * 2, ["Water"]]  # before each of the two parts


def a_column_of_the_database(copy: Copy) -> None:
    copy.study()
    before = copy.run("bots(2)\nprint(json.dumps(lived.asked('select count(*) from response')))")
    versions = sorted((copy.folder / "experiment/data/migrations/versions").glob("0*.py"))
    last = re.search(r'^revision = "(\d+)"', versions[-1].read_text(), re.MULTILINE)
    assert last is not None
    number = f"{int(last[1]) + 1:04d}"
    copy.change(
        "experiment/data/tables.py", '    __tablename__ = "participant"\n',
        '    __tablename__ = "participant"\n    glasses: Mapped[str | None] = mapped_column(String(20), default="none")\n',
    )  # fmt: skip
    copy.add(
        f"experiment/data/migrations/versions/{number}_glasses.py",
        f'"""Glasses"""\n\nimport sqlalchemy as sa\nfrom alembic import op\n\nrevision = "{number}"\ndown_revision = "{last[1]}"\n'
        "branch_labels = None\ndepends_on = None\n\n\ndef upgrade() -> None:\n"
        '    op.add_column("participant", sa.Column("glasses", sa.String(length=20), nullable=True))\n\n\n'
        'def downgrade() -> None:\n    op.drop_column("participant", "glasses")\n',
    )
    after, glasses = copy.run("""
bots(3)
print(json.dumps([lived.asked("select count(*) from response"),
                  lived.asked("select glasses, count(*) from participant group by glasses order by 2")]))
""")
    assert after[0][0] == before[0][0] / 2 * 3  # nobody's answers went; the third bot was added
    assert glasses == [["none", 1], [None, 2]]


def an_embedding_for_fad(copy: Copy) -> None:
    copy.study(('embedders = ["musicnn", "codec"]', 'embedders = ["energy"]'))
    copy.add(
        "models/embeddings/energy.py",
        '"""Mean power of four bands."""\n\nimport numpy as np\n\n\ndef embed(audio):\n'
        "    frames = audio[: len(audio) // 1600 * 1600].reshape(-1, 4, 400)\n    return np.log((frames**2).mean(axis=2) + 1e-6)\n",
    )
    copy.change(
        "models/embeddings/spaces.py", 'SHIPPED = ("yamnet", "musicnn", "codec")',
        'SHIPPED = ("yamnet", "musicnn", "codec", "energy")',
    )  # fmt: skip
    copy.change(
        "models/embeddings/spaces.py", '    if name == "yamnet":\n',
        '    if name == "energy":\n        from models.embeddings.energy import embed\n\n        return Space(name, 16000, embed)\n'
        '    if name == "yamnet":\n',
    )  # fmt: skip
    rows = copy.run("""
import numpy as np, soundfile
from safetensors.numpy import save_file
rng = np.random.default_rng(0)
(folder / "clips").mkdir()
for row in rows:
    soundfile.write(folder / row.file, rng.normal(0, 0.1, (48000, 2)), 48000)
for n in range(2):
    (lived.folder / "music").mkdir(exist_ok=True)
    soundfile.write(lived.folder / "music" / f"{n}.wav", rng.normal(0, 0.1, 48000), 48000)
for row in rows:
    row.sha256 = row.clip.encode().hex().ljust(64, "0")
write_manifest(folder, rows)
from analysis.sound import distances
said = call("analysis", "fad", *lived.clips, "--reference", lived.folder / "music", "--json")
assert said.status == 0, said.err
print(json.dumps(json.loads(said.out)["tables"]["distances"]))
""")
    assert {r["embedding"] for r in rows} == {"energy"}
    fad = [r for r in rows if r["metric"] == "FAD" and r["taste"] == "all"]
    assert sorted(r["model"] for r in fad) == ["base", "finetuned"]
    assert all(0 <= r["value"] < 5 for r in fad)  # noise beside noise


def an_analysis(copy: Copy) -> None:
    copy.study()
    copy.add(
        "analysis/preference/firmness.py",
        '"""How far answers lie from the middle."""\n\nfrom analysis.page.page import Section, Table\n\n\n'
        "def analyse(preference, middle):\n"
        '    return {"firmness": [{"n": len(preference), "mean": float((preference["score"] - middle).abs().mean())}]}\n\n\n'
        "def section(inputs, summary):\n"
        '    rows = analyse(inputs.data.preference, inputs.data.middle)["firmness"]\n'
        '    return Section("firmness", "Firmness", tables=[Table("firmness", "Firmness", rows)])\n',
    )
    build = (copy.folder / "analysis/report/build.py").read_text(encoding="utf-8")
    line = re.search(r'^    (?:Step)?\("preference", .*\n', build, re.MULTILINE)
    assert line is not None
    more = line[0].replace('"preference"', '"firmness"').replace("preference.section", "firmness.section")
    copy.change("analysis/report/build.py", line[0], line[0] + more)
    copy.change(
        "analysis/report/build.py", "from analysis.ratings import section as ratings\n",
        "from analysis.preference import firmness\nfrom analysis.ratings import section as ratings\n",
    )  # fmt: skip
    copy.change(
        "analysis/report/origins.py", "SOURCES: dict[str, Source] = {\n",
        'SOURCES: dict[str, Source] = {\n    "firmness": Source("analysis.preference.firmness:analyse", ("preference",)),\n',
    )  # fmt: skip
    copy.change(
        "tastelab/commands/analysis.py", "@app.command()\n@grouped\ndef ratings(",
        "@app.command()\n@grouped\ndef firmness(answers: Answers, shown: Shown) -> None:\n"
        '    """How firm people are."""\n    from analysis.preference.firmness import analyse\n\n'
        "    data = load_answers(read_study(answers.study), answers, shown)\n"
        '    tables = analyse(data.preference, data.middle)\n    show("firmness", "paper", data.digest, tables, shown.as_json, shown.csv)\n'
        "\n\n@app.command()\n@grouped\ndef ratings(",
    )  # fmt: skip
    said, section, raw = copy.run("""
from analysis.report import build
from tastelab.report import inputs
bots(6)
said = call("analysis", "firmness", *lived.answers, "--json")
assert said.status == 0, said.err
step = next(s for s in build.STEPS if getattr(s, "name", None) == "firmness" or (isinstance(s, tuple) and s[0] == "firmness"))
make = step[1] if isinstance(step, tuple) else next(v for v in vars(step).values() if callable(v))
given = inputs(study, lived.db, lived.out, "bot")
section = make(given, [])
from analysis.report.trace import Trace, index_of
trace = Trace(index_of(given, [section], []), given.data)
assert {len(trace.behind(trace.numbers[n]).answers) for n in ("firmness.0.n", "firmness.0.mean")} == {6 * 4}
print(json.dumps([json.loads(said.out)["tables"]["firmness"], section.tables[0].rows,
                  lived.asked("select count(*), avg(abs(value - 5)) from response where item = 'preference'")]))
""")
    assert said == section
    assert said[0]["n"] == raw[0][0] == 6 * 4
    assert said[0]["mean"] == pytest.approx(raw[0][1])


def an_acoustic_feature(copy: Copy) -> None:
    copy.study()
    copy.change(
        "stimuli/features.py",
        '    "gaps": "share of time",\n',
        '    "gaps": "share of time",\n    "crossings": "1/s",\n',
    )
    copy.change(
        "stimuli/features.py", '        "gaps": float(',
        '        "crossings": float((np.diff(np.signbit(y)) != 0).sum() / (len(y) / RATE)),\n        "gaps": float(',
    )  # fmt: skip
    found = copy.run("""
import numpy as np, soundfile
(folder / "clips").mkdir()
one = rows[0]
t = np.arange(48000 * 2) / 48000
soundfile.write(folder / one.file, np.repeat((0.1 * np.sin(2 * np.pi * 440 * t))[:, None], 2, axis=1), 48000)
one.features = {k: 0.0 for k in ("tempo", "gaps")}  # measured before the feature was there
write_manifest(folder, [one])
said = call("stimuli", "features", *lived.clips, "--quiet")
assert said.status == 0, said.err
print(json.dumps(json.loads((folder / "manifest.json").read_text())["clips"][0]["features"]))
""")
    assert found["crossings"] == pytest.approx(880, rel=0.01)


def an_effect_for_bots(copy: Copy) -> None:
    copy.study()
    declared = (copy.folder / "experiment/bots/effects/multimodal-symphony.toml").read_text(encoding="utf-8")
    assert "salty = 4.5" in declared
    (copy.user / "mine.toml").write_text(declared.replace("salty = 4.5", "salty = 9.5"), encoding="utf-8")
    rows = copy.run("""
bots(30, "--effects", str(lived.folder / "mine.toml"))
said = call("analysis", "preference", "--plan", "paper", *lived.answers, "--json")
print(json.dumps(json.loads(said.out)["tables"]["tests"]))
""")
    means = {r["taste"]: r["mean"] for r in rows if r["alternative"] == "greater"}
    assert means["salty"] > 8
    assert means["bitter"] < 7.5


def weights(copy: Copy) -> None:
    shipped = copy.folder / "models" / "weights"
    total = sum(p.resolve().stat().st_size for p in shipped.rglob("*") if p.is_file())
    assert total < 64e6
    folders = [p for p in shipped.iterdir() if p.is_dir()]
    assert all({"config.json", "model.safetensors", "README.md"} <= {f.name for f in p.iterdir()} for p in folders)
    new = shipped / "tiny"
    new.mkdir()
    try:
        found = copy.run(
            """
from pathlib import Path
import torch
from safetensors.torch import save_file
from models.inventory import inventory
from models.weights import WEIGHTS, load_tensors, weights_directory
save_file({"a": torch.arange(3.0)}, WEIGHTS / "tiny" / "model.safetensors")
(WEIGHTS / "tiny" / "config.json").write_text('{"kind": "nothing"}')
(WEIGHTS / "tiny" / "README.md").write_text("# tiny")
print(json.dumps([load_tensors(weights_directory("tiny") / "model.safetensors")["a"].tolist(),
                  [r["for"] for r in inventory() if r["name"] == "tiny"]]))
""",
            lived=False,
        )
    finally:
        for path in new.iterdir():
            path.unlink()
        new.rmdir()
    assert found == [[0.0, 1.0, 2.0], ["nothing"]]


def a_fault_that_tests_must_notice(copy: Copy) -> None:
    copy.add(
        "tests/mutation/faults/trial.toml",
        '[[fault]]\nsays = "slow is fast"\nfile = "models/tempo.py"\nold = "bpm < limit"\nnew = "bpm > limit"\n'
        'tests = ["tests/models/test_tempo.py::test_the_classes"]\n',
    )
    found = copy.run(
        """
from tests.mutation.faults import listed
from tests.mutation.tree import ROOT
fault, = listed(["trial"])
print(json.dumps([fault.says, "bpm > limit" in fault.applied(ROOT)]))
""",
        lived=False,
    )
    assert found == ["slow is fast", True]


ROWS: dict[str, Callable[[Copy], None]] = {
    "a taste": a_taste,
    "a scale, adjectives, another design": a_scale_adjectives_another_design,
    "a kind of task": a_kind_of_task,
    "a language": a_language,
    "a question about the person": a_question_about_the_person,
    "a screen": a_screen,
    "a column of the database": a_column_of_the_database,
    "an embedding for FAD": an_embedding_for_fad,
    "an analysis": an_analysis,
    "an acoustic feature": an_acoustic_feature,
    "an effect for bots": an_effect_for_bots,
    "weights": weights,
    "a fault that tests must notice": a_fault_that_tests_must_notice,
}


def test_every_row_is_followed_by_a_test() -> None:
    assert [row for row, _ in TABLE] == list(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_does_what_it_says(row: str, copy: Copy) -> None:
    ROWS[row](copy)


@pytest.mark.parametrize(("row", "places"), TABLE)
def test_a_row_names_places_that_are_there(row: str, places: str) -> None:
    for place in re.findall(r"`((?:tastelab|analysis|experiment|stimuli|models|tests)(?:/[\w./-]+)?)`", places):
        if not re.search(r"NAME|KIND", place):
            assert (ROOT / place).exists(), (row, place)
