"""The UBJSON reader takes what XGBoost writes, and nothing else."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import ModelError
from glean.learning import ubj


def size(count: int) -> bytes:
    return struct.pack(">q", count)


def arrays() -> st.SearchStrategy[Any]:
    finite = st.floats(width=32, allow_nan=False)
    return st.one_of(
        st.lists(finite, max_size=5).map(lambda v: np.array(v, np.float32)),
        st.lists(st.integers(-(2**31), 2**31 - 1), max_size=5).map(lambda v: np.array(v, np.int32)),
        st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5).map(lambda v: np.array(v, np.int64)),
        st.lists(st.integers(0, 255), max_size=5).map(lambda v: np.array(v, np.uint8)),
    )


def values(depth: int = 3) -> st.SearchStrategy[Any]:
    leaves = st.one_of(st.text(max_size=9), st.integers(-(2**63), 2**63 - 1), arrays())
    if depth == 0:
        return leaves
    inner = values(depth - 1)
    objects = st.dictionaries(st.text(max_size=5), inner, max_size=4)
    return st.one_of(leaves, st.lists(inner, max_size=4), objects)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype.kind == b.dtype.kind and np.array_equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@given(st.dictionaries(st.text(max_size=5), values(), max_size=4))
def test_read_gives_back_what_write_wrote(value: dict[str, Any]) -> None:
    """decode(encode(x)) == x, types and all."""
    assert same(value, ubj.read(ubj.write(value)))


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_by_a_model_error(data: bytes) -> None:
    """Whatever the bytes, no other error than ModelError comes out."""
    for prefix in (b"", b"{", b"{L" + size(1) + b"a", b"{L" + size(1) + b"a[$"):
        with suppress(ModelError):
            ubj.read(prefix + data)


A = b"L" + size(1) + b"a"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cut short"),
        (b"[#L" + size(0), "no object"),
        (b"{", "cut short"),
        (b"{}x", "1 bytes after the end"),
        (b"{" + A + b"i\x01" + A + b"i\x01}", "each key once"),
        (b"{L" + size(1) + b"b" + b"i\x01" + A + b"i\x01}", "in order"),
        (b"{" + A + b"Z}", "a value"),
        (b"{" + A + b"d\0\0\0\0}", "a value"),
        (b"{" + A + b"SL" + size(2**40) + b"x}", "a size of"),
        (b"{" + A + b"SL" + size(-1) + b"x}", "a size of -1"),
        (b"{" + A + b"Si\x01x}", "64-bit size"),
        (b"{" + A + b"SL" + size(1) + b"\xff}", "UTF-8"),
        (b"{" + A + b"[$d#L" + size(2**61) + b"}", "a size of"),
        (b"{" + A + b"[$D#L" + size(0) + b"}", "known type"),
        (b"{" + A + b"[#L" + size(2**40) + b"}", "a size of"),
        (b"{" + A + b"[i\x01]}", "array that begins"),
        (b"{" + A + b"L\0\0}", "cut short"),
        (b"{" + (A + b"{") * 100_000, "levels"),
        (b"{" + A + (b"[#L" + size(1)) * 100_000, "a size of|levels"),
    ],
)
def test_odd_bytes_are_named(data: bytes, words: str) -> None:
    """Each oddity is refused in words that say what stood there, and deep nesting doesn't crash."""
    with pytest.raises(ModelError, match=words):
        ubj.read(data)


def test_whole_numbers_have_the_width_that_xgboost_gives_them() -> None:
    """XGBoost writes 127 in two bytes and 126 in one; only so do files stay equal to the byte."""
    widths = {v: len(ubj.write(v)) - 1 for v in (0, 126, 127, -127, 32766, 32767, 2**31 - 1)}
    assert widths == {0: 1, 126: 1, 127: 2, -127: 2, 32766: 2, 32767: 4, 2**31 - 1: 8}
