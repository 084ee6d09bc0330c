"""Compose's profile prod in small: a service and a worker of the built images, real others.

PostgreSQL and RabbitMQ are Debian's, on loopback: `pytest -m long tests/deploy`.
"""

from __future__ import annotations

import json
import ssl
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from glean.federation_folder import federation_folder
from tests import rabbitmq
from tests.deploy.built_images import RESULTS, results_alone, running, volume
from tests.deploy.files import DEPLOY, composed
from tests.postgres import running_cluster
from tests.processes import free_port, wait_until

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(rabbitmq.why_not() is not None, reason=rabbitmq.why_not() or ""),
    pytest.mark.usefixtures("built"),
]

RUN_LIMIT_S = 300.0
JSON_LOGS = ["GLEAN_LOG_FORMAT=json"]


def command_of(name: str, **values: str) -> list[str]:
    """Compose's command of a service, with other values of some options."""
    found: list[str] = list(composed()["services"][name]["command"])
    for option, value in values.items():
        found[found.index(f"--{option.replace('_', '-')}") + 1] = value
    return found


def test_a_run_goes_by_the_queue(shared: Path) -> None:
    """Asked for at the service, told to RabbitMQ, taken by the worker, kept at PostgreSQL."""
    port = free_port()
    serve = command_of("control-room", public=f"127.0.0.1:{port}")
    work = command_of("worker")
    results, secrets = volume(shared, "results"), volume(shared, "secrets")
    mounts = [
        *results_alone(shared, results, "both"),
        f"{secrets}:/run/secrets:ro",
        f"{DEPLOY / 'with-secrets.sh'}:/usr/local/bin/with-secrets:ro",
    ]
    (broker_folder := shared / "broker").mkdir()
    with (
        running_cluster() as database,
        rabbitmq.rabbitmq(broker_folder) as broker,
        ExitStack() as stack,
    ):
        database.make("glean")
        (secrets / "database-url").write_text(database.url("glean"))
        (secrets / "broker-url").write_text(broker.url)
        home = volume(shared, "service")
        serving = running(
            "service", home, *serve, "--port", str(port), mounts=mounts, environment=JSON_LOGS
        )
        service = stack.enter_context(serving)
        service.await_health()
        init = ("with-secrets", "glean", "serve", "--init", "--results", RESULTS)
        token = service.inside(*init).stdout.split()[1]
        metrics = free_port()
        # As the chart has it.
        work += ["--metrics-port", str(metrics), "--metrics-host", "0.0.0.0"]  # noqa: S104
        working = running(
            "worker", volume(shared, "worker"), *work, mounts=mounts, environment=JSON_LOGS
        )
        worker = stack.enter_context(working)
        worker.await_health()
        trust = ssl.create_default_context(cafile=federation_folder(results).authority)
        headers = {"Authorization": f"Bearer {token}"}
        client = stack.enter_context(
            httpx2.Client(
                base_url=f"https://127.0.0.1:{port}", verify=trust, headers=headers, timeout=60
            )
        )
        check_a_run(client)
        scraped = httpx2.get(f"http://127.0.0.1:{metrics}/metrics").text
        assert "glean_worker_runs_total 1.0" in scraped
        for part in (service, worker):
            lines = part.log.read_text().splitlines()
            assert lines
            assert all(json.loads(line)["event"] for line in lines)


def check_a_run(client: httpx2.Client) -> None:
    """Ask for a small one, and see it end on a worker."""
    assert client.get("/readyz").json()["broker"] == ""
    body = {
        "engine": "inprocess",
        "bakeries": 2,
        "settings": {"num-server-rounds": 1, "baselines": False},
    }
    answer = client.post("/api/v1/runs", json=body)
    assert answer.status_code == 201, answer.text
    run = f"/api/v1/runs/{answer.json()['id']}"

    def ended() -> bool:
        found: Any = client.get(run).json()
        assert found["status"] not in {"failed", "stopped"}, found
        return bool(found["status"] == "completed")

    wait_until(ended, "the run has ended", limit_s=RUN_LIMIT_S)
