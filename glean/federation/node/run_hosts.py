"""A client for each run that goes on: the installed ClientApp, with its data kept in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flwr.clientapp import ClientApp

from glean.federation.grids.client_host import ClientHost
from glean.federation.node.fleet import RunFacts
from glean.federation.node.release_check import InstalledApp
from glean.settings import ConfigValue

MOST_RUNS = 4
"""Runs that are kept beside each other; a bakery is in one, or in two while one is followed up."""


class RunHosts:
    """Hosts of clients, one a run.

    Parameters
    ----------
    client_app : ClientApp
        The app that plays the client, of what is installed here.
    installed : InstalledApp
        Which that is; runs of anything else are refused.
    node_config : mapping
        The bakery's own.
    run_config : mapping
        The installed app's defaults, which a run may override.
    forget : callable
        Lets go of all data that the app has opened: a new run reads the bakery's table anew.
    refresh : callable
        Brings what the bakery knows of the other members up to date; at the beginning of a run, and
        whenever keys are agreed on.
    """

    def __init__(
        self,
        client_app: ClientApp,
        installed: InstalledApp,
        *,
        node_config: Mapping[str, ConfigValue],
        run_config: Mapping[str, ConfigValue],
        forget: Callable[[], None],
        refresh: Callable[[], None] = lambda: None,
    ) -> None:
        self._app = client_app
        self._installed = installed
        self._node_config = node_config
        self._run_config = run_config
        self._forget = forget
        self.refresh = refresh
        self._hosts: dict[int, ClientHost] = {}

    @property
    def runs(self) -> tuple[int, ...]:
        """Runs that are kept, the oldest first."""
        return tuple(self._hosts)

    def host(self, run_id: int, node_id: int, facts: Callable[[], RunFacts]) -> ClientHost:
        """Give the client of a run; asks which run that is, once, before anything is done for it.

        Raises
        ------
        RefusalError
            It is a run of something else than what is installed here, or the server shows other
            members than before.
        """
        if run_id not in self._hosts:
            found = facts()
            self._installed.check(found)
            self.refresh()
            self._forget()
            for oldest in self.runs[: len(self._hosts) + 1 - MOST_RUNS]:
                self.drop(oldest)
            self._hosts[run_id] = ClientHost(
                self._app,
                run_id=run_id,
                node_id=node_id,
                node_config=self._node_config,
                run_config={**self._run_config, **found.overrides},
            )
        return self._hosts[run_id]

    def drop(self, run_id: int) -> None:
        """Forget a run that has ended, and what was opened for it."""
        if self._hosts.pop(run_id, None) is not None and not self._hosts:
            self._forget()
