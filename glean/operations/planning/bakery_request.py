"""A forecast or a plan as a request: files in, plain values out.

For whoever asks from another process than the one that makes it, and does without pandas there:
what needs it is imported where it is used.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glean.languages.language import Language, LanguageCode, language

if TYPE_CHECKING:
    import pandas as pd

    from glean.forecasting.context import ForecastContext
    from glean.operations.planning.known_future import UnknownInput
    from glean.sales.known_future import KnownFuture
    from glean.sales.products import Product


@dataclass(frozen=True)
class BakeryRequest:
    """Whose days to come are asked for, and what is known of them.

    Parameters
    ----------
    model : Path
        Run folder, a bakery's home, or a model file.
    sales : Path or None
        Its sales table; None where it has no sales yet.
    bakery : str
        Which bakery of the table; "" where it holds one.
    products, coming : Path or None
        Product list, and what is known of the days to come.
    region : str
        Region of the public holidays; "" takes the run's.
    language : str
        Of remarks and reasons.
    """

    model: Path
    sales: Path | None = None
    bakery: str = ""
    products: Path | None = None
    coming: Path | None = None
    region: str = ""
    language: LanguageCode = "en"

    @property
    def speaks(self) -> Language:
        """The language."""
        return language(self.language)


@dataclass(frozen=True)
class BakeryAnswer:
    """What comes of it.

    Parameters
    ----------
    bakery : str
        Its name.
    rows : tuple of dict
        The table, a dict a row.
    csv : str
        The same as CSV.
    remarks : tuple of str
        What a baker should know, and what the forecast goes by that wasn't told.
    chosen : str
        By which model, and why.
    """

    bakery: str
    rows: tuple[dict[str, Any], ...]
    csv: str
    remarks: tuple[str, ...]
    chosen: str


def answer_forecast(request: BakeryRequest, days: int) -> BakeryAnswer:
    """Forecast the days after the last sale; raises as `make_forecast` and the readers do."""
    from glean.operations.planning.forecast import make_forecast

    context, _ = _context_of(request)
    known_future = _known_future(request, context)
    made = make_forecast(context, days=days, known_future=known_future, language=request.speaks)
    return _answer(context, made.table, _untold(made.unknown, request.speaks), request.speaks)


def answer_plan(request: BakeryRequest, date: dt.date | None) -> BakeryAnswer:
    """Plan a day, by default the next that is open; raises as `make_plan` and the readers do."""
    import pandas as pd

    from glean.operations.planning.plan import make_plan

    context, listed = _context_of(request)
    day = None if date is None else pd.Timestamp(date)
    known_future = _known_future(request, context, asked=day)
    made = make_plan(context, listed, date=day, known_future=known_future, language=request.speaks)
    remarks = [*made.remarks, *_untold(made.unknown, request.speaks)]
    return _answer(context, made.table, remarks, request.speaks)


def _context_of(request: BakeryRequest) -> tuple[ForecastContext, dict[str, Product]]:
    from glean.operations.planning.bakery_context import make_context, no_sales, read_bakery
    from glean.sales.products import read_products

    sales = no_sales() if request.sales is None else read_bakery(request.sales, request.bakery)
    listed = dict(read_products(request.products)) if request.products else {}
    context = make_context(
        request.model, sales, products=listed, bakery=request.bakery, region=request.region
    )
    return context, listed


def _known_future(
    request: BakeryRequest, context: ForecastContext, *, asked: pd.Timestamp | None = None
) -> KnownFuture:
    from glean.operations.planning.known_future import read_known_future
    from glean.sales.known_future import NOTHING_KNOWN

    if request.coming is None:
        return NOTHING_KNOWN
    return read_known_future(request.coming, context, asked=asked)


def _untold(unknown: Sequence[UnknownInput], language: Language) -> list[str]:
    return [item.in_words(language) for item in unknown]


def _answer(
    context: ForecastContext, table: pd.DataFrame, remarks: list[str], language: Language
) -> BakeryAnswer:
    from glean.runs.spreadsheet_cells import to_spreadsheet_csv

    return BakeryAnswer(
        bakery=context.name,
        rows=tuple({str(k): v for k, v in row.items()} for row in table.to_dict("records")),
        csv=to_spreadsheet_csv(table),
        remarks=tuple(remarks),
        chosen=context.client_model.selection.reason(language),
    )
