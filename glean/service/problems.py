"""Errors as answers: RFC 9457 problem details, every field's problem in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from glean.errors import GleanError, SalesError, SettingsError
from glean.service.store.database import reason_of, refuses_value

MEDIA_TYPE = "application/problem+json"

_RETRY_S = 5


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    pointer: str = Field(
        description="Where, as a JSON pointer into the body, or `query/NAME`, `path/NAME`.",
        examples=["/settings/num-server-rounds"],
    )
    detail: str = Field(
        description="What was found and what is wanted.",
        examples=["num-server-rounds: found 0; wanted a whole number from 1 to 100000"],
    )


class ProblemDetails(BaseModel):
    """An error, after RFC 9457."""

    type: str = Field(default="about:blank", description="Kind of problem; always about:blank.")
    title: str = Field(description="The kind of error.", examples=["Unprocessable Content"])
    status: int = Field(description="HTTP status code.", examples=[422])
    detail: str = Field(description="What happened and what to do.", examples=["1 field is wrong"])
    errors: list[FieldProblem] = Field(
        default_factory=list, description="All fields that are wrong, if fields are."
    )


class ProblemError(Exception):
    """A request that isn't answered as it was meant.

    Parameters
    ----------
    status : HTTPStatus
        The answer's status.
    detail : str
        What happened and what to do.
    errors : sequence of FieldProblem
        What is wrong with the fields.
    headers : mapping of str to str
        Further headers of the answer.
    """

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


def not_found(what: str) -> ProblemError:
    """Say that there is no such thing."""
    return ProblemError(HTTPStatus.NOT_FOUND, f"found no {what}")


def settings_problems(error: SettingsError) -> ProblemError:
    """Say what is wrong with run settings, each by its key."""
    lines = str(error).splitlines()
    errors = [FieldProblem(pointer=_setting_pointer(line), detail=line) for line in lines]
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, _counted(len(errors)), errors=errors)


def named_lines(error: SalesError) -> list[str]:
    """Give a line a problem of a table; where on this machine it lies is nobody's business."""
    return [str(replace(item, source=Path(item.source).name)) for item in error.problems]


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Declare the errors that a route answers with, for OpenAPI."""
    schema = {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: schema}}
        for status in statuses
    }


def answer_problems(app: FastAPI) -> None:
    """Have every error of an application answered by problem details."""
    app.add_exception_handler(ProblemError, _of_problem)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(GleanError, _of_glean)
    app.add_exception_handler(SQLAlchemyError, _of_store)
    app.add_exception_handler(Exception, _of_anything)


def answer(
    status: HTTPStatus,
    detail: str,
    *,
    errors: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Write a problem down as an answer."""
    problem = ProblemDetails(title=status.phrase, status=status, detail=detail, errors=list(errors))
    return JSONResponse(
        problem.model_dump(), status_code=status, headers=headers, media_type=MEDIA_TYPE
    )


async def _of_problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)
    return answer(error.status, error.detail, errors=error.errors, headers=error.headers)


async def _of_validation(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [
        FieldProblem(pointer=_pointer(item["loc"]), detail=_described(item))
        for item in error.errors()
    ]
    return answer(HTTPStatus.UNPROCESSABLE_ENTITY, _counted(len(errors)), errors=errors)


async def _of_http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return answer(HTTPStatus(error.status_code), str(error.detail), headers=error.headers)


async def _of_glean(_request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, SalesError):
        problems = [FieldProblem(pointer="", detail=line) for line in named_lines(error)]
        return answer(HTTPStatus.UNPROCESSABLE_ENTITY, _counted(len(problems)), errors=problems)
    return answer(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))


async def _of_store(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SQLAlchemyError)
    if refuses_value(error):
        return answer(HTTPStatus.UNPROCESSABLE_ENTITY, reason_of(error))
    return answer(
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"the service's database can't be used just now ({reason_of(error)}); runs go on without "
        "it. Try again in a moment; /readyz says when it is back",
        headers={"Retry-After": str(_RETRY_S)},
    )


async def _of_anything(request: Request, _error: Exception) -> JSONResponse:
    request_id = getattr(request.state, "request_id", "")
    return answer(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "something went wrong that shouldn't; the service's log says what",
        headers={"X-Request-ID": request_id} if request_id else None,
    )


def _counted(count: int) -> str:
    return "1 thing is wrong" if count == 1 else f"{count} things are wrong"


def _pointer(place: Sequence[Any]) -> str:
    if isinstance(place[-1], int) and place[0] == "body" and len(place) == 2:
        return ""  # of text that is no JSON: a number of characters
    first, *rest = place
    inner = "/".join(str(part) for part in rest)
    return f"/{inner}" if first == "body" else f"{first}/{inner}"


def _described(item: Mapping[str, Any]) -> str:
    found = item.get("input")
    said = str(item["msg"])
    if item["type"] == "json_invalid":
        reason = item.get("ctx", {}).get("error", said)
        return f"the body is no JSON: {reason}, at character {item['loc'][-1]}"
    plain = isinstance(found, str | int | float | bool)
    return f"found {str(found)[:100]!r}; {said}" if plain else said


def _setting_pointer(line: str) -> str:
    key = line.partition(":")[0]
    if line.startswith("unknown key '"):
        key = line.split("'")[1]
    return f"/settings/{key}" if key and " " not in key else "/settings"
