"""Runs go to the registry: one, or all of a folder, as far as the registry takes them.

What is asked for and what comes of it are plain values: it is done in a process of its own, so that
no run and no service waits for a registry.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glean.errors import GleanError
from glean.registry.model_uri import DEFAULT_NAME
from glean.registry.production_alias import ProductionLook, follow_production
from glean.registry.progress_file import send_lock
from glean.registry.registry_address import RegistryDownError
from glean.registry.server_answers import without_secrets
from glean.registry.system_metrics import take_sample
from glean.registry.tracking_server import TrackingServer
from glean.runs.folder import utc_now
from glean.runs.index import read_run

LOG = logging.getLogger("glean")


@dataclass(frozen=True)
class Registry:
    """Which registry, and by which name models are registered there.

    Parameters
    ----------
    address : str
        MLflow's tracking URI.
    model : str
        Name of the registered model.
    """

    address: str
    model: str = DEFAULT_NAME


@dataclass(frozen=True)
class Sent:
    """What became of runs that were to be sent.

    Parameters
    ----------
    done : tuple of str
        Names of the folders of which the registry has all that there will be.
    refused : tuple of (str, str)
        Name of a folder, and why the registry won't have it or it can't be read.
    down : str
        Why the registry can't be reached; "" where it can.
    """

    done: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    down: str = ""


def send_runs(folders: Sequence[Path], registry: Registry, limit_s: float = math.inf) -> Sent:
    """Send what the registry hasn't of runs, in the order given; ends where it can't be reached.

    What goes wrong with one run leaves the others.

    Parameters
    ----------
    folders : sequence of Path
        Folders of runs.
    registry : Registry
        Where to.
    limit_s : float
        After how long no further run is begun with.

    Raises
    ------
    GleanError
        MLflow's client isn't installed.
    """
    # Here, since a service that only names this function does without pandas and its memory.
    from glean.registry.run_sender import RunSender

    server = TrackingServer(registry.address)
    done: list[str] = []
    refused: list[tuple[str, str]] = []
    _take_samples(folders)
    until = time.monotonic() + limit_s
    for number, folder in enumerate(folders):
        if number and time.monotonic() > until:
            break
        try:
            with send_lock(folder) as mine:
                if mine and RunSender(server, folder, model=registry.model).send():
                    done.append(folder.name)
        except RegistryDownError as error:
            return Sent(tuple(done), tuple(refused), down=str(error))
        except (GleanError, OSError) as error:
            refused.append((folder.name, str(error)))
        except Exception as error:  # noqa: BLE001 # a traceback would have the registry's address
            # Of MLflow's own, or of a record that another program has written.
            said = without_secrets(str(error)).splitlines() or [""]
            refused.append((folder.name, f"{type(error).__name__}: {said[0]:.200}"))
    return Sent(tuple(done), tuple(refused))


def _take_samples(folders: Sequence[Path]) -> None:
    """Look at the processes of all that go on, also where the registry takes nothing."""
    for folder in folders:
        try:
            take_sample(read_run(folder), utc_now())
        except (GleanError, OSError) as error:
            LOG.debug("%s isn't looked at: %s", folder, error)


def look_at_production(registry: Registry, here: str, agreed: str) -> ProductionLook:
    """Compare the alias `production` with the control room; raises as `follow_production`."""
    return follow_production(
        TrackingServer(registry.address), registry.model, here=here, agreed=agreed
    )
