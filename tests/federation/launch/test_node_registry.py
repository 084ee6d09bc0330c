"""All node keys of a federation are registered in one go, at the SuperLink that Glean starts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from glean.errors import FederationError
from glean.federation.launch.connections import find_connection
from glean.federation.launch.deployed_superlink import (
    CONNECTION,
    DeployedSuperLink,
    SuperLinkFiles,
)
from glean.federation.launch.node_registry import bring_in_line, check_flower
from glean.privacy.certificate_folder import make_certificates
from glean.privacy.members import new_keys
from glean.runs.process_tree import runs
from tests.processes import free_port, wait_until


def test_the_installed_flower_has_what_registration_uses() -> None:
    """A version that moved or changed a part fails here."""
    check_flower()


@pytest.fixture
def files(tmp_path: Path) -> SuperLinkFiles:
    """A federation without members."""
    made = make_certificates(tmp_path / "keys", hosts=["glean.example.org"])
    return SuperLinkFiles(
        home=tmp_path / "flower",
        log=tmp_path / "superlink.log",
        authority=made.folder / "ca.crt",
        certificate=made.folder / "server.pem",
        private_key=made.folder / "server.key",
        directory=tmp_path,
        variables={},
    )


@pytest.fixture
def superlink(files: SuperLinkFiles) -> Iterator[DeployedSuperLink]:
    """One that answers."""
    started = DeployedSuperLink(files, free_port())
    try:
        wait_until(started.healthy, "a SuperLink", limit_s=90)
        yield started
    finally:
        started.end()


def test_nobody_there_is_said_so(files: SuperLinkFiles) -> None:
    """In words, and not as a traceback."""
    with pytest.raises(FederationError, match="keys can't be registered: ConnectError"):
        bring_in_line(
            f"127.0.0.1:{free_port()}", files.authority, [], environment=files.environment()
        )


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_left")
def test_keys_come_and_go(
    files: SuperLinkFiles, superlink: DeployedSuperLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Registered once, however often it is asked; who is shut out comes back with a new start."""
    keys = [new_keys(f"Bakery {k}").member.node_key for k in range(3)]

    def ask(wanted: list[str]) -> tuple[int, int, tuple[str, ...], dict[str, str]]:
        found = bring_in_line(
            superlink.address, files.authority, wanted, environment=files.environment()
        )
        return found.registered, found.unregistered, found.spent, dict(found.states)

    assert ask(keys) == (3, 0, (), dict.fromkeys(keys, "registered"))
    assert ask(keys) == (0, 0, (), dict.fromkeys(keys, "registered"))
    assert ask(keys[1:]) == (0, 1, (), dict.fromkeys(keys[1:], "registered"))
    assert ask(keys)[2] == (keys[0],)
    monkeypatch.setenv("FLWR_HOME", str(files.home))
    assert find_connection(CONNECTION)["address"] == superlink.address
    assert not superlink.carries_a_run()
    pid = superlink.pid
    superlink.end()
    assert not psutil.pid_exists(pid)


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_left")
def test_a_superlink_ends_with_whoever_started_it(files: SuperLinkFiles, tmp_path: Path) -> None:
    """Also when that is killed."""
    script = _STARTS.format(files=files, port=free_port())
    child = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path)
    started: list[psutil.Process] = []

    def runs_there() -> bool:
        started[:] = [
            p
            for p in psutil.Process(child.pid).children()
            if "superlink_process" in str(_command_of(p))
        ]
        return bool(started)

    wait_until(runs_there, "a SuperLink", limit_s=60)
    child.kill()
    child.wait()
    wait_until(lambda: not runs(started[0]), "its end", limit_s=30)


def _command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


_STARTS: str = """
from pathlib import Path, PosixPath
from glean.federation.launch.deployed_superlink import DeployedSuperLink, SuperLinkFiles
import time
started = DeployedSuperLink({files!r}, {port})
time.sleep(100)
"""
