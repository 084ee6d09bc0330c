"""Uploaded tables, and uploading one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from glean.errors import SalesError
from glean.service.api import datasets as api
from glean.service.problems import ProblemError, named_lines
from glean.service.settings import MEGABYTE
from glean.service.web.browser_access import (
    AdminBrowser,
    Browser,
    Form,
    PageRoute,
    Parts,
    RunningBrowser,
)
from glean.service.web.rendering import page

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PATH = "/data"


@router.get(PATH)
def show(request: Request, session: Browser, services: Parts) -> Response:
    """Show the tables."""
    return page(request, "data.html", session, datasets=services.datasets.all(), lines=[])


@router.post(PATH)
async def upload(
    request: Request, session: RunningBrowser, services: Parts, form: Form
) -> Response:
    """Take a table in, or say what is wrong with it."""
    try:
        table = _table_of(form)
        await api.keep_upload(
            request, session.principal, services, table.filename or "", _pieces(table)
        )
    except SalesError as error:
        lines = named_lines(error)
    except ProblemError as problem:
        lines = [problem.detail]
    else:
        return RedirectResponse(PATH, HTTPStatus.SEE_OTHER)
    datasets = await run_in_threadpool(services.datasets.all)
    return page(
        request,
        "data.html",
        session,
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        datasets=datasets,
        lines=lines,
    )


@router.get(PATH + "/{dataset_id}")
def show_one(
    dataset_id: str, request: Request, session: Browser, services: Parts, bakery: str = ""
) -> Response:
    """Show a table, and what one of its bakeries sells over time, or all together."""
    series = api.get_series(dataset_id, session.principal, services, bakery)
    return page(
        request,
        "dataset.html",
        session,
        dataset=services.datasets.find(dataset_id),
        series=series,
        bakery=bakery,
    )


@router.post(PATH + "/{dataset_id}/delete")
def delete(
    dataset_id: str, session: AdminBrowser, services: Parts, request: Request, _: Form
) -> Response:
    """Delete a table."""
    api.delete_dataset(dataset_id, session.principal, services, request)
    return RedirectResponse(PATH, HTTPStatus.SEE_OTHER)


def _table_of(form: Form) -> UploadFile:
    table = form.get("table")
    if not isinstance(table, UploadFile):
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "found no file; wanted a table")
    return table


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(MEGABYTE):
        yield piece
