"""An MLflow server, as far as Glean asks anything of it; nothing else speaks to MLflow.

Each request is made once. Whether one was heard that had no answer, only looking tells: all that is
made there can be found again by the tag `glean.run_id`.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glean.installed_packages import check_installed
from glean.registry.registry_address import RegistryRefusedError, UnknownToRegistryError
from glean.registry.server_answers import answers_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

RUN_TAG = "glean.run_id"
"""Tag of a run and of a version: the id by which Flower knows the run."""

MOST_METRICS = 900
"""A request to MLflow may have 1,000."""

MOST_FOUND = 100

_ENVIRONMENT = {
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    # Asked once: whoever asks looks first what the last request did, and comes again later.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


@dataclass(frozen=True)
class SentMetric:
    """A number of a run.

    Parameters
    ----------
    name : str
        What it is.
    value : float
        Finite.
    at_ms : int
        When it came to be, ms since 1970.
    step : int
        Round, or number of the sample.
    """

    name: str
    value: float
    at_ms: int
    step: int


@dataclass(frozen=True)
class FoundVersion:
    """A version of a registered model.

    Parameters
    ----------
    number : int
        Its number.
    run_id : str
        Glean's run that made it; "" where no run of Glean's did.
    """

    number: int
    run_id: str


class TrackingServer:
    """A server, by its address.

    Parameters
    ----------
    address : str
        MLflow's tracking URI.
    client : MlflowClient, optional
        Speaks to it; by default MLflow's own.
    """

    def __init__(self, address: str, client: MlflowClient | Any = None) -> None:
        self.address = address
        self._client = client if client is not None else _client_of(address)

    def find_runs(self, experiment: str, run_id: str) -> list[str]:
        """Give MLflow's ids of a run of Glean's: one, unless an answer was lost."""
        with self._asked():
            found = self._client.search_runs([experiment], _tagged(run_id), max_results=MOST_FOUND)
            return sorted(run.info.run_id for run in found)

    def experiment(self, name: str) -> str:
        """Give the id of an experiment, which is made if it isn't there."""
        with self._asked():
            found = self._client.get_experiment_by_name(name)
            if found is None:
                return str(self._client.create_experiment(name))
            return str(found.experiment_id)

    def create_run(
        self, experiment: str, *, name: str, start_ms: int, tags: Mapping[str, str]
    ) -> str:
        """Make a run; its id at MLflow."""
        with self._asked():
            made = self._client.create_run(
                experiment, start_time=start_ms, tags=dict(tags), run_name=name
            )
            return str(made.info.run_id)

    def delete_run(self, run: str) -> None:
        """Delete a run, as of two that are the same."""
        with self._asked():
            self._client.delete_run(run)

    def log(
        self,
        run: str,
        *,
        metrics: Sequence[SentMetric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log numbers, settings and tags; the same ones again change nothing."""
        from mlflow.entities import Metric, Param, RunTag

        with self._asked():
            self._client.log_batch(
                run,
                [Metric(each.name, each.value, each.at_ms, each.step) for each in metrics],
                [Param(key, value) for key, value in (params or {}).items()],
                [RunTag(key, value) for key, value in (tags or {}).items()],
            )

    def put_file(self, run: str, path: Path, folder: str) -> None:
        """Store a file with a run, below a folder; what is there by that name is replaced."""
        with self._asked():
            self._client.log_artifact(run, str(path), folder or None)

    def put_folder(self, run: str, path: Path, folder: str) -> None:
        """Store what lies in a folder with a run."""
        with self._asked():
            self._client.log_artifacts(run, str(path), folder)

    def end_run(self, run: str, *, status: str, end_ms: int) -> None:
        """Say that a run ended: "FINISHED" or "FAILED"."""
        with self._asked():
            self._client.set_terminated(run, status, end_ms)

    def ensure_model(self, name: str) -> None:
        """Have a registered model of a name."""
        try:
            with self._asked():
                self._client.get_registered_model(name)
        except UnknownToRegistryError:
            with self._asked():
                self._client.create_registered_model(name)

    def find_versions(self, name: str, run_id: str) -> list[int]:
        """Give the versions that a run of Glean's made: one, unless an answer was lost."""
        with self._asked():
            found = self._client.search_model_versions(
                f"name = '{name}' and {_tagged(run_id)}", max_results=MOST_FOUND
            )
            return sorted(int(version.version) for version in found)

    def create_version(
        self, name: str, *, run: str, folder: str, tags: Mapping[str, str], description: str
    ) -> int:
        """Register what a run stored in a folder as the next version; its number."""
        with self._asked():
            made = self._client.create_model_version(
                name,
                f"runs:/{run}/{folder}",
                run,
                tags=dict(tags),
                description=description,
                await_creation_for=0,
            )
            return int(made.version)

    def delete_version(self, name: str, number: int) -> None:
        """Delete a version, as of two that are the same."""
        with self._asked():
            self._client.delete_model_version(name, str(number))

    def version_at(self, name: str, alias: str) -> FoundVersion | None:
        """Give the version that has an alias; None where none has it."""
        try:
            with self._asked():
                found = self._client.get_model_version_by_alias(name, alias)
        except RegistryRefusedError:
            # MLflow says by the same error that there is no such alias and no such model.
            return None
        return FoundVersion(int(found.version), str(found.tags.get(RUN_TAG, "")))

    def set_alias(self, name: str, alias: str, number: int) -> None:
        """Let an alias mean a version; if it meant another one, no more."""
        with self._asked():
            self._client.set_registered_model_alias(name, alias, str(number))

    def fetch_version(self, name: str, version: str, folder: Path) -> Path:
        """Download what is stored of a version below a folder that is there.

        Returns
        -------
        Path
            The folder of what MLflow calls the model.
        """
        from mlflow import artifacts

        with self._asked():
            source = self._client.get_model_version_download_uri(name, version)
            found = artifacts.download_artifacts(
                artifact_uri=source, dst_path=str(folder), tracking_uri=self.address
            )
            return Path(found)

    def _asked(self) -> AbstractContextManager[None]:
        return answers_of(self.address)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give a folder for what is on its way to a server or from there."""
    with tempfile.TemporaryDirectory(prefix="glean-registry-") as folder:
        yield Path(folder)


def quiet_mlflow() -> None:
    """Have MLflow tell nobody of its use, log warnings only and ask once; before it is imported."""
    check_installed("mlflow", extra="mlflow")
    os.environ.update(_ENVIRONMENT)
    logging.getLogger("mlflow").setLevel(logging.WARNING)


def _client_of(address: str) -> MlflowClient:
    quiet_mlflow()
    from mlflow import MlflowClient

    return MlflowClient(address, registry_uri=address)


def _tagged(run_id: str) -> str:
    assert run_id.isdecimal(), "an id of Flower's goes into a query"
    return f"tags.`{RUN_TAG}` = '{run_id}'"
