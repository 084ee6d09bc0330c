"""The check of an image's health, against what it asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from glean.federation.node.lasting_node import CONNECTED, STOPPED, WAITING
from glean.operations.joining.node_status import NodeStatus
from glean.runs.process_tree import this_process
from glean.service.serving_file import serving_file
from tests.deploy.files import DEPLOY
from tests.processes import free_port


class Answers(BaseHTTPRequestHandler):
    """Answers what parts of Glean answer."""

    def do_GET(self) -> None:
        known = self.path in {"/healthz", "/health"}
        self.send_response(200 if known else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    """Of a part that answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def healthy(part: str, **environment: str | Path) -> tuple[int, str]:
    """Exit code of a check and what it says."""
    done = subprocess.run(
        [sys.executable, "-I", DEPLOY / "healthy.py", part],
        env=dict(os.environ, **{name: str(value) for name, value in environment.items()}),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def test_a_service_is_asked_where_it_says_that_it_listens(tmp_path: Path, address: str) -> None:
    """And isn't well where it has ended, or says it and doesn't answer."""
    home = tmp_path / ".service"
    home.mkdir()
    with serving_file(home, address):
        assert healthy("service", GLEAN_RESULTS=tmp_path) == (0, "")
    code, said = healthy("service", GLEAN_RESULTS=tmp_path)
    assert (code, "serving.json" in said) == (1, True)
    with serving_file(home, f"http://127.0.0.1:{free_port()}/"):
        code, said = healthy("service", GLEAN_RESULTS=tmp_path)
    assert (code, "healthz" in said) == (1, True)


def test_a_superlink_is_asked(address: str) -> None:
    """By Flower's own path."""
    assert healthy("server", GLEAN_SUPERLINK=address) == (0, "")
    code, said = healthy("server", GLEAN_SUPERLINK=f"http://127.0.0.1:{free_port()}/")
    assert (code, "not well" in said) == (1, True)


def test_a_worker_is_a_process(tmp_path: Path) -> None:
    """Of this machine here, where others may be at work too: in a container of that alone."""
    program = tmp_path / "glean"
    program.write_text("import time\nprint(flush=True)\ntime.sleep(60)\n")
    words = [sys.executable, str(program), "worker", "--results", str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert healthy("worker") == (0, "")
        process.kill()


def test_a_node_is_well_while_its_process_lives(tmp_path: Path) -> None:
    """Also without its server; and not once it was killed or has stopped."""
    for state, code in ((CONNECTED, 0), (WAITING, 0), (STOPPED, 1)):
        NodeStatus(tmp_path).write(state, "why")
        assert healthy("node", GLEAN_HOME=tmp_path)[0] == code, state
    NodeStatus(tmp_path).write(CONNECTED, "")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    status = tmp_path / "join-status.json"
    told = json.loads(status.read_bytes()) | {"process": {**this_process(), "pid": gone.pid}}
    status.write_text(json.dumps(told))
    assert healthy("node", GLEAN_HOME=tmp_path)[0] == 1


def test_a_part_that_there_is_not_is_refused() -> None:
    """With those that there are."""
    code, said = healthy("oven")
    assert (code, "wanted one of service, server, node, worker" in said) == (1, True)
