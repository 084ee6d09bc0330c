"""Where Numba keeps the compiled loops: under what their file says, not where it lies.

Flower unpacks the app into a new folder for every simulation. Beside the file, where Numba keeps
compiled code as a rule, each process of each run would compile the loops anew, for seconds.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from numba.core.caching import UserWideCacheLocator

LOCATORS = ",".join(
    (
        "UserProvidedCacheLocator",  # NUMBA_CACHE_DIR, where a user sets it
        f"{__name__}.ContentCacheLocator",
        "InTreeCacheLocator",  # where nobody's cache folder can be written to
    )
)
"""Of places for compiled code, by Numba's `CACHE_LOCATOR_CLASSES`: the first that can be used."""


class ContentCacheLocator(UserWideCacheLocator):
    """The user's cache folder, one place for all copies of a file that say the same."""

    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        """Name of the folder for a source file, by its content."""
        return f"glean_{hashlib.sha256(Path(py_file).read_bytes()).hexdigest()}"
