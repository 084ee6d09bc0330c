"""`glean mesh` as it is typed: founding, inviting, joining, running, leaving, and what is shown."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glean.cli.app import app
from glean.mesh.mesh_home import MeshHome
from glean.mesh.mesh_invitation import read_mesh_invitation
from glean.mesh.mesh_peer import MeshPeer
from tests import processes
from tests.processes import REPOSITORY, free_port, wait_until

RUNNER = CliRunner()
LIMIT_S = 60.0


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Homes of peers are made in a scratch folder."""
    monkeypatch.setenv("HOME", str(tmp_path))


def typed(*words: str) -> str:
    result = RUNNER.invoke(app, ["mesh", *words])
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*words: str) -> str:
    result = RUNNER.invoke(app, ["mesh", *words])
    assert result.exit_code == 2, result.output
    return result.stderr


def here() -> str:
    return f"127.0.0.1:{free_port()}"


def link_in(text: str) -> str:
    found = re.search(r"^glean-mesh://\S+$", text, re.MULTILINE)
    assert found is not None, text
    return found[0]


def test_a_mesh_is_founded_and_shown(tmp_path: Path) -> None:
    """In a home by the bakery's name, where the next commands find it."""
    said = typed("init", "Old Market", "--mesh", "Bread", "--listen", "127.0.0.1:7711")
    assert "Old Market has founded the mesh Bread" in said
    assert f"glean mesh run --home {tmp_path}/glean-mesh/Old-Market" in said
    lines = typed("status").splitlines()
    assert lines[:3] == ["mesh: Bread", "peer: Old Market, which doesn't run", "members: 1"]
    found = json.loads(typed("status", "--json"))
    assert [one["name"] for one in found["peers"]] == ["Old Market"]
    assert "is the home of 'Old Market'" in refused("init", "Old Market")


def test_an_invitation_is_a_link_a_command_and_a_picture(tmp_path: Path) -> None:
    """Which hold the same; taken back it isn't listed any more."""
    typed("init", "Old Market", "--listen", "127.0.0.1:7711")
    said = typed("invite", "Rue Mouffetard", "--svg", str(tmp_path / "link.svg"), "--days", "3")
    made = read_mesh_invitation(link_in(said))
    assert (made.name, made.address) == ("Rue Mouffetard", "127.0.0.1:7711")
    assert f"glean mesh join '{made.link}'" in said
    assert (tmp_path / "link.svg").read_text("utf-8").startswith("<svg")
    assert (tmp_path / "link.svg").stat().st_mode & 0o777 == 0o600
    assert "invited: Rue Mouffetard" in typed("status")
    assert "withdrawn" in typed("invite", "Rue Mouffetard", "--withdraw")
    assert "invited:" not in typed("status")
    assert "no open invitation" in refused("invite", "Rue Mouffetard", "--withdraw")
    assert "belongs to the mesh already" in refused("invite", "OLD market")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("init", "a/b"), "wanted a name"),
        (("init", "A", "--mesh", "x" * 81), "1 to 80 characters"),
        (("init", "A", "--listen", "nowhere"), "wanted HOST:PORT"),
        (("init", "A", "--address", "here:0"), "port of 1 to 65535"),
        (("join", "https://glean.example.org/join#1.x"), "wanted the whole link"),
        (("status",), "found none"),
        (("run", "--home", "none"), "found no peer of a mesh"),
        (("leave",), "To begin"),
    ],
)
def test_what_can_t_be_is_refused(words: tuple[str, ...], said: str) -> None:
    """By what was found and what was wanted; and nothing is made."""
    assert said in refused(*words)
    assert not (Path.home() / "glean-mesh").exists()


def test_one_joins_while_the_other_runs() -> None:
    """And is told so in its language; the link lets it in once."""
    typed("init", "Old Market", "--listen", here())
    first = MeshHome(Path.home() / "glean-mesh" / "Old-Market")
    link = link_in(typed("invite", "Rue Mouffetard"))
    assert "can't be reached" in refused("join", link, "--listen", here())
    with MeshPeer(first):
        said = typed("join", link, "--listen", here(), "--language", "fr")
        assert "Rue Mouffetard fait partie du maillage" in said
        elsewhere = str(Path.home() / "elsewhere")
        assert "used before" in refused("join", link, "--home", elsewhere)
    second = str(Path.home() / "glean-mesh" / "Rue-Mouffetard")
    assert "members: 2" in typed("status", "--home", second)
    assert "found" in refused("status"), "there are two homes now"


@pytest.mark.slow
def test_a_peer_runs_until_it_is_told_to_end(tmp_path: Path) -> None:
    """SIGTERM ends it with 143, and its files are free again; one home has one peer."""
    typed("init", "Old Market", "--listen", here())
    home = MeshHome(tmp_path / "glean-mesh" / "Old-Market")
    env = processes.environment(tmp_path / "flower", PYTHONPATH=str(REPOSITORY))
    words = [sys.executable, "-m", "glean", "mesh", "run", "--home", str(home.path)]
    process = subprocess.Popen(
        words, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        assert "Old Market runs in the mesh" in process.stderr.readline()
        wait_until(home.topology.exists, "it wrote who reaches whom", limit_s=LIMIT_S)
        assert "peer: Old Market, which runs" in typed("status")
        assert "runs from there already" in refused("run")
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.communicate()
    assert "which doesn't run" in typed("status")
