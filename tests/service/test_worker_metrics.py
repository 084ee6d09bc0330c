"""What Prometheus reads of a worker, and what the worker logs for machines."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from unittest import mock

import httpx2
import pytest

from glean.errors import GleanError
from glean.service.worker.worker import Worker
from glean.service.worker.worker_metrics import told_at
from tests import processes
from tests.processes import REPOSITORY, free_port


def test_a_worker_says_whether_it_is_busy_on_this_machine_only() -> None:
    """And how many runs it took; the port is free again once it ends."""
    parser = pytest.importorskip("prometheus_client.parser")
    worker = mock.Mock(spec=Worker, busy=True, taken=3)
    port = free_port()
    with told_at(port, worker):
        answer = httpx2.get(f"http://127.0.0.1:{port}/metrics")
        families = parser.text_string_to_metric_families(answer.text)
        found = {sample.name: sample.value for family in families for sample in family.samples}
        assert (found["glean_worker_busy"], found["glean_worker_runs_total"]) == (1, 3)
        with pytest.raises(GleanError, match=f"--metrics-port.*port {port}"), told_at(port, worker):
            pass
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


def test_a_worker_in_a_pod_is_asked_from_outside_where_it_shall_be() -> None:
    """At one address of the machine's, and at no other."""
    pytest.importorskip("prometheus_client")
    worker, port = mock.Mock(spec=Worker, busy=False, taken=0), free_port()
    with told_at(port, worker, "127.0.0.2"):
        assert "glean_worker_busy" in httpx2.get(f"http://127.0.0.2:{port}/metrics").text
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"http://127.0.0.1:{port}/metrics")
    with pytest.raises(GleanError, match="--metrics-host"), told_at(port, worker, "192.0.2.1"):
        pass


def test_without_a_port_nothing_listens() -> None:
    """Nor is Prometheus's client needed."""
    with (
        mock.patch("glean.installed_packages.find_spec", return_value=None),
        told_at(None, mock.Mock(spec=Worker)),
    ):
        pass


def test_a_worker_logs_json_with_its_name(tmp_path: Path) -> None:
    """Here that the folder isn't a service's, which ends it."""
    pytest.importorskip("structlog")
    database = f"sqlite:///{tmp_path / 'a.db'}"
    process = subprocess.Popen(
        [sys.executable, "-m", "glean", "worker", "--name", "w1", "--log-format", "json"],
        cwd=tmp_path,
        env=processes.environment(
            tmp_path / "flower", PYTHONPATH=str(REPOSITORY), GLEAN_DATABASE=database
        ),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = json.loads(process.stderr.readline())
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert (line["worker"], line["level"]) == ("w1", "warning")
    assert "database" in line["event"]
