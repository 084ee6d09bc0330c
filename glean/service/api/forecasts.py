"""Forecasts and bake plans by REST: a version of the model with a table, or rows in the body."""

from __future__ import annotations

import csv
import datetime as dt
import tempfile
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from glean.errors import GleanError, SalesError
from glean.languages.language import LanguageCode
from glean.operations.planning.bakery_request import (
    BakeryAnswer,
    BakeryRequest,
    answer_forecast,
    answer_plan,
)
from glean.service.accounts.access import Parts, Reader
from glean.service.api.text import Text
from glean.service.data.models import PRODUCTION
from glean.service.problems import ProblemError, responses
from glean.service.services import Services

router = APIRouter(prefix="/api/v1", tags=["forecasts"], responses=responses(404, 422, 503))

MOST_ROWS = 200_000

Row = dict[Annotated[str, Field(max_length=100)], Text | float | int | bool | None]
Rows = Annotated[list[Row], Field(max_length=MOST_ROWS)]
Format = Annotated[Literal["json", "csv"], Query(alias="format", description="How it is answered.")]

_EXAMPLE: dict[str, JsonValue] = {
    "model": PRODUCTION,
    "dataset": "d3f9a0c41b2e7",
    "bakery": "bakery-001",
}

_CSV_EXAMPLE = "date,product,expected,why\n2026-05-04,croissant,41.2,Monday (-12%)\n"
_AS_CSV: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The table, with `format=csv` as it would be on paper.",
        "content": {"text/csv": {"schema": {"type": "string"}, "example": _CSV_EXAMPLE}},
    }
}


class BakeryBody(BaseModel):
    """Whose days to come are asked for, and what is known of them."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    model: str = Field(
        default=PRODUCTION, max_length=100, description="Version of the model; or production."
    )
    dataset: str | None = Field(
        default=None, max_length=100, description="Id of the table with the bakery's sales."
    )
    rows: Rows | None = Field(
        default=None, description="Its sales in place of that: rows with date, product, units, ..."
    )
    bakery: str = Field(
        default="", max_length=300, description="Which of the table; may be empty where it is one."
    )
    products: Rows | None = Field(
        default=None, description="Product list: rows with product, price, cost, batch_size, ..."
    )
    coming: Rows | None = Field(
        default=None,
        description="What is known of the days to come: rows with date, promotion, ...",
    )
    region: str = Field(
        default="", max_length=20, description="Public holidays; by default the run's."
    )
    language: LanguageCode = Field(
        default="en", description="Of reasons, remarks and the choice; names of columns stay."
    )


class ForecastBody(BakeryBody):
    """A forecast that is asked for."""

    days: int = Field(default=7, ge=1, le=28, description="How many days ahead.")


class PlanBody(BakeryBody):
    """A plan that is asked for."""

    date: dt.date | None = Field(
        default=None, description="The day to bake for; by default the next that is open."
    )


class Table(BaseModel):
    """A forecast or a plan."""

    bakery: str
    chosen: str = Field(description="By which model, and why.")
    remarks: tuple[str, ...] = Field(description="What a baker should know.")
    rows: tuple[dict[str, Any], ...] = Field(description="A row a day and product.")


@router.post("/forecasts", response_model=Table, responses=_AS_CSV)
def create_forecast(
    body: ForecastBody, _: Reader, services: Parts, as_: Format = "json"
) -> Response | Table:
    """Forecast the days after the last sale: expected units, quantiles, reasons."""
    with tempfile.TemporaryDirectory(prefix="glean-") as scratch:
        request = _request(services, body, Path(scratch))
        return _answered(_made(services, request, answer_forecast, body.days), as_)


@router.post("/plans", response_model=Table, responses=_AS_CSV)
def create_plan(
    body: PlanBody, _: Reader, services: Parts, as_: Format = "json"
) -> Response | Table:
    """Say how much to bake of each product."""
    with tempfile.TemporaryDirectory(prefix="glean-") as scratch:
        request = _request(services, body, Path(scratch))
        return _answered(_made(services, request, answer_plan, body.date), as_)


def _made(
    services: Services, request: BakeryRequest, make: Callable[..., BakeryAnswer], what: object
) -> BakeryAnswer:
    """Have it made in the worker; where files lie on this machine, no message says."""
    try:
        return services.workers.run(make, request, what)
    except SalesError:
        raise
    except GleanError as error:
        said = str(error)
        for path in (request.sales, request.products, request.coming, request.model):
            said = said.replace(f"{path.parent}/", "") if path else said
        raise GleanError(said) from error


def _answered(found: BakeryAnswer, wanted: str) -> Response | Table:
    if wanted == "csv":
        return PlainTextResponse(found.csv, media_type="text/csv")
    return Table(bakery=found.bakery, chosen=found.chosen, remarks=found.remarks, rows=found.rows)


def _request(services: Services, body: BakeryBody, scratch: Path) -> BakeryRequest:
    sales = None if body.dataset is None else services.datasets.table_of(body.dataset)
    if body.rows is not None:
        sales = _written(scratch / "sales.csv", body.rows)
    version = services.models.find(body.model)
    if not version.forecasts:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, version.no_forecasts)
    return BakeryRequest(
        model=version.path,
        sales=sales,
        bakery=body.bakery,
        products=_written(scratch / "products.csv", body.products),
        coming=_written(scratch / "coming.csv", body.coming),
        region=body.region,
        language=body.language,
    )


def _written(path: Path, rows: Sequence[Row] | None) -> Path | None:
    """Write rows as the file that the command line would read, so that both are checked alike."""
    if rows is None:
        return None
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return path


def _cell(value: object) -> object:
    return int(value) if isinstance(value, bool) else "" if value is None else value
