"""A grid of nodes with a ClientApp, asked as Flower's own strategies ask."""

from __future__ import annotations

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from glean.federation.grids.inprocess import InProcessGrid, as_server

CONTENT = RecordDict({"c": ConfigRecord({"value": 1})})


def grid_of(app: ClientApp, *, nodes: int = 3) -> InProcessGrid:
    return InProcessGrid(app, [{"partition-id": k} for k in range(nodes)], {"seed": 7}, run_id=5)


def ask(grid: InProcessGrid, *, timeout: float | None = None, kind: str = "query") -> list[Message]:
    """Send every node the same record, as Flower's own strategies do."""
    content = RecordDict({"c": ConfigRecord({"value": 1})})
    with as_server(grid):
        messages = [Message(content, node, kind) for node in grid.get_node_ids()]
        return list(grid.send_and_receive(messages, timeout=timeout))


def value_of(message: Message, name: str = "value") -> object:
    return message.content.config_records["c"][name]


def answer(message: Message, **facts: int | str) -> Message:
    return Message(RecordDict({"c": ConfigRecord(dict(facts))}), reply_to=message)


def counting_app() -> ClientApp:
    """Counts its calls in its node's state; raises at every second one of node 0."""
    app = ClientApp()

    @app.query()
    def query(message: Message, context: Context) -> Message:
        state = context.state
        if "n" not in state:
            state["n"] = ConfigRecord({"calls": 0})
        calls = int(str(state.config_records["n"]["calls"])) + 1
        state.config_records["n"]["calls"] = calls
        if calls == 2 and context.node_config["partition-id"] == 0:
            raise ValueError("no flour")
        return answer(message, value=calls)

    return app
