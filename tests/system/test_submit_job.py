"""`submit-job.sh` without a SLURM: what it refuses, what it would submit, what the job would do."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import processes
from tests.processes import REPOSITORY

pytestmark = pytest.mark.slow

SUBMIT = REPOSITORY / "submit-job.sh"
PROFILES = ("cluster-cpu.toml", "cluster-gpu.toml")

FLOWER_KEYS = {
    "num-supernodes",
    "client-resources-num-cpus",
    "client-resources-num-gpus",
    "init-args-logging-level",
    "init-args-log-to-driver",
}

Submit = Callable[..., subprocess.CompletedProcess[str]]

# A stranger's Flower: tells what it was called with, and how its runs went.
FAKE_FLWR = """#!/usr/bin/env python3
import json, os, sys
words, record = sys.argv[1:], os.environ["TEST_RECORD"]
if words[0] == "list":
    runs = json.loads(os.environ["TEST_RUNS"])
    print("Listing all runs...", json.dumps({"success": True, "runs": runs}))
else:
    with open(record, "a") as file:
        print(json.dumps(words), file=file)
    for option, word in zip(words, words[1:], strict=False):
        if option == "--federation-config" and word.endswith(".toml"):
            text = open(word, encoding="utf-8").read()
            open(record + ".toml", "w", encoding="utf-8").write(text)
    log = os.path.join(os.environ["FLWR_HOME"], "local-superlink", "superlink.log")
    os.makedirs(os.path.dirname(log), exist_ok=True)
    open(log, "w").write("the words of a SuperLink")
"""
FAKE_PROGRAMS = {
    "flwr": FAKE_FLWR,
    "flower-superlink": "#!/bin/sh\n",
    "glean": "#!/bin/sh\nexit 0\n",
    "scontrol": "#!/bin/sh\necho n1\n",
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose name has a space and a percent sign."""
    (tmp_path / "50% home").mkdir()
    return tmp_path / "50% home"


@pytest.fixture
def submit(tmp_path: Path, home: Path) -> Submit:
    """Type `submit-job.sh` in an empty folder, in an environment without SLURM."""

    def typed(
        *words: str, cwd: Path = tmp_path, **changes: str
    ) -> subprocess.CompletedProcess[str]:
        kept = {"PATH": "/usr/bin:/bin", "HOME": str(home), **changes}
        return processes.run(SUBMIT, *words, cwd=cwd, env=kept)

    return typed


def dry(submit: Submit, *words: str, **changes: Any) -> str:
    done = submit(*words, "--dry-run", **changes)
    assert done.returncode == 0, done.stderr
    return done.stdout


def requests(script: str) -> list[str]:
    return [line for line in script.splitlines() if line.startswith("#SBATCH")]


REFUSED = [
    ([], "the command is missing"),
    (["  "], "the command is empty"),
    (["flwr", "run"], "put the whole of it in quotes"),
    (["x", "--nodes"], "--nodes: its value is missing"),
    (["x", "--nodes", "0"], "--nodes: found '0'; wanted a number from 1 on"),
    (["x", "--cpus=two"], "--cpus: found 'two'"),
    (["x", "--mem", "8GB"], "--mem: found '8GB'; wanted a size like 16G"),
    (["x", "--time", "2h"], "--time: found '2h'"),
    (["x", "--gpus", "mi300x:"], "--gpus: found 'mi300x:'"),
    (["x", "--partition", "a b"], "--partition: found 'a b'"),
    (["x", "--partition", "a\n#SBATCH --nice=0"], "--partition: found"),
    (["--gpu=2"], "there is no option '--gpu=2'"),
    (["x", "--account", "me"], "there is no option '--account'"),
]


@pytest.mark.parametrize(("words", "told"), REFUSED)
def test_what_cannot_be_meant_is_refused(words: list[str], told: str, submit: Submit) -> None:
    """With a word on what was found and wanted, before anything else happens."""
    done = submit(*words)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stdout == ""


def test_help_tells_every_option(submit: Submit) -> None:
    """Exit code 0, and nothing that the script takes is missing."""
    done = submit("--help")
    assert done.returncode == 0
    taken = set(re.findall(r"^ {4}(--[a-z-]+)", SUBMIT.read_text(encoding="utf-8"), re.MULTILINE))
    assert len(taken) > 4
    assert taken <= set(re.findall(r"--[a-z-]+", done.stdout))


def test_without_slurm_it_says_so(submit: Submit, home: Path, tmp_path: Path) -> None:
    """And that a dry run is possible."""
    (tmp_path / "bin").mkdir()
    for name in ("bash", "cat", "dirname", "readlink", "sed"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)
    done = submit("hostname", PATH=str(tmp_path / "bin"))
    assert done.returncode == 2
    assert "sbatch is missing" in done.stderr
    assert "--dry-run" in done.stderr
    assert not (home / "logs").exists()


def test_every_request_is_a_long_line_of_its_own(submit: Submit) -> None:
    """Nothing is requested that wasn't asked for; what was asked for is there once."""
    plain = [
        "#SBATCH --job-name=glean",
        '#SBATCH --output="{}/logs/job_%j.out"',
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks-per-node=1",
        "#SBATCH --cpus-per-task=4",
    ]
    found = requests(dry(submit, "hostname", HOME="/home/a b"))
    assert found == [line.format("/home/a b") for line in plain]
    words = "--nodes 3 --cpus=8 --mem 16G --time 1-12 --partition gpu,fat --gpus mi300x:2"
    found = requests(dry(submit, *words.split(), "hostname", HOME="/home/100%"))
    assert found == [
        plain[0],
        plain[1].format("/home/100%%"),
        "#SBATCH --nodes=3",
        plain[3],
        "#SBATCH --cpus-per-task=8",
        "#SBATCH --mem=16G",
        "#SBATCH --time=1-12",
        "#SBATCH --partition=gpu,fat",
        "#SBATCH --gres=gpu:mi300x:2",
    ]


@pytest.mark.parametrize(
    ("words", "request_line"), [(["--gpu"], "gpu:1"), (["--gpu", "--gpus", "2"], "gpu:2")]
)
def test_a_gpu_is_requested(words: list[str], request_line: str, submit: Submit) -> None:
    """One a node, or as many as are asked for."""
    assert f"#SBATCH --gres={request_line}" in requests(dry(submit, "hostname", *words))


def test_the_script_is_whole_and_a_dry_run_changes_nothing(submit: Submit, home: Path) -> None:
    """Bash reads it; Ray's head and workers and both profiles are in it; no folder was made."""
    script = dry(submit, "flwr run . cluster-cpu", "--nodes", "2")
    checked = subprocess.run(
        ["bash", "-n"], input=script, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert re.search(r"^ +start_ray --head ", script, re.MULTILINE)
    assert re.search(r"^ +srun ", script, re.MULTILINE)
    assert re.search(r"^ +export .*RAY_ADDRESS=", script, re.MULTILINE)
    assert "init-args-num-cpus =" not in script
    for name in PROFILES:
        assert (REPOSITORY / name).read_text(encoding="utf-8") in script
    assert list(home.iterdir()) == []


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck isn't installed")
def test_shellcheck_finds_nothing(submit: Submit) -> None:
    """Neither in the script nor in what it would submit."""
    subprocess.run(["shellcheck", SUBMIT], check=True)
    script = dry(submit, "flwr run . cluster-cpu", "--gpu")
    words = ["shellcheck", "--severity=warning", "-"]
    subprocess.run(words, input=script, text=True, check=True)


@pytest.mark.parametrize("name", PROFILES)
def test_the_profiles_are_flat_and_known_to_flower(name: str) -> None:
    """Only keys that Flower takes, also in what is commented out; a job's Ray has its own size."""
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    assert set(tomllib.loads(text)) <= FLOWER_KEYS
    offered = re.sub(r"^# (?=[a-z-]+ = )", "", text, flags=re.MULTILINE)
    assert set(tomllib.loads(offered)) <= FLOWER_KEYS
    gpus = tomllib.loads(text).get("client-resources-num-gpus", 0)
    assert (gpus > 0) == (name == "cluster-gpu.toml")


# --- The job, run by hand in an environment that SLURM would make ---------------------------------


@pytest.fixture
def job(tmp_path: Path, home: Path, submit: Submit) -> Callable[..., Job]:
    """Run the batch script of a command with a stranger's Flower, and no Ray."""
    programs = tmp_path / "its environment" / "bin"
    programs.mkdir(parents=True)
    for name, text in FAKE_PROGRAMS.items():
        (programs / name).write_text(text, encoding="utf-8")
        (programs / name).chmod(0o755)
    (programs / "python3").symlink_to(sys.executable)
    (home / "logs").mkdir()
    (home / ".flwr").mkdir()
    (home / ".flwr" / "config.toml").write_text(CONFIG, encoding="utf-8")
    folder = tmp_path / "typed here"
    folder.mkdir()

    def run(
        command: str,
        *words: str,
        runs: list[str] | None = None,
        active: bool = True,
        **changes: str,
    ) -> Job:
        record = tmp_path / "record"
        record.unlink(missing_ok=True)
        typed_in = {"VIRTUAL_ENV": str(programs.parent)} if active else {}
        script = dry(submit, command, *words, cwd=folder, **typed_in)
        statuses = [{"run-id": "7", "status": status} for status in runs or []]
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(home),
            "TEST_RECORD": str(record),
            "TEST_RUNS": json.dumps(statuses),
            "SLURM_JOB_ID": "11",
            "SLURM_JOB_NODELIST": "n1",
            "SLURMD_NODENAME": "n1",
            **changes,
        }
        # SLURM starts it from a copy, elsewhere.
        done = subprocess.run(
            ["bash", "-s"],
            input=script,
            env=environment,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Job(done, record)

    return run


CONFIG = """[superlink]
default = "far"
[superlink.far]
address = "far.example.org:443"
[superlink.cluster-cpu]
address = ":local:"
[superlink.cluster-gpu]
address = ":local:"
[superlink.old]
options.num-supernodes = 2
"""


class Job:
    """How a batch script ended, and what it called Flower with."""

    def __init__(self, done: subprocess.CompletedProcess[str], record: Path) -> None:
        self.code, self.words = done.returncode, done.stdout + done.stderr
        lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
        self.calls: list[list[str]] = [json.loads(line) for line in lines]
        given = Path(f"{record}.toml")
        self.profile = given.read_text(encoding="utf-8") if given.exists() else ""


RUNS = [
    ("flwr run . cluster-cpu", [], ["--stream"], "cluster-cpu.toml"),
    ("flwr run . cluster-gpu", [], ["--stream"], "cluster-gpu.toml"),
    ("flwr run . cluster-cpu", ["--gpu"], ["--stream"], "cluster-gpu.toml"),
    ("flwr run --stream . old", [], [], "cluster-cpu.toml"),
    ("flwr run . -c 'a=1 b=2' cluster-gpu", [], ["--stream"], "cluster-gpu.toml"),
    ("flwr run . cluster-cpu --format json", [], [], "cluster-cpu.toml"),
    ("flwr run . cluster-cpu --federation-config num-supernodes=2", [], ["--stream"], None),
    ("flwr run . cluster-cpu --federation-config=mine.toml", [], ["--stream"], None),
    ("flwr run . far", [], ["--stream"], None),
    ("flwr run", [], ["--stream"], None),
    ("flwr run . unheard-of", [], ["--stream"], None),
    ("flwr run --help", [], [], None),
    ("flwr log 7 cluster-cpu", [], [], None),
]


@pytest.mark.parametrize(("command", "words", "added", "profile"), RUNS)
def test_what_flwr_run_gets(
    command: str, words: list[str], added: list[str], profile: str | None, job: Callable[..., Job]
) -> None:
    """It's followed, with the profile; the user's own words stay as they are and come last."""
    done = job(command, *words)
    assert done.code == 0, done.words
    (call,) = done.calls
    if profile is not None:
        option = call.index("--federation-config")
        del call[option : option + 2]
        assert done.profile == (REPOSITORY / profile).read_text(encoding="utf-8")
    typed = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {command}"], capture_output=True, text=True, check=True
    )
    flwr, verb, *rest = typed.stdout.splitlines()
    assert [flwr, *call] == [flwr, verb, *added, *rest]


def test_the_app_s_own_profile_comes_first(tmp_path: Path, job: Callable[..., Job]) -> None:
    """Of the folder that the command goes to; without what Flower refuses where Ray runs."""
    project = tmp_path / "typed here" / "it's mine"
    project.mkdir()
    (project / "cluster-cpu.toml").write_text(
        "num-supernodes = 3\ninit-args-num-cpus = 64\n", encoding="utf-8"
    )
    for command in (
        'cd "it\'s mine" && flwr run . cluster-cpu',
        "flwr run it\\'s\\ mine cluster-cpu",
    ):
        assert job(command).profile == "num-supernodes = 3\n"


def test_the_project_s_environment_is_used(tmp_path: Path, job: Callable[..., Job]) -> None:
    """That of the folder that the command goes to; an active one with Flower beats it."""
    project = tmp_path / "typed here" / "project"
    project.mkdir()
    shutil.copytree(tmp_path / "its environment", project / ".venv", symlinks=True)
    told = "cd project && command -v python3 && echo $VIRTUAL_ENV"
    assert f"{project}/.venv/bin/python3\n{project}/.venv\n" in job(told, active=False).words
    assert f"{tmp_path}/its environment/bin/python3\n" in job(told).words


def test_the_command_is_any_of_a_shell(tmp_path: Path, job: Callable[..., Job]) -> None:
    """Quotes, variables, several lines and a pipe arrive as they were typed; so does its folder."""
    command = """printf '%s|' "$PWD" 'a  "b"' "it's" $((1+1)) \\$HOME `echo back`; echo
for word in x y; do echo "$word"; done | tr xy XY # a remark"""
    words = job(command).words
    folder = tmp_path / "typed here"
    assert f"""{folder}|a  "b"|it's|2|$HOME|back|\nX\nY\n""" in words


def test_own_home_and_ports_and_no_installs(job: Callable[..., Job], home: Path) -> None:
    """Flower and the learners find what makes the job independent of all others."""
    names = "FLWR_HOME FLWR_LOCAL_SUPERLINK_HTTP_API_PORT FLWR_LOCAL_CONTROL_API_PORT"
    shown = "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION OMP_NUM_THREADS GLEAN_DEVICE RAY_ADDRESS"
    command = f'for name in {names} {shown}; do echo "$name=${{!name:-}}"; done; '
    command += 'cat "$FLWR_HOME/config.toml"'
    told = job(command, FLWR_HOME="/elsewhere", RAY_ADDRESS="another.example.org:1").words
    found = dict(re.findall(r"^([A-Z_]+)=(.*)$", told, re.MULTILINE))
    assert found["FLWR_HOME"].startswith(f"{home}/logs/.job_11_")
    ports = {int(found[name]) for name in names.split()[1:]}
    assert len(ports) == 2
    assert all(20_000 <= port < 32_000 for port in ports)
    assert [found[name] for name in shown.split()] == ["1", "1", "", ""]
    assert "GLEAN_DEVICE=gpu" in job(command, "--gpu").words
    config = tomllib.loads(told[told.index("[superlink]") :])["superlink"]
    assert config["cluster-cpu"]["address"] == ":local-in-memory:"
    assert config["far"]["address"] == "far.example.org:443"
    assert str(config["this-job"]["address"]).endswith(f":{found[names.split()[1]]}")


GPUS = [
    ({}, {}),
    ({"CUDA_VISIBLE_DEVICES": "3"}, {"CUDA_VISIBLE_DEVICES": "3"}),
    (
        {"ROCR_VISIBLE_DEVICES": "2,5", "GPU_DEVICE_ORDINAL": "2,5", "SLURM_GPUS_ON_NODE": "2"},
        {"ROCR_VISIBLE_DEVICES": "2,5", "HIP_VISIBLE_DEVICES": "0,1"},
    ),
]


@pytest.mark.parametrize(("given", "seen"), GPUS)
def test_which_gpus_are_seen(
    given: dict[str, str], seen: dict[str, str], job: Callable[..., Job]
) -> None:
    """Of AMD's, those that SLURM gave, counted anew for HIP, and nothing counts twice."""
    words = job("env | grep -E 'VISIBLE_DEVICES|DEVICE_ORDINAL'", "--gpu", **given).words
    assert dict(re.findall(r"^([A-Z_]+)=(.*)$", words, re.MULTILINE)) == seen


@pytest.mark.skipif(Path("/dev/kfd").exists(), reason="this machine has a GPU of AMD's")
def test_a_cluster_with_nvidia_s_gpus(job: Callable[..., Job]) -> None:
    """SLURM sets every maker's variable unless told otherwise; Ray won't have AMD's then."""
    given = {"CUDA_VISIBLE_DEVICES": "3", "ROCR_VISIBLE_DEVICES": "3", "SLURM_GPUS_ON_NODE": "1"}
    words = job("env | grep -E 'VISIBLE_DEVICES'", "--gpu", **given).words
    assert "CUDA_VISIBLE_DEVICES=3\n" in words
    assert "ROCR" not in words
    assert "HIP" not in words


ENDS = [
    ("true", [], 0),
    ("exit 7", [], 7),
    ("false | true", [], 0),
    ("if", [], 2),
    ("flwr run . cluster-cpu", ["finished:completed"], 0),
    ("flwr run . cluster-cpu", ["finished:completed", "finished:failed"], 1),
    ("flwr run . cluster-cpu", ["finished:stopped"], 1),
    ("flwr run . cluster-cpu; exit 7", ["finished:failed"], 7),
    ("flwr run . cluster-cpu &", ["finished:failed"], 1),
]


@pytest.mark.parametrize(("command", "runs", "code"), ENDS)
def test_the_worst_counts(
    command: str, runs: list[str], code: int, job: Callable[..., Job], home: Path
) -> None:
    """The command's own exit code, else 1 where a run didn't complete; only logs are left."""
    done = job(command, runs=runs)
    assert done.code == code, done.words
    assert all(f"run 7: {status}" in done.words for status in runs)
    logs = {path.name for path in (home / "logs").iterdir()}
    kept = {"job_11.superlink.log"} if code and "flwr" in command else set()
    assert logs == kept


def test_a_superlink_that_is_gone_is_a_failure(job: Callable[..., Job]) -> None:
    """No word from it isn't a good word."""
    done = job("flwr run . cluster-cpu; export TEST_RUNS=", TEST_RUNS="nonsense")
    assert done.code == 1
    assert "the SuperLink is gone" in done.words


def test_what_was_detached_is_ended(job: Callable[..., Job], tmp_path: Path) -> None:
    """A process with a session of its own and no parent, deaf to a polite word."""
    deaf = "trap '' TERM; echo $BASHPID > pid; while :; do sleep 1; done"
    wait = "until [ -s pid ]; do sleep 0.1; done"
    done = job(f'( setsid bash -c "{deaf}" & ) >/dev/null 2>&1; {wait}'.replace("$", "\\$"))
    assert done.code == 0, done.words
    pid = int((tmp_path / "typed here" / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists() or "zombie" in Path(f"/proc/{pid}/status").read_text()


# --- Submission, to a stranger's sbatch -----------------------------------------------------------

FAKE_SBATCH = """#!/bin/bash
printf '%s\\n' "$@" >"$TEST_RECORD"
env | grep -E '^(SLURM|SBATCH)' >>"$TEST_RECORD"
cat >>"$TEST_RECORD"
[ -z "$TEST_REFUSAL" ] || { echo "sbatch: error: $TEST_REFUSAL" >&2; exit 3; }
echo '42;elsewhere'
exit "$TEST_CODE"
"""


@pytest.fixture
def sbatch(tmp_path: Path) -> dict[str, str]:
    """Environment with an sbatch that only records what it's given."""
    (tmp_path / "slurm").mkdir()
    (tmp_path / "slurm" / "sbatch").write_text(FAKE_SBATCH, encoding="utf-8")
    (tmp_path / "slurm" / "sbatch").chmod(0o755)
    return {
        "PATH": f"{tmp_path}/slurm:/usr/bin:/bin",
        "TEST_RECORD": str(tmp_path / "record"),
        "TEST_CODE": "0",
    }


def test_a_submission_tells_number_log_and_ways(
    submit: Submit, sbatch: dict[str, str], home: Path
) -> None:
    """The folder for the log is there; what is submitted is what a dry run shows."""
    done = submit("hostname", "--nodes", "2", **sbatch)
    assert done.returncode == 0, done.stderr
    log = home / "logs" / "job_42.out"
    assert log.parent.is_dir()
    told = done.stdout.splitlines()
    assert told[0] == "job 42 is submitted"
    assert told[1].endswith(f" {log}")
    shown = subprocess.run(
        ["bash", "-c", told[2].split(": ", 1)[1].replace("tail -F", "printf %s")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == str(log)
    assert told[3].endswith(" scancel 42")
    script = dry(submit, "hostname", "--nodes", "2")
    assert Path(sbatch["TEST_RECORD"]).read_text(encoding="utf-8") == "--parsable\n" + script


@pytest.mark.parametrize("code", ["0", "7"])
def test_wait_ends_with_the_job_s_exit_code(
    code: str, submit: Submit, sbatch: dict[str, str]
) -> None:
    """And says it; without --wait the exit code only says that the job was submitted."""
    done = submit("hostname", "--wait", **{**sbatch, "TEST_CODE": code})
    assert done.returncode == int(code)
    assert f"job 42 ended with exit code {code}" in done.stdout
    assert "--wait" in Path(sbatch["TEST_RECORD"]).read_text(encoding="utf-8").splitlines()


def test_slurm_s_refusal_is_passed_on(submit: Submit, sbatch: dict[str, str]) -> None:
    """Its words and its exit code."""
    done = submit("hostname", **sbatch, TEST_REFUSAL="invalid partition")
    assert done.returncode == 3
    assert "invalid partition" in done.stderr
    assert "submitted" not in done.stdout


def test_what_was_asked_for_beats_the_environment(submit: Submit, sbatch: dict[str, str]) -> None:
    """What sbatch reads from its variables doesn't override an option; the rest of them counts.

    Nothing of a job in which the script is typed goes into the new one.
    """
    before = {
        "SBATCH_PARTITION": "old",
        "SBATCH_TIMELIMIT": "1",
        "SBATCH_ACCOUNT": "mine",
        "SBATCH_OUTPUT": "x",
        "SLURM_GPUS_ON_NODE": "8",
        "SLURM_CONF": "/etc/slurm.conf",
    }
    done = submit("hostname", "--partition", "new", **sbatch, **before)
    assert done.returncode == 0, done.stderr
    recorded = Path(sbatch["TEST_RECORD"]).read_text(encoding="utf-8")
    passed = set(re.findall(r"^(S[A-Z_]+)=", recorded, re.MULTILINE))
    assert passed == {"SBATCH_TIMELIMIT", "SBATCH_ACCOUNT", "SLURM_CONF"}


def test_it_is_executable_and_found_from_elsewhere(tmp_path: Path) -> None:
    """By a link too: the profiles are those beside the script itself."""
    assert os.access(SUBMIT, os.X_OK)
    (tmp_path / "submit").symlink_to(SUBMIT)
    done = processes.run(
        tmp_path / "submit",
        "hostname",
        "--dry-run",
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": "/h"},
    )
    assert f"checkout='{REPOSITORY}'" in done.stdout
