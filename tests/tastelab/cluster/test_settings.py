"""What a site's file asks for is what sbatch is asked for; what it can't mean is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tastelab.cluster.heavy import HEAVY
from tastelab.cluster.settings import Settings, read_settings
from tastelab.errors import UserError

STEPS = tuple(HEAVY)
FILE = """
partition = "long"
account = "taste"
minutes = 240
cpus = 4
memory = 1.5
setup = ["module load cuda"]
container = "apptainer exec tastelab.sif"
[extra]
constraint = "a100"
[steps.generate]
partition = "gpu"
gres = "gpu:1"
"""


def read(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "site.toml"
    path.write_text(text)
    return read_settings(path, STEPS)


def test_a_step_asks_for_its_own_and_the_rest_is_everybodys(tmp_path: Path) -> None:
    found = read(tmp_path, FILE)
    asked = found.submitted("generate")
    assert {k: asked[k] for k in ("partition", "account", "gres", "time", "cpus_per_task", "mem", "job_name")} == {
        "partition": "gpu", "account": "taste", "gres": "gpu:1", "time": 240, "cpus_per_task": 4, "mem": "1536MB",
        "job_name": "tastelab-generate",
    }  # fmt: skip
    assert asked["setup"][-1] == "module load cuda"
    assert "export OMP_NUM_THREADS=4" in asked["setup"]
    assert asked["additional_parameters"] == {"requeue": True, "constraint": "a100"}
    others = found.submitted("captions")
    assert others["partition"] == "long"
    assert not {"gres", "qos"} & set(others)


def test_a_fine_tuning_stands_beside_the_steps(tmp_path: Path) -> None:
    found = read(tmp_path, "minutes = 90\n[steps.finetune]\ngres = 'gpu:4'\ncpus = 8\nprocesses = 3\n")
    own = found.of("finetune")
    assert (own.processes, own.gres, own.cpus, own.minutes) == (3, "gpu:4", 8, 90)
    assert found.of("generate").processes is None
    assert "export SRUN_CPUS_PER_TASK=8" in found.submitted("finetune")["setup"]


def test_it_can_be_said_to_sbatch(tmp_path: Path) -> None:
    """submitit knows every word of it, and what it writes has them as sbatch reads them."""
    from submitit.slurm.slurm import _make_sbatch_string

    text = _make_sbatch_string(
        command="true", folder=tmp_path, map_count=9, **read(tmp_path, FILE).submitted("generate")
    )
    for line in ("--array=0-8%9", "--gres=gpu:1", "--requeue", "--signal=USR2@30", "--time=240", "--mem=1536MB"):
        assert f"#SBATCH {line}\n" in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("partitoin = 'x'", "unknown key 'partitoin'; did you mean 'partition'?"),
        ("[steps.genrate]\nblock = 1", "unknown step 'genrate'; did you mean 'generate'?"),
        ("[steps.generate]\nsetup = []", "unknown key 'steps.generate.setup'"),
        ("[steps.fine-tune]\nprocesses = 2", "unknown step 'fine-tune'; did you mean 'finetune'?"),
        ("[steps.generate]\nprocesses = 2", "processes is of a fine-tuning alone; it stands in [steps.finetune]"),
        ("processes = 2", "processes is of a fine-tuning alone; it stands in [steps.finetune]"),
        ("minutes = 0", "minutes = 0: Input should be greater than or equal to 1"),
        ("memory = inf", "memory = inf is no finite number"),
        ('memory = "inf"', "memory = inf is no finite number"),
        ("[steps.generate]\nmemory = inf", "steps.generate.memory = inf is no finite number"),
        ("minutes", "cannot be read"),
    ],
)
def test_what_it_cannot_mean_is_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UserError) as error:
        read(tmp_path, text)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_users_own_file_is_found_and_none_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert read_settings(None, STEPS) == Settings()
    (tmp_path / "tastelab").mkdir()
    (tmp_path / "tastelab" / "slurm.toml").write_text("block = 5")
    assert read_settings(None, STEPS).of("generate").block == 5
    with pytest.raises(UserError, match=r"--site .*none\.toml does not exist"):
        read_settings(tmp_path / "none.toml", STEPS)
