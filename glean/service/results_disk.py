"""The disk that the results are on: whether there is room for a run, and it can be written."""

from __future__ import annotations

import shutil

from glean.runs.folder import write_whole
from glean.service.settings import MEGABYTE, ServiceSettings

LEAST_FREE_MB = 100
"""Less than that on the disk of the results, and a run would soon fail."""


def disk_problem(settings: ServiceSettings) -> str:
    """Say why there can't be new runs; "" where there can."""
    try:
        free_mb = shutil.disk_usage(settings.results).free // MEGABYTE
        if free_mb < LEAST_FREE_MB:
            return f"{free_mb} MB free; wanted {LEAST_FREE_MB} MB"
        write_whole(settings.home / "probe", b"").unlink()
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""
