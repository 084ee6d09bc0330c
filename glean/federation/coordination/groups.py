"""The groups in which a run's sums are made: drawn once from a digest of the roster, and kept.

Nobody chooses who is with whom: the order is that of digests of the names, each with one of all
names. A run that resumes has the groups that it began with, whoever is there by then.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from glean.errors import FederationError
from glean.runs.folder import RunFolder

FILE = "groups.json"

FEWEST_GROUPS = 6
"""With fewer, two liars could be in half of them."""

ROOMY_GROUPS = 7
"""So many are made before any is larger than it needs to be: three may hold a liar."""


def group_label(place: int) -> str:
    """Name a group where clients are named: by its number, from 1."""
    return f"(group {place + 1})"


SPARE_SHARE = (1, 10)
"""Of the floor: by so much groups are larger on average, so that most go on without one. Of 40
bakeries and a floor of five that leaves seven groups, three of which may hold a liar."""


@dataclass(frozen=True)
class Groups:
    """Who adds up with whom.

    Parameters
    ----------
    members : tuple of tuple of str
        Names by group, each once.
    trainers : frozenset of str
        Who of them has enough to learn from.
    floor : int
        So many bakeries behind each part of a group's sum, or it isn't opened.
    """

    members: tuple[tuple[str, ...], ...]
    trainers: frozenset[str]
    floor: int

    @classmethod
    def of_roster(
        cls, trainers: Collection[str], others: Collection[str], *, floor: int, roomy: bool = False
    ) -> Self | None:
        """Draw groups; None where there are too few bakeries for them.

        Parameters
        ----------
        trainers : collection of str
            Who can be learned from: so many as the floor at least are in each group.
        others : collection of str
            Who is scored only; they are spread over the groups too.
        floor : int
            Bakeries that each group needs; 0 where nothing is asked.
        roomy : bool
            Whether groups of twice as many are better, as where so many of a group have to have
            rows in a leaf; not at the price of fewer than `ROOMY_GROUPS`.

        Examples
        --------
        >>> groups = Groups.of_roster([f"bakery {k}" for k in range(20)], ["small"], floor=3)
        >>> [groups.learning(place) for place in range(groups.count)]
        [4, 4, 3, 3, 3, 3]
        """
        if not floor or len(trainers) < FEWEST_GROUPS * floor:
            return None
        spare, whole = SPARE_SHARE
        most = whole * len(trainers) // ((whole + spare) * floor)
        if roomy:
            most = min(most, max(ROOMY_GROUPS, len(trainers) // (2 * floor)))
        count = max(FEWEST_GROUPS, most)
        digest = hashlib.sha256("\n".join(sorted({*trainers, *others})).encode()).digest()
        order = [
            sorted(names, key=lambda name: hashlib.sha256(digest + name.encode()).digest())
            for names in (trainers, others)
        ]
        spread = [*order[0], *order[1]]
        members = tuple(tuple(sorted(spread[start::count])) for start in range(count))
        return cls(members, frozenset(trainers), floor)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.members)

    @property
    def least(self) -> int:
        """How many have to be there: more than half, or those that lie may be most."""
        return self.count // 2 + 1

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Each bakery's group, from 0."""
        return {name: place for place, names in enumerate(self.members) for name in names}

    def learning(self, place: int) -> int:
        """Count those of a group that have enough to learn from."""
        return len(self.trainers.intersection(self.members[place]))

    def parted(self, names: Collection[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Part names by group, in order; who came later is in none."""
        for place, members in enumerate(self.members):
            if found := tuple(name for name in members if name in names):
                yield place, found

    def write(self, folder: RunFolder) -> None:
        """Keep them in a run's folder, for one that resumes."""
        told = {
            "members": self.members,
            "trainers": sorted(self.trainers),
            "floor": self.floor,
        }
        folder.write_bytes(FILE, json.dumps(told).encode())

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read those that an interrupted run had; None where it had none.

        Raises
        ------
        FederationError
            The file is damaged.
        """
        if not path.is_file():
            return None
        try:
            found = json.loads(path.read_bytes())
            members = tuple(map(tuple, found["members"]))
            return cls(members, frozenset(found["trainers"]), int(found["floor"]))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise FederationError(
                f"resume: {path.name} is damaged ({error!r:.80}); wanted the groups that the "
                "interrupted run had: put the file back"
            ) from error
