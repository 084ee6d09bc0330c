"""A carrier in this process: queues, with each client in a thread that may be killed.

A client answers only while the server waits for replies, since Flower has one identity for a whole
process; unless all of them take turns by themselves. What it was sent stays there until it is
answered, as a carrier's outbox keeps it.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from glean.federation.grids.carrier import Asked, Received
from glean.federation.node.carried_client import CarriedClient

DEADLINE_S = 120.0


class Killed(BaseException):
    """A client's process was killed."""


class MemoryRoad:
    """What lies between a server and its clients.

    Parameters
    ----------
    names : sequence of str
        Names of the members.
    in_step : bool
        Whether clients answer only while the server waits for all replies.

    Attributes
    ----------
    replies : dict of str to list of bytes
        Message id -> every reply that its client sent.
    """

    def __init__(self, names: list[str], *, in_step: bool = True) -> None:
        self.names = names
        self.in_step = in_step
        self.run: bytes | None = None
        self.ended = ""
        self.replies: dict[str, list[bytes]] = {}
        self.changed = threading.Condition()
        self.asked: dict[str, dict[str, tuple[int, bytes]]] = {name: {} for name in names}
        self.answered: list[Received] = []
        self.server_waits = False
        self.failure: BaseException | None = None


class MemoryCarrier:
    """The server's side."""

    engine = "memory"

    def __init__(self, road: MemoryRoad, run_id: int) -> None:
        self._road = road
        self._run_id = run_id

    def announce(self, run: bytes) -> None:
        """Tell of a run."""
        self._road.run = run

    def present(self) -> list[str]:
        """All members."""
        return list(self._road.names)

    def send(self, node: str, message_id: str, body: bytes) -> None:
        """Put a message where its client finds it."""
        with self._road.changed:
            self._road.asked[node][message_id] = self._run_id, body

    def receive(self, timeout_s: float) -> list[Received]:
        """Let the clients answer all that was sent, and give the replies."""
        road, deadline = self._road, time.monotonic() + DEADLINE_S
        with road.changed:
            if not road.in_step:
                road.changed.wait_for(lambda: road.answered or road.failure, timeout_s)
                return self._found()
            road.server_waits = True
            road.changed.notify_all()
            while any(road.asked.values()) and road.failure is None:
                assert time.monotonic() < deadline, "the clients don't answer"
                road.changed.wait(1.0)
            road.server_waits = False
            return self._found()

    def _found(self) -> list[Received]:
        found, self._road.answered = self._road.answered, []
        if self._road.failure is not None:
            raise self._road.failure
        return found

    def end(self, reason: str) -> None:
        """Note how the run ended."""
        self._road.run, self._road.ended = None, reason

    def close(self) -> None:
        """Do nothing."""


class MemoryClientCarrier:
    """A client's side.

    Parameters
    ----------
    road : MemoryRoad
        What lies between.
    name : str
        The client.
    before_reply : callable
        Called with a message's id once its reply is to be sent; may raise `Killed`.
    """

    def __init__(
        self, road: MemoryRoad, name: str, before_reply: Callable[[str], None] = lambda _id: None
    ) -> None:
        self._road = road
        self._name = name
        self._before_reply = before_reply

    @property
    def problem(self) -> str:
        """None: nothing lies between."""
        return ""

    def runs(self) -> list[bytes]:
        """Give the run that goes on."""
        return [self._road.run] if self._road.run is not None else []

    def receive(self, timeout_s: float) -> list[Asked]:
        """Give the first message that isn't answered, once the server waits."""
        road = self._road
        with road.changed:
            if not (road.server_waits and road.asked[self._name]):
                road.changed.wait(min(timeout_s, 0.05))
            if road.in_step and not road.server_waits:
                return []
            waiting = road.asked[self._name].items()
            return [(run, number, body) for number, (run, body) in list(waiting)[:1]]

    def reply(self, run_id: int, message_id: str, body: bytes) -> None:
        """Send a reply, which is what a message is kept for."""
        del run_id
        self._before_reply(message_id)
        with self._road.changed:
            self._road.replies.setdefault(message_id, []).append(body)
            del self._road.asked[self._name][message_id]
            self._road.answered.append(Received(self._name, uuid.uuid4().hex, message_id, body))
            self._road.changed.notify_all()

    def heartbeat(self) -> None:
        """Do nothing: members of this road are always there."""

    def close(self) -> None:
        """Do nothing."""


Opened = tuple[CarriedClient, Callable[[], None]]
"""A client's process, and what is left to do once it has gone."""


@contextmanager
def clients_at_work(road: MemoryRoad, open_client: Callable[[str], Opened]) -> Iterator[None]:
    """Have all clients answer, each in a thread of its own, while the body goes on.

    Parameters
    ----------
    road : MemoryRoad
        The road.
    open_client : callable
        Opens a client by its name, at the beginning and each time that it was killed.
    """
    stop = threading.Event()

    def serve(name: str) -> None:
        try:
            while not stop.is_set():
                client, close = open_client(name)
                try:
                    while not stop.is_set():
                        client.step()
                except Killed:
                    pass
                finally:
                    close()
        except BaseException as error:  # noqa: BLE001 - the test fails with it
            with road.changed:
                road.failure = error
                road.changed.notify_all()

    threads = [threading.Thread(target=serve, args=(name,), daemon=True) for name in road.names]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(DEADLINE_S)
