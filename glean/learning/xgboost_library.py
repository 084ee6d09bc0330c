"""XGBoost, without the second that it spends on importing scikit-learn.

`import xgboost` imports scikit-learn wherever it is installed, for wrappers that Glean doesn't use.
While it is imported, scikit-learn is made to look absent, which XGBoost allows for; afterwards
everything is as before. A process that has scikit-learn already pays nothing and hides nothing.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from types import ModuleType

_COSTLY = "sklearn"


@cache
def load_xgboost() -> ModuleType:
    """Import XGBoost once a process."""
    if _COSTLY in sys.modules or "xgboost" in sys.modules:
        return importlib.import_module("xgboost")
    # None in sys.modules makes an import fail: Python's documented way to hide a module.
    sys.modules[_COSTLY] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("xgboost")
    finally:
        del sys.modules[_COSTLY]
