"""What can't be run is refused when the study file is read, in one line; what can is told as a person will meet it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiment.config import ExperimentConfig
from experiment.design import plan
from experiment.tasks.own import QuestionsTask
from experiment.tasks.pages import Notice
from experiment.tasks.preference import PreferenceTask
from experiment.tasks.task import Clip
from experiment.texts import FOLDER, lacking, texts
from tastelab.check import Part, _counted, balance, met, problems, remarks
from tastelab.cli import app
from tastelab.errors import UserError
from tastelab.study import Study, load_study
from tests.conftest import ROOT

DEFAULT = (ROOT / "study.toml").read_text(encoding="utf-8")
GIVEN = (ROOT / "studies" / "five-tastes.toml").read_text(encoding="utf-8")
GOLD = """
[[experiment.questionnaires]]
name = "music"
question = { en = "How far do you agree?", it = "Quanto sei d'accordo?" }
labels = { en = ["not at all", "fully"], it = ["per niente", "del tutto"] }
items = [{ name = "plays", words = { en = "I play.", it = "Suono." } }, { name = "sings", words = { en = "I sing.", it = "Canto." } }]
"""


def session_of(study: Study) -> list[Part]:
    return met(study.stimuli, study.experiment, "en", conditions=study.models.conditions)


def put(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text, old
        return text.replace(old, new, 1)

    return change


def gold(old: str, new: str) -> Callable[[str], str]:
    assert old in GOLD, old
    return lambda text: text + GOLD.replace(old, new, 1)


def having(*conditions: str) -> Callable[[str], str]:
    """The default study with its two conditions and others, each the lines of a table."""
    known = ('name = "base"\ncheckpoint = "nano-base"', 'name = "finetuned"\ncheckpoint = "nano-taste"')
    more = "".join(f"\n[[models.conditions]]\n{lines}\n" for lines in (*known, *conditions))
    return lambda text: text.replace('base = "nano-base"\nfinetuned = "nano-taste"\n', "") + more


REFUSED: list[tuple[Callable[[str], str], str]] = [
    # scales
    (put("low = 0\nhigh = 10", "low = 10\nhigh = 0"), "low = 10 is not under high = 0"),
    (put("low = 0\nhigh = 10", "low = 5\nhigh = 5"), "not under"),
    (put("low = 0\nhigh = 10", "low = 0\nhigh = 1000"), "1001 steps"),
    (put("low = 1\nhigh = 5", "low = 5\nhigh = 1"), "not under"),
    (put("low = 1\nhigh = 5", "low = 0\nhigh = 100"), "101 steps"),
    (put("low = 1\nhigh = 5", "low = 1\nhigh = 6"), "labels.en has 5 words; the scale needs 6"),
    (gold('name = "music"', 'name = "music"\nlow = 7\nhigh = 1'), "not under"),
    (gold('en = ["not at all", "fully"]', 'en = ["not at all", "a little", "fully"]'), "labels.en has 3 words"),
    # names that stand twice, or are taken
    (put('name = "sad"', 'name = "happy"'), "adjectives are named twice: happy"),
    (put('name = "sad"', 'name = "preference"'), "'preference'"),
    (put('name = "sour"\npitch', 'name = "sweet"\npitch'), "named twice"),
    (put('languages = ["en", "it"]', 'languages = ["en", "en"]'), "named twice: en"),
    (put('models = ["finetuned"]', 'models = ["finetuned", "finetuned"]'), "names each model that is rated once"),
    (put('models = ["finetuned"]', "models = []"), "names each model that is rated once"),
    (gold('name = "plays"', 'name = "age"'), "'age' has the name of a question that every session asks"),
    (gold('name = "plays"', 'name = "ethnicity"'), "'ethnicity'"),
    (gold('name = "plays"', 'name = "preference"'), "'preference'"),
    (gold('name = "plays"', 'name = "sings"'), "items are named twice: sings"),
    (gold('name = "music"', 'name = "demographics"'), "names of their own"),
    (lambda text: text + GOLD + GOLD, "names of their own"),
    # words that are missing
    (put('languages = ["en", "it"]', 'languages = ["en", "fr"]'), "'fr'"),
    (put('\nsweet = "dolce"', ""), "taste_words.it has no word for 'sweet'"),
    (put('words = { en = "sadness", it = "tristezza" }', 'words = { en = "sadness" }'), "'sad' has no word in 'it'"),
    (gold('en = "I play.", it = "Suono."', 'en = "I play."'), "'plays'"),
    # what does not exist, or contradicts itself
    (put('taste = "bitter"\nalternative', 'taste = "better"\nalternative'), "did you mean 'bitter'"),
    (
        put('[[analysis.equivalence]]', '[[analysis.hypotheses]]\ntaste = "salty"\nalternative = "less"\n[[analysis.equivalence]]'),
        "'salty' is declared more than once",
    ),
    (put("bound = 1.0", "bound = 5.0"), "bound = 5 of salty is not under 5"),
    (put("bound = 1.0", 'bound = 1.0\n[[analysis.equivalence]]\ntaste = "salty"\nbound = 2.0'), "more than once"),
    (put('factors = "parallel"', "factors = 6"), "12 adjectives carry 5 at most"),
    (put('factors = "parallel"', "factors = 0"), "greater than or equal to 1"),
    (put("seed = 7", 'seed = 7\ngroups = ["sex", "shoe_size"]'), "nobody is asked for 'shoe_size'"),
    (put("seed = 7", 'seed = 7\ngroups = ["sex", "sex"]'), "a group is named twice"),
    # conditions
    (having('name = "base"\ncheckpoint = "other"'), "two conditions are named 'base'"),
    (having('name = "other"\nlabel = "base"\ncheckpoint = "other"'), "two conditions are shown as 'base'"),
    (having('name = "other"\ncheckpoint = "nano-base"'), "conditions 'base' and 'other' are the same music"),
    (having('name = "other"'), "has none of them; it needs exactly one of checkpoint, tracks, blend"),
    (having('name = "other"\ncheckpoint = "x"\ntracks = "y"'), "has checkpoint and tracks"),
    (having('name = "other"\nblend = { from = "base", to = "tuned", share = 0.5 }'), "there is no condition 'tuned'"),
    (having('name = "other"\nblend = { from = "base", to = "finetuned", share = 1.5 }'), "less than 1"),
    (having('name = "other"\ntracks = "y"\nprompts_of = "other tastes"'), "tracks are not made from prompts"),
    (having('name = "1st"\ncheckpoint = "x"'), "a letter first"),
    # numbers out of reach
    (put("seed = 111", "seed = 9223372036854775808"), "less than or equal to"),
    (put("seed = 2025", "seed = 10000000000000"), "less than or equal to"),
    (put("seed = 7", "seed = 9223372036854775808"), "less than or equal to"),
    (put("minimum_age = 18", "minimum_age = 200"), "less than or equal to 110"),
    (put("seconds = 15", "seconds = 1.5\nfade = 1.0"), "two fades of 1 s do not fit into clips of 1.5 s"),
    # tasks that the clips can't fill
    (put("clips_per_taste = 5", "clips_per_taste = 2"), "2 clips a taste are too few"),
    (put("trials = 5 ", "trials = 40 "), "5 clips a taste are too few for 40"),
    (put("clips = 3\nlow", "clips = 60\nlow"), "too few clips of"),
    (put('models = ["finetuned"]', 'models = ["given"]'), "there is no condition 'given'; known: base, finetuned"),
    (put("replicate = false", "replicate = true\n[experiment.psytoolkit]\nitems = ['bliss']"), "'bliss'"),
]  # fmt: skip


@pytest.mark.parametrize("change, told", REFUSED, ids=[t for _, t in REFUSED])
def test_what_cannot_be_run_is_refused_in_one_line(change: Callable[[str], str], told: str, tmp_path: Path) -> None:
    assert change(DEFAULT) != DEFAULT
    path = tmp_path / "study.toml"
    path.write_text(change(DEFAULT), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_study(path)
    assert told in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change, told",
    [
        (put('models = ["given"]', 'models = ["base"]'), "there is no condition 'base'; known: given"),
        (lambda text: text + "\n[experiment.preference]\ntrials = 2\n", "there is no condition 'finetuned'; known: given"),
        (lambda text: text + '\n[[analysis.hypotheses]]\ntaste = "sweet"\n', "hypotheses are about [experiment.preference]"),
    ],
)  # fmt: skip
def test_given_tracks_are_not_compared(change: Callable[[str], str], told: str, tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(change(GIVEN), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_study(path)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "old, new, told",
    [
        ('text = "You have finished. Your code is {code}."', 'text = "You have finished. Your code is {cod}."', "end.text"),
        ('text = "You have finished. Your code is {code}."', 'text = "You have finished."', "needs {code}"),
        ("fits the taste {taste} better?", "fits the taste {taste better?", "preference.question"),
        ('progress = "{done} of {total}"', 'progress = "{done} of {done}"', "needs {done}, {total}"),
        ('stop = "Stop"\n', 'stop = " "\n', "stop = ' ' is no text"),
        ('stop = "Stop"\n', 'stopp = "Stop"\n', "there is no text 'stopp'; did you mean 'stop'?"),
        ("about {minutes} minutes", "about {minute} minutes", "may have {minutes}, and no other braces"),
    ],
)  # fmt: skip
def test_a_studys_own_texts_are_read_with_it(old: str, new: str, told: str, tmp_path: Path) -> None:
    english = (FOLDER / "en.toml").read_text(encoding="utf-8")
    assert old in english
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "en.toml").write_text(english.replace(old, new), encoding="utf-8")
    (tmp_path / "study.toml").write_text(put("minimum_age", 'texts = "words"\nminimum_age')(DEFAULT), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_study(tmp_path / "study.toml")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_questionnaire_of_ones_own_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(DEFAULT + GOLD, encoding="utf-8")
    asked = load_study(tmp_path / "study.toml").experiment.questionnaires[0]
    assert [i.name for i in asked.items] == ["plays", "sings"]


OWN = """
[[experiment.tasks]]
kind = "questions"
name = "own"
items = [
  { kind = "text", name = "thoughts", question = { en = "What?" } },
  { kind = "number", name = "years", question = { en = "How many?" } },
]
"""


def test_questions_and_a_debrief_of_ones_own_are_met_and_counted(tmp_path: Path) -> None:
    """A text takes 25 s, a number 5 s; 200 words of a debrief and its title a minute and a little."""
    path, logo = tmp_path / "study.toml", tmp_path / "logo.png"
    path.write_text(as_tasks(DEFAULT), encoding="utf-8")
    logo.write_bytes(b"GIF89a")
    plain = load_study(path)
    before = {p.part: p for p in session_of(plain)}
    words = " ".join(["word"] * 199)
    asked = plain.experiment.model_copy(
        update={
            "tasks": [
                *plain.experiment.tasks,
                QuestionsTask.model_validate(tomllib.loads(OWN)["experiment"]["tasks"][0]),
            ],
            "debrief": Notice(title={"en": "Why"}, text={"en": words}),
            "demographics": ["age"],
        }
    )
    after = {p.part: p for p in met(plain.stimuli, asked, "en", conditions=plain.models.conditions)}
    assert (after["own"].screens, after["own"].questions, after["own"].minutes) == (2, 2, 0.5)
    assert after["end"].minutes - before["end"].minutes == pytest.approx(1.0)
    assert (after["end"].screens, after["consent"].screens, before["consent"].screens) == (2, 1, 2)
    assert list(problems(plain.stimuli, asked, plain.analysis, plain.models.conditions)) == []
    for name, told in (
        ("logo.png", "is no PNG or JPEG"),
        ("none.png", "can't be read; it is named from where the study"),
    ):
        shown = asked.model_copy(update={"logo": tmp_path / name})
        (problem,) = problems(plain.stimuli, shown, plain.analysis, plain.models.conditions)
        assert told in problem
    logo.write_bytes(b"\x89PNG\r\n\x1a\n and more")
    shown = asked.model_copy(update={"logo": logo})
    assert list(problems(plain.stimuli, shown, plain.analysis, plain.models.conditions)) == []


def test_what_a_person_meets_is_what_the_plan_holds() -> None:
    """Counted by hand: 8 questions about oneself, 5 pairs, 3 clips with 12 adjectives; 13 clips of 15 s are 3.25 minutes."""
    parts = {p.part: p for p in session_of(load_study(ROOT / "study.toml"))}
    assert list(parts) == ["consent", "demographics", "ears", "preference", "ratings", "pause", "end", "all"]
    assert (parts["demographics"].questions, parts["preference"].questions, parts["ratings"].questions) == (8, 5, 36)
    assert (parts["preference"].clips, parts["ratings"].clips) == (10, 3)
    assert (parts["all"].questions, parts["all"].clips) == (49, 13)
    # A page before each task, a screen a clip and a question; consent is two screens; tones, and practice with its page.
    assert parts["all"].screens == 2 + 8 + 5 + (1 + 10 + 5) + (1 + 3 + 36) + 1 + 1
    assert parts["all"].minutes == pytest.approx(sum(p.minutes for name, p in parts.items() if name != "all"))
    assert 3.25 + 49 * 2 / 60 < parts["all"].minutes < 14


def test_nobody_practises_where_nothing_is_compared() -> None:
    """Ratings of given tracks alone: before the first of them stand the tones and nothing else."""
    parts = {p.part: p for p in session_of(load_study(ROOT / "studies" / "five-tastes.toml"))}
    assert parts["ears"].screens == 1


def test_longer_clips_and_more_questions_take_longer(tmp_path: Path) -> None:
    usual = session_of(load_study(ROOT / "study.toml"))[-1]
    (tmp_path / "study.toml").write_text(put("seconds = 15", "seconds = 30")(DEFAULT) + GOLD, encoding="utf-8")
    longer = session_of(load_study(tmp_path / "study.toml"))[-1]
    assert longer.questions == usual.questions + 2
    assert longer.minutes > usual.minutes + 13 * 15 / 60


def test_the_command_says_so_or_refuses(tmp_path: Path) -> None:
    runner = CliRunner()
    told = runner.invoke(app, ["study", "check", str(ROOT / "study.toml"), "--json"])
    assert told.exit_code == 0
    assert json.loads(told.output)["tables"]["a_session"][-1]["questions"] == 49
    refused = runner.invoke(app, ["study", "check", str(ROOT / "study.toml"), "--language", "fr"])
    assert refused.exit_code != 0
    shown = runner.invoke(app, ["study", "check", str(ROOT / "studies" / "five-tastes.toml"), "--language", "it"])
    assert "can be run" in shown.output


def test_every_design_row_of_an_accepted_study_can_be_planned() -> None:
    study = load_study(ROOT / "study.toml")
    clips = [
        Clip(i, t.name, m, k)
        for i, (t, m, k) in enumerate(
            (t, m, k) for t in study.stimuli.tastes for m in ("base", "finetuned") for k in range(5)
        )
    ]
    assert all(plan(study.experiment, clips, row) for row in range(200))


TASKS = """
[[experiment.tasks]]
kind = "identification"
clips = 4
confidence = 5
after = ["quality"]

[[experiment.tasks]]
kind = "preference"
name = "fit"
trials = 4
pairs = [["finetuned", "base"]]
"""


def as_tasks(text: str) -> str:
    """The default study with other tasks in the place of its own."""
    before, after = text.split("[experiment.preference]")
    return before + TASKS + after[after.index("\n[analysis]") :]


@pytest.mark.parametrize(
    "change, told",
    [
        (put('pairs = [["finetuned", "base"]]', 'pairs = [["finetuned", "bass"]]'), "there is no condition 'bass'; did you mean 'base'"),
        (put("clips = 4", 'clips = 4\nconditions = ["tuned"]'), "there is no condition 'tuned'"),
        (put("clips = 4", "clip = 4"), "unknown key 'experiment.tasks.0.identification.clip'; did you mean 'clips'"),
        (put('kind = "identification"', 'kind = "identify"'), "identify"),
        (put("clips = 4", "clips = 60"), "too few clips of"),
        (put("trials = 4", "trials = 24"), "too few for 24"),
        (put('\nsweet = "dolce"', ""), "taste_words.it has no word for 'sweet'"),
        (put("confidence = 5", "confidence = 12"), "2 to 11 steps"),
        (lambda text: text.replace("seed = 111", "seed = 111\n[[experiment.groups]]\nname = 'a'\nconditions = ['bass']"), "'a' hears condition 'bass'"),
        (lambda text: text.replace("seed = 111", "seed = 111\n[[experiment.groups]]\nname = 'a'\nconditions = ['base']"), "group a: fit: there are no clips of both"),
    ],
)  # fmt: skip
def test_tasks_that_cannot_be_run_are_refused_in_one_line(
    change: Callable[[str], str], told: str, tmp_path: Path
) -> None:
    path = tmp_path / "study.toml"
    path.write_text(change(as_tasks(DEFAULT)), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_study(path)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_texts_of_ones_own_may_lack_what_is_not_asked(tmp_path: Path) -> None:
    """Texts that were written for version 0.1 have no words for tasks that came later, and need none."""
    english = (FOLDER / "en.toml").read_text(encoding="utf-8")
    cut = english[: english.index("[identification]")] + english[english.index("[end]") :]
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "en.toml").write_text(cut, encoding="utf-8")
    (tmp_path / "study.toml").write_text(put("minimum_age", 'texts = "words"\nminimum_age')(DEFAULT), encoding="utf-8")
    load_study(tmp_path / "study.toml")
    # Of a language that ships the shipped ones stand in; of another they are lacking where the study needs them.
    asked = put("minimum_age", 'texts = "words"\nminimum_age')(as_tasks(DEFAULT))
    (tmp_path / "study.toml").write_text(asked, encoding="utf-8")
    load_study(tmp_path / "study.toml")
    (tmp_path / "words" / "nl.toml").write_text(cut, encoding="utf-8")
    words = texts("nl", tmp_path / "words")
    assert lacking(words, ["ratings"], []) is None
    assert str(lacking(words, ["ratings", "identification"], [])).startswith("identification.")


def test_what_is_met_and_balanced_in_tasks(tmp_path: Path) -> None:
    """Counted by hand: 4 clips with two questions and one after, 4 pairs; over 48 sessions 40 clips are heard 192 times."""
    (tmp_path / "study.toml").write_text(as_tasks(DEFAULT), encoding="utf-8")
    study = load_study(tmp_path / "study.toml")
    parts = {p.part: p for p in session_of(study)}
    assert list(parts) == ["consent", "demographics", "ears", "identification", "affect", "fit", "pause", "end", "all"]
    assert [(p.questions, p.clips, p.screens) for p in (parts["identification"], parts["affect"], parts["fit"])] == [
        (8, 4, 13),
        (4, 0, 4),
        (4, 8, 13),
    ]
    rows = {
        (r["task"], r["what"]): r for r in balance(study.stimuli, study.experiment, conditions=study.models.conditions)
    }
    assert {r["sessions"] for r in rows.values()} == {48}
    found = {k: (r["fewest"], r["most"], r["even"]) for k, r in rows.items()}
    assert found["fit", "each pair"] == (9, 10, True)  # 192 trials over 20 pairs
    assert found["fit", "pair on a side"] == (4, 5, True)
    assert found["fit", "pair in a place"] == (2, 3, True)
    assert found["fit", "taste after taste"] == (12, 12, True)
    assert found["identification", "taste in a place"] == (12, 12, True)
    fewest, most, even = found["identification", "each clip"]
    assert fewest >= 3
    assert most <= 6
    assert even is (most - fewest <= 1)
    full = study.experiment.model_copy(update={"target": 20})
    assert {r["sessions"] for r in balance(study.stimuli, full, conditions=study.models.conditions)} == {20}


def test_what_a_replication_does_not_do_is_said(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(put("replicate = false", "replicate = true")(DEFAULT), encoding="utf-8")
    study = load_study(tmp_path / "study.toml")
    assert "balances nothing" in remarks(study.experiment)[0]
    assert "all adjectives stand on one page in the file's order" in remarks(study.experiment)[0]
    (rated,) = [
        p for p in met(study.stimuli, study.experiment, "en", conditions=study.models.conditions) if p.part == "ratings"
    ]
    assert (rated.screens, rated.questions, rated.clips) == (
        3 * 2 + 1,
        3 * 12,
        3,
    )  # a clip and a page, and the introduction
    assert not all(r["even"] for r in balance(study.stimuli, study.experiment, conditions=study.models.conditions))
    assert remarks(load_study(ROOT / "study.toml").experiment) == []
    said = CliRunner().invoke(app, ["study", "check", str(tmp_path / "study.toml")])
    assert "balances nothing" in said.output


def test_shipped_studies_can_be_run_and_say_how_evenly() -> None:
    for file in sorted((ROOT / "studies").glob("*.toml")):
        study = load_study(file)
        assert balance(study.stimuli, study.experiment, conditions=study.models.conditions)
    better = load_study(ROOT / "studies" / "fit-and-name.toml")
    parts = {p.part: p for p in session_of(better)}
    assert (parts["identification"].clips, parts["fit"].clips) == (18, 24)
    assert 13 < parts["all"].minutes < 15
    assert list(parts).index("identification") < list(parts).index("fit")
    rows = {r["what"]: r for r in balance(better.stimuli, better.experiment, conditions=better.models.conditions)}
    # 96 people, three pairs a taste each: 8 times each of 24 pairs with the base model, 4 times each with the wrong prompt.
    assert (rows["each pair (finetuned, base)"]["fewest"], rows["each pair (finetuned, base)"]["most"]) == (8, 8)
    assert (rows["each pair (finetuned, wrong)"]["fewest"], rows["each pair (finetuned, wrong)"]["most"]) == (4, 4)
    assert rows["pair on a side (finetuned, wrong)"]["even"]


def test_a_group_is_counted_over_what_it_hears(tmp_path: Path) -> None:
    text = as_tasks(DEFAULT).replace(
        "seed = 111",
        "seed = 111\n[[experiment.groups]]\nname = 'plain'\nconditions = ['base']\ntasks = ['identification']\nquota = 20",
        1,
    )
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    study = load_study(tmp_path / "study.toml")
    rows = {r["what"]: r for r in balance(study.stimuli, study.experiment, "plain", study.models.conditions)}
    # 20 people hear 4 of 20 clips each.
    assert (rows["each clip"]["sessions"], rows["each clip"]["fewest"], rows["each clip"]["most"]) == (20, 4, 4)


def test_pairs_that_are_heard_twice_as_often_are_counted_by_themselves() -> None:
    """Three pairs of a taste in each of 48 sessions, two with `b`, one with `c`: 24 clips a taste and condition."""
    names = [(t, m, n) for t in ("x", "y") for m in ("a", "b", "c") for n in range(24)]
    clips = {i: Clip(i, *name) for i, name in enumerate(names, 1)}
    task = PreferenceTask(trials=6, pairs=[("a", "b"), ("a", "b"), ("a", "c")])
    asked = ExperimentConfig(tasks=[task], taste_words={"en": {"x": "x", "y": "y"}})
    sessions = [[t for t in plan(asked, list(clips.values()), row) if t.first] for row in range(48)]
    found = {what: (min(n), max(n)) for what, n in _counted(task, sessions, clips).items()}
    assert found["each pair (a, b)"] == (4, 4)  # 48 * 4 over 48
    assert found["each pair (a, c)"] == (2, 2)
    assert found["pair on a side (a, b)"] == (2, 2)
    assert found["pair on a side (a, c)"] == (1, 1)
    crossed = task.model_copy(update={"match": "crossed"})
    asked = asked.model_copy(update={"tasks": [crossed]})
    sessions = [[t for t in plan(asked, list(clips.values()), row) if t.first] for row in range(48)]
    assert len(_counted(crossed, sessions, clips)["each pair (a, b)"]) == 192  # none met twice yet
