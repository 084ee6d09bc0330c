"""All parts of a platform at once: servers, a service and workers, of a test alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import rabbitmq
from tests.killed_parts import GleanProcess, GleanService, KilledPart, environment_of_servers
from tests.mlflow_server import MlflowServer, serving_mlflow
from tests.postgres import Cluster
from tests.rabbitmq import RabbitMQ

WORKERS = ("worker-a", "worker-b")


@dataclass
class Platform:
    """All parts, and where to read what came of runs.

    Parameters
    ----------
    folder : Path
        Where the service and the workers run, with `results` in it.
    service : GleanService
        It runs nothing itself.
    parts : dict
        All of them by name, to be killed and started.
    database : str
        URL of the service's.
    broker : RabbitMQ
        Between the service and the workers.
    events : str
        A queue in it that has the events of all runs.
    registry : MlflowServer
        Where runs and models are sent.
    """

    folder: Path
    service: GleanService
    parts: dict[str, KilledPart]
    database: str
    broker: RabbitMQ
    events: str
    registry: MlflowServer


@contextmanager
def running_platform(folder: Path, cluster: Cluster) -> Iterator[Platform]:
    """A service, two workers, and the servers between them, ended with the body."""
    reason = rabbitmq.why_not()
    if reason:
        pytest.skip(reason)
    folders = {name: folder / name for name in ("broker", "registry", "glean")}
    for path in folders.values():
        path.mkdir()
    with ExitStack() as stack:
        registry = stack.enter_context(serving_mlflow(folders["registry"]))
        broker = stack.enter_context(rabbitmq.rabbitmq(folders["broker"]))
        events = broker.subscribe()
        database = cluster.make("glean")
        env = environment_of_servers(database, broker.url, registry.address)
        here = folders["glean"]
        service = GleanService(here, ["--runs-at-once", "0"], env)
        workers = {name: _worker(name, here, env) for name in WORKERS}
        for process in (service, *workers.values()):
            stack.callback(process.stop)
            process.start()
        parts: dict[str, KilledPart] = {
            "database": cluster,
            "broker": broker,
            "registry": registry,
            "service": service,
            **workers,
        }
        yield Platform(here, service, parts, database, broker, events, registry)


def _worker(name: str, folder: Path, env: dict[str, str]) -> GleanProcess:
    words = ["worker", "--name", name, "--lease-s", "12"]
    return GleanProcess(folder, words, env, name=name)
