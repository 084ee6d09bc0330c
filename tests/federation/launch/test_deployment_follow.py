"""Following a run by its log, against a stand-in for Flower's commands; and the door before it."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from glean.cli.app import app
from glean.errors import FederationError
from glean.federation.launch import deployment_run
from glean.federation.launch.connections import find_connection
from glean.federation.launch.deployment_run import RunOutcome, follow_run
from glean.federation.launch.flwr_cli import FlwrCli
from glean.federation.launch.reachability import check_reachable
from glean.privacy.certificate_folder import make_certificates
from tests.processes import free_port

RUN = 77
STARTED = ["INFO :      Starting", "glean: results: {folder}", "glean: 3 bakeries, 4 rounds"]
COMPLETED = ["glean: round 4: WAPE", "glean: in short: All is well.", "glean: the run completed"]
FAILED = ["glean: the run failed: two lines", "glean: of a reason", "ERROR: Traceback", "  File"]


@dataclass(frozen=True)
class StandIn(FlwrCli):
    """Speaks as Flower would: a log for each time that it is read, a status for each asked."""

    logs: list[list[str]] = field(default_factory=list)
    states: list[str | FederationError] = field(default_factory=list)
    stays_open: bool = False

    def follow_log(self, run_id: int) -> subprocess.Popen[str]:
        assert run_id == RUN
        text = "".join(f"{line}\n" for line in self.logs.pop(0))
        script = "import sys, time; sys.stdout.write(sys.argv[1]); sys.stdout.flush()"
        if self.stays_open:
            script += "; time.sleep(60)"
        return subprocess.Popen(
            [sys.executable, "-c", script, text], stdout=subprocess.PIPE, text=True
        )

    def status(self, run_id: int) -> str:
        assert run_id == RUN
        state = self.states.pop(0)
        if isinstance(state, FederationError):
            raise state
        return state


def follow_it(tmp_path: Path, logs: list[list[str]], *states: Any, **more: Any) -> Any:
    said: list[str] = []
    stand_in = StandIn("there", tmp_path, {}, logs=logs, states=list(states), **more)
    return follow_run(stand_in, RUN, said.append), said


def test_a_run_that_completes(tmp_path: Path) -> None:
    """Glean's lines are shown as they come, Flower's aren't; summary and folder are kept."""
    log = [line.format(folder=tmp_path / "x-77") for line in STARTED] + COMPLETED
    ending, said = follow_it(tmp_path, [log], "finished:completed")
    assert said == ["3 bakeries, 4 rounds", "round 4: WAPE"]
    assert (ending.completed, ending.reason) == (True, "")
    assert (ending.summary, ending.results) == ("All is well.", tmp_path / "x-77")


def test_a_run_whose_folder_is_here_is_over_when_that_says_so(tmp_path: Path) -> None:
    """Flower isn't asked, and its log, which stays open, isn't waited for."""
    folder = tmp_path / "x-77"
    folder.mkdir()
    log = [line.format(folder=folder) for line in STARTED] + COMPLETED
    (folder / "run.json").write_text('{"status": "completed"}')
    ending, said = follow_it(tmp_path, [log], stays_open=True)
    assert (ending.completed, ending.reason, said[-1]) == (True, "", "round 4: WAPE")
    (folder / "run.json").write_text('{"status": "failed", "reason": "no"}')
    ending, _ = follow_it(tmp_path, [log], "finished:failed")
    assert ending.reason == "Flower ended it (finished:failed)"


ENDINGS: list[tuple[list[str], list[str | FederationError], str]] = [
    (FAILED, ["finished:failed"], "two lines\nof a reason"),
    (FAILED, ["finished:completed"], "two lines\nof a reason"),
    (FAILED, [FederationError("the server is down")], "two lines\nof a reason"),
    (COMPLETED, ["finished:failed"], "Flower ended it (finished:failed)"),
    (["glean: round 1"], ["finished:stopped"] * 3, "stopped by `flwr stop`"),
    (["glean: round 1"], ["finished:completed"] * 3, "Flower ended it (finished:completed)"),
    (
        ["ERROR : it raised", "Traceback", "httpx.ReadError: cut", "httpx.ReadError: cut"],
        ["finished:failed"] * 3,
        "Flower ended it (finished:failed): httpx.ReadError: cut",
    ),
]


@pytest.mark.parametrize(("log", "states", "reason"), ENDINGS)
def test_a_run_that_does_not(
    log: list[str], states: list[str | FederationError], reason: str, tmp_path: Path
) -> None:
    """Its own reason first; without one Flower's word and the errors in its log."""
    ending, _ = follow_it(tmp_path, [list(log) for _ in range(3)], *states)
    assert ending.reason == reason


def test_a_log_that_breaks_off_is_read_again(tmp_path: Path) -> None:
    """What was shown before isn't shown twice."""
    first = ["glean: one", "glean: two"]
    logs = [first, [*first, "glean: three", *COMPLETED]]
    ending, said = follow_it(tmp_path, logs, "running", "finished:completed")
    assert said == ["one", "two", "three", "round 4: WAPE"]
    assert ending.completed


def test_a_log_that_breaks_off_again_and_again_is_given_up(tmp_path: Path) -> None:
    """The run may go on: that isn't known."""
    with pytest.raises(FederationError, match="the log of run 77 broke off 3 times"):
        follow_it(tmp_path, [["glean: one"]] * 3, "running", "running", "running")


def test_a_server_that_is_gone_is_said(tmp_path: Path) -> None:
    """Without a last word of the run, nothing is known of its end."""
    with pytest.raises(FederationError, match="nobody answers"):
        follow_it(tmp_path, [["glean: one"]], FederationError("nobody answers"))


def test_a_line_that_was_cut_in_silence_does_not_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log says no more and doesn't end: Flower is asked, and the log read once more."""
    monkeypatch.setattr(deployment_run, "QUIET_S", 0.5)
    logs = [["glean: one"], ["glean: one", *COMPLETED], []]
    states = ["running", "finished:completed", "finished:completed", "finished:completed"]
    ending, said = follow_it(tmp_path, logs, *states, "finished:completed", stays_open=True)
    assert said == ["one", "round 4: WAPE"]
    assert ending.completed


def test_results_elsewhere_are_not_taken_for_ours(tmp_path: Path) -> None:
    """A folder of that path may be another run's, or none: it has to name the run."""
    mine, other = tmp_path / "x-77", tmp_path / "x-88"
    for folder in (mine, other):
        folder.mkdir()
        (folder / "run.json").write_text("{}")
    assert RunOutcome(results=mine).here(RUN) == mine
    assert RunOutcome(results=other).here(RUN) is None
    assert RunOutcome(results=tmp_path / "y-77").here(RUN) is None
    assert RunOutcome().here(RUN) is None


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Let one caller in, on a port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            line, _ = server.accept()
            with line:
                answer(line)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(timeout=10.0)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificates of a federation at this machine."""
    folder = tmp_path_factory.mktemp("keys") / "certificates"
    make_certificates(folder, hosts=["127.0.0.1"], bakeries=["Anna"])
    return folder


def speak_tls(folder: Path) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")

    def answer(line: socket.socket) -> None:
        try:
            with context.wrap_socket(line, server_side=True):
                pass
        except OSError:
            pass  # the caller doesn't trust us

    return answer


def test_the_door_opens_to_the_right_server(certificates: Path) -> None:
    """It proves itself by the operator's certificate."""
    with listening(speak_tls(certificates)) as port:
        check_reachable("x", _connection(port, certificates / "ca.crt"))


def test_a_server_that_can_not_prove_itself_is_refused(certificates: Path, tmp_path: Path) -> None:
    """Another's authority, or none at all: it is said which is trusted and which is wanted."""
    make_certificates(tmp_path / "other", hosts=["127.0.0.1"], bakeries=["Anna"])
    for authority, words in (
        (tmp_path / "other" / "ca.crt", str(tmp_path / "other" / "ca.crt")),
        (None, "root-certificates is missing"),
    ):
        with listening(speak_tls(certificates)) as port, pytest.raises(FederationError) as caught:
            check_reachable("x", _connection(port, authority))
        assert "can't prove who it is" in str(caught.value)
        assert words in str(caught.value)


def test_a_server_without_tls_is_refused(certificates: Path) -> None:
    """Unless the connection says that this is meant."""
    hello = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    with (
        listening(lambda line: line.sendall(hello)) as port,
        pytest.raises(FederationError, match="doesn't speak TLS"),
    ):
        check_reachable("x", _connection(port, certificates / "ca.crt"))
    with listening(socket.socket.close) as port:
        check_reachable("x", {"address": f"127.0.0.1:{port}", "insecure": True})


def test_nobody_there(certificates: Path) -> None:
    """A closed port, an address that is none, a certificate that isn't there."""
    with pytest.raises(
        FederationError, match=r"nobody answers at 127\.0\.0\.1:.* Is the SuperLink"
    ):
        check_reachable("x", _connection(free_port(), certificates / "ca.crt"))
    with pytest.raises(FederationError, match="found the address 'nowhere'; wanted HOST:PORT"):
        check_reachable("x", {"address": "nowhere"})
    with (
        listening(socket.socket.close) as port,
        pytest.raises(FederationError, match=r"none\.crt can't be read"),
    ):
        check_reachable("x", _connection(port, Path("none.crt")))
    check_reachable("x", {"address": ":local:"})


def _connection(port: int, authority: Path | None) -> dict[str, Any]:
    connection: dict[str, Any] = {"address": f"127.0.0.1:{port}"}
    return connection | ({"root-certificates": str(authority)} if authority else {})


@pytest.fixture
def flower_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLWR_HOME", str(tmp_path))
    return tmp_path


def test_an_unknown_connection_is_said_before_anything_starts(flower_home: Path) -> None:
    """With those there are and what to add; exit code 2."""
    port = free_port()
    (flower_home / "config.toml").write_text(
        f'[superlink]\ndefault = "closed"\n[superlink.closed]\naddress = "127.0.0.1:{port}"\n'
    )
    result = CliRunner().invoke(app, ["run", "nowhere"])
    assert result.exit_code == 2
    assert f"found no connection 'nowhere' in {flower_home / 'config.toml'}, but closed. Add" in (
        result.stderr
    )
    assert "[superlink.nowhere]" in result.stderr
    assert find_connection("closed") == {"address": f"127.0.0.1:{port}"}
    closed = CliRunner().invoke(app, ["run", "closed"])
    assert closed.exit_code == 2
    assert f"connection 'closed': nobody answers at 127.0.0.1:{port}" in closed.stderr


def test_settings_that_can_not_be_are_refused_first(flower_home: Path) -> None:
    """Before the server is asked anything; all of them, exit code 2."""
    words = ["--set", "num-server-rounds=0", "--set", "oven=hot"]
    result = CliRunner().invoke(app, ["run", "nowhere", *words])
    assert result.exit_code == 2
    assert "num-server-rounds: found 0" in result.stderr
    assert "unknown key 'oven'" in result.stderr
    resumed = CliRunner().invoke(app, ["run", "nowhere", "--resume", str(flower_home / "none")])
    assert resumed.exit_code == 2
    assert "which is on the server's machine: continue it from there" in resumed.stderr
