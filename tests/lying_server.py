"""A server that lies: what it tells bakeries of a sum is changed on the way, for each anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from flwr.app import Message

from glean.federation.coordination.exchange import TEST
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.sum_rounds import SUM
from glean.federation.grids.inprocess import InProcessGrid, as_server
from glean.federation.wire.messages import FinalTask
from glean.federation.wire.sum_messages import SumReply, SumTask
from glean.federation.wire.sum_request import SumRequest
from glean.settings import ConfigValue
from tests.churn import node_of
from tests.federations import Federation, events, federation_of, member_nodes, small_settings
from tests.tables import random_table

Lie = Callable[[str, SumTask], SumTask]
"""Given a bakery's name and its honest task, what it is told."""

REFIT: dict[str, ConfigValue] = {"leaf_values": "refit", "secure_sums": True, "subsample": 0.7}


class LyingGrid(InProcessGrid):
    """Changes tasks of sums as they are sent, once a lie is set."""

    lie: Lie | None = None
    retold: Callable[[str, FinalTask], FinalTask] | None = None
    replies: dict[str, SumReply]

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Send what the server wants bakeries to believe."""
        return super().push_messages([self._told(message) for message in messages])

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Receive, and keep what came for the last sum."""
        received = super().pull_messages(message_ids)
        for message in received:
            if message.metadata.message_type == SUM and message.has_content():
                reply = SumReply.from_record(message.content)
                self.replies[reply.bakery] = reply
        return received

    def _told(self, message: Message) -> Message:
        name = f"bakery {message.metadata.dst_node_id - node_of('bakery 0')}"
        if self.retold is not None and message.metadata.message_type == TEST:
            final = self.retold(name, FinalTask.from_record(message.content))
            message.content = final.to_record()
        if self.lie is None or message.metadata.message_type != SUM:
            return message
        task = self.lie(name, SumTask.from_record(message.content))
        message.content = task.to_record()
        return message


def deployed(
    out: Path,
    *,
    bakeries: int = 5,
    policy: Mapping[str, ConfigValue] | None = None,
    policy_of: Mapping[str, Mapping[str, ConfigValue]] | None = None,
    homes: bool = False,
    **changes: ConfigValue,
) -> tuple[Federation, LyingGrid]:
    """Bakeries with tables of their own and signed keys, and a server that may lie to them."""
    tables = {}
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in random_table(bakeries=bakeries, days=80).rows.groupby("bakery"):
        tables[str(name)] = out / f"{name}.csv"
        rows.to_csv(tables[str(name)], index=False)
    nodes = [
        node | in_kebab_case({**(policy or {}), **(policy_of or {}).get(str(node["bakery"]), {})})
        for node in member_nodes(out / "keys", tables, homes=homes)
    ]
    settings = small_settings("", **{**REFIT, "min_contributors": 3, **changes})
    found = federation_of(out / "run", settings, nodes=nodes, grid_type=LyingGrid)
    assert isinstance(found.grid, LyingGrid)
    found.grid.replies = {}
    return found, found.grid


def in_kebab_case(config: Mapping[str, ConfigValue]) -> dict[str, ConfigValue]:
    """Keys as a node config has them."""
    return {key.replace("_", "-"): value for key, value in config.items()}


def with_request(task: SumTask, **changes: object) -> SumTask:
    """The same task with another request."""
    request = replace(SumRequest.from_json(task.request), **changes)  # type: ignore[arg-type]
    return replace(task, request=request.to_json())


def asked(
    found: Federation,
    model: GlobalModel,
    requests: Mapping[str, SumRequest],
    *,
    length: int,
    structures: bytes = b"",
) -> list[int]:
    """Have a sum made, as the server of a run would; its numbers."""
    with as_server(found.grid):
        result = found.rounds.sum_rounds.run(
            3, model, requests, length=length, structures=structures
        )
    return [int(word) for word in result.total]


def refusals(found: Federation) -> set[str]:
    """What bakeries refused, in the words that the server got."""
    told = [event for event in events(found.folder) if event["event"] == "bakery_failed"]
    said = [event["reason"].partition("the bakery refuses: ")[2] for event in told]
    return {reason.partition(";")[0] for reason in said if reason}
