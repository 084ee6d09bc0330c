"""All runs of a peer: proposed, taken up from disk, driven by one thread, told to people.

Handlers of the mesh, the thread here, those of ServerApps and the client's meet in a run's lock,
which none of them holds while it sends, trains or waits.
"""

from __future__ import annotations

import logging
import random
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress

from glean import __version__
from glean.errors import FederationError, GleanError
from glean.mesh.live_calls import LiveCall
from glean.mesh.mesh_home import MeshHome
from glean.mesh.message_store import MeshMessage
from glean.mesh.runs.run_client_carrier import RunClientCarrier
from glean.mesh.runs.run_conductor import Conduct
from glean.mesh.runs.run_driver import RunDriver
from glean.mesh.runs.run_home import run_home
from glean.mesh.runs.run_messages import ASK, CANCEL, CONSENSUS, END, KINDS, PLAN, RunMessage
from glean.mesh.runs.run_node import Outbound, RunNode
from glean.mesh.runs.run_plan import DEFAULT_LEASE_S, MOST_PLAN_BYTES, RunPlan
from glean.mesh.runs.run_requests import read_requests
from glean.mesh.runs.run_status import REFUSED, RunStatus, note_status, read_status
from glean.mesh.runs.run_table import RunTable
from glean.runs.code_version import code_fingerprint
from glean.settings import ConfigValue

LOG = logging.getLogger(__name__)

LOOK_S = 0.1
TOLD_S = 0.5
"""How often requests are looked for, and statuses written where they have changed."""

ASK_S = 5.0
"""How often somebody is asked for a plan that isn't known here."""


class MeshRuns:
    """The runs of a peer, from `start` to `close`.

    Parameters
    ----------
    home : MeshHome
        Its home, which no other process uses meanwhile.
    node : RunNode
        What sends and receives.
    own : str
        This peer's name.
    members : callable
        Names of who belongs to the mesh now.
    conduct : Conduct or None
        Runs a ServerApp as coordinator; None where this peer only votes and stores.
    clock : callable
        Gives seconds that never go back.
    draw : callable
        Gives a number from 0 to 1, below 1: chance in elections.

    Attributes
    ----------
    refused : deque of str
        What wasn't taken of late, and from whom.
    """

    def __init__(
        self,
        home: MeshHome,
        node: RunNode,
        *,
        own: str,
        members: Callable[[], Collection[str]],
        conduct: Conduct | None,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._home, self._node, self._own, self._members = home, node, own, members
        self._conduct, self._clock = conduct, clock
        self._table = RunTable(home, own=own, unable=self._unable, clock=clock, draw=draw)
        self._clients: list[RunClientCarrier] = []
        self._driver = RunDriver(
            self._table,
            own=own,
            send=self._send,
            conduct=conduct,
            hosts=lambda: any(client.hosts for client in self._clients),
            clock=clock,
        )
        self.refused: deque[str] = deque(maxlen=100)
        self._statuses: dict[str, RunStatus] = {}
        self._asked: dict[tuple[str, str], float] = {}
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._drive, name="mesh runs", daemon=True)

    def start(self) -> None:
        """Take up what isn't over, and hear others."""
        for kind in KINDS:
            self._node.on(kind, self._take)
        self._node.on_tell(CONSENSUS, self._hear)
        for member in self._table.members():
            if member.plan.proposer == self._own and not member.over:
                self._tell(PLAN, member.plan, (member.plan.to_bytes(),))
                if member.cancelled:
                    self._tell(CANCEL, member.plan)
        self._thread.start()

    def close(self) -> None:
        """Let go of all runs; another start goes on with them."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        self._wake.set()
        for client in self._clients:
            client.close()
        if self._thread.is_alive():
            self._thread.join()
        self._driver.close()

    def propose(
        self,
        run_config: Mapping[str, ConfigValue],
        *,
        lease_s: float = DEFAULT_LEASE_S,
        key: str = "",
    ) -> RunPlan:
        """Propose a run to all members of now; by a key that is known, nothing new.

        Raises
        ------
        FederationError
            It can't be one.
        OSError
            There is no room.
        """
        plan = RunPlan(
            key=key or secrets.token_hex(16),
            created=time.time(),
            proposer=self._own,
            participants=tuple(sorted({self._own, *self._members()})),
            run_config=dict(run_config),
            lease_s=lease_s,
            release=__version__,
            code=code_fingerprint(),
        )
        known = self._table.get(plan.key)
        if known is not None:
            return known[0].plan
        if len(body := plan.to_bytes()) > MOST_PLAN_BYTES:
            raise FederationError(f"run config: wanted at most {MOST_PLAN_BYTES:,} bytes of it")
        self._table.add(plan, first=True)
        self._tell(PLAN, plan, (body,))
        self._wake.set()
        return plan

    def cancel(self, key: str) -> None:
        """End a run for all; only who has proposed it may.

        Raises
        ------
        FederationError
            There is no such run, or another peer has proposed it.
        """
        found = self._table.get(key)
        if found is None:
            raise FederationError(f"found no run {key!r:.60}; wanted one of `glean mesh status`")
        member, _ = found
        if member.plan.proposer != self._own:
            raise FederationError(
                f"run {key}: {member.plan.proposer!r} has proposed it, and alone may cancel it"
            )
        with member.changed:
            if member.over:
                return
            member.cancel()
        self._tell(CANCEL, member.plan)
        self._wake.set()

    def client(self) -> RunClientCarrier:
        """Open the side of this peer's client; while that is open, it is said to be here."""
        opened = RunClientCarrier(self._table.turn, self._send, clock=self._clock)
        self._clients = [*(one for one in self._clients if one.hosts), opened]
        return opened

    def statuses(self) -> list[RunStatus]:
        """Say how all runs stand, the oldest first."""
        return [self._driver.status(member) for member in self._table.members()]

    def _unable(self, plan: RunPlan) -> str:
        if self._conduct is None:
            return "this peer has no table for runs: it only votes and stores"
        if plan.code != code_fingerprint():
            return (
                f"it was proposed by other code ({plan.code}) than is installed here "
                f"({code_fingerprint()}): install the same version everywhere"
            )
        return ""

    def _take(self, message: MeshMessage) -> None:
        """Take a message of the mesh; what is refused is named, and isn't tried again."""
        if self._stopped.is_set():
            raise FederationError("this peer is ending; the message waits for its next start")
        try:
            outbound = self._taken(
                message.sender, RunMessage.from_bytes(message.kind, message.body)
            )
        except GleanError as error:
            self.refused.append(f"{message.sender}: {error}")
            LOG.warning("mesh: refused of %s: %s", message.sender, error)
        else:
            self._send_what_goes(outbound)
            self._wake.set()

    def _hear(self, call: LiveCall) -> None:
        """Take what a connected member says in an election, which nobody has kept."""
        if call.member and not self._stopped.is_set():
            self._take(MeshMessage(call.sender.name, call.kind, "", call.body))

    def _taken(self, sender: str, message: RunMessage) -> list[Outbound]:
        found = self._table.get(message.key)
        if message.kind == PLAN or (message.kind == END and found is None):
            plan = RunPlan.from_bytes(message.content())
            if plan.key != message.key or sender not in plan.participants:
                raise FederationError(f"{message.kind}: found the plan of another run")
            found = self._table.add(plan)
        if found is None:
            return self._ask_for_plan(sender, message)
        with found[0].changed:
            return found[1].take(sender, message)

    def _ask_for_plan(self, sender: str, message: RunMessage) -> list[Outbound]:
        """Ask who speaks of a run that isn't known here; now and then."""
        now = self._clock()
        self._asked = {pair: at for pair, at in self._asked.items() if at > now - ASK_S}
        if message.kind in (ASK, CANCEL) or (sender, message.key) in self._asked:
            return []
        self._asked[sender, message.key] = now
        head = {"plan": True, "missing": []}
        return [Outbound(sender, RunMessage(ASK, message.key, head), 10 * ASK_S)]

    def _tell(self, kind: str, plan: RunPlan, contents: tuple[bytes, ...] = ()) -> None:
        message = RunMessage(kind, plan.key, {}, contents)
        others = sorted({*plan.participants} - {self._own})
        self._send_what_goes(Outbound(name, message) for name in others)

    def _send(self, outbound: Iterable[Outbound]) -> None:
        for one in outbound:
            kind, body = one.message.kind, one.message.to_bytes()
            if kind == CONSENSUS and self._node.tell(one.receiver, kind, body):
                continue  # it is said again: who is connected gets it without a disk between
            self._node.send(one.receiver, kind, body, life_s=one.life_s)

    def _send_what_goes(self, outbound: Iterable[Outbound]) -> None:
        """Send; what can't be taken now is said again sooner or later."""
        for one in outbound:
            try:
                self._send([one])
            except FederationError as error:
                LOG.info("mesh: %s to %s: %s", one.message.kind, one.receiver, error)

    def _drive(self) -> None:
        told_at = -TOLD_S
        while not self._stopped.is_set():
            try:
                self._send_what_goes(self._driver.step())
                if self._clock() - told_at >= TOLD_S:
                    told_at = self._clock()
                    self._do_requests()
                    self._note_statuses()
            except Exception:
                LOG.exception("mesh: something of a run could not be done; it is tried again")
            self._wake.wait(LOOK_S)
            self._wake.clear()

    def _do_requests(self) -> None:
        for request in read_requests(self._home):
            try:
                if request.cancels:
                    self.cancel(request.key)
                else:
                    self.propose(request.run_config, lease_s=request.lease_s, key=request.key)
            except GleanError as error:
                LOG.warning("mesh: %s", error)
                home = run_home(self._home, request.key)
                if not request.cancels and read_status(home) is None:
                    note_status(home, RunStatus(request.key, REFUSED, reason=str(error)))
            request.path.unlink(missing_ok=True)

    def _note_statuses(self) -> None:
        for status in self.statuses():
            if self._statuses.get(status.key) != status:
                with suppress(OSError):
                    note_status(run_home(self._home, status.key), status)
                    self._statuses[status.key] = status
