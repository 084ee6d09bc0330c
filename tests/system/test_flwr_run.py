"""The literal `flwr run . local-simulation --stream` in a checkout, with Flower's own SuperLink."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from tests import processes
from tests.processes import BIN, survivors

pytestmark = pytest.mark.slow

EDITED = {
    "num-server-rounds = 20": "num-server-rounds = 2",
    "baselines = true": "baselines = false",
}
"""What a user changes in the checkout's own file."""


@dataclass(frozen=True)
class Checkout:
    """A checkout of its own, and an environment in which Flower knows nothing yet."""

    folder: Path
    env: dict[str, str]
    port: int

    def flwr_run(self, *words: str) -> subprocess.CompletedProcess[str]:
        literal = ("run", ".", "local-simulation", "--stream")
        done = processes.run(BIN / "flwr", *literal, *words, cwd=self.folder, env=self.env)
        assert done.returncode == 0, done.stdout + done.stderr
        return done


@pytest.fixture(scope="module")
def checkout(
    tmp_path_factory: pytest.TempPathFactory, _orphans_adopted: None
) -> Iterator[Checkout]:
    """After `glean setup`; the first `flwr run` starts a SuperLink, which is ended at the end."""
    if shutil.which("git") is None:
        pytest.skip("git isn't installed")
    root = tmp_path_factory.mktemp("literal")
    port, control_port = processes.free_port(), processes.free_port()
    env = processes.environment(
        root / "flower",
        FLWR_LOCAL_SUPERLINK_HTTP_API_PORT=str(port),
        FLWR_LOCAL_CONTROL_API_PORT=str(control_port),
        FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION="1",
        OMP_NUM_THREADS="1",
    )
    before = processes.descendants()
    folder = processes.copy_checkout(root / "checkout")
    pyproject = folder / "pyproject.toml"
    text = pyproject.read_text(encoding="utf-8")
    for line, edited in EDITED.items():
        assert text.count(f"\n{line}\n") == 1
        text = text.replace(f"\n{line}\n", f"\n{edited}\n")
    pyproject.write_text(text, encoding="utf-8")
    processes.commit(folder)
    done = processes.run(BIN / "python", "-m", "glean", "setup", cwd=folder, env=env)
    assert done.returncode == 0, done.stderr
    yield Checkout(folder, env, port)
    superlink = processes.listener(port)
    processes.end([*superlink.children(recursive=True), superlink])
    left = survivors(before)
    processes.end(left)
    assert not left


def results_of(done: subprocess.CompletedProcess[str]) -> Path:
    """The path that the ServerApp printed."""
    found = re.findall(r"^glean: results: (.+)$", done.stdout, flags=re.MULTILINE)
    assert len(found) == 1, done.stdout
    return Path(found[0])


def facts_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return found


def git_status(folder: Path) -> str:
    git = ["git", "-C", str(folder), "status", "--porcelain"]
    return subprocess.run(git, capture_output=True, text=True, check=True).stdout


def test_flower_s_own_command_does_the_run(checkout: Checkout) -> None:
    """Five bakeries and the edited number of rounds; results and report are named by full paths.

    The checkout stays as Git has it.
    """
    done = checkout.flwr_run()
    folder = results_of(done)
    assert folder.is_absolute()
    assert folder.is_relative_to(checkout.folder)
    facts = facts_of(folder)
    assert (facts["status"], facts["engine"], len(facts["bakeries"])) == ("completed", "ray", 5)
    assert pd.read_csv(folder / "rounds.csv")["replies"].tolist() == [5, 5]
    assert f"report: {folder / 'report.html'}" in done.stdout
    assert "round 2: validation WAPE" in done.stdout
    assert git_status(checkout.folder) == ""


@pytest.mark.long
def test_run_config_and_another_number_of_bakeries(checkout: Checkout) -> None:
    """`--run-config` beats the file, `--federation-config` says how many bakeries."""
    config = ("--run-config", "num-server-rounds=1")
    done = checkout.flwr_run(*config, "--federation-config", "num-supernodes=3")
    facts = facts_of(results_of(done))
    assert (facts["settings"]["num-server-rounds"], len(facts["bakeries"])) == (1, 3)
    assert facts["status"] == "completed"
    assert git_status(checkout.folder) == ""


@pytest.mark.long
def test_client_apps_of_another_checkout_are_refused(checkout: Checkout, tmp_path: Path) -> None:
    """Flower finds the SuperLink by its port alone: its ClientApps are those of the other one.

    The run fails and says what to do.
    """
    if not is_listening(checkout.port):
        checkout.flwr_run("--run-config", "num-server-rounds=1")
    other = processes.copy_checkout(tmp_path / "other")
    with (other / "glean" / "errors.py").open("a", encoding="utf-8") as file:
        file.write("\n# One line more.\n")
    one_actor = f"num-supernodes=2 client-resources-num-cpus={os.cpu_count()}"
    other_checkout = Checkout(other, checkout.env, checkout.port)
    done = other_checkout.flwr_run("--federation-config", one_actor)
    facts = facts_of(results_of(done))
    assert facts["status"] == "failed"
    assert re.search(r"the ClientApp runs other code \(\w+\) than the ServerApp", facts["reason"])
    assert "the SuperLink on this port was started from another checkout; end it" in done.stdout


def is_listening(port: int) -> bool:
    try:
        return processes.listener(port).is_running()
    except (AssertionError, psutil.NoSuchProcess):
        return False
