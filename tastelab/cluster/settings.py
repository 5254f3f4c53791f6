"""What a site's cluster asks of a job, in a file of the user's: a study file says nothing of the machines that it is run on."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from experiment.finite import endless
from tastelab.check import nearest
from tastelab.cluster.heavy import STEPS
from tastelab.errors import UserError

TUNING = "finetune"  # no step of a study, but a site may ask for something else for it
EXECUTORS = ("local", "slurm")
USUAL = Path("tastelab") / "slurm.toml"  # under the user's settings


class Asked(BaseModel):
    """What one step asks for, where it is not what all ask for.

    Attributes
    ----------
    partition, account, qos, gres : str
        As ``sbatch`` takes them; ``gres = "gpu:1"`` is one card.
    cpus : int
        A job's processors; networks use as many threads.
    memory : float
        GB of a job.
    minutes : int
        A job's time limit. What is not made by then goes on in the same job, requeued.
    block : int
        Units of a job.
    processes : int
        Of a fine-tuning (``[steps.finetune]`` alone): as many share it. Default: the cards that the job is given; without any, one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    gres: str | None = None
    cpus: int | None = Field(default=None, ge=1)
    memory: float | None = Field(default=None, gt=0)
    minutes: int | None = Field(default=None, ge=1)
    block: int | None = Field(default=None, ge=1)
    processes: int | None = Field(default=None, ge=1)


class Settings(Asked):
    """What all steps ask for, and how a job begins.

    Attributes
    ----------
    setup : list of str
        Lines of shell before a job's work, as ``module load cuda``.
    container : str
        What stands before ``python3`` in a job, as ``apptainer exec --nv tastelab.sif``.
    parallel : int
        Jobs of a step that run at the same time, at most.
    array : int
        Jobs that are submitted as one array, at most (the cluster's MaxArraySize less one).
    requeues : int
        How often a job may meet its time limit.
    notice : int
        Seconds before its time limit at which a job is told to make room.
    extra : dict
        More of sbatch's options, by their names.
    steps : dict of str to Asked
        By a step's name, what it asks for instead.
    """

    minutes: int = Field(default=60, ge=1)
    cpus: int = Field(default=1, ge=1)
    block: int = Field(default=32, ge=1)
    setup: list[str] = []
    container: str | None = None
    parallel: int = Field(default=64, ge=1)
    array: int = Field(default=1000, ge=1)
    requeues: int = Field(default=50, ge=0)
    notice: int = Field(default=30, ge=5)
    extra: dict[str, str | int] = {}
    steps: dict[str, Asked] = {}

    def of(self, step: str) -> Settings:
        """The settings of one step."""
        own = self.steps.get(step, Asked()).model_dump(exclude_none=True)
        return self.model_copy(update=own)

    def submitted(self, step: str) -> dict[str, Any]:
        """As submitit takes them."""
        own = self.of(step)
        plain = {
            "partition": own.partition, "account": own.account, "qos": own.qos, "gres": own.gres, "cpus_per_task": own.cpus,
            "time": own.minutes, "mem": None if own.memory is None else f"{round(own.memory * 1024)}MB",
        }  # fmt: skip
        # srun takes no processors from sbatch since 22.05; torchrun's processes have threads of their own number.
        threads = [f"export {name}={own.cpus}" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "SRUN_CPUS_PER_TASK")]
        return {k: v for k, v in plain.items() if v is not None} | {
            "job_name": f"tastelab-{step}", "setup": [*threads, *own.setup], "signal_delay_s": own.notice,
            "array_parallelism": own.parallel, "additional_parameters": {"requeue": True, **own.extra},
        }  # fmt: skip


def usual() -> Path:
    """Where a user's settings lie, if nothing else is said."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / USUAL


def settings_for(executor: str, site: Path | None) -> Settings | None:
    """What jobs of an executor ask for; None where steps are made here.

    Raises
    ------
    UserError
        If there is no such executor, or it takes no such file.
    """
    if executor not in EXECUTORS:
        raise UserError(f"--executor {executor!r} is not known; there are: {', '.join(EXECUTORS)}")
    if executor == "slurm":
        return read_settings(site, STEPS)
    if site is not None:
        raise UserError("--site is for --executor slurm")
    return None


def read_settings(given: Path | None, steps: tuple[str, ...]) -> Settings:
    """The settings of a file, or the user's own; all as they come where there are none.

    Raises
    ------
    UserError
        One line: which key is wrong, and the nearest right one.
    """
    path = given or usual()
    if not path.exists():
        if given is not None:
            raise UserError(f"--site {path} does not exist")
        return Settings()
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        # Words such as "inf" are read as numbers, too.
        strange = endless(raw) or endless((found := Settings.model_validate(raw)).model_dump())
        if strange is not None:
            raise UserError(f"{path}: {strange[0]} = {strange[1]} is no finite number")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        if problem["type"] == "extra_forbidden":
            model: type[BaseModel] = Settings if len(problem["loc"]) == 1 else Asked
            raise UserError(
                f"{path}: unknown key {where!r}{nearest(str(problem['loc'][-1]), list(model.model_fields))}"
            ) from None
        raise UserError(f"{path}: {where} = {problem['input']!r}: {problem['msg']}") from None
    for name in found.steps:
        if name not in (*steps, TUNING):
            raise UserError(f"{path}: unknown step {name!r}{nearest(name, [*steps, TUNING])}")
    for name, own in {"": found, **found.steps}.items():
        if own.processes is not None and name != TUNING:
            raise UserError(f"{path}: processes is of a fine-tuning alone; it stands in [steps.{TUNING}]")
    return found
