"""The cohort of secure sums: who takes part in an epoch, with which key, and next to whom.

Key advertisements of all bakeries come in, the list that everybody gets goes out, with the
graph over it.
`SecAggClient` on a bakery's machine and `SecAggRound` on the server both go by it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

from glean.errors import SecureSumError
from glean.privacy.mask_graph import FEWEST_BAKERIES, neighbours, threshold
from glean.privacy.mask_keys import KeyAdvertisement
from glean.privacy.mask_wire import Reader, text_field
from glean.privacy.members import Member

_MARK = b"GR1"


@dataclass(frozen=True)
class Cohort:
    """Who takes part in an epoch, with which key; the same for everybody.

    Sets of bakeries are integers over it: bit i stands for the i-th name, so that a list of a
    thousand participants takes 125 bytes and its overlap with neighbours one operation.

    Parameters
    ----------
    epoch : str
        Names the run and the key agreement in it; never used twice.
    seed : bytes
        Public seed of the graph.
    advertisements : tuple of KeyAdvertisement
        One a bakery, sorted by name.

    Raises
    ------
    SecureSumError
        Fewer than three bakeries, or not sorted, or one is there twice, or two share a key.
    """

    epoch: str
    seed: bytes
    advertisements: tuple[KeyAdvertisement, ...]

    def __post_init__(self) -> None:
        names = self.names
        if len(names) < FEWEST_BAKERIES:
            raise SecureSumError(
                f"secure-sums: found {len(names)} bakeries; wanted {FEWEST_BAKERIES} or more, "
                "since with two each would see the other's part of the sum"
            )
        if any(one >= next_ for one, next_ in pairwise(names)):
            raise SecureSumError("cohort: found names twice or unsorted; wanted each once, sorted")
        if len({advertisement.public_key for advertisement in self.advertisements}) < len(names):
            raise SecureSumError("cohort: found one key twice; wanted each bakery's own")

    @classmethod
    def of(cls, advertisements: Iterable[KeyAdvertisement], *, epoch: str, seed: bytes) -> Cohort:
        """Make one of advertisements in any order."""
        return cls(
            epoch,
            seed,
            tuple(sorted(advertisements, key=lambda advertisement: advertisement.bakery)),
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Bakeries, sorted."""
        return tuple(advertisement.bakery for advertisement in self.advertisements)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Each bakery's place among the names."""
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def neighbours(self) -> tuple[tuple[int, ...], ...]:
        """Each bakery's neighbours in the graph, as places."""
        return neighbours(self.names, self.seed)

    @cached_property
    def everybody(self) -> int:
        """All bakeries, as a set."""
        return (1 << len(self.advertisements)) - 1

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the whole cohort."""
        return hashlib.sha256(self._bytes).digest()

    @property
    def bitmap_bytes(self) -> int:
        """Bytes that a set takes on the wire."""
        return (len(self.advertisements) + 7) // 8

    def bitmap(self, names: Iterable[str]) -> int:
        """Write names as a set.

        Raises
        ------
        SecureSumError
            A name isn't in the cohort.
        """
        found = 0
        for name in names:
            found |= 1 << self.place(name)
        return found

    def names_in(self, bitmap: int) -> tuple[str, ...]:
        """Read a set as names."""
        return tuple(name for place, name in enumerate(self.names) if bitmap >> place & 1)

    def place(self, name: str) -> int:
        """Give a bakery's place.

        Raises
        ------
        SecureSumError
            It isn't in the cohort.
        """
        if name not in self.places:
            raise SecureSumError(
                f"secure sum: found {name!r}, which has no key in epoch {self.epoch!r}; wanted a "
                "bakery of the cohort: agree on keys anew for one that joined"
            )
        return self.places[name]

    def neighbours_in(self, place: int, bitmap: int) -> tuple[int, ...]:
        """Give a bakery's neighbours within a set, as places."""
        if bitmap == self.everybody:
            return self.neighbours[place]
        return tuple(other for other in self.neighbours[place] if bitmap >> other & 1)

    def threshold(self, neighbours: int) -> int:
        """Give how many of so many neighbours are needed (`mask_graph.threshold`)."""
        return threshold(neighbours, bakeries=len(self.advertisements))

    def isolated(self, participants: int) -> tuple[str, ...]:
        """Name the participants that would refuse to mask, for so few of their neighbours do.

        If there are any, keys should be agreed on anew among those who are left.
        """
        return tuple(
            name
            for place, name in enumerate(self.names)
            if participants >> place & 1
            and len(self.neighbours_in(place, participants))
            < self.threshold(len(self.neighbours[place]))
        )

    def verify(self, members: Sequence[Member]) -> None:
        """Check every advertisement against the member list.

        Raises
        ------
        SecureSumError
            A bakery isn't a member, or a signature doesn't fit.
        """
        known = {member.bakery: member for member in members}
        for advertisement in self.advertisements:
            if advertisement.bakery not in known:
                raise SecureSumError(
                    f"key of {advertisement.bakery!r}: it isn't in members.json; wanted members "
                    "only. Ask the operator for the new list if it joined, else mask nothing"
                )
            advertisement.verify(known[advertisement.bakery], epoch=self.epoch)

    def to_bytes(self) -> bytes:
        """Write it; `from_bytes` reads it."""
        return self._bytes

    @cached_property
    def _bytes(self) -> bytes:
        head = _MARK + text_field(self.epoch) + len(self.seed).to_bytes(2, "big") + self.seed
        count = len(self.advertisements).to_bytes(4, "big")
        return (
            head + count + b"".join(advertisement.body() for advertisement in self.advertisements)
        )

    @staticmethod
    def from_bytes(content: bytes) -> Cohort:
        """Read what `to_bytes` wrote; bakeries in one process share what they read.

        Raises
        ------
        SecureSumError
            It is something else, or no valid cohort.
        """
        return _read_cohort(content)


@lru_cache(maxsize=8)
def _read_cohort(content: bytes) -> Cohort:
    reader = Reader(content, "cohort", mark=_MARK)
    epoch, seed = reader.text(), reader.take(reader.number(2))
    advertisements = tuple(KeyAdvertisement.read(reader) for _ in range(reader.number(4)))
    reader.end()
    return Cohort(epoch, seed, advertisements)
