"""Numbers in fewer bits: what is small comes back, and sums are the same, masked or not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import ModelError
from glean.federation.wire.packed_words import pack, pack_end, signed, unpack, unpack_end

BITS = st.integers(2, 64)


def vector_of(values: list[int]) -> bytes:
    return np.array(values, dtype=np.int64).astype("<i8").tobytes()


@given(BITS, st.data())
def test_what_fits_comes_back(bits: int, data: st.DataObject) -> None:
    """In as many bytes as the bits take, also behind something else."""
    limit = 2 ** (bits - 1)
    values = data.draw(st.lists(st.integers(-limit, limit - 1), max_size=40))
    packed = pack(vector_of(values), bits)
    assert len(packed) == -(-bits * len(values) // 8)
    assert unpack(packed, bits, len(values)) == vector_of(values)
    whole = pack_end(b"head" + vector_of(values), bits, len(values))
    assert unpack_end(whole, bits, len(values)) == b"head" + vector_of(values)


@given(st.integers(8, 40), st.lists(st.integers(-20, 20), min_size=3, max_size=3), st.data())
def test_masks_cancel_in_the_lowest_bits(bits: int, values: list[int], data: st.DataObject) -> None:
    """Each mask is added to one and taken off another, over all 64 bits."""
    masks = data.draw(st.lists(st.integers(0, 2**64 - 1), min_size=3, max_size=3))
    masked = [(value + masks[k] - masks[k - 1]) % 2**64 for k, value in enumerate(values)]
    sent = [pack(np.array([one], dtype="<u8").tobytes(), bits) for one in masked]
    found = [np.frombuffer(unpack(one, bits, 1), dtype="<u8") for one in sent]
    total = np.add.reduce(np.stack(found), axis=0)
    assert signed(np.asarray(total).view(np.int64), bits).tolist() == [sum(values)]


@pytest.mark.parametrize("length", [9, 11])
def test_another_length_is_refused(length: int) -> None:
    """With how many bytes there are and should be."""
    with pytest.raises(ModelError, match="found a vector of 15 bytes"):
        unpack(pack(vector_of([1] * 10), 12), 12, length)
