"""A client as one lasting process on a road that isn't a SuperLink's: ask, answer, reply.

It runs until it is told to end. What fails in the app becomes an error reply; what can't be kept on
disk isn't answered, and comes again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress

from glean.errors import FederationError
from glean.federation.grids.carrier import ClientCarrier
from glean.federation.grids.run_announcement import RunAnnouncement
from glean.federation.node.heartbeat import heartbeats
from glean.federation.node.hosted_runs import HostedRuns
from glean.federation.node.lasting_node import (
    CONNECTED,
    LONGEST_RETRY_S,
    SHORTEST_RETRY_S,
    STOPPED,
    WAITING,
)
from glean.observability.log_context import log_fields

LOG = logging.getLogger("glean")

LOOK_S = 0.5
"""How long a look for messages lasts where none comes."""

HEARTBEAT_S = 3.0


class CarriedClient:
    """Answers a server's messages until it is interrupted.

    Parameters
    ----------
    carrier : ClientCarrier
        What carries them.
    hosts : HostedRuns
        What answers.
    report : callable
        Told how it stands, each time that this changes: "connected", "waiting" or "stopped", and
        why.
    sleep : callable
        A pause of so many seconds.
    """

    def __init__(
        self,
        carrier: ClientCarrier,
        hosts: HostedRuns,
        *,
        report: Callable[[str, str], None] = lambda _state, _why: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._carrier = carrier
        self._hosts = hosts
        self._report = report
        self._sleep = sleep
        self._said = ("", "")
        self._read: dict[bytes, RunAnnouncement | None] = {}
        self._left = 0

    def run(self, *, until: Callable[[], bool] = lambda: False) -> None:
        """Serve until a KeyboardInterrupt, then let go of the carrier.

        Parameters
        ----------
        until : callable
            Looked at before each step; true ends it, too.
        """
        retry_s = SHORTEST_RETRY_S
        try:
            with suppress(FederationError):
                self._carrier.heartbeat()
            with heartbeats(self._carrier.heartbeat, every_s=HEARTBEAT_S):
                while not until():
                    try:
                        self.step()
                        retry_s = SHORTEST_RETRY_S
                        continue
                    except FederationError as error:
                        LOG.warning("%s; tried again in %.0f s", error, retry_s)
                        self._tell(WAITING, str(error))
                    self._sleep(retry_s)
                    retry_s = min(2 * retry_s, LONGEST_RETRY_S)
        finally:
            self._tell(STOPPED, "")
            self._carrier.close()

    def step(self) -> None:
        """Answer what has come, and tell how it stands.

        Raises
        ------
        FederationError
            A message can't be fetched, or a reply not be kept or sent: it comes again.
        """
        asked = self._carrier.receive(LOOK_S)
        problem = self._carrier.problem
        self._tell(WAITING if problem else CONNECTED, problem)
        for run_id, message_id, body in asked:
            run = self._announced().get(run_id)
            if run is None:
                self._leave(run_id)
                continue
            with log_fields(run=str(run_id)):
                reply, refused = self._hosts.answer(run, message_id, body)
                self._carrier.reply(run_id, message_id, reply)
            if refused:
                self._tell(CONNECTED, refused)
        if ended := {*self._hosts.runs} - self._announced().keys():
            for run_id in ended:
                LOG.info("run %d has ended", run_id)
                self._hosts.drop(run_id)

    def _leave(self, run_id: int) -> None:
        """Say once of a run that its messages, which come again and again, are left."""
        if run_id != self._left:
            LOG.warning("a message of run %d, which isn't announced here, is left", run_id)
        self._left = run_id

    def _announced(self) -> dict[int, RunAnnouncement]:
        """Read the runs that go on; each announcement once."""
        bodies = self._carrier.runs()
        self._read = {b: self._read[b] if b in self._read else _run_in(b) for b in bodies}
        return {run.run_id: run for run in self._read.values() if run is not None}

    def _tell(self, state: str, why: str) -> None:
        if (state, why) != self._said:
            self._said = state, why
            self._report(state, why)


def _run_in(announcement: bytes) -> RunAnnouncement | None:
    try:
        return RunAnnouncement.from_bytes(announcement)
    except FederationError as error:
        LOG.warning("%s", error)
        return None
