"""The folder of `glean dev`, and the parts that stand in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from glean.errors import FederationError
from glean.operations.development import (
    development,
    mlflow_server,
    postgres_server,
    rabbitmq_server,
)
from glean.operations.development.dev_folder import empty, own_folder
from glean.operations.development.development import DevelopmentPlan, develop
from glean.operations.development.part import Part, begin
from glean.operations.rehearsal.scene import MARK, Scene
from tests.processes import environment, wait_until

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_a_folder_is_emptied_for_the_next_one(tmp_path: Path) -> None:
    """Only one that is ours; and only one at a time has it."""
    folder = tmp_path / "dev"
    with own_folder(folder):
        (folder / "results").mkdir()
        (folder / "results" / "log").touch()
        with pytest.raises(FederationError, match="another glean dev uses it"), own_folder(folder):
            pass
    with own_folder(folder):
        empty(folder)
        assert [path.name for path in folder.iterdir()] == ["glean-dev.lock"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").touch()
    with (
        pytest.raises(FederationError, match="found files of others"),
        own_folder(tmp_path / "mine"),
    ):
        pass
    assert (tmp_path / "mine" / "thesis").exists()


def test_only_its_owner_reads_what_the_service_prints(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its first token, into a log; others of the machine may enter the servers' folder."""
    modes: list[int] = []

    def bring_up(_plan: object, servers: Scene, scene: Scene, _say: object) -> None:
        modes.extend(one.folder.stat().st_mode & 0o777 for one in (servers, scene))

    monkeypatch.setattr(development, "_bring_up", bring_up)
    with develop(DevelopmentPlan(tmp_path / "dev"), lambda _: None):
        pass
    assert modes[0] & 0o011 == 0o011
    assert modes[1] == 0o700


def test_what_a_killed_one_left_running_is_ended(tmp_path: Path) -> None:
    """And nothing else."""
    words = [sys.executable, "-c", "import time; time.sleep(60)"]
    left, other = (
        subprocess.Popen(words, env=environment(tmp_path, **{MARK: str(tmp_path / name)}))
        for name in ("servers", "others")
    )
    for process in (left, other):
        wait_until(
            lambda process=process: MARK in psutil.Process(process.pid).environ(),  # type: ignore[misc]
            "the mark is there",
            limit_s=10,
        )
    Scene(tmp_path / "servers").sweep()
    left.wait(10)
    untouched = other.poll() is None
    other.kill()
    other.wait()
    assert untouched


@pytest.mark.parametrize(
    ("module", "start"),
    [
        (postgres_server, postgres_server.start_postgres),
        (rabbitmq_server, rabbitmq_server.start_rabbitmq),
        (mlflow_server, mlflow_server.start_mlflow),
    ],
)
def test_what_is_missing_is_said_and_something_stands_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: object, start: object
) -> None:
    """On a machine without any server."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(mlflow_server.VARIABLE, raising=False)
    monkeypatch.setattr(postgres_server, "PLACES", str(tmp_path / "none"))
    monkeypatch.setattr(rabbitmq_server, "SCRIPT", tmp_path / "none")
    stand_in: Part = module.STAND_IN  # type: ignore[attr-defined]
    found = begin(stand_in, lambda: start(Scene(tmp_path)))()  # type: ignore[operator]
    assert (found.real, found.url, found.what) == (False, "", stand_in.what)
    assert "stands in (found no " in found.said()
