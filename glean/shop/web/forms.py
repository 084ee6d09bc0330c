"""Forms that the pages send, read, and where a browser goes after one."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from glean.shop.parts import Shop, shop_of

MOST_FIELDS = 2000
MOST_FILES = 30
MOST_UNITS = 1e6


async def read_form(request: Request) -> AsyncIterator[FormData]:
    """Read a form without files."""
    async with request.form(max_files=0, max_fields=MOST_FIELDS) as form:
        yield form


async def read_files(request: Request) -> AsyncIterator[FormData]:
    """Read a form with files; they are closed after the answer."""
    async with request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS) as form:
        yield form


Form = Annotated[FormData, Depends(read_form)]
FormWithFiles = Annotated[FormData, Depends(read_files)]
Parts = Annotated[Shop, Depends(shop_of)]


def text_of(form: FormData, name: str) -> str:
    """Give what stands in a field; "" where there is none."""
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def number_of(text: str) -> float | None:
    """Read a number as people type it, with a point or a comma; None where nothing is typed.

    Raises
    ------
    ValueError
        It is none, or not one from 0 up.

    Examples
    --------
    >>> number_of("2,5"), number_of(""), number_of("12")
    (2.5, None, 12.0)
    """
    if not text:
        return None
    value = float(text.replace(",", ".").replace("\N{NO-BREAK SPACE}", ""))
    if not 0 <= value <= MOST_UNITS or math.isnan(value):
        raise ValueError(text)
    return value


def see(address: str, anchor: str = "") -> Response:
    """Have the browser go to a page, maybe to a place on it."""
    return RedirectResponse(address + (f"#{quote(anchor)}" if anchor else ""), HTTPStatus.SEE_OTHER)


def wants_json(request: Request) -> bool:
    """Whether a script asks, which goes nowhere."""
    return "application/json" in request.headers.get("accept", "")
