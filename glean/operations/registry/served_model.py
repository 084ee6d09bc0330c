"""What MLflow loads of a registered model and asks for answers: Glean's own, by Glean's own code.

MLflow calls `_load_pyfunc`, by the name of this module in the model's `MLmodel`. A model of the
demand answers a bakery's sales by what `glean forecast` says; one of the irises answers lengths by
species and probabilities.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from glean.errors import GleanError
from glean.regular_files import read_regular
from glean.runs.index import read_run
from glean.runs.model_card import model_at
from glean.workloads import DEFAULT_WORKLOAD

if TYPE_CHECKING:
    import pandas as pd


class ServedModel(Protocol):
    """What MLflow asks of a model."""

    def predict(
        self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """Answer rows."""


class ServedForecast:
    """Forecasts the days after a bakery's last sale.

    Parameters
    ----------
    folder : Path
        The model and what lies beside it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def predict(
        self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """Forecast from the sales of one bakery.

        Parameters
        ----------
        model_input : DataFrame
            A sales table.
        params : mapping, optional
            `days` ahead, `bakery` if the table has several, `region` of the public holidays.

        Returns
        -------
        DataFrame
            What `glean forecast` writes: `date`, `product`, `expected`, quantiles, `why`.

        Raises
        ------
        GleanError
            Nothing can be forecast from such a table.
        """
        import pandas as pd

        from glean.operations.planning.bakery_request import BakeryRequest, answer_forecast

        told = dict(params or {})
        with tempfile.TemporaryDirectory(prefix="glean-") as scratch:
            # By way of a file, so that rows are checked as those of every sales table are.
            sales = Path(scratch) / "sales.csv"
            model_input.dropna(axis="columns", how="all").to_csv(sales, index=False)
            request = BakeryRequest(
                model=self._folder,
                sales=sales,
                bakery=str(told.get("bakery") or ""),
                region=str(told.get("region") or ""),
            )
            answer = answer_forecast(request, int(told.get("days") or 7))
        return pd.DataFrame(list(answer.rows))


class ServedIris:
    """Tells species of iris by their lengths.

    Parameters
    ----------
    folder : Path
        The model and what lies beside it.
    """

    def __init__(self, folder: Path) -> None:
        from glean.iris.workload import IRIS

        self._weights = IRIS.read(read_regular(model_at(folder)))

    def predict(
        self,
        model_input: pd.DataFrame,
        params: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> pd.DataFrame:
        """Give the most probable species of each row, and the probability of each."""
        import pandas as pd

        from glean.iris.species import LENGTHS, SPECIES, classify

        found = classify(self._weights, model_input[list(LENGTHS)].to_numpy(dtype="float64"))
        table = pd.DataFrame(found, columns=list(SPECIES))
        table.insert(0, "species", [SPECIES[best] for best in found.argmax(axis=1)])
        return table


def _load_pyfunc(path: str) -> ServedModel:
    """Load a model as MLflow asks for it.

    Raises
    ------
    GleanError
        It isn't one that can be served.
    """
    folder = Path(path)
    workload = str(read_run(folder).settings.get("workload") or DEFAULT_WORKLOAD)
    if workload == "iris":
        return ServedIris(folder)
    if workload == DEFAULT_WORKLOAD:
        return ServedForecast(folder)
    raise GleanError(
        f"found a model of the workload {workload}; wanted one of {DEFAULT_WORKLOAD} or iris, "
        "which can be served"
    )
