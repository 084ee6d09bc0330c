"""The workload that a run names, found by its place and imported when it is first used."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any, cast

from glean.federation.workload.protocols import Workload
from glean.settings import RunSettings
from glean.workloads import WORKLOADS


def workload_of(settings: RunSettings) -> Workload:
    """Give the workload of a run."""
    return cast("Workload", load(WORKLOADS[settings.workload].workload))


@lru_cache(maxsize=8)
def load(place: str) -> Any:
    """Import what a place like "glean.iris.workload:IRIS" names."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
