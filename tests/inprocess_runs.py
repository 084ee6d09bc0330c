"""Whole runs of the ServerApp in this process, as they come or cut off at a given moment."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

from flwr.app import Message
from flwr.clientapp import ClientApp

from glean import server_app
from glean.client_app import app as glean_app
from glean.demand import conclusion
from glean.federation.grids.inprocess import InProcessGrid, run_inprocess
from glean.settings import ConfigValue, RunSettings
from tests.federations import SMALL, Honest, MeddledApp

THREE = tuple({"partition-id": k, "num-partitions": 3} for k in range(3))
"""Node configs of a simulation of three bakeries."""

_RUN_IDS = count(1)


class CutOffError(BaseException):
    """The server is gone: nothing of what it would do next is done."""


def config_of(sales: str, **changes: ConfigValue) -> dict[str, ConfigValue]:
    """Run config of a small run; keys with "_" for "-"."""
    given = {key.replace("_", "-"): value for key, value in changes.items()}
    return RunSettings().to_config() | SMALL | {"sales": sales} | given


def run(
    out: Path,
    config: dict[str, ConfigValue],
    *,
    nodes: Sequence[Mapping[str, ConfigValue]] = THREE,
    app: ClientApp = glean_app,
    grid_type: type[InProcessGrid] = InProcessGrid,
) -> Path:
    """Run the ServerApp to its end; the folder that it leaves, but for the report.

    Drawing figures takes seconds and has tests of its own.
    """
    config = config | {"output-dir": str(out)}
    grid = grid_type(app, nodes, config, run_id=next(_RUN_IDS))
    with mock.patch.object(conclusion, "write_report"):
        run_inprocess(server_app.app, grid, config)
    return (out / "latest").resolve()


def cut_off(
    out: Path,
    config: dict[str, ConfigValue],
    *,
    round_number: int,
    kind: str = "train",
    then: Callable[[], None] | None = None,
    nodes: Sequence[Mapping[str, ConfigValue]] = THREE,
) -> Path:
    """Run until a bakery is asked in a round: there the server is gone. The folder that it leaves.

    Parameters
    ----------
    kind : str
        Phase: "train", "evaluate" or "evaluate.test".
    then : callable, optional
        What ends the server; otherwise an exception does.
    nodes : sequence of mapping
        Node configs.
    """

    def meddle(message: Message, _name: str, honest: Honest) -> Message:
        told = message.metadata
        if told.message_type in (kind, f"{kind}.sum") and told.group_id == str(round_number):
            (then or _raise)()
        return honest()

    try:
        run(out, config, app=MeddledApp(meddle), nodes=nodes)
    except CutOffError:
        return (out / "latest").resolve()
    raise AssertionError(f"round {round_number} had no {kind} phase")


def facts_of(folder: Path) -> dict[str, Any]:
    """`run.json` of a run."""
    found: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return found


def _raise() -> None:
    raise CutOffError
