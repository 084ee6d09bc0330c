"""The application of a shop's page, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from glean.shop.access import Access
from glean.shop.pages import (
    closing,
    coming_days,
    day_list,
    exports,
    installed,
    language,
    members,
    more,
    mornings,
    orders,
    phone,
    printed,
    product_details,
    products,
    review,
    savings,
    weather,
    week,
)
from glean.shop.parts import Shop
from glean.shop.web import static_files
from glean.shop.web.rendering import page
from glean.web.body_limit import BodyLimit
from glean.web.headers import SecurityHeaders

PAGES = (
    day_list,
    closing,
    review,
    products,
    product_details,
    exports,
    coming_days,
    orders,
    printed,
    week,
    weather,
    mornings,
    members,
    phone,
    installed,
    savings,
    more,
    language,
    static_files,
)

UPLOADS = ("/exports",)
"""Paths that take files."""

FORM_MB, UPLOAD_MB = 1, 64


def create_app(
    shop: Shop, *, origins: Iterable[str], token: Callable[[], str] | None = None
) -> ASGIApp:
    """Put it together.

    Parameters
    ----------
    shop : Shop
        Its parts; closed when it ends.
    origins : iterable of str
        By which addresses its pages are reached.
    token : callable, optional
        Gives what other machines show to be let in; None where only this one reaches it.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(shop.close)

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.shop = shop
    for module in PAGES:
        app.include_router(module.router)
    app.add_exception_handler(HTTPException, _show_error)
    app.add_exception_handler(RequestValidationError, _show_error)
    app.add_middleware(BodyLimit, limit_mb=_limit_mb, refuse=_too_large)
    app.add_middleware(Access, origins=list(origins), token=token)
    app.add_middleware(SecurityHeaders, tls=False)
    return app


async def _show_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.NOT_FOUND
    return await run_in_threadpool(page, request, "error.html", status=HTTPStatus(status))


def _limit_mb(path: str) -> int:
    return UPLOAD_MB if path in UPLOADS else FORM_MB


def _too_large(_limit_mb: float) -> ASGIApp:
    return Response(status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
