"""The server's conversation with the bakeries over any `Grid`, by the bakeries' names."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flwr.app import Message, MessageType, RecordDict
from flwr.serverapp import Grid

from glean.errors import FederationError, ModelError
from glean.federation.messages import Introduction, Question, payload_bytes
from glean.federation.run_folder import RunFolder
from glean.federation.version import code_fingerprint

LOG = logging.getLogger("glean")

INTRODUCE = MessageType.QUERY
TRAIN = MessageType.TRAIN
EVALUATE = MessageType.EVALUATE
TEST = f"{MessageType.EVALUATE}.test"
TEST_START = f"{MessageType.EVALUATE}.start"

POLL_S = 1.0
SHOWN_REASONS = 2


@dataclass
class Traffic:
    """Payload bytes sent to bakeries and received from them."""

    down: int = 0
    up: int = 0


@dataclass
class Conversation:
    """Sends tasks to bakeries by name and collects what comes back.

    Parameters
    ----------
    grid : Grid
        Flower's own, or the one in this process.
    folder : RunFolder
        Where failures are written down as they happen.
    timeout_s : float
        How long to wait for replies, seconds.
    """

    grid: Grid
    folder: RunFolder
    timeout_s: float
    nodes: dict[str, int] = field(default_factory=dict)
    traffic: Traffic = field(default_factory=Traffic)
    failures: int = 0

    def meet(self, *, at_least: int) -> dict[str, Introduction]:
        """Wait for `at_least` nodes and ask each who it is.

        Returns
        -------
        dict of str to Introduction
            In text order of the bakeries' names.

        Raises
        ------
        FederationError
            Too few bakeries can take part; says why.
        """
        node_ids = sorted(self._wait_for_nodes(at_least))
        records = dict.fromkeys(node_ids, Question(newcomer=False).to_record())
        replies = self._exchange(INTRODUCE, records, round_number=0)
        reasons: list[str] = []
        met: dict[str, list[tuple[int, Introduction]]] = {}
        for node_id in node_ids:
            try:
                introduction = self._introduction(replies.get(node_id))
                met.setdefault(introduction.bakery, []).append((node_id, introduction))
            except (ModelError, FederationError) as error:
                self.report_failure(f"node {node_id}", str(error), round_number=0)
                reasons.append(str(error))
        introductions = self._called_once(met)
        if len(introductions) < at_least:
            raise FederationError(
                f"{len(introductions)} bakeries can take part; min-available-bakeries wants "
                f"{at_least}. {_in_brief(list(dict.fromkeys(reasons)))}"
            )
        return introductions

    def meet_newcomers(self, names: Sequence[str]) -> dict[str, Introduction]:
        """Ask bakeries that play newcomers again: cut short, one may have too few days."""
        records = {name: Question(newcomer=True).to_record() for name in names}
        found: dict[str, Introduction] = {}
        for name, reply in self.ask(INTRODUCE, records, round_number=0).items():
            try:
                found[name] = Introduction.from_record(reply)
            except ModelError as error:
                self.report_failure(name, str(error), round_number=0)
        return found

    def ask(
        self, kind: str, records: Mapping[str, RecordDict], *, round_number: int
    ) -> dict[str, RecordDict]:
        """Send each bakery its record; the replies in text order of the names.

        A bakery that fails or doesn't answer in time is written down and left out.
        """
        names = {self.nodes[name]: name for name in records}
        by_node = {self.nodes[name]: record for name, record in records.items()}
        replies = self._exchange(kind, by_node, round_number=round_number)
        found: dict[str, RecordDict] = {}
        for node_id, name in sorted(names.items(), key=lambda item: item[1]):
            reply = replies.get(node_id)
            if reply is None:
                reason = f"no reply to {kind!r} within {self.timeout_s:.0f} s"
                self.report_failure(name, reason, round_number=round_number)
            elif reply.has_error():
                self.report_failure(
                    name, reply.error.reason or "an error", round_number=round_number
                )
            else:
                found[name] = reply.content
        return found

    def report_failure(self, bakery: str, reason: str, *, round_number: int) -> None:
        """Write down that a bakery's reply is missing or was refused."""
        self.failures += 1
        self.folder.append_event("bakery_failed", round=round_number, bakery=bakery, reason=reason)
        LOG.warning("round %d: %s left out: %s", round_number, bakery, reason)

    def _wait_for_nodes(self, at_least: int) -> list[int]:
        deadline = time.monotonic() + self.timeout_s
        while True:
            node_ids = list(self.grid.get_node_ids())
            if len(node_ids) >= at_least:
                return node_ids
            if time.monotonic() > deadline:
                raise FederationError(
                    f"{len(node_ids)} nodes are connected after {self.timeout_s:.0f} s; "
                    f"min-available-bakeries wants {at_least}"
                )
            time.sleep(POLL_S)

    def _introduction(self, reply: Message | None) -> Introduction:
        if reply is None:
            raise FederationError(f"no introduction within {self.timeout_s:.0f} s")
        if reply.has_error():
            raise FederationError(reply.error.reason or "an error")
        introduction = Introduction.from_record(reply.content)
        check_code(introduction.code)
        return introduction

    def _called_once(
        self, met: Mapping[str, Sequence[tuple[int, Introduction]]]
    ) -> dict[str, Introduction]:
        """Keep bakeries whose name is theirs alone: which of two is the right one is unknown."""
        introductions: dict[str, Introduction] = {}
        for name, found in sorted(met.items()):
            if len(found) > 1 and name:
                reason = (
                    f"{len(found)} nodes have this name: give each its own (node config bakery)"
                )
                self.report_failure(name, reason, round_number=0)
            elif name:
                self.nodes[name], introductions[name] = found[0]
        return introductions

    def _exchange(
        self, kind: str, records: Mapping[int, RecordDict], *, round_number: int
    ) -> dict[int, Message]:
        messages = [
            Message(record, node_id, kind, group_id=str(round_number))
            for node_id, record in records.items()
        ]
        self.traffic.down += sum(payload_bytes(record) for record in records.values())
        replies = list(self.grid.send_and_receive(messages, timeout=self.timeout_s))
        self.traffic.up += sum(payload_bytes(r.content) for r in replies if r.has_content())
        return {reply.metadata.src_node_id: reply for reply in replies}


def _in_brief(reasons: list[str]) -> str:
    """Give the first reasons; all of them stand in `events.jsonl`."""
    more = len(reasons) - SHOWN_REASONS
    rest = [f"and {more} more in events.jsonl"] if more > 0 else []
    return "; ".join([*reasons[:SHOWN_REASONS], *rest])


def check_code(code: str) -> None:
    """Refuse a ClientApp of another version of the code.

    Raises
    ------
    FederationError
        Its fingerprint isn't this process's.
    """
    if code != code_fingerprint():
        raise FederationError(
            f"the ClientApp runs other code ({code}) than the ServerApp ({code_fingerprint()}). "
            "On one machine: the SuperLink on this port was started from another checkout; end "
            "it, or use `glean simulate`, which starts its own. Across machines: install the "
            "same version everywhere"
        )
