"""What a bakery knows of the days to come, and what its forecast would like to know besides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from glean.forecasting.context import ForecastContext
from glean.forecasting.future_rows import days_ahead
from glean.forecasting.inputs import inputs_of, unknown_inputs
from glean.languages.catalogues import translatable
from glean.languages.language import Language
from glean.sales.known_future import KnownFuture, read_future_file

_ASSUMED = {"promotion": translatable("none"), "price": translatable("the last one")}


@dataclass(frozen=True)
class UnknownInput:
    """An input that the forecast goes by and that isn't known of the days to come.

    Parameters
    ----------
    name : str
        Column of the sales table.
    assumed : str
        What is taken for granted of it, in English; "" where nothing is.
    """

    name: str
    assumed: str

    def in_list(self, language: Language) -> str:
        """Name it among others, with what it is taken for."""
        if not self.assumed:
            return self.name
        assumed = language.translate(self.assumed)
        return language.translate("{name} (taken as {assumed})", name=self.name, assumed=assumed)

    def in_words(self, language: Language) -> str:
        """Say in a sentence that it isn't known, and what it is taken for."""
        words = translatable("{name} isn't told of the coming days, though the forecast goes by it")
        if self.assumed:
            words = translatable(
                "{name} isn't told of the coming days, though the forecast goes by it: taken as "
                "{assumed}"
            )
        assumed = language.translate(self.assumed)
        return language.translate(words, name=self.name, assumed=assumed)


def read_known_future(
    path: Path, context: ForecastContext, *, asked: pd.Timestamp | None = None
) -> KnownFuture:
    """Read and check a bakery's file of days to come.

    Parameters
    ----------
    path : Path
        A CSV: `date`, and any of `product`, `open` and the inputs of the forecast.
    context : ForecastContext
        The bakery's.
    asked : Timestamp, optional
        The day to plan, which may be farther ahead than the others.

    Raises
    ------
    SalesError
        With every problem of the file, each with its line and column.
    """
    return read_future_file(
        path,
        days=days_ahead(context.today).union([] if asked is None else [asked]),
        products=sorted(context.table.rows["product"].unique()),
        inputs=inputs_of(context.client_model.shared.definition),
    )


def missing_inputs(context: ForecastContext, known_future: KnownFuture) -> tuple[UnknownInput, ...]:
    """Name what the forecast goes by and isn't known of the days to come."""
    models = [model for _, model in context.client_model.mixture()]
    rows = context.table.rows
    names = unknown_inputs(models, rows, known_future, region=context.region)
    return tuple(
        UnknownInput(name, _ASSUMED.get(name, "") if name in rows else "") for name in names
    )
