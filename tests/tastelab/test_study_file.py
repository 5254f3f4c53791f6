from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiment.bots.effects import DEFAULT as DEFAULT_EFFECTS
from experiment.bots.effects import load_effects
from experiment.texts import texts
from stimuli.config import render_prompt
from tastelab.cluster.settings import Settings, read_settings
from tastelab.errors import UserError
from tastelab.study import load_study, study_digest
from tastelab.whereabouts import study_files
from tests.conftest import ROOT

DEFAULT = (ROOT / "study.toml").read_text()


def changed(tmp_path: Path, old: str, new: str) -> Path:
    assert old in DEFAULT
    path = tmp_path / "study.toml"
    path.write_text(DEFAULT.replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("loudness = -23", "loudnes = -23", "did you mean 'loudness'"),
        ('base = "nano-base"', 'bass = "nano-base"', "did you mean 'base'"),
        ('correction = "bonferroni"', 'correction = "bonferoni"', "did you mean 'bonferroni'"),
        ('embedders = ["yamnet",', 'embedders = ["yamnett",', "did you mean 'yamnet'"),
        ("seconds = 15", 'seconds = "long"', "stimuli.seconds"),
        ("seconds = 15", "seconds = -1", "greater than or equal to 1"),
        ('taste = "sweet"\nalternative', 'taste = "sweat"\nalternative', "did you mean 'sweet'"),
        ('name = "sour"', 'name = "sweet"', "named twice"),
        ('en = ["not at all", "a little", "quite", "a lot", "very much"]', 'en = ["no", "yes", "very"]', "needs 5"),
        (
            'name = "multimodal-symphony"',
            'name = "Mein Test"',
            "name = 'Mein Test': small letters (a to z), digits, '_' and '-' only, a small letter or a digit first",
        ),
        (
            'base = "nano-base"\nfinetuned = "nano-taste"\n',
            '[[models.conditions]]\nname = "ü"\ncheckpoint = "nano-base"\n',
            "letters (A to Z, a to z), digits, '_' and '-' only, a letter first",
        ),
        (
            "[analysis]\n",
            '[[experiment.tasks]]\nkind = "rating"\n[analysis]\n',
            "experiment.tasks.0.kind = 'rating'; did you mean 'ratings'?",
        ),
        (
            "[analysis]\n",
            '[[experiment.tasks]]\nname = "x"\n[analysis]\n',
            "experiment.tasks.0.kind is missing; known: identification, page, preference, questionnaire, questions, ratings",
        ),
        ("[experiment.preference]", "[experiment.preferenc]", "did you mean 'preference'"),
        ('title = "Music', "title = Music", "not valid TOML"),
        ('languages = ["en", "it"]', 'languages = ["en", "fr"]', "'fr'"),
        # What a database keeps of names, which PostgreSQL would say when the study is begun.
        ('name = "multimodal', f'name = "{"n" * 81}', "at most 80 characters"),
        ('title = "Music', f'title = "{"Music" * 40}', "at most 200 characters"),
        ('name = "sour"\npitch', f'name = "{"sour" * 11}"\npitch', "at most 40 characters"),
        ("[experiment]\n", "[experiment]\ndisk_gb = inf\n", "experiment.disk_gb = inf is no finite number"),
        ("[experiment]\n", '[experiment]\ndisk_gb = "inf"\n', "experiment.disk_gb = inf is no finite number"),
        ("guidance = 5.0", "guidance = inf", "models.guidance = inf is no finite number"),
        (
            "[analysis]\n",
            "[analysis]\nexclude = { seconds = inf }\n",
            "analysis.exclude.seconds = inf is no finite number",
        ),
        ("seconds = 15", "seconds = nan", "stimuli.seconds = nan is no finite number"),
    ],
)
def test_a_mistake_is_one_line_with_the_right_name(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        load_study(changed(tmp_path, old, new))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_names_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean"):
        load_study(ROOT / "studdy.toml")


def test_a_misspelt_key_is_named_where_its_right_spelling_is_missing(tmp_path: Path) -> None:
    tracks = (ROOT / "studies" / "five-tastes.toml").read_text(encoding="utf-8")
    (tmp_path / "study.toml").write_text(tracks.replace(".adjectives]]", ".adjektives]]"), encoding="utf-8")
    with pytest.raises(UserError, match=r"unknown key 'experiment\.ratings\.adjektives'; did you mean 'adjectives'\?"):
        load_study(tmp_path / "study.toml")


def test_a_folder_is_read_as_its_study_file(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(UserError) as caught:
        load_study(tmp_path / "mine")
    assert str(caught.value) == f"study file {tmp_path / 'mine'} is a folder, in which no study.toml lies; name a file"
    (tmp_path / "mine" / "other.toml").write_text("")
    with pytest.raises(UserError, match=r"no study\.toml lies; name a file, e\.g\. .*other\.toml$"):
        load_study(tmp_path / "mine")
    (tmp_path / "mine" / "study.toml").write_text(DEFAULT, encoding="utf-8")
    assert load_study(tmp_path / "mine") == load_study(tmp_path / "mine" / "study.toml")


def test_digest_is_of_the_design_not_of_the_layout(tmp_path: Path) -> None:
    path = changed(tmp_path, "loudness = -23             # LUFS", "loudness = -23.0 # the same")
    assert study_digest(load_study(path)) == study_digest(load_study(ROOT / "study.toml"))


def test_a_file_as_windows_begins_it_is_read_as_it_says(tmp_path: Path) -> None:
    """Notepad's 'UTF-8 with BOM': the study file, its texts, its effects and a cluster's settings."""
    mark = b"\xef\xbb\xbf"
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "en.toml").write_bytes(mark + b'stop = "Enough"\n')
    (tmp_path / "effects.toml").write_bytes(mark + DEFAULT_EFFECTS.read_bytes())
    more = '[experiment]\ntexts = "texts"\neffects = "effects.toml"\n'
    told = changed(tmp_path, "[experiment]\n", more).read_bytes()
    (tmp_path / "study.toml").write_bytes(mark + told)
    study = load_study(tmp_path / "study.toml")
    assert study.name == "multimodal-symphony"
    assert texts("en", study.experiment.texts)["stop"] == "Enough"
    assert load_effects(study.experiment.effects).shown == "'multimodal-symphony' (effects.toml)"
    (tmp_path / "study.toml").rename(tmp_path / "mine.toml")
    assert study_files(tmp_path) == [tmp_path / "mine.toml"]
    (tmp_path / "site.toml").write_bytes(mark)
    assert read_settings(tmp_path / "site.toml", ()) == Settings()


def test_prompts_ask_for_what_the_fields_say() -> None:
    study = load_study(ROOT / "study.toml")
    text = render_prompt(study.stimuli.taste("bitter"), study.stimuli.setting)
    for word in ("Bitter", "low-pitched", "60 BPM", "dissonant", "cello", "fine restaurant"):
        assert word in text


def test_every_command_has_help_and_says_what_it_does() -> None:
    from tastelab.cli import app

    runner = CliRunner()
    groups = {"study": ["run"], "stimuli": ["generate", "caption", "features", "verify", "dataset build"],
              "models": ["info", "train-nano", "finetune"],
              "experiment": ["run", "simulate", "status", "import", "export", "withdraw"],
              "analysis": ["freeze", "preference", "ratings", "factors", "agreement", "fad", "captions", "report"]}  # fmt: skip
    commands = [["doctor"], ["trace"], *[[g, *c.split()] for g, names in groups.items() for c in names]]
    for command in commands:
        result = runner.invoke(app, [*command, "--help"])
        assert result.exit_code == 0, command
        assert len(result.output.strip().splitlines()) > 5


def test_help_needs_no_heavy_import() -> None:
    import subprocess
    import sys

    code = "import sys, tastelab.cli; print([m for m in ('torch', 'psychopy', 'seaborn', 'pandas', 'sqlalchemy', 'numpy') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_a_file_of_targets_lies_where_the_study_file_says(tmp_path: Path) -> None:
    text = (ROOT / "studies" / "five-tastes.toml").read_text()
    (tmp_path / "study.toml").write_text(text.replace("[analysis]\n", '[analysis]\ntargets = "t.csv"\n'))
    assert load_study(tmp_path / "study.toml").analysis.targets == tmp_path / "t.csv"
