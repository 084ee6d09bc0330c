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
    result=SimpleNamespace(model=SimpleNamespace(to_bytes=bytes), best_round=1),
    infos={},
    newcomers=frozenset(),
)
found = SimpleNamespace(forecasts=None, truth=None, pooled=[])
with (
    mock.patch.object(conclusion, "read_model"),
    mock.patch.object(conclusion, "_write_csv"),
    mock.patch.object(conclusion, "read_run", return_value=SimpleNamespace(engine="inprocess")),
    mock.patch.object(conclusion, "diagnose", return_value=found),
    mock.patch.object(
        conclusion,
        "train_pooled_baseline",
        lambda *_, **__: there.append("xgboost" in sys.modules),
    ),
):
    conclusion._Diagnosis(run, None).write()
assert there == [True], there
"""


def test_xgboost_is_imported_before_two_threads_work_side_by_side() -> None:
    """Importing it hides scikit-learn, which the other thread may need at that moment."""
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
