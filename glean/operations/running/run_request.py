"""What somebody asks for as a run, written down before it is started.

A request lies in a folder of its own, beside the results, until its run is deleted: it outlives
whoever wrote it, and a list of runs can be made anew from requests and run folders alone.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from glean.errors import FederationError
from glean.operations.slurm.slurm import job_profile
from glean.regular_files import read_regular, words_of
from glean.runs.folder import write_whole
from glean.settings import ConfigValue, RunSettings

if TYPE_CHECKING:
    from glean.operations.running.simulation import PreparedSimulation
    from glean.operations.running.superlink_run import PreparedDeployment

RequestedEngine = Literal["ray", "inprocess", "deployment", "slurm"]

_FILE = "request.json"


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True)
class RunRequest:
    """A run that is asked for.

    Parameters
    ----------
    engine : str
        "ray": Flower's simulation; "inprocess": the same apps in one process; "deployment": on a
        SuperLink; "slurm": Flower's simulation in a SLURM job.
    settings : mapping
        Run config that differs from the app's.
    bakeries : int or None
        How many; of a table the first by name, by default all.
    results : str
        Folder for run folders.
    connection : str
        Of a deployment: the SuperLink's name in Flower's configuration.
    job : mapping
        On SLURM: what the job asks of the cluster, as `glean.operations.slurm.job_options` has it.
    asked_by : str
        Who asked.
    asked_at : str
        When, UTC; so exactly that of those that wait each has its turn.
    priority : int
        Of those that wait the highest begins first.
    """

    engine: RequestedEngine
    results: str
    settings: Mapping[str, ConfigValue] = field(default_factory=dict)
    bakeries: int | None = None
    connection: str = ""
    job: Mapping[str, int | str] = field(default_factory=dict)
    asked_by: str = ""
    asked_at: str = field(default_factory=_now)
    priority: int = 0

    def write(self, folder: Path) -> None:
        """Keep it in a folder of its own, which is made.

        Raises
        ------
        OSError
            There is such a folder, or it can't be written.
        """
        folder.mkdir(parents=True)
        write_whole(folder / _FILE, json.dumps(asdict(self), indent=2).encode())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what `write` wrote.

        Raises
        ------
        FederationError
            It is missing or damaged.
        """
        path = folder / _FILE
        try:
            return cls.of(json.loads(read_regular(path)))
        except OSError as error:
            raise FederationError(f"{words_of(error)}; ask for the run anew") from error
        except (ValueError, TypeError, RecursionError) as error:
            raise FederationError(f"{path}: damaged ({error}); ask for the run anew") from error

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """Make it of its fields by name; a ValueError or TypeError where they are others."""
        return cls(**content)


def prepare_request(request: RunRequest) -> PreparedSimulation | PreparedDeployment:
    """Check everything that can be checked of a request before it is started.

    Raises
    ------
    GleanError
        It can't be run so. Of a run on SLURM that is what the job itself will check.
    """
    # Here, since whoever only keeps requests does without pandas, Flower and their memory.
    results = Path(request.results)
    if request.engine == "deployment":
        from glean.operations.running.superlink_run import prepare_deployment

        return prepare_deployment(request.connection, request.settings, results=results)
    from glean.operations.running.simulation import prepare_simulation

    on_slurm = request.engine == "slurm"
    return prepare_simulation(
        request.settings,
        engine="inprocess" if request.engine == "inprocess" else "ray",
        bakeries=request.bakeries,
        results=results,
        profile=job_profile(request.job) if on_slurm else None,
    )


def check_request(request: RunRequest) -> None:
    """Refuse a request that can't be run; raises as `prepare_request`."""
    prepare_request(request)


def check_settings(given: Mapping[str, ConfigValue]) -> None:
    """Refuse settings that no run could have.

    Raises
    ------
    GleanError
        Says which.
    """
    from glean.federation.workload.registry import workload_of

    settings = RunSettings.from_config(given)
    workload_of(settings).check(settings)
