"""Leaves of earlier rounds that may serve again; they are kept on disk, for a run that resumes."""

from __future__ import annotations

import io
import logging
import zipfile
from collections import deque
from pathlib import Path

import numpy as np

from glean.aggregation.leaf_floor import CountedLeaves, NodeCounts
from glean.errors import ModelError
from glean.learning.forest import Forest
from glean.runs.folder import RunFolder

LOG = logging.getLogger("glean")

FILE = "leaves.npz"

MOST = 4
"""Rounds whose leaves are kept."""


class KeptLeaves:
    """The leaves of the last rounds of which hessians were opened.

    Parameters
    ----------
    folder : RunFolder
        Where they are kept; what it has of an interrupted run is read.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._leaves = deque(_read(folder.path / FILE), maxlen=MOST)

    def add(self, leaves: CountedLeaves) -> None:
        """Keep those of a round."""
        self._leaves.append(leaves)
        arrays: dict[str, np.ndarray] = {}
        for place, one in enumerate(self._leaves):
            assert one.hessians is not None, "they were opened"
            arrays[f"structures {place}"] = np.frombuffer(one.structures.to_bytes(), np.uint8)
            arrays[f"counts {place}"] = one.counts.counts
            arrays[f"bakeries {place}"] = np.array(sorted(one.counts.bakeries))
            arrays[f"hessians {place}"] = one.hessians
        content = io.BytesIO()
        np.savez(content, **arrays)  # type: ignore[arg-type]
        self._folder.write_bytes(FILE, content.getvalue())

    def serving(self, number: int) -> CountedLeaves | None:
        """Give those that serve again in a round, in turn; None where there are none."""
        return self._leaves[number % len(self._leaves)] if self._leaves else None


def _read(path: Path) -> list[CountedLeaves]:
    if not path.is_file():
        return []
    try:
        with np.load(path, allow_pickle=False) as found:
            return [
                CountedLeaves(
                    Forest.from_bytes(found[f"structures {place}"].tobytes()),
                    NodeCounts(
                        found[f"counts {place}"], frozenset(found[f"bakeries {place}"].tolist())
                    ),
                    found[f"hessians {place}"],
                )
                for place in range(len(found.files) // 4)
            ]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, ModelError) as error:
        LOG.warning("%s can't be read, and its leaves don't serve again: %r", path, error)
        return []
