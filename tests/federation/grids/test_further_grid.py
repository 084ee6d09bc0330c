"""A further transport is one file: a grid over queues, with the clients hosted in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

from flwr.app import Message

from glean.client_app import app as client_app
from glean.federation.grids.client_host import ClientHost
from glean.federation.grids.flower_internals import number_message
from glean.federation.grids.inprocess import as_server
from glean.federation.grids.run_grid import RunGrid
from glean.federation.server.setup import negotiate_spec, register_clients, training_loop
from glean.runs.folder import RunFolder
from glean.settings import RunSettings
from tests.federations import events, model_bytes, small_settings

RUN_ID = 3


class QueueGrid(RunGrid):
    """The server's side: puts messages into one queue and takes replies from another."""

    engine = "queue"
    nodes_from_start = True

    def __init__(self, nodes: Iterable[int]) -> None:
        self.asked: Queue[Message | None] = Queue()
        self.answered: Queue[Message] = Queue()
        super().__init__(RUN_ID)
        self._nodes = list(nodes)

    def get_node_ids(self) -> list[int]:
        """Ids of all nodes."""
        return self._nodes

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Send."""
        ids = []
        for message in list(messages):
            ids.append(number_message(message))
            self.asked.put(message)
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Take what has come, once everything that was sent is answered."""
        del message_ids  # all that was sent was sent together
        self.asked.join()
        return [self.answered.get() for _ in range(self.answered.qsize())]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        """Send, and wait for all replies."""
        del timeout
        return self.pull_messages(self.push_messages(messages))


@contextmanager
def hosted(grid: QueueGrid, settings: RunSettings) -> Iterator[None]:
    """The clients' side: a thread answers while the body goes on."""
    hosts = {
        node: ClientHost(
            client_app,
            run_id=RUN_ID,
            node_id=node,
            node_config={"partition-id": partition},
            run_config=settings.to_config(),
        )
        for partition, node in enumerate(grid.get_node_ids())
    }

    def answer() -> None:
        while (message := grid.asked.get()) is not None:
            grid.answered.put(hosts[message.metadata.dst_node_id].answer(message))
            grid.asked.task_done()

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield
    finally:
        grid.asked.put(None)
        thread.join(10)


def test_a_run_over_queues_comes_to_the_same_model(tmp_path: Path, three_bakeries: str) -> None:
    """Three bakeries and two rounds: nothing fails, and the model has the bytes of in process."""
    settings = small_settings(three_bakeries)
    grid = QueueGrid((11, 12, 13))
    folder = RunFolder.create(tmp_path / "queues", run_id=RUN_ID)
    with hosted(grid, settings), as_server(grid):
        clients, bakeries, newcomers = register_clients(grid, settings, folder)
        spec = negotiate_spec(bakeries, newcomers, settings)
        found = training_loop(clients, settings, spec, bakeries, newcomers).run()
    assert list(bakeries) == ["bakery 0", "bakery 1", "bakery 2"]
    assert [event["event"] for event in events(folder)] == ["round_finished"] * 2
    assert found.model.to_bytes() == model_bytes(tmp_path / "here", settings)
