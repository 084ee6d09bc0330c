"""A real SLURM on this machine: munged, slurmctld and two slurmd, on loopback and free ports.

The second node sees a /tmp of its own where the kernel lets root make one: it's another machine's.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests import processes

DAEMONS = ("munged", "slurmctld", "slurmd")
COMMANDS = ("sbatch", "srun", "scancel", "scontrol")
NODES = ("n1", "n2")
GPUS_PER_NODE = 2
CPUS_PER_NODE = 4
"""As SLURM shall believe, whatever the machine has."""

_TMP = Path("/tmp")  # noqa: S108 - it is what is hidden
_OWN_TMP = """
set -e
mount --rbind "$0" /mnt
mount -t tmpfs -o mode=1777 none /tmp
mkdir -p "$0"
mount --rbind /mnt "$0"
exec "$@"
"""
"""What runs a command with a /tmp in which nothing is but the folder in $0."""

START_LIMIT_S = 60.0
JOB_LIMIT_S = 240.0
_SYSTEM = "/usr/sbin:/sbin"
_ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY")

_SLURM = """
ClusterName=glean
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1
MessageTimeout=5
ReturnToService=2
GresTypes=gpu
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
_NODE = (
    "NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} "
    f"CPUs={CPUS_PER_NODE} Gres=gpu:mi300x:{GPUS_PER_NODE} State=UNKNOWN"
)
_CGROUP = """
CgroupPlugin=cgroup/v1
CgroupAutomount=no
"""
_GRES = """
AutoDetect=off
NodeName=n[1-2] Name=gpu Type=mi300x File={folder}/dev/gpu[0-1] Flags=amd_gpu_env
"""


def why_not() -> str | None:
    """Give the reason why no SLURM can be started here, None where one can."""
    missing = [name for name in (*DAEMONS, *COMMANDS) if _program(name) is None]
    if missing:
        return f"{', '.join(missing)} missing (Debian: apt-get install slurm-wlm munge)"
    return None if os.geteuid() == 0 else "SLURM's daemons need root"


@dataclass(frozen=True)
class SlurmCluster:
    """A running SLURM of two nodes.

    Parameters
    ----------
    folder : Path
        Its configuration, state and logs.
    own_tmp : bool
        Whether the second node has a /tmp of its own.
    daemons : dict of str to Popen
        "munged", "slurmctld" and a slurmd by its node's name.
    """

    folder: Path
    own_tmp: bool
    daemons: dict[str, subprocess.Popen[bytes]]

    @property
    def environment(self) -> dict[str, str]:
        """What SLURM's commands need in their environment."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def facts(self, job: int) -> dict[str, str]:
        """What `scontrol show job` says of a job."""
        return _facts(self._command("scontrol", "--oneliner", "show", "job", str(job)))

    def state(self, job: int) -> str:
        """A job's state, like "RUNNING"."""
        return self.facts(job)["JobState"]

    def wait_for_end(self, job: int, *, limit_s: float = JOB_LIMIT_S) -> str:
        """Wait until a job has ended and its nodes are clean; give its state."""

        def over() -> bool:
            return self.state(job) in _ENDED and not self.completing()

        processes.wait_until(over, f"the end of job {job}", limit_s=limit_s)
        return self.state(job)

    def completing(self) -> bool:
        """Whether a node still ends what a job left."""
        return bool(self._command("squeue", "--noheader", "--states=COMPLETING").strip())

    def ready(self) -> bool:
        """Whether both nodes wait for work."""
        states = [_facts(self._command("scontrol", "--oneliner", "show", "node", n)) for n in NODES]
        return all(facts.get("State") == "IDLE" for facts in states)

    def cancel(self, job: int) -> None:
        """Cancel a job, as a user does."""
        self._command("scancel", str(job))

    def expire(self, job: int) -> None:
        """Let a job's time limit be over."""
        self._command("scontrol", "update", f"JobId={job}", "EndTime=now")

    def logs(self) -> str:
        """The ends of the daemons' logs."""
        paths = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{path.name}:\n{_end(path)}" for path in paths)

    def _command(self, *words: str) -> str:
        done = processes.run(*words, cwd=self.folder, env={**os.environ, **self.environment})
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def slurm_cluster(shared: Path) -> Iterator[SlurmCluster]:
    """Start a SLURM; end its daemons afterwards, each by its process id.

    Parameters
    ----------
    shared : Path
        A folder that both nodes see; SLURM's own files go into its `slurm`.
    """
    folder = shared / "slurm"
    _configure(folder)
    cluster = SlurmCluster(folder, _hides_tmp(shared), {})
    try:
        for name, words in _daemons(folder):
            own = _own_tmp(shared) if cluster.own_tmp and name == NODES[-1] else []
            cluster.daemons[name] = _start(folder, name, [*own, *words])
            if name == "munged":
                _wait_for(cluster, (folder / "munge" / "socket").exists, "munged's socket")
        _wait_for(cluster, lambda: _answers(cluster), "two idle nodes")
        yield cluster
    finally:
        for daemon in reversed(cluster.daemons.values()):
            _end_daemon(daemon)


def _own_tmp(shared: Path) -> list[str]:
    return ["unshare", "--mount", "bash", "-c", _OWN_TMP, str(shared)]


def _hides_tmp(shared: Path) -> bool:
    """Whether /tmp can be hidden, and hides nothing else that a job needs."""
    needed = (processes.REPOSITORY, Path(sys.prefix), Path(sys.base_prefix))
    if any(path.resolve().is_relative_to(_TMP) for path in needed):
        return False
    try:
        subprocess.run([*_own_tmp(shared), "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _configure(folder: Path) -> None:
    for name in ("munge", "state", "dev", *(f"spool-{node}" for node in NODES)):
        (folder / name).mkdir(parents=True, mode=0o755)
    for number in range(GPUS_PER_NODE):
        # A fake GPU is another /dev/null.
        words = ["mknod", str(folder / "dev" / f"gpu{number}"), "c", "1", "3"]
        subprocess.run(words, check=True)
    key = folder / "munge" / "key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    nodes = [_NODE.format(name=name, port=processes.free_port()) for name in NODES]
    content = {
        "slurm.conf": _SLURM.format(
            folder=folder, controller_port=processes.free_port(), nodes="\n".join(nodes)
        ),
        "cgroup.conf": _CGROUP,
        "gres.conf": _GRES.format(folder=folder),
    }
    for name, text in content.items():
        (folder / name).write_text(text, encoding="utf-8")


def _daemons(folder: Path) -> list[tuple[str, list[str]]]:
    munge = folder / "munge"
    configuration = ["-D", "-f", str(folder / "slurm.conf")]
    munged = [
        "munged", "--foreground", "--force", "--num-threads=2",
        f"--socket={munge / 'socket'}", f"--key-file={munge / 'key'}",
        f"--pid-file={munge / 'pid'}", f"--log-file={munge / 'log'}",
        f"--seed-file={munge / 'seed'}",
    ]  # fmt: skip
    slurmd = [(node, ["slurmd", *configuration, "-N", node]) for node in NODES]
    return [("munged", munged), ("slurmctld", ["slurmctld", *configuration]), *slurmd]


def _start(folder: Path, name: str, words: list[str]) -> subprocess.Popen[bytes]:
    path = f"{os.environ['PATH']}{os.pathsep}{_SYSTEM}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
    with (folder / f"{name}-output.log").open("wb") as output:
        return subprocess.Popen(
            words,
            env={**kept, "PATH": path},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _answers(cluster: SlurmCluster) -> bool:
    try:
        return cluster.ready()
    except AssertionError:
        return False


def _wait_for(cluster: SlurmCluster, condition: Callable[[], bool], what: str) -> None:
    try:
        processes.wait_until(condition, what, limit_s=START_LIMIT_S)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{cluster.logs()}") from None


def _end_daemon(daemon: subprocess.Popen[bytes]) -> None:
    """End a daemon and what it may have left, politely and then by force."""
    family = [psutil.Process(daemon.pid), *psutil.Process(daemon.pid).children(recursive=True)]
    daemon.terminate()
    try:
        daemon.wait(timeout=10)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
    processes.end(family)


def _facts(line: str) -> dict[str, str]:
    return dict(re.findall(r"(\S+?)=(\S*)", line))


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=_SYSTEM)


def _end(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")[-3000:]
