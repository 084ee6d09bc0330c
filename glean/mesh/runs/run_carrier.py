"""The coordinator's side: what its ServerApp sends leaves once a majority has what led to it.

Before a message leaves, what has changed in the run's folder is a new version that a majority of
the participants has on disk. So whoever coordinates next knows of all that anybody heard of.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from glean.errors import FederationError, GleanError
from glean.mesh.runs.manifest import Manifest
from glean.mesh.runs.replica import StoredVersion
from glean.mesh.runs.run_end import RunEnd
from glean.mesh.runs.run_errors import LeaseLostError, LocalFailureError
from glean.mesh.runs.run_folder_reader import RunFolderReader, binds
from glean.mesh.runs.run_member import RunMember
from glean.mesh.runs.run_messages import RunMessage
from glean.mesh.runs.run_node import Outbound
from glean.mesh.runs.run_plan import RunPlan
from glean.mesh.runs.task_inbox import RunTask
from glean.runs.index import is_run

LOG = logging.getLogger(__name__)

TASK_S = 3600.0
"""So long a message to a client that is away is sent."""

_LOOK_S = 0.1

Send = Callable[[Iterable[Outbound]], None]


@dataclass(frozen=True)
class RunReply:
    """A reply that has come.

    Parameters
    ----------
    node : str
        Name of the member whom it comes from, already proved.
    message_id : str
        The reply's own id.
    reply_to : str
        Id of the message that it answers.
    body : bytes
        The reply.
    """

    node: str
    message_id: str
    reply_to: str
    body: bytes = field(repr=False)


class RunCarrier:
    """Carries messages of a ServerApp, for as long as this peer is the run's coordinator.

    All methods but `close` raise `LeaseLostError` once it isn't: another one may go on then.

    Parameters
    ----------
    member : RunMember
        The run.
    term : int
        The term that this peer is coordinator of.
    send : callable
        Sends messages; raises where one can't be taken.
    results : Path
        Folder for the run folder that the ServerApp makes, which makes no other there.
    resume : Path or None
        Folder of the run to go on with; None where it begins.
    """

    engine = "mesh"

    def __init__(
        self, member: RunMember, term: int, send: Send, *, results: Path, resume: Path | None
    ) -> None:
        self.plan: RunPlan = member.plan
        self.results, self.resume = results, resume
        self.term = term
        self.failure: LeaseLostError | LocalFailureError | None = None
        self._member, self._send = member, send
        self._announcement = b""
        self._reader: RunFolderReader | None = None
        self._sent: dict[str, str] = {}
        self._come: deque[RunReply] = deque()
        self._answered: set[tuple[str, str]] = set()
        self._ends = False
        self._commits = threading.Lock()
        self._committed: Manifest | None = None

    def began(self, folder: Path) -> None:
        """Say which folder the run has; without that it is the only run's folder in `results`."""
        self._reader = RunFolderReader(folder)

    def announce(self, run: bytes) -> None:
        """Note what goes to clients with each message."""
        self._check()
        self._announcement = run

    def present(self) -> list[str]:
        """Names of participants that host a client and were heard of of late."""
        self._check()
        with self._member.changed:
            return self._member.present()

    def send(self, node: str, message_id: str, body: bytes) -> None:
        """Send a message, on disk when this returns, once a majority has what led to it.

        Raises
        ------
        FederationError
            It can't be taken.
        """
        self._commit_changes()
        task = RunTask(self._member.own, self.term, message_id, self._announcement, body)
        with self._member.changed:
            self._check()
            self._sent[message_id] = node
            if node == self._member.own:
                self._locally(lambda: self._member.put_task(task))
                return
        self._send([Outbound(node, task.to_message(self.plan.key), TASK_S)])

    def receive(self, timeout_s: float) -> list[RunReply]:
        """Give replies that have come, each once; waits so long for the first."""
        deadline = time.monotonic() + timeout_s
        with self._member.changed:
            self._check()
            while not self._come and (left := deadline - time.monotonic()) > 0:
                self._member.changed.wait(min(left, _LOOK_S))
                self._check()
            found = list(self._come)
            self._come.clear()
        return found

    def end(self, reason: str) -> None:
        """Do nothing: the run ends for all once its last version is with a majority."""

    def close(self) -> None:
        """Do nothing: nothing is held."""

    def take(self, sender: str, message: RunMessage) -> None:
        """Take a reply, from a handler that has the member's lock.

        Raises
        ------
        FederationError
            It answers nothing that its sender was asked in this term.
        """
        reply_to, term = message.text("message"), message.number("term")
        if term != self.term:
            return
        if (reply_to, sender) in self._answered:
            return
        if self._sent.get(reply_to) != sender:
            raise FederationError(
                f"{message.kind}: {sender!r:.80} answered {reply_to!r:.80}, which it wasn't asked"
            )
        del self._sent[reply_to]
        self._answered.add((reply_to, sender))
        self._come.append(RunReply(sender, f"reply-{reply_to}", reply_to, message.content()))

    def commit_end(self, ended: RunEnd, folder: Path | None) -> None:
        """Have a majority store how the run ended; with the files of its folder, where it has one.

        Raises
        ------
        LeaseLostError
            This peer isn't coordinator any more: it may have ended so, or not.
        """
        self._ends = True
        if folder is not None:
            self.began(folder)
            manifest, contents = self._read(self._reader)
        else:
            with self._member.changed:
                manifest, contents = self._member.versions.stored.manifest, {}
        self._commit(manifest, contents, ended)

    def _commit_changes(self) -> None:
        with self._commits:
            reader = self._reader or self._found_folder()
            if reader is None:
                self._check()
                return
            manifest, contents = self._read(reader)
            if self._committed is None or binds(self._committed, manifest):
                self._commit(manifest, contents, None)
            self._check()

    def _found_folder(self) -> RunFolderReader | None:
        folders = sorted(self.results.glob("*/")) if self.results.is_dir() else []
        runs = [path for path in folders if is_run(path) and not path.is_symlink()]
        if runs:
            self.began(runs[-1])
        return self._reader

    def _read(self, reader: RunFolderReader | None) -> tuple[Manifest, dict[str, bytes]]:
        assert reader is not None, "no folder to read"
        with self._member.changed:
            had = self._member.versions.stored.manifest.digests
        try:
            return reader.read(had)
        except OSError as error:
            raise self._failed_here(error) from error
        except FederationError as error:  # it ends the run, not only a message to one client
            raise GleanError(str(error)) from error

    def _commit(self, manifest: Manifest, contents: dict[str, bytes], ended: RunEnd | None) -> None:
        member = self._member
        with member.changed:
            self._check()
            stored = StoredVersion(member.voter.next_version(), manifest, ended)
            outbound = self._locally(lambda: member.keep(stored, contents))
        for one in outbound:
            try:
                self._send([one])
            except FederationError as error:
                LOG.warning("mesh: %s isn't sent a version of the run: %s", one.receiver, error)
        with member.changed:
            while member.voter.committed < stored.version:
                self._check()
                member.changed.wait(_LOOK_S)
            self._check()
        self._committed = manifest

    def _check(self) -> None:
        with self._member.changed:
            if self.failure is None and not self._member.coordinates(self.term):
                self.failure = LeaseLostError(
                    f"run {self.plan.key}: this peer doesn't coordinate it any more (term "
                    f"{self.term}); whoever does goes on with it"
                )
            if self.failure is None and self._member.cancelled and not self._ends:
                self.failure = LeaseLostError(
                    f"run {self.plan.key}: {self.plan.proposer}, who proposed it, has cancelled it"
                )
        if self.failure is not None:
            raise self.failure

    def _locally(self, work: Callable[[], list[Outbound] | None]) -> list[Outbound]:
        try:
            return work() or []
        except OSError as error:
            raise self._failed_here(error) from error

    def _failed_here(self, error: OSError) -> LocalFailureError:
        self.failure = LocalFailureError(f"this machine can't go on with the run: {error}")
        return self.failure
