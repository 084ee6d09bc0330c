"""Files that pages load: ours, the library of charts, and those of the API's page."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request, Response

from glean.service.problems import not_found
from glean.web.static_files import StaticFiles, file_of_package, files_in

OWN = Path(__file__).parent / "static"

router = APIRouter(include_in_schema=False)


def _all() -> dict[str, Path]:
    return files_in(OWN) | {
        "plotly.js": file_of_package("plotly", "package_data/plotly.min.js"),
        "swagger-ui.js": file_of_package("fastapi_offline", "static/swagger-ui-bundle.js"),
        "swagger-ui.css": file_of_package("fastapi_offline", "static/swagger-ui.css"),
    }


FILES = StaticFiles(_all)
url_of = FILES.url_of


@router.get("/static/{_digest}/{name}")
def get_file(_digest: str, name: str, request: Request) -> Response:
    """Give a file; the browser keeps it."""
    if name not in FILES:
        raise not_found("such file")
    return FILES.answer(name, request)
