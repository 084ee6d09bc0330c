"""What `glean serve` is told, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from glean.broker.broker_url import BrokerUrl
from glean.registry.model_uri import DEFAULT_NAME

DEFAULT_PORT = 8700
DEFAULT_HOST = "127.0.0.1"
MOST_RUNS_AT_ONCE = 1
"""A run uses all cores of a laptop."""

MISSING_DAYS = 3
"""A weekend with a holiday passes without an alert."""

MEGABYTE = 2**20


@dataclass(frozen=True)
class ServiceSettings:
    """How a service is set up.

    Parameters
    ----------
    results : Path
        Absolute folder of the run folders; what the service itself keeps lies in it, hidden.
    database : str
        SQLAlchemy's URL of the database; "" is a SQLite file beside the results.
    runs_at_once : int
        How many runs the service itself has go on at the same time; others wait. With 0 workers
        run the simulations.
    longest_queue : int
        How many may wait; more are refused until one has begun.
    upload_mb : int
        Largest upload, MB.
    webhooks : tuple of str
        Addresses that are told when a run fails or a bakery stays away.
    missing_days : int
        Days after which a bakery that is asked for and doesn't come is said to stay away.
    federation : Path, optional
        Folder of the federation that it serves (`glean.federation_folder`); None where
        bakeries reach their SuperLink by other ways.
    storage : str
        URL of the store that runs and tables are sent to; "" is none.
    upload : str
        When runs are sent there: after each "run", or after each "checkpoint" too.
    secure_cookies : bool
        Whether browsers reach it by HTTPS only: cookies are sent by nothing else then.
    registry : str
        MLflow's tracking URI, where runs and models go; "" for none.
    registered_model : str
        Name of the model there whose versions runs make.
    mesh : Path, optional
        Home of the peer whose mesh it shows; None where there is none.
    broker : BrokerUrl, optional
        The RabbitMQ that workers hear of runs from, and others of events; None where there is none.
    """

    results: Path
    database: str = ""
    runs_at_once: int = MOST_RUNS_AT_ONCE
    longest_queue: int = 100
    upload_mb: int = 200
    webhooks: tuple[str, ...] = ()
    missing_days: int = MISSING_DAYS
    federation: Path | None = None
    storage: str = ""
    upload: Literal["run", "checkpoint"] = "run"
    secure_cookies: bool = False
    registry: str = ""
    registered_model: str = DEFAULT_NAME
    mesh: Path | None = None
    broker: BrokerUrl | None = None

    @property
    def home(self) -> Path:
        """Folder of what the service keeps."""
        return self.results / ".service"

    @property
    def requests(self) -> Path:
        """Folder of the requests for runs."""
        return self.home / "requests"

    @property
    def datasets(self) -> Path:
        """Folder of the uploaded tables."""
        return self.home / "datasets"

    @property
    def id_file(self) -> Path:
        """File with the service's id, which stands in its database too."""
        return self.home / "service-id"

    @property
    def database_url(self) -> str:
        """SQLAlchemy's URL of the database."""
        return self.database or f"sqlite:///{self.home / 'service.db'}"
