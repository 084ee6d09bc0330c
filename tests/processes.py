"""Commands as a user types them, in processes of their own, and what they leave running."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from glean.runs.process_tree import runs

REPOSITORY = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
COMMAND_LIMIT_S = 240.0
_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 0.1


def environment(flower_home: Path, **changes: str) -> dict[str, str]:
    """A user's environment with a Flower home of its own and nothing of this session's."""
    # Without bytecode every process of a simulation would compile all that it imports.
    unwanted = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "RAY_", "FLWR_", "GLEAN_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return {
        **kept,
        "FLWR_HOME": str(flower_home),
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "200",
        **changes,
    }


def cache_folder() -> Path:
    """Where a user's programs keep what they can make anew, like Numba its compiled code."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def one_actor(folder: Path) -> list[str]:
    """Let bakeries take turns in one process of Ray: where it isn't the matter that several work.

    What is to be typed behind `glean simulate`; each such process takes six seconds to start.
    """
    profile = folder / "one-actor.toml"
    profile.write_text(f"client-resources-num-cpus = {os.cpu_count()}\n")
    return ["--profile", str(profile)]


def run(
    *words: str | Path,
    cwd: Path,
    env: Mapping[str, str],
    limit_s: float = COMMAND_LIMIT_S,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )


def wait_until(
    condition: Callable[[], bool], what: str, *, limit_s: float = COMMAND_LIMIT_S
) -> None:
    """Wait for a condition; an AssertionError names it when the time is up."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit_s:.0f} s: {what}"
        time.sleep(_POLL_S)


def adopt_orphans(*, yes: bool) -> None:
    """Let orphans among this process's descendants become its children (Linux), or no longer."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(yes), 0, 0, 0)


def descendants() -> list[psutil.Process]:
    """Every process that this one started, and what those started; no zombies."""
    return [p for p in psutil.Process().children(recursive=True) if runs(p)]


def survivors(since: Iterable[psutil.Process], *, limit_s: float = 10.0) -> list[psutil.Process]:
    """Descendants that are newer than `since` and still there once the time is up."""
    known = set(since)
    deadline = time.monotonic() + limit_s
    while True:
        left = [p for p in descendants() if p not in known]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(_POLL_S)


def end(processes: Sequence[psutil.Process]) -> None:
    """End these very processes by force."""
    for process in processes:
        if runs(process):
            process.kill()
    psutil.wait_procs(processes, timeout=10.0)


def listener(port: int) -> psutil.Process:
    """The descendant that listens on a port."""
    for process in descendants():
        for connection in process.net_connections("tcp"):
            if connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                return process
    raise AssertionError(f"nothing that was started here listens on port {port}")


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def takes_connections(port: int) -> bool:
    """Whether something listens on a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def copy_checkout(folder: Path) -> Path:
    """Copy what Git would take of this checkout, as it is now, into a repository of its own."""
    git = ["git", "-C", str(REPOSITORY)]
    listed = subprocess.run(
        [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.split("\0"):
        if name and (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name)
    copy_package(folder)
    commit(folder)
    return folder


def copy_package(folder: Path) -> None:
    """Copy the package with what Python has compiled of it, which else each process does anew."""
    half_written = shutil.ignore_patterns("*.pyc.*")
    shutil.copytree(REPOSITORY / "glean", folder / "glean", ignore=half_written, dirs_exist_ok=True)


def commit(folder: Path) -> None:
    """Put everything in a folder under Git's control."""
    someone = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    for words in (("init", "-q"), ("add", "-A"), (*someone, "commit", "-qm", "As it is")):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
