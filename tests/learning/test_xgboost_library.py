from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from glean.learning.xgboost_library import load_xgboost
xgboost = load_xgboost()
assert "sklearn" not in sys.modules
import sklearn.neural_network
assert load_xgboost() is xgboost
assert xgboost.DMatrix([[1.0]]).num_row() == 1
"""


def test_scikit_learn_is_hidden_only_while_xgboost_is_imported() -> None:
    """A process that trains trees doesn't pay for it; one that needs it later gets it."""
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
