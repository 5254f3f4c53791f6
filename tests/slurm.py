"""A real Slurm on this machine, for tests and measurements: a controller and node daemons on loopback, no accounting."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
HERE = "127.0.0.1"
CONF = """
ClusterName=tastelab
SlurmctldHost={host}({here})
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=20
CredType=cred/munge
SlurmctldPort={port}
# Nothing listens but on loopback.
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmdTimeout=15
InactiveLimit=0
KillWait=5
MinJobAge=300
SchedulerParameters=sched_interval=2,bf_interval=2
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=60 State=UP
"""


def missing() -> str | None:
    """Why there can be none here; None where there can."""
    import sys

    if sys.platform != "linux":
        return "Slurm runs on Linux"
    absent = [name for name in DAEMONS if _where(name) is None]
    if absent:
        return f"no Slurm here ({', '.join(absent)}): apt-get install slurm-wlm munge"
    return None if os.geteuid() == 0 else "a Slurm of one's own is started by root"


def _where(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


class Slurm:
    """One cluster of `nodes` nodes with one processor each; `environment` leads to it. Daemons are killed and started by hand."""

    def __init__(self, nodes: int = 2):
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.folder.chmod(0o755)
        self.nodes = [f"n{k + 1}" for k in range(nodes)]
        self.environment = {"SLURM_CONF": str(self.folder / "slurm.conf")}
        for name in ("state", "munge", *self.nodes):
            (self.folder / name).mkdir()
        (self.folder / "munge").chmod(0o711)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        ports = _free(nodes + 1)
        host = socket.gethostname().partition(".")[0]
        named = [
            f"NodeName={name} NodeHostname={host} NodeAddr={HERE} Port={port} CPUs=1 RealMemory=2000 State=UNKNOWN"
            for name, port in zip(self.nodes, ports[1:], strict=True)
        ]
        conf = CONF.format(
            host=host, here=HERE, user="root", folder=self.folder, port=ports[0], nodes="\n".join(named)
        ).strip()
        (self.folder / "slurm.conf").write_text(conf + "\n")
        self._munged = subprocess.Popen(
            [
                str(_where("munged")), "--foreground", "--force", f"--key-file={key}", f"--socket={self.folder}/munge/socket",
                f"--pid-file={self.folder}/munge/pid", f"--log-file={self.folder}/munge/log", f"--seed-file={self.folder}/munge/seed",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._until(lambda: (self.folder / "munge" / "socket").exists(), "munged")
        self._daemon("slurmctld", "-f", self.environment["SLURM_CONF"])
        for name in self.nodes:
            self.start(name)
        self._until(lambda: self.idle() == len(self.nodes), "the nodes")

    @property
    def version(self) -> str:
        """What Slurm calls itself."""
        return self.said("sinfo", "--version").strip()

    def said(self, *command: str) -> str:
        """What one of Slurm's commands says."""
        done = subprocess.run(command, env=os.environ | self.environment, capture_output=True, text=True, check=True)
        return done.stdout

    def idle(self) -> int:
        """How many nodes wait for work."""
        try:
            return self.said("sinfo", "--noheader", "--Node", "--format=%T").split().count("idle")
        except subprocess.CalledProcessError:
            return 0

    def start(self, node: str) -> None:
        """Start a node's daemon."""
        self._daemon("slurmd", "-f", self.environment["SLURM_CONF"], "-N", node)

    def kill(self, node: str) -> None:
        """End a node as a power cut does: its daemon, and all that it runs."""
        import psutil

        jobs = self.said("squeue", "--noheader", f"--nodelist={node}", "--states=RUNNING", "--format=%A").split()
        keepers = [
            p for p in psutil.process_iter(["cmdline"])
            if any(f"slurmstepd: [{job}." in " ".join(p.info["cmdline"] or []) for job in jobs)
        ]  # fmt: skip
        doomed = [psutil.Process(self._pid(node)), *keepers, *(c for k in keepers for c in k.children(recursive=True))]
        for process in doomed:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue

    def close(self) -> None:
        """End all of it, jobs first."""
        import psutil

        for node in self.nodes:
            subprocess.run(["scancel", f"--nodelist={node}"], env=os.environ | self.environment, check=False)
        time.sleep(2)
        for name in (*self.nodes, "slurmctld"):
            try:
                process = psutil.Process(self._pid(name))
                process.terminate()
                process.wait(10)
            except psutil.TimeoutExpired:  # it waits for a job that does not end
                process.kill()
            except (psutil.NoSuchProcess, FileNotFoundError):
                continue
        self._munged.terminate()
        self._munged.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _pid(self, name: str) -> int:
        return int((self.folder / f"{name}.pid").read_text())

    def _daemon(self, name: str, *options: str) -> None:
        subprocess.run(
            [str(_where(name)), *options], check=True, env=os.environ | self.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def _until(self, there: Callable[[], bool], what: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not there():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} did not come up in {seconds:.0f} s; logs in {self.folder}")
            time.sleep(0.2)


def _free(n: int) -> list[int]:
    """Ports of loopback that nobody listens at."""
    held = [socket.socket() for _ in range(n)]
    try:
        for one in held:
            one.bind((HERE, 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
