"""A hosted client for each run that goes on, and the reply to each message of such a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from flwr.clientapp import ClientApp

from glean.errors import ModelError, RefusalError
from glean.federation.grids.client_store import MOST_RUNS, ClientStore
from glean.federation.grids.hosted_client import HomeUndo, HostedClient
from glean.federation.grids.message_codec import decode_message
from glean.federation.grids.run_announcement import RunAnnouncement
from glean.federation.node.fleet import RunFacts
from glean.federation.node.release_check import InstalledApp
from glean.settings import ConfigValue

LOG = logging.getLogger("glean")


class HostedRuns:
    """Hosts one client of each run.

    Parameters
    ----------
    client_app : ClientApp
        The app that plays the client, of what is installed here.
    installed : InstalledApp
        Which that is; runs of anything else are refused.
    name : str
        The client's name in the federation.
    node_config : mapping
        The client's own.
    store : ClientStore
        What outlives this process.
    undo : HomeUndo, optional
        What in its home has to be put back after a kill.
    forget : callable
        Lets go of all data that the app has opened: a new run reads the client's table anew.
    turn : context manager, optional
        Had while a client answers: a `TurnLock` where others speak in this process, too.
    """

    def __init__(
        self,
        client_app: ClientApp,
        installed: InstalledApp,
        *,
        name: str,
        node_config: Mapping[str, ConfigValue],
        store: ClientStore,
        undo: HomeUndo | None = None,
        forget: Callable[[], None] = lambda: None,
        turn: AbstractContextManager[object] | None = None,
    ) -> None:
        self._app = client_app
        self._installed = installed
        self._name = name
        self._node_config = node_config
        self._store = store
        self._undo = undo
        self._forget = forget
        self._turn = nullcontext() if turn is None else turn
        self._clients: dict[int, HostedClient] = {}

    @property
    def name(self) -> str:
        """The client's name in the federation."""
        return self._name

    @property
    def home(self) -> Path | None:
        """The client's own folder; None where it has none."""
        home = self._node_config.get("home")
        return Path(str(home)) if home else None

    @property
    def runs(self) -> tuple[int, ...]:
        """Runs that are kept in memory, the oldest first."""
        return tuple(self._clients)

    def answer(self, run: RunAnnouncement, message_id: str, body: bytes) -> tuple[bytes, str]:
        """Give the reply to a message of a run, and why it is a refusal, "" where it is none.

        Raises
        ------
        FederationError
            What has to be kept can't be; nothing may leave then.
        """
        with self._turn:
            return self._answer(run, message_id, body)

    def has_answered(self, run_id: int, kind: str) -> bool:
        """Whether a message of a kind, like "evaluate.test", was answered, and not by an error."""
        return any(_is_answer(reply, kind) for reply in self._store.replies(run_id))

    def forget(self, run_id: int, message_id: str) -> None:
        """Forget a reply that was never given out: its message may be answered anew."""
        self._store.forget(run_id, message_id)

    def drop(self, run_id: int) -> None:
        """Let go of a run that has ended, and of what was opened for it."""
        if self._clients.pop(run_id, None) is not None and not self._clients:
            self._forget()

    def _answer(self, run: RunAnnouncement, message_id: str, body: bytes) -> tuple[bytes, str]:
        client = self._clients.get(run.run_id)
        if client is None:
            client = self._hosted(run)
            try:
                self._installed.check(RunFacts(run.run_id, run.app, run.release, run.run_config))
            except RefusalError as error:
                LOG.warning("refused (%s): %s", error.kind, error)
                words = f"the node refuses: {error.kind}; its own log says more"
                return client.refusal(body, words), str(error)
            self._begin(run.run_id, client)
        return client.answer(message_id, body), ""

    def _hosted(self, run: RunAnnouncement) -> HostedClient:
        return HostedClient(
            self._app, self._node_config, run, self._store, name=self._name, undo=self._undo
        )

    def _begin(self, run_id: int, client: HostedClient) -> None:
        self._forget()
        for oldest in self.runs[: len(self._clients) + 1 - MOST_RUNS]:
            self.drop(oldest)
        self._clients[run_id] = client


def _is_answer(reply: bytes, kind: str) -> bool:
    try:
        message = decode_message(reply)
    except ModelError:
        return False
    return message.has_content() and message.metadata.message_type == kind
