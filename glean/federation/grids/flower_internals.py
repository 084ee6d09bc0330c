"""What a grid needs and Flower has no public way to: who speaks, what a run is, a message's id.

Every private import of Flower that a grid needs stands here, or in `message_codec.py`;
`tests/federation/grids/test_inprocess.py` runs them against the installed version.

Flower keeps the identity of whoever makes a message once for the whole process. Two runs in one
process would therefore exchange their ids in silence: the second is refused while the first goes
on.
"""

from __future__ import annotations

import functools
import inspect
import sys
import threading
import time
import uuid
from contextlib import AbstractContextManager
from typing import Any

from flwr.app import Message, Metadata, RecordDict
from flwr.supercore.inflatable.inflatable_utils import pull_objects
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from glean.errors import FederationError

__all__ = [
    "Run",
    "empty_run",
    "identity",
    "lent_message",
    "like_message",
    "look_often",
    "number_message",
    "reply_message",
]

LOOKS_S = {"initial_backoff": 0.03, "backoff_cap": 1.0}
"""Pauses between looks for content that isn't there yet: the first, and the longest."""


SHORTEST_WAIT_S = 0.01
"""Between two looks for messages to be handed to Ray."""

_WAITS_FOR_WORK = 4

_SIMULATION = "flwr.server.superlink.fleet.vce.vce_api"
_HAND_OVER = "add_messages_to_queue"


class _RunOfProcess:
    """The run that has this process to itself, and how many parts of it are at work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._run_id: int | None = None
        self._parts = 0

    def take(self, run_id: int) -> None:
        """Keep the process for a run; the same run may come in again."""
        with self._lock:
            if self._run_id not in (None, run_id):
                raise FederationError(
                    f"found run {self._run_id} at work in this process; wanted no other beside run "
                    f"{run_id}, since Flower has one identity for a whole process and two runs "
                    "would mix their messages. Start it as a process of its own, or after the end "
                    "of the other"
                )
            self._run_id = run_id
            self._parts += 1

    def leave(self) -> None:
        """Give the process back, once all parts of the run have."""
        with self._lock:
            self._parts -= 1
            if not self._parts:
                self._run_id = None


_PROCESS = _RunOfProcess()


class identity(AbstractContextManager[None]):  # noqa: N801 - called like a function
    """Be a node of a run, so that messages can be made, for the time of a `with`.

    Every message in this process comes with one, so it is no generator.

    Parameters
    ----------
    run_id, node_id : int
        The run and the node.

    Raises
    ------
    FederationError
        Another run is at work in this process, when the `with` begins.
    """

    def __init__(self, run_id: int, node_id: int) -> None:
        self._is = run_id, node_id

    def __enter__(self) -> None:
        run_id, node_id = self._is
        _PROCESS.take(run_id)
        # Read past its properties, which refuse to say that nothing is set.
        self._before = (TaskIdentity._run_id, TaskIdentity._node_id, TaskIdentity._task_id)  # noqa: SLF001
        TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = run_id, node_id, 1

    def __exit__(self, *error: object) -> None:
        TaskIdentity._run_id, TaskIdentity._node_id, TaskIdentity._task_id = self._before  # noqa: SLF001
        _PROCESS.leave()


def empty_run(run_id: int) -> Run:
    """Describe a run of which nothing but its number is known."""
    return Run.create_empty(run_id)


def look_often() -> None:
    """Have this process's Flower grid look again soon for a reply's content that isn't there yet.

    A SuperLink shows a reply before its content is stored. Flower's grid waits for a second then,
    which is longer than all else in an exchange, and takes no word on it: the default of the
    function that it calls is exchanged. A Flower without such a default is left as it is.
    """
    defaults = pull_objects.__kwdefaults__ or {}
    defaults.update({name: pause for name, pause in LOOKS_S.items() if name in defaults})
    _hand_over_often()


class _Hurried:
    """An event whose waits are short where little was done between them.

    Parameters
    ----------
    event : Event
        The event.
    """

    def __init__(self, event: threading.Event) -> None:
        self._event = event
        self._woke = time.monotonic()

    def is_set(self) -> bool:
        return self._event.is_set()

    def wait(self, timeout: float) -> bool:
        busy_s = time.monotonic() - self._woke
        found = self._event.wait(min(timeout, max(SHORTEST_WAIT_S, _WAITS_FOR_WORK * busy_s)))
        self._woke = time.monotonic()
        return found


def _hand_over_often() -> None:
    """Have a simulation's messages handed to Ray soon after the ServerApp has sent them.

    Flower looks for them ten times a second, and an exchange of a small federation takes less than
    such a wait. Of many bakeries looking takes long: of the time it gets a fifth at most, as far as
    Flower's own wait allows. Outside of a simulation's process, or in a Flower that does it another
    way, nothing is changed.
    """
    simulation = sys.modules.get(_SIMULATION)
    original = getattr(simulation, _HAND_OVER, None)
    if original is None or "f_stop" not in inspect.signature(original).parameters:
        return

    @functools.wraps(original)
    def hurried(*given: Any, **named: Any) -> None:
        told = inspect.signature(original).bind(*given, **named)
        told.arguments["f_stop"] = _Hurried(told.arguments["f_stop"])
        original(*told.args, **told.kwargs)

    setattr(simulation, _HAND_OVER, hurried)


def lent_message(message: Message, content: RecordDict) -> Message:
    """Give the same message with other content: what `copy.copy` makes, in a third of its time."""
    lent = Message.__new__(Message)
    vars(lent).update(vars(message), _content=content)
    return lent


def like_message(message: Message, content: RecordDict, node: int) -> Message:
    """Give the same message to another node, with other content, before it is sent.

    What Flower's constructor makes, which checks each time what it was given.
    """
    metadata = Metadata.__new__(Metadata)
    vars(metadata).update(vars(message.metadata), _dst_node_id=node)
    like = lent_message(message, content)
    vars(like)["_metadata"] = metadata
    return like


def reply_message(content: RecordDict, message: Message) -> Message:
    """Answer a message: what Flower's constructor makes of these two and no other argument."""
    asked = vars(message.metadata)
    moment = time.time()
    metadata = Metadata.__new__(Metadata)
    vars(metadata).update(
        asked,
        _message_id="",
        _src_node_id=asked["_dst_node_id"],
        _dst_node_id=asked["_src_node_id"],
        _src_task_id=asked["_dst_task_id"],
        _dst_task_id=asked["_src_task_id"],
        _reply_to_message_id=asked["_message_id"],
        _created_at=moment,
        _ttl=asked["_created_at"] + asked["_ttl"] - moment,
        _delivered_at="",
    )
    reply = lent_message(message, content)
    vars(reply)["_metadata"] = metadata
    return reply


def number_message(message: Message, message_id: str = "") -> str:
    """Give a message that is sent an id, which its reply will name; by default a fresh one."""
    message_id = message_id or uuid.uuid4().hex
    # Flower has no setter; it writes the metadata's dict too.
    vars(message.metadata)["_message_id"] = message_id
    return message_id
