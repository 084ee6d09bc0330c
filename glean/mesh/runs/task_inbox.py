"""Messages of a run to this peer's client: on disk until they are answered, or out of date."""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

from glean.errors import FederationError
from glean.mesh.runs.run_messages import TASK, RunMessage
from glean.runs.folder import write_whole
from glean.runs.run_number import run_number

LOG = logging.getLogger(__name__)

MOST_TASKS = 1000
MOST_ANNOUNCEMENT_BYTES = 2**18

_CLOSED = 0o700
_PARTS = 2


@dataclass(frozen=True)
class RunTask:
    """A message to a client.

    Parameters
    ----------
    sender : str
        The coordinator that it is from.
    term : int
        Of that one's.
    message_id : str
        Its id.
    announcement : bytes
        What the coordinator's ServerApp has announced.
    body : bytes
        The message.
    """

    sender: str
    term: int
    message_id: str
    announcement: bytes = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def run_id(self) -> int:
        """Number of the ServerApp's run."""
        return run_number(self.announcement)

    def to_message(self, key: str) -> RunMessage:
        """Write it for its way to the participant."""
        head = {"term": self.term, "message": self.message_id}
        return RunMessage(TASK, key, head, (self.announcement, self.body))

    @classmethod
    def of(cls, sender: str, message: RunMessage) -> RunTask:
        """Read what `to_message` wrote.

        Raises
        ------
        FederationError
            It is something else.
        """
        announcement = message.content(0, of=_PARTS)
        if len(announcement) > MOST_ANNOUNCEMENT_BYTES:
            raise FederationError(f"{TASK}: found an announcement of {len(announcement):,} bytes")
        run_number(announcement)
        return cls(
            sender,
            message.number("term"),
            message.text("message"),
            announcement,
            message.content(1, of=_PARTS),
        )


class TaskInbox:
    """The tasks; of one thread at a time.

    Parameters
    ----------
    folder : Path
        Where they lie; made where there is none.
    key : str
        The run's.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._folder, self._key = folder, key
        folder.mkdir(mode=_CLOSED, parents=True, exist_ok=True)
        self._tasks: dict[str, tuple[Path, RunTask]] = {}
        for path in sorted(folder.glob("*.task")):
            self._load(path)

    def put(self, task: RunTask) -> None:
        """Keep a task; it is on disk when this returns. One that is here stays as it is.

        Raises
        ------
        FederationError
            There are too many.
        OSError
            There is no room.
        """
        if task.message_id in self._tasks:
            return
        if len(self._tasks) >= MOST_TASKS:
            raise FederationError(
                f"a message of {task.sender} to this peer's client: found {MOST_TASKS} that wait; "
                "wanted fewer"
            )
        digest = hashlib.sha256(task.message_id.encode()).hexdigest()[:16]
        path = self._folder / f"{time.time_ns():020d}-{digest}.task"
        head = {"term": task.term, "message": task.message_id, "sender": task.sender}
        kept = RunMessage(TASK, self._key, head, (task.announcement, task.body))
        write_whole(path, kept.to_bytes())
        self._tasks[task.message_id] = path, task

    def first(self, term: int) -> RunTask | None:
        """Give the oldest task of a term."""
        return next((task for _, task in self._tasks.values() if task.term == term), None)

    def get(self, message_id: str) -> RunTask | None:
        """Give a task by its id."""
        found = self._tasks.get(message_id)
        return found[1] if found else None

    def done(self, message_id: str) -> None:
        """Forget a task that was answered."""
        found = self._tasks.pop(message_id, None)
        if found:
            found[0].unlink(missing_ok=True)

    def forget_before(self, term: int) -> None:
        """Forget tasks of earlier terms, whose coordinators don't coordinate any more."""
        for message_id in [i for i, (_, task) in self._tasks.items() if task.term < term]:
            self.done(message_id)

    def _load(self, path: Path) -> None:
        try:
            message = RunMessage.from_bytes(TASK, path.read_bytes())
            task = RunTask.of(message.text("sender"), message)
        except (OSError, FederationError) as error:
            LOG.warning("mesh: %s can't be read, and is left: %s", path, error)
            path.unlink(missing_ok=True)
            return
        self._tasks[task.message_id] = path, task
