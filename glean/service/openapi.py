"""What OpenAPI says of the API beyond what FastAPI reads off the routes.

Answers that come from before or around a route (no token, too many wrong ones, a body that is too
large or no JSON) are declared here once, for every route that they concern.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from glean.service.problems import ProblemDetails, responses

WITH_TOKEN = (401, 403, 429)
WITH_BODY = (400, 413)
"""Statuses that come with a need for a token, and with a body."""

OF_FASTAPI = ("HTTPValidationError", "ValidationError")


def complete_openapi(app: FastAPI) -> None:
    """Have the schema of problem details in OpenAPI, where they come from, and none of FastAPI's.

    Parameters
    ----------
    app : FastAPI
        With all its routes.
    """
    make = app.openapi

    def openapi() -> dict[str, Any]:
        schema = make()
        schemas = schema["components"]["schemas"]
        if "ProblemDetails" not in schemas:
            _add_problem_details(schemas)
            for item in schema["paths"].values():
                for operation in item.values():
                    _complete(operation)
        return schema

    app.openapi = openapi  # type: ignore[method-assign] # as FastAPI's documentation has it


def _add_problem_details(schemas: dict[str, Any]) -> None:
    problem = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs")
    schemas["ProblemDetails"] = problem
    for name in OF_FASTAPI:
        schemas.pop(name, None)


def _complete(operation: dict[str, Any]) -> None:
    of_token = WITH_TOKEN if "security" in operation else ()
    of_body = WITH_BODY if "requestBody" in operation else ()
    for status, declared in responses(*of_token, *of_body).items():
        operation["responses"].setdefault(str(status), declared)
