"""XGBoost, without the second that it spends on importing scikit-learn.

`import xgboost` imports scikit-learn wherever it is installed, for wrappers that Glean doesn't use.
While it is imported, scikit-learn is made to look absent, which XGBoost allows for; afterwards
everything is as before. A process that has scikit-learn already pays nothing and hides nothing.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from functools import cache
from types import ModuleType

from glean.errors import GleanError

_COSTLY = "sklearn"


PACKAGES = ("xgboost", "xgboost-cpu")
"""Of PyPI's; both fill the same folder."""

_WANTED = (
    "wanted at a bakery pip install 'glean[shop]', on a machine that simulates or has a GPU "
    "pip install 'glean[simulation]'"
)


def check_xgboost() -> None:
    """Refuse to begin without XGBoost, or with two packages of it.

    Raises
    ------
    GleanError
        Says how to mend it.
    """
    if importlib.util.find_spec("xgboost") is None:
        raise GleanError(f"found no XGBoost; {_WANTED}")
    found = [name for name in PACKAGES if _is_installed(name)]
    if len(found) > 1:
        raise GleanError(
            f"found {' and '.join(found)}, which overwrite each other's files; uninstall both and "
            f"install one: {_WANTED}"
        )


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@cache
def load_xgboost() -> ModuleType:
    """Import XGBoost once a process.

    Raises
    ------
    GleanError
        There is none, or two packages of it.
    """
    check_xgboost()
    if _COSTLY in sys.modules or "xgboost" in sys.modules:
        return importlib.import_module("xgboost")
    # None in sys.modules makes an import fail: Python's documented way to hide a module.
    sys.modules[_COSTLY] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("xgboost")
    finally:
        del sys.modules[_COSTLY]
