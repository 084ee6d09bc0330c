"""Synchronous rounds and nothing else: the server asks all clients, and all answer as much as came.

The same loop on any grid; as Flower's app `server_app` on a SuperLink, which runs a copy of this
folder.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp

LIMIT_S = 300.0
PAUSE_S = 0.02
"""Between two looks for replies; a grid that waits by itself waits longer."""

server_app = ServerApp()


def content_of(size: int) -> RecordDict:
    """So many bytes that can't be made fewer."""
    numbers = np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8)
    return RecordDict({"payload": ArrayRecord({"bytes": Array(numbers)})})


def wait_for(grid: Grid, clients: int) -> list[int]:
    """Wait until so many clients are there; their nodes."""
    deadline = time.monotonic() + LIMIT_S
    while len(found := list(grid.get_node_ids())) < clients:
        assert time.monotonic() < deadline, f"found {len(found)} of {clients} clients"
        time.sleep(0.1)
    return found


def measured_rounds(
    grid: Grid,
    clients: int,
    rounds: int,
    size: int,
) -> list[float]:
    """Seconds of each round after the first."""
    nodes, content, found = wait_for(grid, clients), content_of(size), []
    for number in range(rounds + 1):
        begin = time.perf_counter()
        awaited = set(
            grid.push_messages([Message(content, node, "query", group_id="") for node in nodes])
        )
        assert len(awaited) == clients, "not every message was taken"
        while awaited:
            assert time.perf_counter() - begin < LIMIT_S, f"{len(awaited)} don't answer"
            replies = list(grid.pull_messages(awaited))
            assert all(reply.has_content() for reply in replies), "an answer is an error"
            awaited -= {reply.metadata.reply_to_message_id for reply in replies}
            if not replies:
                time.sleep(PAUSE_S)
        if number:
            found.append(time.perf_counter() - begin)
    return found


@server_app.main()
def main(grid: Grid, context: Context) -> None:
    """Measure as the run config says, into a file."""
    from glean.federation.grids.flower_internals import look_often

    look_often()  # as Glean's own ServerApp does
    config = context.run_config
    clients, rounds, size = (int(config[name]) for name in ("clients", "rounds", "size"))
    report = Path(str(config["report"]))
    try:
        found: list[float] | str = measured_rounds(grid, clients, rounds, size)
    except AssertionError as error:
        found = str(error)
    report.with_suffix(".new").write_text(json.dumps(found))
    report.with_suffix(".new").replace(report)
