"""What a workload is to the federation: the seams at which it brings its data, models and metrics.

The federation moves models, updates and sums, and knows none of them from within. A workload's
folder implements these protocols and is named in `glean.workloads`; `docs/workloads.md` shows the
smallest one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from glean.federation.wire.messages import FinalTask, Task
from glean.federation.wire.sum_messages import SumTask
from glean.federation.wire.sum_request import SumRequest
from glean.federation.workload.client_state import ClientState
from glean.learning.forest import Forest
from glean.learning.model_weights import Weights
from glean.metric_sums import MetricSums
from glean.node_settings import NodeSettings
from glean.privacy.privacy_ledger import Days
from glean.runs.client_home import NOBODY, Vouched
from glean.settings import RunSettings

Encoded = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FinalScores:
    """What came of a client's final test.

    Parameters
    ----------
    rows : str
        JSON list of its rows of `bakeries.csv`, for a server that may see them.
    sums : float64 array of shape (methods, fields)
        The same as numbers that can be added up over clients, for one that may not.
    primary : float64 array of shape (noised methods,)
        The primary metric of those methods that a run with noise scores; none where the workload
        knows no noise.
    tables : mapping of str to str
        Files of a run's folder that only a simulation's server may ask for, as the client's part
        of them; none at a client with data of its own.
    """

    rows: str
    sums: Floats
    primary: Floats = field(default_factory=lambda: np.empty(0))
    tables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Wording:
    """How a workload's disclosures read in a client's own log; the federation's words where empty.

    Parameters
    ----------
    kept : str
        What never leaves as such.
    parts : mapping of str to str
        Part of a vector -> what it tells.
    """

    kept: str = "rows of its data, file names as such"
    parts: Mapping[str, str] = field(default_factory=dict)

    def of_info(self, trains: bool, facts: Mapping[str, Any]) -> str:
        """Say what the facts of a client's first answer tell."""
        told = "".join(f", that {name} is {value}" for name, value in facts.items())
        return f"that there {'is enough' if trains else 'is too little'} to learn from{told}"

    def of_sums(self, values: Sequence[float]) -> str:
        """Say what sums over the validation window tell."""
        numbers = ", ".join(f"{value:,.6g}" for value in values)
        return f"sums over the validation rows ({numbers})"

    def of_final_rows(self, rows: Sequence[Mapping[str, Any]]) -> str:
        """Say what rows of `bakeries.csv` tell."""
        return f"results on the test rows: {'; '.join(str(dict(row)) for row in rows)}"


class LocalTrainer(Protocol):
    """Learns from one client's rows, and scores models on them."""

    @property
    def device_used(self) -> str:
        """Where it learned, like "cpu" or "cuda:0"; "" before the first time."""

    def totals(self) -> tuple[int, float]:
        """Give the number of rows to learn from and the sum of their weights."""

    def catch_up(self, task: Task, state: ClientState) -> bool:
        """Take the model of a task; False where it continues one that isn't held here."""

    def begin(self, task: Task, *, seed: int) -> None:
        """Train the model caught up with for a buffer, and keep what came of it in the state.

        Of trees these are the margins, by which `train` and `contribute` go then.
        """

    def train(
        self, task: Task, *, seed: int, structures_only: bool = False, from_job: bool = False
    ) -> bytes:
        """Train the model caught up with, or that of the job; a file of what is new in it."""

    def validate(self) -> MetricSums:
        """Score the model caught up with on the validation rows."""

    def length(self, part: str, task: SumTask, request: SumRequest) -> int:
        """Say how many numbers a part of the vector has."""

    def contribute(
        self,
        part: str,
        task: SumTask,
        request: SumRequest,
        *,
        weight: float,
        seed: int,
        days: Days | None = None,
        discount: float | None = None,
    ) -> Encoded:
        """Fill a part of the vector; with a discount, by the job that was begun, times that.

        `weight` is the client's in mean rows of the federation; in a part that carries noise, only
        rows of `days` take part, where these are given.
        """


class Partition(Protocol):
    """One client's data."""

    @property
    def name(self) -> str:
        """Name of the client in the federation."""

    @property
    def own_table(self) -> bool:
        """Whether the data is the client's own, and not a share of a simulation's."""

    @property
    def why_untrained(self) -> str:
        """Why there is nothing to learn from; "" where there is."""

    def days(self, window: str) -> Days:
        """Give the dates of the rows of a window that releases with noise are about.

        Parameters
        ----------
        window : str
            One of those of `glean/privacy/privacy_ledger.py`.
        """

    def facts(self) -> dict[str, Any]:
        """Say what the server has to know to agree on a spec.

        Raises
        ------
        SettingsError
            The data doesn't fit the run's settings.
        """

    def trainer(self, spec: str) -> LocalTrainer:
        """Give what learns and scores here, made once a spec."""

    def weight(self, spec: str) -> float:
        """Total weight of the rows to learn from; 0 where none can be learned from."""

    def final_test(self, task: FinalTask, *, run_id: int, vouched: Vouched = NOBODY) -> FinalScores:
        """Keep the final model and its card; score it and its baselines on the test rows."""

    def start_test(self, task: Task) -> FinalScores:
        """Score the model that the run started from on the test rows."""


class Workload(Protocol):
    """What is learned: data, model, metrics, and what a run leaves behind."""

    @property
    def metrics(self) -> type[MetricSums]:
        """Kind of sums that clients score models by."""

    @property
    def wording(self) -> Wording:
        """How disclosures read."""

    @property
    def purpose(self) -> str:
        """What a model is for, as its card says it; "" where nothing is said."""

    @property
    def final_methods(self) -> Sequence[str]:
        """What is scored in the final test, in the order of the rows of `FinalScores.sums`."""

    def final_unit_powers(self, spec: str) -> Sequence[int]:
        """By field of `FinalScores.sums` under a spec, the power of the data's unit."""

    def check(self, settings: RunSettings) -> None:
        """Refuse before anything starts what every client would refuse.

        Raises
        ------
        GleanError
            Says what.
        """

    def count_clients(self, settings: RunSettings, wanted: int | None) -> int:
        """How many clients a simulation has; `wanted` of them, or as many as the data is of.

        Raises
        ------
        SettingsError
            There aren't so many.
        """

    def open_partition(
        self, node: NodeSettings, settings: RunSettings, *, newcomer: bool
    ) -> Partition | None:
        """Open the data of the client that a node plays; None for a node that plays none."""

    def negotiate(self, facts: Sequence[Mapping[str, Any]], settings: RunSettings) -> str:
        """Agree on the spec, by the clients' facts.

        Raises
        ------
        SettingsError
            The settings can't be met.
        """

    def first_model(self, spec: str, settings: RunSettings) -> Forest | Weights:
        """Make the model before the first round."""

    def read_model(self, content: bytes, settings: RunSettings) -> Forest | Weights:
        """Read a model file that a run with these settings can go on from.

        Raises
        ------
        ModelError
            It is none, or of another kind than the run's.
        """
