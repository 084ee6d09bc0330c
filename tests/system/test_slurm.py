"""`submit-job.sh` on a real SLURM of two nodes: what a user gets, and that nothing is left."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests import processes
from tests.processes import wait_until
from tests.service.served import serving
from tests.slurm_cluster import SlurmCluster, slurm_cluster, why_not

REASON = why_not()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
    pytest.mark.usefixtures("_clean"),
]

SHORT = "--run-config 'num-server-rounds=1 baselines=false'"
TWO = "--federation-config num-supernodes=2"
ENDLESS = "--run-config 'num-server-rounds=5000 baselines=false'"


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, _orphans_adopted: None
) -> Iterator[SlurmCluster]:
    with slurm_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="module")
def project(cluster: SlurmCluster) -> Path:
    """A checkout of its own, in a folder that both nodes see."""
    return processes.copy_checkout(cluster.folder.parent / "the project")


@dataclass(frozen=True)
class User:
    """Somebody with a home of their own, at a login node."""

    home: Path
    project: Path
    cluster: SlurmCluster

    @property
    def environment(self) -> dict[str, str]:
        """Of all that is typed; processes find the checkout's package, not the tests' own."""
        return {
            **processes.environment(self.home / "flower", **self.cluster.environment),
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(processes.cache_folder()),
            "PYTHONPATH": str(self.project),
        }

    def submit(self, *words: str, folder: Path | None = None) -> int:
        """Type `submit-job.sh`; give the number of the job."""
        done = processes.run(
            self.project / "submit-job.sh",
            *words,
            cwd=folder or self.project,
            env=self.environment,
        )
        found = re.match(r"job (\d+) is submitted\n", done.stdout)
        assert found, done.stderr
        assert done.returncode == 0 or "--wait" in words
        return int(found.group(1))

    def log_of(self, job: int) -> str:
        path = self.home / "logs" / f"job_{job}.out"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def end_of(self, job: int) -> tuple[str, int]:
        """Wait for a job's end; its state and exit code."""
        state = self.cluster.wait_for_end(job)
        code, _ = self.cluster.facts(job)["ExitCode"].split(":")
        return state, int(code)

    def leaves_nothing(self) -> None:
        """Beside logs and results nothing is left of any job."""
        left = [path.name for path in (self.home / "logs").iterdir()]
        assert all(re.fullmatch(r"job_\d+\.(out|superlink\.log)", name) for name in left), left


@pytest.fixture
def user(cluster: SlurmCluster, project: Path, tmp_path: Path) -> User:
    # A folder of the cluster's, since the second node doesn't see those of single tests.
    home = cluster.folder.parent / "homes" / tmp_path.name
    home.mkdir(parents=True)
    return User(home, project, cluster)


@pytest.fixture
def _clean(user: User, request: pytest.FixtureRequest) -> Iterator[None]:
    """No process and no file of a job outlives the test."""
    request.getfixturevalue("nothing_left")  # once SLURM's daemons are there
    yield
    user.leaves_nothing()
    assert not list(Path("/tmp").glob("glean-[0-9]*-??????"))  # noqa: S108


def facts_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return found


def results_in(log: str) -> Path:
    (found,) = re.findall(r"\bresults: (.+)$", log, flags=re.MULTILINE)
    return Path(found)


def complete(folder: Path, *, bakeries: int) -> bool:
    facts = facts_of(folder)
    assert (facts["status"], facts["engine"]) == ("completed", "ray"), facts
    assert pd.read_csv(folder / "rounds.csv")["replies"].tolist() == [bakeries]
    return (folder / "model.ubj").is_file() and (folder / "report.html").is_file()


def test_two_jobs_on_one_node(user: User) -> None:
    """Side by side each has its own SuperLink and Ray, and in its log its own run.

    One has the profile's five bakeries; the other goes to its project first and says how many.
    """
    jobs = [
        user.submit(f"flwr run . cluster-cpu {SHORT}", "--cpus", "1"),
        user.submit(
            f"cd '{user.project}' && flwr run . cluster-cpu {SHORT} {TWO}",
            "--cpus=2",
            folder=user.home,
        ),
    ]
    assert [user.end_of(job) for job in jobs] == [("COMPLETED", 0)] * 2, user.log_of(jobs[0])
    folders = [results_in(user.log_of(job)) for job in jobs]
    assert complete(folders[0], bakeries=5)
    assert complete(folders[1], bakeries=2)
    for job, cpus in zip(jobs, (1, 2), strict=True):
        assert f"Ray: 1 node(s), {cpus} CPUs, 0 GPUs" in user.log_of(job)
    assert (user.project / "results" / "latest").resolve() in folders


WORDS = [
    # A run by these words on two nodes is in `test_scancel_ends_everything`, to its first round.
    pytest.param(f"flwr run . cluster-cpu {SHORT}", id="flwr run", marks=pytest.mark.long),
    pytest.param(
        "glean simulate --profile cluster-cpu.toml --bakeries 5 "
        "--set num-server-rounds=1 --set baselines=false",
        id="glean simulate",
    ),
]


@pytest.mark.parametrize("words", WORDS)
def test_ray_spans_two_nodes(words: str, user: User) -> None:
    """All CPUs of both nodes; the run works as ever, by Flower's command and by Glean's."""
    job = user.submit(words, "--nodes", "2", "--cpus", "1")
    assert user.end_of(job) == ("COMPLETED", 0), user.log_of(job)
    assert "Ray: 2 node(s), 2 CPUs, 0 GPUs" in user.log_of(job)
    assert complete((user.project / "results" / "latest").resolve(), bakeries=5)


def test_bakeries_train_on_both_nodes(user: User) -> None:
    """What Ray runs side by side is on each node in turn; a Ray of others isn't let in."""
    (user.home / "spread.py").write_text(SPREAD, encoding="utf-8")
    job = user.submit(f"python '{user.home}/spread.py'", "--nodes", "2", "--cpus", "1", "--gpu")
    assert user.end_of(job) == ("COMPLETED", 0), user.log_of(job)
    found = json.loads(user.log_of(job).splitlines()[-1])
    assert sorted(found["nodes"]) == ["n1", "n2"]
    # SLURM's fake GPUs are AMD's; Ray refuses to start without the second variable.
    assert found["gpus"] == {"n1": ["0", "0", "gpu"], "n2": ["0", "0", "gpu"]}
    assert found["a stranger"] == "AuthenticationError"


SPREAD = """
import json, os, subprocess, sys
import ray

ray.init(log_to_driver=False, logging_level="ERROR")

@ray.remote(num_cpus=1)
class Bakery:
    def where(self):
        names = ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "GLEAN_DEVICE")
        return os.environ["SLURMD_NODENAME"], [os.environ.get(name) for name in names]

bakeries = [Bakery.remote() for _ in range(2)]
found = dict(ray.get([bakery.where.remote() for bakery in bakeries], timeout=60))
stranger = {name: value for name, value in os.environ.items() if name != "RAY_AUTH_TOKEN"}
words = [sys.executable, "-c", "import ray; ray.init(logging_level='ERROR')"]
refused = subprocess.run(words, env=stranger, capture_output=True, text=True)
kind = refused.stderr.split("ray.exceptions.")[-1].split(":")[0]
print(json.dumps({"nodes": list(found), "gpus": found, "a stranger": kind}))
"""


@pytest.mark.long
def test_a_gpu_job_without_a_gpu_fails(user: User) -> None:
    """SLURM grants it, Flower's bakeries get their shares, and XGBoost finds that it's none.

    The submission waits and ends as the job does.
    """
    words = f"flwr run . cluster-gpu {SHORT}"
    job = user.submit(words, "--gpu", "--cpus", "2", "--wait")
    assert user.end_of(job) == ("FAILED", 1)
    assert "gres:gpu:1" in user.cluster.facts(job)["TresPerNode"]
    assert "Ray: 1 node(s), 2 CPUs, 1 GPUs" in user.log_of(job)
    events = (results_in(user.log_of(job)) / "events.jsonl").read_text(encoding="utf-8")
    assert "device: found gpu; XGBoost finds none here and trained on cpu" in events
    assert "finished:failed" in user.log_of(job)


def test_scancel_ends_everything(user: User) -> None:
    """In the midst of a run, on both nodes; the log tells it."""
    job = user.submit(f"flwr run . cluster-cpu {ENDLESS}", "--nodes", "2", "--cpus", "1")
    wait_until(lambda: "round 1: validation WAPE" in user.log_of(job), "the first round")
    user.cluster.cancel(job)
    assert user.end_of(job)[0] == "CANCELLED"
    assert "CANCELLED" in user.log_of(job)


@pytest.mark.long
def test_the_time_limit_ends_everything(user: User) -> None:
    """Also what left its session and its parent."""
    words = "( setsid sleep 1000 & ); echo so far; sleep 1000"
    job = user.submit(words, "--nodes", "2", "--cpus", "1", "--time", "10")
    wait_until(lambda: "so far" in user.log_of(job), "the command")
    user.cluster.expire(job)
    assert user.end_of(job)[0] == "TIMEOUT"
    assert "DUE TO TIME LIMIT" in user.log_of(job)


def test_runs_of_the_service_are_jobs(user: User) -> None:
    """One completes and one is stopped in the midst of its rounds; both are seen to do so."""
    asked = {"engine": "slurm", "bakeries": 3, "job": {"cpus": 1, "time": "30"}}
    with serving(user.home, env=user.environment) as served:

        def ask(rounds: int) -> str:
            body = asked | {"settings": {"num-server-rounds": rounds, "baselines": False}}
            answer = served.http.post("/api/v1/runs", json=body)
            assert answer.status_code == 201, answer.text
            return str(answer.json()["id"])

        def log_of(run_id: str) -> str:
            return served.http.get(f"/api/v1/runs/{run_id}/log").text

        def state_of(run_id: str) -> str:
            return str(served.run(run_id)["job"]["state"])

        short, endless = ask(1), ask(5000)
        done = served.wait(short, "completed", "failed")
        assert (done["status"], done["engine"], done["rounds_done"]) == ("completed", "slurm", 1), (
            log_of(short)
        )
        assert f"job {done['job']['number']} is submitted" in log_of(short)
        assert "round 1 is finished" in log_of(short)
        going = served.wait(endless, "running", "failed", rounds=1)
        assert (going["status"], going["job"]["state"]) == ("running", "RUNNING"), going["reason"]
        stopped = served.http.post(f"/api/v1/runs/{endless}/stop").json()
        assert (stopped["status"], stopped["reason"]) == ("failed", "interrupted")
        assert user.end_of(done["job"]["number"]) == ("COMPLETED", 0)
        assert user.end_of(going["job"]["number"])[0] == "CANCELLED"
        wait_until(lambda: state_of(short) == "COMPLETED", "its end is seen", limit_s=20)
        wait_until(lambda: state_of(endless) == "CANCELLED", "its end is seen", limit_s=20)
        assert served.run(endless)["reason"] == "interrupted"


def test_a_node_that_never_joins_is_named(user: User) -> None:
    """Within two minutes, by the name that SLURM knows it by; then the job fails."""
    daemon = user.cluster.daemons["n2"]
    daemon.send_signal(signal.SIGSTOP)
    try:
        job = user.submit("echo never", "--nodes", "2", "--cpus", "1")
        told = "never joined Ray: n2\n"
        wait_until(lambda: told in user.log_of(job), told, limit_s=120)
    finally:
        daemon.send_signal(signal.SIGCONT)
    assert user.end_of(job) == ("FAILED", 1)
    assert "\nnever\n" not in user.log_of(job)
