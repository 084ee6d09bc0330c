"""What only a simulation's server does at the end of a run."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from types import SimpleNamespace
from unittest import mock

from glean.demand import conclusion
from glean.settings import RunSettings

assert "xgboost" not in sys.modules
there = []
run = SimpleNamespace(
    deployed=False,
    settings=RunSettings(),
    folder=mock.Mock(),
    loop=mock.Mock(),
    result=SimpleNamespace(model=SimpleNamespace(to_bytes=bytes), best_round=1),
    infos={},
    newcomers=frozenset(),
)


def noted(*_, **__):
    there.append("xgboost" in sys.modules)
    return []


with (
    mock.patch.object(conclusion, "read_model"),
    mock.patch.object(conclusion, "sum_errors", return_value=None),
    mock.patch.object(conclusion, "train_pooled_baseline", noted),
    mock.patch.object(conclusion, "_final_rows", noted),
    mock.patch.object(conclusion._Diagnosis, "write", lambda one: one.pooled.result()),
    mock.patch.object(conclusion, "_write_csv"),
    mock.patch.object(conclusion, "summarise"),
    mock.patch.object(conclusion, "headline"),
):
    conclusion.DemandConclusion().conclude(run)
assert there == [True, True], there
"""


def test_xgboost_is_imported_before_two_threads_work_side_by_side() -> None:
    """Importing it hides scikit-learn, which the other thread may need at that moment."""
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
