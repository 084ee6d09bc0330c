"""Uploaded tables by REST. These are the operator's own: a bakery's table never belongs here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from glean.languages.language import LanguageCode
from glean.operations.tables.table_series import TableSeries
from glean.service.accounts.access import Admin, Parts, Reader, Runner, address_of
from glean.service.accounts.tokens import Principal
from glean.service.data.datasets import Dataset
from glean.service.problems import ProblemError, not_found, responses
from glean.service.runs.listing import unfinished_run_on
from glean.service.services import Services

router = APIRouter(prefix="/api/v1/datasets", tags=["datasets"], responses=responses(422, 503))

AskedLanguage = Annotated[
    LanguageCode,
    Query(
        description="Of remarks and verdict; a table uploaded before there were others has "
        "them in English alone."
    ),
]

_EXAMPLE = "date,bakery,product,units\n2026-05-01,main-street,croissant,41\n"


class DatasetAnswer(BaseModel):
    """An uploaded table and what was found in it."""

    id: str = Field(examples=["d3f9a0c41b2e7"])
    file: str = Field(description="Name of the file as it was uploaded.")
    bytes: int
    sha256: str
    uploaded_by: str
    uploaded_at: str
    bakeries: tuple[str, ...]
    products: int = Field(description="Products of all bakeries, each counted once a bakery.")
    first_day: str
    last_day: str
    remarks: tuple[str, ...] = Field(description="What the data check says of it.")
    verdict: str = Field(description="Whether it can be used, and for what.")

    @classmethod
    def of(cls, dataset: Dataset, code: LanguageCode = "en") -> DatasetAnswer:
        """Write a table down, in a language."""
        summary = dataset.summary
        about = {
            name: getattr(dataset, name) for name in cls.model_fields if hasattr(dataset, name)
        }
        said = {"remarks": summary.remarks_in(code), "verdict": summary.verdict_in(code)}
        return cls(**about, **vars(summary) | said)


class ProductSeriesAnswer(BaseModel):
    """What is sold of a product."""

    product: str = Field(description="Empty for all that have no line of their own.")
    units: tuple[float | None, ...] = Field(description="A day; null where there is no row.")


class SeriesAnswer(BaseModel):
    """What is sold over time, the products that sell most first."""

    bakery: str = Field(description="Empty for all together.")
    step: Literal["day", "week"] = Field(description="Of a week it is the mean of its days.")
    days: tuple[str, ...] = Field(description="Of a week its Monday.")
    products: tuple[ProductSeriesAnswer, ...]

    @classmethod
    def of(cls, series: TableSeries) -> SeriesAnswer:
        """Write them down."""
        return cls.model_validate(asdict(series))


class DatasetList(BaseModel):
    """All tables, the newest first."""

    datasets: list[DatasetAnswer]


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    responses=responses(507),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}
            },
        }
    },
)
async def upload(
    request: Request,
    principal: Runner,
    services: Parts,
    file: Annotated[str, Query(max_length=300, description="Its name, like sales.csv.")],
) -> DatasetAnswer:
    """Upload a sales table as the body of the request; refused with all problems if it has any."""
    return await keep_upload(request, principal, services, file, request.stream())


async def keep_upload(
    request: Request,
    principal: Principal,
    services: Services,
    file: str,
    content: AsyncIterator[bytes],
) -> DatasetAnswer:
    """Take an upload in, check it and keep it; raises as `Datasets.receive` and `keep` do."""
    path = await services.datasets.receive(file, content)
    dataset = await run_in_threadpool(services.datasets.keep, path, by=principal.name)
    await run_in_threadpool(
        services.audit_log.note,
        principal.name,
        "dataset.upload",
        dataset.id,
        detail=dataset.file,
        address=address_of(request),
    )
    return DatasetAnswer.of(dataset)


@router.get("")
def list_datasets(_: Reader, services: Parts, language: AskedLanguage = "en") -> DatasetList:
    """List the tables."""
    found = services.datasets.all()
    return DatasetList(datasets=[DatasetAnswer.of(dataset, language) for dataset in found])


@router.get("/{dataset_id}", responses=responses(404))
def get_dataset(
    dataset_id: str, _: Reader, services: Parts, language: AskedLanguage = "en"
) -> DatasetAnswer:
    """Look at a table's findings."""
    return DatasetAnswer.of(services.datasets.find(dataset_id), language)


@router.get("/{dataset_id}/series", responses=responses(404))
def get_series(
    dataset_id: str,
    _: Reader,
    services: Parts,
    bakery: Annotated[str, Query(max_length=300, description="One of the table's.")] = "",
) -> SeriesAnswer:
    """Give what is sold over time, of one bakery or of all together."""
    dataset = services.datasets.find(dataset_id)
    if bakery and bakery not in dataset.summary.bakeries:
        raise not_found(f"bakery {bakery[:40]!r} in the table")
    return SeriesAnswer.of(services.datasets.series_of(dataset_id, bakery))


@router.delete("/{dataset_id}", status_code=HTTPStatus.NO_CONTENT, responses=responses(404, 409))
def delete_dataset(dataset_id: str, principal: Admin, services: Parts, request: Request) -> None:
    """Delete a table; runs that learned from it keep what they made. Not while one needs it."""
    run = unfinished_run_on(services.database, services.datasets.table_of(dataset_id))
    if run is not None:
        raise ProblemError(
            HTTPStatus.CONFLICT,
            f"the run {run.id} learns from the table and is {run.status}: stop it first, or wait "
            "for its end",
        )
    services.datasets.delete(dataset_id)
    services.audit_log.note(
        principal.name, "dataset.delete", dataset_id, address=address_of(request)
    )
