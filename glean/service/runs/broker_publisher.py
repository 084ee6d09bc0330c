"""The service's thread that speaks to the broker, and says how it stands with it."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from glean.broker.broker_url import BrokerUrl
from glean.broker.connection import BrokerConnection, BrokerError
from glean.broker.publisher import Publisher
from glean.observability.health import HealthChecks
from glean.service.runs.broker_outbox import BrokerOutbox
from glean.service.runs.event_collection import EventCollector
from glean.service.settings import ServiceSettings
from glean.service.store.database import Database, reason_of

LOG = logging.getLogger("glean.service")

EVERY_S = 0.5
"""How soon an event goes out after it happened; heartbeats are answered as often."""

ENDING_S = 5.0
PRUNED_EVERY_S = 3600.0


class BrokerPublisher:
    """Keeps the broker up to what is in the database.

    Parameters
    ----------
    database : Database
        Where runs and events are.
    results : Path
        Folder of the run folders.
    url : BrokerUrl
        Where the broker is; it may be away.

    Raises
    ------
    GleanError
        The package that speaks to a broker isn't installed, or the URL's options can't be read.
    """

    def __init__(self, database: Database, results: Path, url: BrokerUrl) -> None:
        self._publisher = Publisher(BrokerConnection(url))
        self._outbox = BrokerOutbox(database, self._publisher)
        self._collector = EventCollector(database, results)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, name="broker", daemon=True)
        self._said = ""
        self._pruned_at = -PRUNED_EVERY_S

    def check(self) -> str:
        """Say why the broker gets nothing; "" where it does."""
        return self._publisher.problem

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what wasn't confirmed is sent after the next start."""
        self._end.set()
        if self._thread.is_alive():
            # A broker that says nothing is waited for longer than whoever ends a service waits.
            self._thread.join(ENDING_S)

    def look(self) -> None:
        """Collect what happened and send what waits.

        Raises
        ------
        BrokerError, SQLAlchemyError, OSError
            It can't be sent, or read: the next look goes on with it.
        """
        try:
            self._collector.collect()
        finally:
            self._send()  # what can't be read of one run holds up no other

    def _send(self) -> None:
        while self._outbox.send_waiting() and not self._end.is_set():
            continue
        self._publisher.keep_alive()
        if time.monotonic() - self._pruned_at > PRUNED_EVERY_S:
            self._outbox.prune()
            self._pruned_at = time.monotonic()

    def _look(self) -> None:
        while not self._end.wait(EVERY_S):
            self._look_once()
        self._publisher.close()

    def _look_once(self) -> None:
        try:
            self.look()
        except BrokerError as error:
            self._warn_once(f"what the broker shall get waits: {error}")
        except SQLAlchemyError as error:
            self._warn_once(f"what the broker shall get can't be read: {reason_of(error)}")
        except OSError as error:
            self._warn_once(f"events of runs can't be read: {error}")
        except Exception as error:  # noqa: BLE001 # the thread must not end
            self._warn_once(f"a look at what the broker shall get failed: {error!r}", error)
        else:
            if self._said:
                LOG.info("the broker gets everything again")
            self._said = ""

    def _warn_once(self, text: str, unexpected: Exception | None = None) -> None:
        """Say once what goes wrong again and again, whatever the reason's words."""
        what, _, _ = text.partition(":")
        if what != self._said:
            LOG.warning("%s", text, exc_info=unexpected)
        self._said = what


def broker_publisher(
    database: Database, settings: ServiceSettings, health: HealthChecks
) -> BrokerPublisher | None:
    """Make what speaks to a service's broker, None without one.

    Parameters
    ----------
    database : Database
        Where runs and events are.
    settings : ServiceSettings
        Of the service.
    health : HealthChecks
        Told how to find out whether the broker is there.
    """
    if settings.broker is None:
        return None
    found = BrokerPublisher(database, settings.results, settings.broker)
    health.add("broker", found.check)
    return found
