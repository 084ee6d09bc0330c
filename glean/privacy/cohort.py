"""The cohort of secure sums: who takes part in an epoch, with which key, and next to whom.

Key advertisements of all bakeries come in, the list goes out, with the graph over it: the whole
of it, or the part that one bakery needs, its neighbours' keys and a proof that they are of it.
`SecAggClient` on a bakery's machine and `SecAggRound` on the server both go by it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import pairwise

from glean.errors import SecureSumError
from glean.privacy.mask_graph import FEWEST_BAKERIES, neighbours, neighbours_of, threshold
from glean.privacy.mask_keys import KeyAdvertisement
from glean.privacy.mask_wire import Reader, text_field
from glean.privacy.members import Member
from glean.privacy.merkle import HASH_BYTES, MerkleTree, root_of
from glean.privacy.place_sets import MOST_PLACES

_MARK = b"GR2"


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
    size : int
        How many bakeries there are.
    known : mapping of int to KeyAdvertisement
        By place among all names in text order: everybody's, or those that one bakery needs.
    root : bytes
        Of the hash tree over all advertisements, 32 bytes.
    proof : tuple of bytes
        What the known ones lack to the root; empty where all are known.

    Raises
    ------
    SecureSumError
        Fewer than three bakeries, or not sorted, or one is there twice, or two share a key.
    """

    epoch: str
    seed: bytes
    size: int
    known: Mapping[int, KeyAdvertisement] = field(hash=False)
    root: bytes
    proof: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not FEWEST_BAKERIES <= self.size <= MOST_PLACES:
            raise SecureSumError(
                f"secure-sums: found {self.size} contributors; wanted {FEWEST_BAKERIES} or more, "
                f"since with two each would see the other's part of the sum, up to {MOST_PLACES}"
            )
        names = [advertisement.bakery for advertisement in self.known.values()]
        if not (_ascends([*self.known]) and _ascends(names)):
            raise SecureSumError("cohort: found names twice or unsorted; wanted each once, sorted")
        keys = {advertisement.public_key for advertisement in self.known.values()}
        if len(keys) < len(self.known):
            raise SecureSumError("cohort: found one key twice; wanted each its own")

    @classmethod
    def of(cls, advertisements: Iterable[KeyAdvertisement], *, epoch: str, seed: bytes) -> Cohort:
        """Make one of everybody's advertisements in any order."""
        known = dict(enumerate(sorted(advertisements, key=lambda one: one.bakery)))
        root = MerkleTree(_leaves(known)).root if known else b""
        return cls(epoch, seed, len(known), known, root)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Bakeries whose keys are here, sorted."""
        return tuple(advertisement.bakery for advertisement in self.known.values())

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The place among all names of each bakery whose key is here."""
        return {advertisement.bakery: place for place, advertisement in self.known.items()}

    @property
    def complete(self) -> bool:
        """Whether everybody's keys are here."""
        return len(self.known) == self.size

    @cached_property
    def neighbours(self) -> tuple[tuple[int, ...], ...]:
        """Each bakery's neighbours in the graph, as places."""
        return neighbours(self.size, self.seed)

    def neighbours_of(self, place: int) -> tuple[int, ...]:
        """One bakery's neighbours in the graph, as places."""
        return neighbours_of(place, self.size, self.seed)

    def part_for(self, place: int) -> Cohort:
        """Give what one bakery needs of it: its own key and its neighbours', and a proof.

        Everybody's where they are signed, as the bakery then checks all signatures and counts
        those whom its owner knows among all.
        """
        assert self.complete, "parts are of the whole"
        wanted = sorted((place, *self.neighbours[place]))
        if len(wanted) == self.size or self._signed:
            return self
        known = {at: self.known[at] for at in wanted}
        return replace(self, known=known, proof=self._tree.proof(wanted))

    @cached_property
    def _signed(self) -> bool:
        """Whether someone has signed; asked for each of many bakeries."""
        return any(one.signature for one in self.known.values())

    @cached_property
    def _tree(self) -> MerkleTree:
        return MerkleTree(_leaves(self.known))

    @cached_property
    def everybody(self) -> int:
        """All bakeries, as a set."""
        return (1 << self.size) - 1

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the whole cohort, the same for all parts of it."""
        return hashlib.sha256(self._head).digest()

    @property
    def bitmap_bytes(self) -> int:
        """Bytes that a set takes on the wire."""
        return (self.size + 7) // 8

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
        """Read a set as names, of bakeries whose keys are here."""
        return tuple(one.bakery for place, one in self.known.items() if bitmap >> place & 1)

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
                "member of the cohort: agree on keys anew for one that joined"
            )
        return self.places[name]

    def neighbours_in(self, place: int, bitmap: int) -> tuple[int, ...]:
        """Give a bakery's neighbours within a set, as places."""
        return within(self.neighbours[place], bitmap, self.everybody)

    def threshold(self, neighbours: int) -> int:
        """Give how many of so many neighbours are needed (`mask_graph.threshold`)."""
        return threshold(neighbours, bakeries=self.size)

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
            A bakery isn't a member, a signature doesn't fit, or keys are lacking.
        """
        if not self.complete:
            raise SecureSumError(
                f"cohort: found keys of {len(self.known)} of {self.size} contributors; wanted "
                "everybody's, signed by members. Nothing is masked"
            )
        known = {member.bakery: member for member in members}
        for advertisement in self.known.values():
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
    def _head(self) -> bytes:
        seed = len(self.seed).to_bytes(2, "big") + self.seed
        return _MARK + text_field(self.epoch) + seed + self.size.to_bytes(4, "big") + self.root

    @cached_property
    def _bytes(self) -> bytes:
        listed = (place.to_bytes(4, "big") + one.body() for place, one in self.known.items())
        counts = len(self.known).to_bytes(4, "big") + len(self.proof).to_bytes(4, "big")
        return b"".join((self._head, counts, *listed, *self.proof))

    @staticmethod
    def from_bytes(content: bytes) -> Cohort:
        """Read what `to_bytes` wrote; bakeries in one process share what they read.

        Raises
        ------
        SecureSumError
            It is something else, no valid cohort, or its keys aren't those under its root.
        """
        return _read_cohort(content)


def _ascends(found: Sequence[int] | Sequence[str]) -> bool:
    return all(one < next_ for one, next_ in pairwise(found))  # type: ignore[operator]


def within(places: tuple[int, ...], bitmap: int, everybody: int) -> tuple[int, ...]:
    """Give those of some places that are in a set."""
    return places if bitmap == everybody else tuple(at for at in places if bitmap >> at & 1)


def joined(parts: Iterable[Cohort]) -> Cohort:
    """Put parts of one cohort together to what all of them know."""
    found = [*parts]
    known = {place: one for part in found for place, one in part.known.items()}
    return replace(found[0], known=dict(sorted(known.items())), proof=())


@lru_cache(maxsize=8)
def _read_cohort(content: bytes) -> Cohort:
    reader = Reader(content, "cohort", mark=_MARK)
    epoch, seed = reader.text(), reader.take(reader.number(2))
    size, root = reader.number(4), reader.take(HASH_BYTES)
    count, hashes = reader.number(4), reader.number(4)
    known = {reader.number(4): KeyAdvertisement.read(reader) for _ in range(count)}
    proof = tuple(reader.take(HASH_BYTES) for _ in range(hashes))
    reader.end()
    if len(known) < count or any(place >= size for place in known):
        raise SecureSumError("cohort: found a place twice or beyond the last; wanted each once")
    cohort = Cohort(epoch, seed, size, known, root, proof)
    if root_of(_leaves_by_place(known), size, proof) != root:
        raise SecureSumError(
            f"cohort: found keys of {count} of {size} contributors that aren't under its root; "
            "wanted those that everybody was told. Nothing is masked"
        )
    return cohort


def _leaves(known: Mapping[int, KeyAdvertisement]) -> list[bytes]:
    return [*_leaves_by_place(known).values()]


def _leaves_by_place(known: Mapping[int, KeyAdvertisement]) -> dict[int, bytes]:
    return {place: one.body() for place, one in known.items()}
