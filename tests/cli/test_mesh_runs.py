"""Runs on a mesh as they are typed: what is refused, what is shown, and how a run is followed."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glean.cli.app import app
from glean.mesh.mesh_home import MeshHome
from glean.mesh.peer_homes import found_home, listening_of
from glean.mesh.runs.run_home import run_home
from glean.mesh.runs.run_requests import read_requests
from glean.mesh.runs.run_status import RunStatus, note_status
from tests.processes import wait_until

RUNNER = CliRunner()
LIMIT_S = 30.0
KEY = "a1" * 16
STATUS = RunStatus(
    KEY, "training", proposer="Old Market", created=1.0, participants=("Old Market", "Rue"), term=2,
    coordinator="Rue", round=3, present=("Old Market",),
)  # fmt: skip


ALONE = ("--set", "min-available-bakeries=1")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MeshHome:
    """Of a mesh of one that doesn't run."""
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "glean-mesh" / "Old-Market"
    return found_home(path, "Old Market", "Bread", listening_of("127.0.0.1:7711", ()))


def typed(*words: str, code: int = 0) -> str:
    result = RUNNER.invoke(app, ["mesh", *words])
    assert result.exit_code == code, result.output
    return result.output


def stands(home: MeshHome, **changes: object) -> None:
    """Note how the run stands."""
    note_status(run_home(home, KEY), replace(STATUS, **changes))  # type: ignore[arg-type] # its own


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", *ALONE), "found no peer that runs"),
        (("train", "--set", "sales=x.csv"), "found in a run on a mesh"),
        (("train", "--set", "colour=red"), "colour"),
        (("train",), "min-available-bakeries: found 2, and 1 members"),
        (("cancel", KEY), "wanted one of none"),
        (("run", "--config", "nowhere.toml"), "nowhere.toml can't be read"),
    ],
)
def test_what_cannot_be_is_refused(words: tuple[str, ...], said: str) -> None:
    """Before anybody is asked."""
    assert said in " ".join(typed(*words, code=2).split())


def test_a_lease_that_cannot_be_is_refused(home: MeshHome) -> None:
    """As the plan has it."""
    with home.exclusively():
        assert "lease: found 0.1" in typed("train", *ALONE, "--lease", "0.1", "--no-wait", code=2)


def test_runs_are_shown(home: MeshHome) -> None:
    """What goes on and what is over, in a language; the same for programs."""
    assert "runs:" not in typed("status")
    stands(home)
    lines = typed("status").splitlines()
    assert lines[-2:] == [
        "runs:", f"  {KEY}  is trained, coordinated by Rue, rounds done: 3, heard of: 1 of 2"
    ]  # fmt: skip
    stands(home, state="failed", reason="too few", coordinator="")
    assert typed("status").splitlines()[-1] == f"  {KEY}  failed, rounds done: 3, too few"
    assert "fehlgeschlagen, Runden fertig: 3" in typed("status", "--language", "de")
    (found,) = json.loads(typed("status", "--json"))["federated_runs"]
    assert (found["key"], found["state"], found["round"]) == (KEY, "failed", 3)


def test_who_proposed_a_run_cancels_it(home: MeshHome) -> None:
    """While it goes on, by how its key begins; nobody else."""
    stands(home, proposer="Rue")
    assert "nobody else can cancel it" in " ".join(typed("cancel", KEY[:6], code=2).split())
    stands(home, state="completed")
    assert "wanted one that goes on" in typed("cancel", KEY, code=2)
    stands(home)
    assert "found no peer that runs" in " ".join(typed("cancel", KEY[:6], code=2).split())
    assert "or 4 digits and more" in " ".join(typed("cancel", KEY[:3], code=2).split())
    with home.exclusively():
        assert "is cancelled for all members" in typed("cancel", KEY[:6])
    (request,) = read_requests(home)
    assert (request.key, request.cancels) == (KEY, True)


def test_a_run_is_proposed_and_left(home: MeshHome) -> None:
    """What the peer finds is the whole run config."""
    with home.exclusively():
        said = typed("train", *ALONE, "--set", "num-server-rounds=7", "--lease", "20", "--no-wait")
    (request,) = read_requests(home)
    assert f"proposed to all members: run {request.key}" in said
    assert (request.run_config["num-server-rounds"], request.lease_s) == (7, 20.0)


def test_a_run_is_followed_until_it_is_over(home: MeshHome) -> None:
    """What changes is said; one that fails says why, and how it ended is in the exit code."""

    def peer() -> None:
        wait_until(lambda: bool(read_requests(home)), "a request", limit_s=LIMIT_S)
        (request,) = read_requests(home)
        status = replace(STATUS, key=request.key, round=1)
        note_status(run_home(home, request.key), status)
        wait_until(lambda: "round 1 of 4" in "".join(said), "it is said", limit_s=LIMIT_S)
        over = replace(status, state="failed", reason="too few")
        note_status(run_home(home, request.key), over)

    said: list[str] = []
    thread = threading.Thread(target=peer)
    with home.exclusively(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("glean.cli.log_format.tell", lambda words, **_: said.append(words))
        thread.start()
        output = typed("train", *ALONE, "--set", "num-server-rounds=4", code=1)
        thread.join(LIMIT_S)
    assert said == ["round 1 of 4, coordinated by Rue"]
    assert "the run has ended: failed: too few" in output


def test_a_run_whose_peer_ends_goes_on(home: MeshHome) -> None:
    """The command says where to look, and doesn't wait for ever."""
    with pytest.MonkeyPatch.context() as patch:
        looks = iter([True, True, False])
        patch.setattr(MeshHome, "runs", property(lambda _home: next(looks)))
        output = typed("train", *ALONE, code=1)
    assert "The run goes on among the others" in output
    assert f"glean mesh status --home {home.path}" in output
    assert read_requests(home), "the peer takes it up once it runs again"
