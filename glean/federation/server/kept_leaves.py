"""Leaves of earlier rounds that may serve again; they are kept on disk, for a run that resumes."""

from __future__ import annotations

import io
import logging
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from glean.aggregation.grouped_refit import GroupedLeaves
from glean.aggregation.leaf_floor import CountedLeaves, NodeCounts
from glean.errors import ModelError
from glean.learning.forest import Forest
from glean.runs.folder import RunFolder

LOG = logging.getLogger("glean")

FILE = "leaves.npz"

MOST = 4
"""Rounds whose leaves are kept."""

Arrays = dict[str, np.ndarray]
Found = TypeVar("Found")


class KeptLeaves:
    """The leaves of the last rounds of which hessians were opened.

    Parameters
    ----------
    folder : RunFolder
        Where they are kept; what it has of an interrupted run is read.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        kept = _read(folder.path / FILE, _in_one_sum, list[CountedLeaves]())
        self._leaves = deque(kept, maxlen=MOST)

    def add(self, leaves: CountedLeaves) -> None:
        """Keep those of a round."""
        self._leaves.append(leaves)
        arrays: Arrays = {}
        for place, one in enumerate(self._leaves):
            arrays |= _arrays(one, str(place))
        _write(self._folder, arrays)

    def serving(self, number: int) -> CountedLeaves | None:
        """Give those that serve again in a round, in turn; None where there are none."""
        return self._leaves[number % len(self._leaves)] if self._leaves else None


class KeptGroupedLeaves:
    """The same of a run whose sums are made in groups, by round.

    Parameters
    ----------
    folder : RunFolder
        As for `KeptLeaves`.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._leaves: dict[int, GroupedLeaves] = _read(folder.path / FILE, _in_groups, {})

    def add(self, number: int, leaves: GroupedLeaves) -> None:
        """Keep those of a round; a run that resumes may have them already."""
        kept = self._leaves | {number: leaves}
        self._leaves = {at: kept[at] for at in sorted(kept)[-MOST:]}
        arrays: Arrays = {}
        for at, one in self._leaves.items():
            arrays[f"proposed {at}"] = np.frombuffer(one.proposed.to_bytes(), np.uint8)
            arrays[f"groups {at}"] = np.array(sorted(one.groups))
            for place, each in one.groups.items():
                arrays |= _arrays(each, f"{at} {place}")
        _write(self._folder, arrays)

    def serving(self, number: int) -> Iterator[GroupedLeaves]:
        """Give those of rounds before one, beginning with those whose turn it is."""
        earlier = [leaves for at, leaves in self._leaves.items() if at < number]
        for step in range(len(earlier)):
            yield earlier[(number + step) % len(earlier)]


def _arrays(leaves: CountedLeaves, label: str) -> Arrays:
    assert leaves.hessians is not None, "they were opened"
    return {
        f"structures {label}": np.frombuffer(leaves.structures.to_bytes(), np.uint8),
        f"counts {label}": leaves.counts.counts,
        f"bakeries {label}": np.array(sorted(leaves.counts.bakeries)),
        f"hessians {label}": leaves.hessians,
    }


def _write(folder: RunFolder, arrays: Arrays) -> None:
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    folder.write_bytes(FILE, content.getvalue())


def _leaves(found: Mapping[str, Any], label: str) -> CountedLeaves:
    return CountedLeaves(
        Forest.from_bytes(found[f"structures {label}"].tobytes()),
        NodeCounts(found[f"counts {label}"], frozenset(found[f"bakeries {label}"].tolist())),
        found[f"hessians {label}"],
    )


def _in_one_sum(found: Mapping[str, Any]) -> list[CountedLeaves]:
    return [_leaves(found, str(place)) for place in range(len(found) // 4)]


def _in_groups(found: Mapping[str, Any]) -> dict[int, GroupedLeaves]:
    rounds = sorted(int(name.split()[1]) for name in found if name.startswith("proposed "))
    return {
        at: GroupedLeaves(
            Forest.from_bytes(found[f"proposed {at}"].tobytes()),
            {place: _leaves(found, f"{at} {place}") for place in found[f"groups {at}"].tolist()},
        )
        for at in rounds
    }


def _read(path: Path, reader: Callable[[Mapping[str, Any]], Found], nothing: Found) -> Found:
    if not path.is_file():
        return nothing
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            return reader(found)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, ModelError) as error:
        LOG.warning("%s can't be read, and its leaves don't serve again: %r", path, error)
        return nothing
