"""A bakery's node as one lasting process: pull a message, have it answered, push the reply.

It runs until it is told to end, whatever the network, the server or the app does: what fails in
the app becomes an error reply, a server that has gone is waited for.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from flwr.app import Message

from glean.errors import FederationError, RefusalError
from glean.federation.coordination.secagg_server import ADVERTISE_KEYS
from glean.federation.grids.client_host import error_reply
from glean.federation.node.fleet import Fleet, Head
from glean.federation.node.heartbeat import heartbeats
from glean.federation.node.node_memory import NodeMemory
from glean.federation.node.pace import Pace
from glean.federation.node.run_hosts import RunHosts
from glean.federation.node.server_errors import (
    ForeignServerError,
    MessageLostError,
    NotAdmittedError,
    RunEndedError,
    UnreachableError,
)
from glean.observability.log_context import log_fields

LOG = logging.getLogger("glean")

SHORTEST_RETRY_S, LONGEST_RETRY_S = 1.0, 20.0
ENDED_CHECK_S = 60.0
"""After so long without a message the server is asked whether the runs still go on."""

KILLED = "the node ended with the message in its hand, and is back"

CONNECTED, WAITING, STOPPED = "connected", "waiting", "stopped"

Answer = TypeVar("Answer")


class LastingNode:
    """Answers a server's messages until it is interrupted.

    Parameters
    ----------
    fleet : Fleet
        The server.
    hosts : RunHosts
        What answers.
    memory : NodeMemory
        What outlives this process.
    report : callable
        Told how it stands, each time that this changes: "connected", "waiting" or "stopped", and
        why.
    sleep, clock : callable
        A pause of so many seconds, and the time in seconds.
    """

    def __init__(
        self,
        fleet: Fleet,
        hosts: RunHosts,
        memory: NodeMemory,
        *,
        report: Callable[[str, str], None] = lambda _state, _why: None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fleet = fleet
        self._hosts = hosts
        self._memory = memory
        self._report = report
        self._sleep = sleep
        self._clock = clock
        self._node_id: int | None = None

    def run(self) -> None:
        """Serve until a KeyboardInterrupt, then say that this node goes.

        Raises
        ------
        ForeignServerError
            At the start: whoever answers isn't the server that the bakery trusts.
        """
        retry_s = SHORTEST_RETRY_S
        try:
            while True:
                try:
                    node_id = self._admitted()
                    retry_s = SHORTEST_RETRY_S
                    with heartbeats(lambda number=node_id: self._fleet.heartbeat(number)):  # type: ignore[misc]
                        self._serve(node_id)
                except ForeignServerError as error:
                    if self._node_id is None:
                        raise
                    LOG.warning("%s; tried again", error)
                    self._report(WAITING, str(error))
                except (UnreachableError, NotAdmittedError) as error:
                    LOG.warning("%s; tried again in %.0f s", error, retry_s)
                    self._report(WAITING, str(error))
                self._sleep(retry_s)
                retry_s = min(2 * retry_s, LONGEST_RETRY_S)
        finally:
            self._leave()

    def _admitted(self) -> int:
        """Be let in; by the number that is known, where the server takes this node for another."""
        try:
            number = self._fleet.activate()
        except NotAdmittedError as error:
            known = self._memory.number
            if known is None or not self._fleet.heartbeat(known):
                raise NotAdmittedError(
                    f"the server doesn't let this node in ({error}): its key isn't registered "
                    "there, its clock is wrong, or the server still takes it for connected, which "
                    "lasts up to a minute, or longer where another machine uses the key"
                ) from error
            number = known
        self._memory.keep_number(number)
        self._node_id = number
        LOG.info("connected; the server knows this node as number %d", number)
        self._report(CONNECTED, "")
        return number

    def _serve(self, node_id: int) -> None:
        self._answer_left(node_id)
        pace, quiet_since = Pace(), self._clock()
        asked_at = quiet_since
        while True:
            head = self._fleet.pull(node_id)
            if head is not None:
                pace.found(self._clock() - quiet_since)
                self._handle(head)
                quiet_since = asked_at = self._clock()
                self._sleep(pace.pause_s(0.0))
                continue
            if self._clock() - asked_at > ENDED_CHECK_S:
                self._drop_ended(node_id)
                asked_at = self._clock()
            self._sleep(pace.pause_s(self._clock() - quiet_since))

    def _handle(self, head: Head) -> None:
        """Answer one message; whatever comes of it, this node goes on."""
        with log_fields(run=str(head.run_id)):
            self._answer(head)

    def _answer(self, head: Head) -> None:
        self._memory.take(head)
        start = self._clock()
        try:
            reply = self._fleet.pack(self._reply(head))
            seconds = self._clock() - start
            self._memory.keep_reply(reply)
            self._insist(lambda: self._fleet.send(reply, seconds=seconds))
        except RunEndedError:
            LOG.info("run %d has ended; its message isn't answered", head.run_id)
            self._hosts.drop(head.run_id)
        except MessageLostError as error:
            LOG.warning("the reply to a message of run %d is lost: %s", head.run_id, error)
        self._memory.lay_down()

    def _reply(self, head: Head) -> Message:
        try:
            host = self._insist(
                lambda: self._hosts.host(
                    head.run_id,
                    head.node_id,
                    lambda: self._fleet.run_facts(head.node_id, head.run_id),
                )
            )
            message = self._insist(lambda: self._fleet.fetch(head))
            if message.metadata.message_type == ADVERTISE_KEYS:
                self._insist(self._hosts.refresh)
        except RefusalError as error:
            LOG.warning("refused (%s): %s", error.kind, error)
            self._report(CONNECTED, str(error))
            return self._error(head, f"the node refuses: {error.kind}; its own log says more")
        except MessageLostError as error:
            LOG.warning("a message of run %d can't be read: %s", head.run_id, error)
            return self._error(head, "the message can't be read at the node")
        return host.answer(message)

    def _error(self, head: Head, reason: str) -> Message:
        return error_reply(self._fleet.bare(head), reason, node_id=head.node_id)

    def _answer_left(self, node_id: int) -> None:
        """Send the reply that another process had made, or say that there is none."""
        left = self._memory.in_hand(node_id)
        if left is None:
            return
        LOG.info("a message of run %d was in hand when this node ended: answered now", left.run_id)
        with suppress(RunEndedError, MessageLostError):
            if isinstance(left, Head):
                left = self._fleet.pack(self._error(left, KILLED))
            self._fleet.send(left, seconds=0.0, again=True)
        self._memory.lay_down()

    def _drop_ended(self, node_id: int) -> None:
        for run_id in self._hosts.runs:
            try:
                self._fleet.run_facts(node_id, run_id)
            except RunEndedError:
                self._hosts.drop(run_id)

    def _insist(self, call: Callable[[], Answer]) -> Answer:
        """Do something with the server, again and again while that can't be reached."""
        retry_s = SHORTEST_RETRY_S
        while True:
            try:
                return call()
            except UnreachableError as error:
                LOG.warning("%s; tried again in %.0f s", error, retry_s)
            self._sleep(retry_s)
            retry_s = min(2 * retry_s, LONGEST_RETRY_S)

    def _leave(self) -> None:
        """Answer what is in hand, and go; a server that can't be reached finds out by itself."""
        self._report(STOPPED, "")
        if self._node_id is not None:
            with suppress(FederationError):
                self._answer_left(self._node_id)
            with suppress(FederationError):
                self._fleet.deactivate(self._node_id)
        self._fleet.close()
