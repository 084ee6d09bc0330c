"""What travels for a sum: the task, the vector in reply, keys, and what unmasks the sum."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from glean.federation.wire.messages import Task
from glean.federation.wire.record_form import Packed


@dataclass(frozen=True)
class SumTask(Packed, Task):
    """A task whose answer is a vector to be summed.

    Parameters
    ----------
    number : int
        Number of the sum, larger than that of any sum before it in the run.
    request : str
        JSON of `SumRequest`.
    structures : bytes
        Model file of the trees whose leaves are wanted; empty without.
    participants : bytes
        Set over the cohort (`place_sets.set_to_bytes`): whose masks cancel in this sum; empty:
        vectors aren't masked.
    cohort : bytes
        The bakeries' public keys; empty where the bakery holds them.
    """

    number: int
    request: str
    structures: bytes
    participants: bytes
    cohort: bytes

    @classmethod
    @lru_cache(maxsize=4)
    def from_pieces(cls, whole: bytes, *beside: tuple[str, bytes]) -> Self:
        """Read what a record holds; in one process most bakeries get the same in turn."""
        return super().from_pieces(whole, *beside)


@dataclass(frozen=True)
class SumReply(Packed):
    """A bakery's reply to a `SumTask`.

    Parameters
    ----------
    bakery, code, spec : str
        Who, running what, for which spec (its identity).
    lacks_model : bool
        True: the bakery doesn't hold the state that the task continued; send the whole model.
    lacks_keys : bool
        True: it doesn't hold the keys that its vector is to be masked with.
    device : str
        Where it learned, in XGBoost's words; "" where it didn't.
    sums : tuple of float
        Its scores as they are, the fields of the workload's `MetricSums`; none where they aren't to
        be shown.
    proposal : bytes
        Model file of trees without leaf values; empty without.
    vector : bytes
        The vector, masked or not; empty without, and where it lacks something.
    """

    bakery: str
    code: str
    spec: str
    lacks_model: bool
    lacks_keys: bool
    device: str
    sums: tuple[float, ...]
    proposal: bytes
    vector: bytes


@dataclass(frozen=True)
class KeyTask(Packed):
    """The server's request for a key, before vectors are masked.

    Parameters
    ----------
    newcomer : bool
        Whether this bakery plays a newcomer (simulation only).
    epoch : str
        What the key is for: the run, and how many keys it had before.
    """

    newcomer: bool
    epoch: str


@dataclass(frozen=True)
class KeyReply(Packed):
    """A bakery's public key.

    Parameters
    ----------
    bakery, code : str
        Who, running what.
    advertisement : bytes
        The key and, in a deployment, the signature that goes with it.
    """

    bakery: str
    code: str
    advertisement: bytes


@dataclass(frozen=True)
class UnmaskTask(Packed):
    """The server's request for what it takes to unmask a sum.

    Parameters
    ----------
    newcomer : bool
        Whether this bakery plays a newcomer (simulation only).
    request : bytes
        Who sent a vector and who is gone, and the shares meant for this bakery.
    """

    newcomer: bool
    request: bytes


@dataclass(frozen=True)
class UnmaskResult(Packed):
    """A bakery's reply to an `UnmaskTask`.

    Parameters
    ----------
    bakery, code : str
        Who, running what.
    answer : bytes
        Its shares of the masks of those who sent, and the sum's seeds of those who are gone.
    """

    bakery: str
    code: str
    answer: bytes
