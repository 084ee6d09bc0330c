"""The table of workloads, and the parts that its rows name."""

from __future__ import annotations

import subprocess
import sys

import pytest

from glean.aggregation_kinds import aggregation_names
from glean.federation.server.conclusion import conclusion_of
from glean.federation.workload.registry import load, workload_of
from glean.settings import RunSettings
from glean.workloads import DEFAULT_WORKLOAD, WORKLOADS


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_row_names_parts_that_there_are(name: str) -> None:
    """A workload with metrics, a conclusion, and aggregations from the table."""
    settings = RunSettings.from_config({"workload": name})
    workload = workload_of(settings)
    assert workload.metrics.COLUMNS
    assert workload.final_methods
    assert conclusion_of(name).run_facts(settings, deployed=False) is not None
    assert set(WORKLOADS[name].aggregations) <= set(aggregation_names())
    assert workload_of(settings) is workload


def test_the_default_is_in_the_table() -> None:
    """And it can be trained by every aggregation that needs no steps of its clients."""
    assert RunSettings().workload == DEFAULT_WORKLOAD
    assert WORKLOADS[DEFAULT_WORKLOAD].aggregations == ()


def test_a_place_that_there_is_not_is_a_slip_of_the_programmer() -> None:
    """Python's own errors name it."""
    with pytest.raises(ModuleNotFoundError, match="tulips"):
        load("glean.tulips.workload:TULIPS")
    with pytest.raises(AttributeError, match="TULIPS"):
        load("glean.iris.workload:TULIPS")


def test_a_workload_is_imported_when_it_is_used() -> None:
    """The federation alone brings none, and the irises don't bring the demand."""
    code = (
        "import sys; from glean.federation.workload.registry import workload_of; "
        "from glean.settings import RunSettings; held = set(sys.modules); "
        "assert not {'glean.demand.workload', 'glean.iris.workload'} & held; "
        "workload_of(RunSettings(workload='iris')); "
        "assert not [m for m in sys.modules if m.startswith('glean.demand')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
