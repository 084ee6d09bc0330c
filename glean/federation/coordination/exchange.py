"""The server's exchange of messages with the bakeries over any `Grid`, by the bakeries' names.

Bakeries come and go while it lasts. Nothing is waited for beyond a deadline: who is gone, or owes
a reply, is missed, and asked no more until it is back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from flwr.app import Message, MessageType, RecordDict
from flwr.serverapp import Grid

from glean.errors import ModelError
from glean.federation.coordination.availability import REGISTRATION_S, Availability
from glean.federation.coordination.client_registry import Clock
from glean.federation.coordination.grid_messenger import GridMessenger, Traffic, pause_s
from glean.federation.coordination.member_list import MemberList
from glean.federation.coordination.open_requests import GONE, GRACE_S, OpenRequests
from glean.federation.coordination.registration import INFO
from glean.federation.wire.client_names import shown
from glean.federation.wire.flower_errors import reason_of_reply
from glean.federation.wire.messages import ClientInfo, InfoRequest
from glean.languages.vocabulary import Vocabulary, Worded
from glean.runs.events import BakeryFailed, BakeryNotTrained
from glean.runs.folder import RunFolder

LOG = logging.getLogger("glean")

TRAIN = MessageType.TRAIN
EVALUATE = MessageType.EVALUATE
TEST = f"{MessageType.EVALUATE}.test"
TEST_START = f"{MessageType.EVALUATE}.start"
TABLES = f"{MessageType.QUERY}.tables"

_SERVED = Worded(
    "its products are forecast from their 7th trading day on", "it gets the model all the same"
)


@dataclass
class ClientExchange:
    """Sends tasks to bakeries by name and collects what comes back.

    Parameters
    ----------
    grid : Grid
        Flower's own, or the one in this process.
    folder : RunFolder
        Where failures, and who comes and goes, are written down as they happen.
    timeout_s : float
        How long to wait for the replies of a phase, and for bakeries enough, seconds.
    clock, sleep : callable
        The time in seconds, and a pause of so many.
    members : MemberList, optional
        Who may take part, where the server knows.
    model_key : str
        Fingerprint of the key that the final model will be signed by; "" where it won't be.

    Attributes
    ----------
    open_requests : OpenRequests
        Requests whose replies nobody waits for.
    """

    grid: Grid
    folder: RunFolder
    timeout_s: float
    clock: Clock = field(default_factory=lambda: time.monotonic)
    sleep: Callable[[float], None] = field(default_factory=lambda: time.sleep)
    members: MemberList | None = None
    model_key: str = ""
    failures: int = 0
    last_failure: str = ""

    def __post_init__(self) -> None:
        self._messenger = GridMessenger(self.grid)
        self._availability = Availability(
            self._messenger,
            self.folder,
            clock=self.clock,
            sleep=self.sleep,
            report=lambda who, why, number: self.report_failure(who, why, round_number=number),
            members=self.members,
            model_key=self.model_key,
        )
        self._registry = self._availability.registry
        self.open_requests = OpenRequests(
            self._messenger, self._availability, timeout_s=self.timeout_s, clock=self.clock
        )

    @property
    def traffic(self) -> Traffic:
        """Payload bytes so far."""
        return self._messenger.traffic

    @property
    def vocabulary(self) -> Vocabulary:
        """What errors and logs call those who take part."""
        return self.folder.words.vocabulary

    @property
    def registered(self) -> tuple[str, ...]:
        """Every bakery that took part so far, there or not, in text order."""
        return self._registry.registered

    @property
    def present(self) -> frozenset[str]:
        """Bakeries that can be asked now."""
        return self._registry.present

    @property
    def gone(self) -> frozenset[str]:
        """Bakeries whose node isn't connected."""
        return frozenset(name for name in self.registered if self._registry.is_gone(name))

    def register(self, *, at_least: int) -> dict[str, ClientInfo]:
        """Wait for `at_least` bakeries, and for all nodes that are there to say who they are.

        Returns
        -------
        dict of str to ClientInfo
            In text order of the bakeries' names.

        Raises
        ------
        FederationError
            Too few bakeries can take part; says why.
        """
        limit_s = self.timeout_s
        return self._availability.gather(
            at_least, timeout_s=limit_s, patience_s=limit_s, round_number=0
        )

    def gather(self, *, at_least: int, round_number: int) -> dict[str, ClientInfo]:
        """Register nodes that came, note those that went, and wait for `at_least` bakeries.

        Returns
        -------
        dict of str to ClientInfo
            Bakeries that joined or came back since the last call, in text order.

        Raises
        ------
        FederationError
            After `timeout_s` there are still too few; says who is missing and for how long.
        """
        limit_s = self.timeout_s
        patience_s = min(REGISTRATION_S, limit_s)
        news = self._availability.gather(
            at_least, timeout_s=limit_s, patience_s=patience_s, round_number=round_number
        )
        self._availability.report_all_missing(round_number)
        return news

    def register_newcomers(self, names: Sequence[str]) -> dict[str, ClientInfo]:
        """Ask bakeries that play newcomers again: cut short, one may have too few days."""
        records = {name: InfoRequest(newcomer=True).to_record() for name in names}
        found: dict[str, ClientInfo] = {}
        for name, reply in self.ask(INFO, records, round_number=0).items():
            try:
                found[name] = ClientInfo.from_record(reply)
            except ModelError as error:
                self.report_failure(name, str(error), round_number=0)
        return found

    def ask(
        self, kind: str, records: Mapping[str, RecordDict], *, round_number: int
    ) -> dict[str, RecordDict]:
        """Send each bakery its record; the replies in text order of the names.

        A bakery that fails, goes or doesn't reply in time is written down and left out.
        """
        replies = self._exchange(kind, records, round_number=round_number)
        found: dict[str, RecordDict] = {}
        for name in sorted(records):
            reply = replies.get(name)
            if reply is not None and not reply.has_error():
                found[name] = reply.content
            else:
                reason = self._what_went_wrong(name, kind, reply)
                self.report_failure(name, reason, round_number=round_number)
        return found

    def report_failure(self, bakery: str, reason: str, *, round_number: int) -> None:
        """Write down that a bakery's reply is missing or was refused."""
        reason = shown(reason)
        self.failures += 1
        self.last_failure = f"{bakery}: {reason}"
        self.folder.append_event(BakeryFailed(round_number, bakery, reason))
        LOG.warning("round %d: %s left out: %s", round_number, bakery, reason)

    def leave_out(self, bakery: str, reason: str, *, round_number: int) -> None:
        """Go on without a bakery, and write down why."""
        self.report_failure(bakery, reason, round_number=round_number)
        self._availability.leave_out(bakery, round_number)

    def report_untrained(self, bakery: str, note: str) -> None:
        """Write down that a bakery takes part and is not learned from, and its reason."""
        note = shown(note)
        self.folder.append_event(BakeryNotTrained(bakery, note))
        served = _SERVED.said_with(self.vocabulary)
        LOG.warning("%s is not trained on, %s: %s", bakery, served, note)

    def _exchange(
        self, kind: str, records: Mapping[str, RecordDict], *, round_number: int
    ) -> dict[str, Message]:
        """Send, and wait for all replies, or the deadline, or until those missing are gone."""
        names = {self._registry.node(name): name for name in records}
        by_node = {node: records[name] for node, name in names.items()}
        sent = self._messenger.send(kind, by_node, round_number=round_number)
        awaited = {message: names[node] for message, node in sent.items()}
        found: dict[str, Message] = {}
        start = self.clock()
        while awaited:
            replies = self._messenger.fetch(awaited)
            if self.clock() - start > self.timeout_s:
                break
            for message, reply in replies.items():
                name = awaited.pop(message)
                found[name] = reply
                self._touch(name, reply, round_number)
            self._availability.poll(round_number, at_once=False)
            if not replies:
                awaited = {m: n for m, n in awaited.items() if self._registry.gone_s(n) <= GRACE_S}
                if awaited:
                    self.sleep(pause_s(self.clock() - start))
        for name in awaited.values():
            if name in self.present:
                self._availability.mark_missing(name, round_number)
        return found

    def _touch(self, name: str, reply: Message, round_number: int) -> None:
        if reply.metadata.src_node_id == self._registry.node(name):
            self._registry.touch(name)
        else:
            # The SuperLink speaks for a node that is gone.
            self._availability.poll(round_number)

    def _what_went_wrong(self, name: str, kind: str, reply: Message | None) -> str:
        if self._registry.is_gone(name):
            return GONE
        if reply is None:
            return f"no reply to {kind!r} within {self.timeout_s:.0f} s"
        return reason_of_reply(reply.error.reason or "")
