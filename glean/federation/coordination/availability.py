"""Who takes part: nodes are asked who they are as they come, and bakeries missed as they go.

All of it is reported in the run's events and its log: `bakery_joined`, `bakery_missing`,
`bakery_returned` and, below the quorum, `waiting_for_bakeries`.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable

from glean.errors import FederationError
from glean.federation.coordination.client_registry import ClientRegistry, Clock
from glean.federation.coordination.grid_messenger import GridMessenger, pause_s
from glean.federation.coordination.member_list import MemberList
from glean.federation.coordination.registration import Registration
from glean.federation.wire.messages import ClientInfo
from glean.runs.events import (
    BakeryJoined,
    BakeryMissing,
    BakeryReturned,
    WaitingForBakeries,
)
from glean.runs.folder import RunFolder

LOG = logging.getLogger("glean")

Report = Callable[[str, str, int], None]

LOOK_EVERY_S = 1.0
"""How often it is looked who is connected while replies are waited for."""

REGISTRATION_S = 30.0
"""How long a node that came and doesn't say who it is may hold up a round."""

REPORT_EVERY_S = 30.0
_SHOWN_REASONS = 2


class Availability:
    """Keeps the list of those who take part.

    Parameters
    ----------
    messenger : GridMessenger
        The way to nodes.
    folder : RunFolder
        Where it is written down who comes and goes.
    clock, sleep : callable
        The time in seconds, and a pause of so many.
    report : callable
        Takes who was turned away, why, and in which round.
    members : MemberList, optional
        Who may be let in.
    model_key : str
        Fingerprint of the key that the final model will be signed by; "" where it won't be.
    """

    def __init__(
        self,
        messenger: GridMessenger,
        folder: RunFolder,
        *,
        clock: Clock,
        sleep: Callable[[float], None],
        report: Report,
        members: MemberList | None = None,
        model_key: str = "",
    ) -> None:
        self.registry = ClientRegistry(clock)
        self._registration = Registration(
            messenger, self.registry, members=members, model_key=model_key
        )
        self._messenger = messenger
        self._folder = folder
        self._clock = clock
        self._sleep = sleep
        self._report = report
        self._refused: list[str] = []
        self._own_tables = False
        self._look_at = 0.0
        self._reported_at: float | None = None
        self._reported_in: dict[str, int] = {}

    def poll(self, round_number: int, *, at_once: bool = True) -> bool:
        """See who is connected (or only every second), and ask who is new; whether one replied."""
        now = self._clock()
        if at_once or now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            for name in self.registry.update(self._messenger.nodes()):
                self._report_missing(name, round_number)
            self._registration.request_info(round_number=round_number)
        return self._registration.receive()

    def mark_missing(self, name: str, round_number: int) -> None:
        """Note that a bakery owes a reply: it has to register before it is asked again."""
        self.registry.mark_missing(name)
        self._report_missing(name, round_number)

    def leave_out(self, name: str, round_number: int) -> None:
        """Ask a bakery no more, unless its node leaves and comes back."""
        self.registry.back_off(self.registry.node(name))
        self.mark_missing(name, round_number)

    def gather(
        self, at_least: int, *, timeout_s: float, patience_s: float, round_number: int
    ) -> dict[str, ClientInfo]:
        """Wait for bakeries enough, at most `timeout_s`; for each new node's info `patience_s`.

        Returns
        -------
        dict of str to ClientInfo
            Bakeries let in, in text order.

        Raises
        ------
        FederationError
            Too few bakeries can take part.
        """
        start = self._clock()
        news: dict[str, ClientInfo] = {}
        self._reported_at, replied = None, False
        while True:
            # As long as replies come one by one, a look at all nodes each second is enough.
            replied = self.poll(round_number, at_once=not replied)
            waited_s = self._clock() - start
            if waited_s >= patience_s or not self._registration.awaits:
                news |= self._register(round_number, waited_s if waited_s >= patience_s else None)
                if self._enough(at_least) or self._hopeless(at_least):
                    break
                self._report_waiting(at_least, round_number)
            if waited_s >= timeout_s:
                break
            if not replied:
                self._sleep(pause_s(waited_s))
        if not self._enough(at_least):
            raise FederationError(self._too_few(at_least, waited_s))
        return dict(sorted(news.items()))

    def report_all_missing(self, round_number: int) -> None:
        """Say who is missing in a round, those of whom it wasn't said in this one."""
        for name in self.registry.missing:
            if self._reported_in.get(name) != round_number:
                self._report_missing(name, round_number)

    def _enough(self, at_least: int) -> bool:
        return len(self.registry.present) >= at_least

    def _hopeless(self, at_least: int) -> bool:
        """Whether waiting is of no use: enough are connected, and no further node will come."""
        complete = self._messenger.nodes_from_start(own_tables=self._own_tables)
        return complete and len(self.registry.connected) >= at_least

    def _register(self, round_number: int, waited_s: float | None) -> dict[str, ClientInfo]:
        result = self._registration.register()
        refused = result.refused
        if waited_s is not None:
            silent = self._registration.unanswered()
            refused += [(f"node {n}", f"no introduction within {waited_s:.0f} s") for n in silent]
        for who, reason in refused:
            self._refused.append(reason)
            self._report(who, reason, round_number)
        for name, info in result.infos.items():
            self._own_tables |= info.own_table
            self._report_arrival(name, result.away.get(name), round_number)
        return result.infos

    def _report_arrival(self, name: str, away_s: float | None, round_number: int) -> None:
        if away_s is not None:
            returned = BakeryReturned(round_number, name, round(away_s, 1))
            self._folder.append_event(returned)
            LOG.info("round %d: %s", round_number, returned.sentence)
        elif round_number:
            joined = BakeryJoined(round_number, name)
            self._folder.append_event(joined)
            LOG.info("round %d: %s", round_number, joined.sentence)

    def _report_missing(self, name: str, round_number: int) -> None:
        self._reported_in[name] = round_number
        seconds = self.registry.missing[name]
        since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)
        missing = BakeryMissing(
            round_number, name, since.isoformat(timespec="seconds"), round(seconds, 1)
        )
        self._folder.append_event(missing)
        LOG.warning("round %d: %s", round_number, missing.sentence)

    def _report_waiting(self, at_least: int, round_number: int) -> None:
        now = self._clock()
        if self._reported_at is not None and now < self._reported_at + REPORT_EVERY_S:
            return
        self._reported_at = now
        missing = {name: round(seconds, 1) for name, seconds in self.registry.missing.items()}
        present = len(self.registry.present)
        waiting = WaitingForBakeries(round_number, present, at_least, missing)
        self._folder.append_event(waiting)
        LOG.warning("%s%s", waiting.sentence_in(self._folder.words), self._absentees())

    def _absentees(self) -> str:
        missing = self.registry.missing.items()
        listed = [f"{name} (last heard of {seconds:.0f} s ago)" for name, seconds in missing]
        return f"; missing: {', '.join(listed)}" if listed else ""

    def _too_few(self, at_least: int, waited_s: float) -> str:
        found = len(self.registry.present)
        after = f" after {waited_s:.0f} s" if waited_s >= 1 else ""
        reasons = list(dict.fromkeys(self._refused))
        more = len(reasons) - _SHOWN_REASONS
        rest = [f"and {more} more in events.jsonl"] if more > 0 else []
        refused = "; ".join([*reasons[:_SHOWN_REASONS], *rest])
        return (
            f"{found} {self._folder.words.vocabulary.many} can take part{after}; "
            f"min-available-bakeries wants {at_least}"
            f"{self._absentees()}. {refused}".rstrip(". ")
        )
