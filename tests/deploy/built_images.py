"""Images that `deploy/build-here.sh` builds, and processes of theirs in a chroot."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from glean.runs.process_tree import runs
from tests.deploy.files import DEPLOY, TARGETS, USER
from tests.processes import wait_until

RESULTS = "/var/lib/glean/results"
BUILD_LIMIT_S = 3000.0
START_LIMIT_S = 120.0


def build() -> None:
    """Build all of them; skips where that can't be done.

    What pip needs to be told is in GLEAN_BUILD_OPTIONS, as options of `buildah bud`.
    """
    missing = [name for name in ("buildah", "debootstrap", "nsenter") if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        pytest.skip(f"found no {', '.join(missing) or 'root'}: images are built by it")
    options = shlex.split(os.environ.get("GLEAN_BUILD_OPTIONS", ""))
    subprocess.run(
        ["nice", DEPLOY / "build-here.sh", *TARGETS, "--", *options],
        check=True,
        timeout=BUILD_LIMIT_S,
    )


def image(target: str) -> dict[str, Any]:
    """What is written of an image."""
    words = ["buildah", "inspect", "--type", "image", f"localhost/glean-{target}"]
    found: dict[str, Any] = json.loads(subprocess.check_output(words))
    return found


def megabytes(target: str) -> float:
    """Size of an image, as `buildah images` has it."""
    words = ["buildah", "images", "--json", f"localhost/glean-{target}"]
    (found,) = json.loads(subprocess.check_output(words))
    number, unit = str(found["size"]).split()
    return float(number) * {"KB": 1e-3, "MB": 1.0, "GB": 1e3}[unit]


@dataclass
class Running:
    """A process of an image.

    Parameters
    ----------
    process : Popen
        `deploy/run-here.sh`.
    target : str
        Its image.
    log : Path
        What it prints.
    """

    process: subprocess.Popen[bytes]
    target: str
    log: Path

    @property
    def first(self) -> psutil.Process:
        """The first process in it, which is tini."""
        (outer,) = [
            child
            for child in psutil.Process(self.process.pid).children()
            if child.name() == "unshare"
        ]
        (inner,) = outer.children()
        return inner

    def inside(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run something beside it, as its user, as an engine runs a check of health."""
        config = image(self.target)["Docker"]["config"]
        user, group = config["User"].split(":")
        enter = ["nsenter", "--target", str(self.first.pid), "--mount", "--pid", "--root", "--wd"]
        as_user = [f"--setuid={user}", f"--setgid={group}", "--"]
        environment = ["env", "-i", *config["Env"], *words]
        return subprocess.run(
            [*enter, *as_user, *environment], capture_output=True, text=True, check=False
        )

    def check(self, **variables: str) -> tuple[int, str]:
        """Ask for its health by the check that its image names; exit code and what it says."""
        word, *check = image(self.target)["Docker"]["config"]["Healthcheck"]["Test"]
        assert word == "CMD"
        told = [f"{name}={value}" for name, value in variables.items()]
        done = self.inside("env", *told, *check)
        return done.returncode, done.stderr

    def await_health(self, **variables: str) -> None:
        """Wait until it is well."""

        def well() -> bool:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            return self.check(**variables)[0] == 0

        wait_until(lambda: self.is_there() and well(), self.target, limit_s=START_LIMIT_S)

    def is_there(self) -> bool:
        """Whether its first process has begun."""
        try:
            return self.process.poll() is not None or self.first.name() == "tini"
        except (ValueError, psutil.NoSuchProcess):
            return False

    def stop(self) -> int:
        """End it as an engine does; its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            for one in psutil.Process(self.process.pid).children(recursive=True):
                if runs(one):
                    one.kill()
            self.process.wait(30)
            raise


def words_of(
    target: str,
    state: Path,
    command: Sequence[str | Path],
    *,
    mounts: Sequence[str] = (),
    environment: Sequence[str] = (),
    options: Sequence[str] = (),
) -> list[str]:
    """What starts a process of an image."""
    state.mkdir(parents=True, exist_ok=True)
    words = ["nice", str(DEPLOY / "run-here.sh"), *options]
    for mount in mounts:
        words += ["--mount", mount]
    for variable in environment:
        words += ["--env", variable]
    return [*words, target, str(state), *map(str, command)]


@contextmanager
def running(
    target: str,
    state: Path,
    *command: str | Path,
    mounts: Sequence[str] = (),
    environment: Sequence[str] = (),
) -> Iterator[Running]:
    """Start one; end it, whatever happens."""
    words = words_of(target, state, command, mounts=mounts, environment=environment)
    log = state.with_name(f"{state.name}.log")
    with log.open("ab") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    found = Running(process, target, log)
    try:
        yield found
    finally:
        if process.poll() is None:
            found.stop()


def run(
    target: str,
    state: Path,
    *command: str | Path,
    mounts: Sequence[str] = (),
    environment: Sequence[str] = (),
    options: Sequence[str] = (),
) -> str:
    """Run one to its end; what it printed."""
    words = words_of(
        target, state, command, mounts=mounts, environment=environment, options=options
    )
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def results_alone(shared: Path, results: Path, name: str) -> list[str]:
    """Mounts of a container that has a volume for results and for nothing else, as most have.

    The rest of its home is of the image, and can't be written.
    """
    home = shared / f"{name}-home"
    (home / "results").mkdir(parents=True)
    return [f"{home}:/var/lib/glean:ro", f"{results}:{RESULTS}"]


def volume(shared: Path, name: str) -> Path:
    """A volume, owned as an engine would own it."""
    folder = shared / name
    folder.mkdir(exist_ok=True)
    user, group = map(int, USER.split(":"))
    os.chown(folder, user, group)
    return folder
