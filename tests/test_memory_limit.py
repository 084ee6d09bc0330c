"""Values kept up to a limit: the same at any, and no more than that in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from glean import memory_limit
from glean.errors import SettingsError
from glean.memory_limit import Kept, KeptOnDisk, MemoryLimit, memory_of
from glean.spill_file import Arrays

KIB = 2**10


@dataclass
class Block:
    """A KiB of a number, which is what it was made of."""

    numbers: NDArray[np.uint8]

    @property
    def nbytes(self) -> int:
        return self.numbers.nbytes

    def arrays(self) -> Arrays:
        return {"numbers": self.numbers}


def block(number: int) -> Block:
    return Block(np.full(KIB, number, dtype=np.uint8))


def read(arrays: Arrays) -> Block:
    return Block(arrays["numbers"].view(np.uint8))


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryLimit]:
    found = MemoryLimit(10 * KIB)
    monkeypatch.setattr(memory_limit, "memory_limit", lambda: found)
    yield found
    assert found.peak_bytes <= found.most_bytes + KIB


@pytest.mark.parametrize(
    ("text", "wanted"), [("16M", 2**24), ("512M", 2**29), ("2G", 2**31), ("1.5G", 3 * 2**29)]
)
def test_amounts_are_read(text: str, wanted: int) -> None:
    assert memory_of({"GLEAN_MEMORY": text}) == wanted


def test_without_a_word_it_is_a_gibibyte() -> None:
    assert memory_of({}) == 2**30


@pytest.mark.parametrize("text", ["", "much", "0", "15M", "-1G", "2", "2T", "1e3G", "2 G", "٢G"])
def test_nonsense_is_refused_with_what_was_found(text: str) -> None:
    with pytest.raises(SettingsError, match=f"GLEAN_MEMORY: found '{text}'; wanted 16M or more"):
        memory_of({"GLEAN_MEMORY": text})


@pytest.mark.parametrize("count", [5, 50, 500])
def test_memory_doesnt_grow_with_what_there_is(limit: MemoryLimit, count: int) -> None:
    """Half of them made again, half of them on disk, asked for in turns."""
    remade = [Kept[Block]() for _ in range(count)]
    stored = [KeptOnDisk[Block]() for _ in range(count)]
    for _ in range(3):
        for k in range(count):
            assert remade[k].get(lambda k=k: block(k % 251)).numbers[-1] == k % 251  # type: ignore[misc]
            found = stored[k].get(lambda k=k: block(k % 241), read)  # type: ignore[misc]
            assert found.numbers[-1] == k % 241
    assert limit.kept_bytes == min(2 * count, 10) * KIB


@pytest.mark.usefixtures("limit")
def test_what_lies_on_disk_isnt_made_again() -> None:
    stored = [KeptOnDisk[Block]() for _ in range(30)]
    made: list[int] = []

    def make(number: int) -> Block:
        made.append(number)
        return block(number)

    for _ in range(3):
        for k, each in enumerate(stored):
            each.get(lambda k=k: make(k), read)  # type: ignore[misc]
    assert made == list(range(30))


@pytest.mark.usefixtures("limit")
def test_turns_find_most_of_what_fits_in_memory() -> None:
    """Where each is wanted in turn, what was used longest ago is wanted first: it isn't let go."""
    stored, reads = [KeptOnDisk[Block]() for _ in range(20)], 0

    def counted(arrays: Arrays) -> Block:
        nonlocal reads
        reads += 1
        return read(arrays)

    for _ in range(11):
        for k, each in enumerate(stored):
            each.get(lambda k=k: block(k), counted)  # type: ignore[misc]
    assert reads <= 10 * (20 - 10 + 2)


@pytest.mark.usefixtures("limit")
def test_what_was_added_is_written_too() -> None:
    """Such as numbers of rows that were found after the first time on disk."""

    class Grows(Block):
        def arrays(self) -> Arrays:
            more = {"more": self.numbers + 1} if self.numbers[0] == 7 else {}
            return {"numbers": self.numbers} | more

    found = KeptOnDisk[Grows]()
    others = [KeptOnDisk[Block]() for _ in range(30)]

    def push_out() -> None:
        for other in others:
            other.get(lambda: block(0), read)

    names: list[tuple[str, ...]] = []

    def seen(arrays: Arrays) -> Grows:
        names.append(tuple(arrays))
        return Grows(arrays["numbers"].view(np.uint8))

    found.get(lambda: Grows(block(1).numbers), seen)
    for _ in range(12):
        push_out()
        found.let_go()
        found.get(lambda: Grows(block(1).numbers), seen).numbers[:] = 7
    assert names[0] == ("numbers",)
    assert names[-1] == ("numbers", "more")


def test_those_who_are_gone_dont_count(limit: MemoryLimit) -> None:
    for k in range(5):
        Kept[Block]().get(lambda k=k: block(k))  # type: ignore[misc]
    assert limit.kept_bytes == 0


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(1, 3000)), max_size=60))
def test_the_count_is_what_is_there(uses: list[tuple[bool, int, int]]) -> None:
    """In any order, and with values that grow between two uses."""
    limit = MemoryLimit(10 * KIB)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory_limit, "memory_limit", lambda: limit)
        remade = [Kept[Block]() for _ in range(10)]
        stored = [KeptOnDisk[Block]() for _ in range(10)]
        for on_disk, k, size in uses:
            fresh = Block(np.full(size, k, dtype=np.uint8))
            if on_disk:
                assert stored[k].get(lambda fresh=fresh: fresh, read).numbers[0] == k  # type: ignore[misc]
            else:
                remade[k].get(lambda fresh=fresh: fresh)  # type: ignore[misc]
        there = [each._value for each in remade] + [each._value for each in stored]
        assert limit.kept_bytes == sum(value.nbytes for value in there if value is not None)
        assert limit.kept_bytes <= 10 * KIB
