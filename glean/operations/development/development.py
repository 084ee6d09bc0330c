"""`glean dev`: servers, service, workers and shops on this machine, and all of it taken down.

Servers are in a scene of their own, which is taken down last, so that nobody misses them before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from glean.errors import FederationError
from glean.languages.language import ENGLISH
from glean.operations.development import mlflow_server, postgres_server, rabbitmq_server
from glean.operations.development.dev_folder import empty, own_folder
from glean.operations.development.part import Part, Wait, begin
from glean.operations.rehearsal.rehearsal_steps import RehearsalStep
from glean.operations.rehearsal.rehearsed_federation import (
    printed,
    start_service,
    start_shops,
    wait_for_members,
    write_tables,
)
from glean.operations.rehearsal.rehearsed_service import RehearsedService
from glean.operations.rehearsal.scene import Scene
from glean.runs.process_tree import signals_held_back

Say = Callable[[str], None]

STARTS = (
    (postgres_server.STAND_IN, postgres_server.start_postgres),
    (rabbitmq_server.STAND_IN, rabbitmq_server.start_rabbitmq),
    (mlflow_server.STAND_IN, mlflow_server.start_mlflow),
)

VARIABLES = {
    "database": "GLEAN_DATABASE",
    "broker": "GLEAN_BROKER",
    "registry": "MLFLOW_TRACKING_URI",
}
"""Tell Glean's commands where the parts are; their words would show passwords to everybody."""


@dataclass(frozen=True)
class DevelopmentPlan:
    """What shall be brought up.

    Parameters
    ----------
    folder : Path
        Absolute; emptied first.
    bakeries, workers : int
        How many shops, and how many workers; without any the service runs runs itself.
    port : int
        Of the service; 0 takes a free one.
    servers : bool
        Whether real servers are looked for; else all parts stand in.
    """

    folder: Path
    bakeries: int = 3
    workers: int = 2
    port: int = 0
    servers: bool = True


@dataclass(frozen=True)
class Development:
    """What is up.

    Parameters
    ----------
    service : RehearsedService
        The service: where it is, and the token that opens it.
    parts : tuple of Part
        What it uses.
    servers, scene : Scene
        Their processes, and those of Glean's.
    """

    service: RehearsedService
    parts: tuple[Part, ...]
    servers: Scene
    scene: Scene


@contextmanager
def develop(plan: DevelopmentPlan, say: Say) -> Iterator[Development]:
    """Bring all of it up, and keep it up until the end of the body.

    Parameters
    ----------
    plan : DevelopmentPlan
        What shall be brought up.
    say : callable
        Told what happens.

    Raises
    ------
    GleanError
        Something didn't come up; says what, and what it printed last.
    """
    with own_folder(plan.folder) as folder:
        servers, scene = Scene(folder / "servers"), Scene(folder / "glean")
        for leftover in (scene, servers):
            leftover.sweep()
        empty(folder)
        try:
            servers.folder.mkdir()
            scene.folder.mkdir(mode=0o700)  # the service prints its first token into a log
            yield _bring_up(plan, servers, scene, say)
        finally:
            # A second Ctrl-C waits until nothing is left.
            with signals_held_back():
                scene.end()
                servers.end()
                say(f"all of it is down; logs and results are in {folder} until the next start")


def _bring_up(plan: DevelopmentPlan, servers: Scene, scene: Scene, say: Say) -> Development:
    parts = _start_parts(servers, plan, say)
    told = _told(parts)
    # Workers or the service itself: what is asked for waits for nobody else.
    words = ["--runs-at-once", "0" if plan.workers else "1"]
    service = start_service(scene, words, port=plan.port, environment=told)
    say(f"service: up at {service.address}")
    _start_workers(scene, plan.workers, told)
    say(f"workers: {plan.workers or 'none; the service runs what is asked for itself'}")
    tables = write_tables(scene.folder / "tables", plan.bakeries)
    start_shops(scene, service, tables, pages=False)

    def tell(step: RehearsalStep) -> None:
        say(step.said(ENGLISH))

    wait_for_members(service, scene, len(tables), tell)
    return Development(service, parts, servers, scene)


def _start_parts(servers: Scene, plan: DevelopmentPlan, say: Say) -> tuple[Part, ...]:
    """Start all servers, and then wait for each: MLflow takes as long as the others together."""
    waits = [
        begin(stand_in, partial(start, servers) if plan.servers else _refuse)
        for stand_in, start in STARTS
    ]
    found = []
    for wait in waits:
        part = wait()
        say(part.said())
        found.append(part)
    return tuple(found)


def _refuse() -> Wait:
    raise FederationError("not looked for")


def _start_workers(scene: Scene, count: int, told: dict[str, str]) -> None:
    names = [f"worker {number + 1}" for number in range(count)]
    results = str(scene.folder / "results")
    started = [
        scene.start(
            name,
            ["worker", "--results", results, "--name", name.replace(" ", "-")],
            environment=told,
        )
        for name in names
    ]
    for process in started:
        printed(process, r"(waits for runs)")


def _told(parts: tuple[Part, ...]) -> dict[str, str]:
    """Name the real parts to Glean's commands; of the others a scene's know nothing."""
    return {VARIABLES[part.name]: part.url for part in parts if part.real}
