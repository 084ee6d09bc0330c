"""The metrics of the service, for Prometheus."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from glean.errors import GleanError
from glean.installed_packages import check_installed
from glean.service.accounts.access import Parts, Reader
from glean.service.problems import ProblemError

# Not in OpenAPI: what is answered isn't this API's, and changes with what is installed.
router = APIRouter(include_in_schema=False)


@router.get("/metrics")
def metrics(request: Request, _: Reader, services: Parts) -> Response:
    """Give the metrics, in the format that the scraper asks for."""
    try:
        check_installed("prometheus_client", extra="observability")
    except GleanError as error:
        raise ProblemError(HTTPStatus.NOT_IMPLEMENTED, str(error)) from error
    found = services.metrics.render(request.headers.get("accept", ""))
    return Response(found.content, media_type=found.media_type)
