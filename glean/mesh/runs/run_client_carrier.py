"""A client's side: what coordinators send to this peer's client, and its replies.

A task is given again and again until its reply is on disk. Those of coordinators that are none any
more aren't given at all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from glean.mesh.runs.run_carrier import Send
from glean.mesh.runs.run_member import RunMember

HOSTS_S = 15.0
"""A client whose heartbeat was given longer ago isn't said to be here."""

_LOOK_S = 0.1


class RunClientCarrier:
    """Carries messages between coordinators and this peer's client.

    Parameters
    ----------
    active : callable
        Gives the run whose tasks this peer does now; None where there is none.
    send : callable
        Sends messages; raises where one can't be taken.
    clock : callable
        Gives seconds that never go back.
    """

    problem = ""

    def __init__(
        self,
        active: Callable[[], RunMember | None],
        send: Send,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._active, self._send, self._clock = active, send, clock
        self._heard_at = clock()
        self._closed = threading.Event()

    @property
    def hosts(self) -> bool:
        """Whether a client is here."""
        return not self._closed.is_set() and self._clock() - self._heard_at < HOSTS_S

    def runs(self) -> list[bytes]:
        """Give the announcement of the run that goes on, where its coordinator has sent any."""
        member = self._active()
        if member is None:
            return []
        with member.changed:
            return [member.announcement[1]] if member.announcement[1] else []

    def receive(self, timeout_s: float) -> list[tuple[int, str, bytes]]:
        """Give the oldest message that isn't answered; waits so long for one."""
        deadline = time.monotonic() + timeout_s
        while True:
            left = deadline - time.monotonic()
            member = self._active()
            if member is None:
                self._closed.wait(max(0.0, min(left, _LOOK_S)))
            else:
                with member.changed:
                    task = member.waiting_task()
                    if task is not None:
                        return [(task.run_id, task.message_id, task.body)]
                    if left > 0:
                        member.changed.wait(min(left, _LOOK_S))
            if left <= 0:
                return []

    def reply(self, run_id: int, message_id: str, body: bytes) -> None:
        """Send a reply; on disk when this returns. One to a coordinator of before is left out."""
        member = self._active()
        if member is None:
            return
        with member.changed:
            task = member.tasks.get(message_id)
            if task is None or task.run_id != run_id:
                return
            outbound = member.answered(task, body)
        self._send(outbound)
        with member.changed:
            member.tasks.done(message_id)

    def heartbeat(self) -> None:
        """Say that this client is here."""
        self._heard_at = self._clock()

    def close(self) -> None:
        """Say that it isn't here any more; what wasn't answered waits for the next one."""
        self._closed.set()
