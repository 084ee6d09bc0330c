"""Sets over a cohort: read as they were written, in one way only, and short where all are in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import SecureSumError
from glean.privacy.place_sets import set_from_bytes, set_from_text, set_to_bytes, set_to_text

SETS = st.one_of(
    st.integers(0, 2**70),
    st.sets(st.integers(0, 3000), max_size=40).map(lambda places: sum(1 << p for p in places)),
    st.tuples(st.integers(0, 3000), st.integers(0, 3000)).map(
        lambda two: (1 << max(two) + 1) - (1 << min(two))
    ),
)


@given(SETS)
def test_a_set_is_read_as_it_was_written(bitmap: int) -> None:
    """Whichever form is shorter."""
    assert set_from_text(set_to_text(bitmap)) == bitmap
    assert set_from_bytes(set_to_bytes(bitmap)) == bitmap


@given(st.text("~0123456789abcdef-,x ", max_size=12))
def test_a_text_means_one_set_or_none(text: str) -> None:
    """Two texts of one set would be two stories, and numbers without end would fill the memory."""
    try:
        found = set_from_text(text)
    except SecureSumError:
        return
    assert text in (f"{found:x}", set_to_text(found)) or text.startswith("~")
    if text.startswith("~"):
        places = {at for at in range(found.bit_length()) if found >> at & 1}
        listed = [piece.split("-") for piece in text[1:].split(",") if piece]
        assert places == {at for piece in listed for at in range(int(piece[0]), int(piece[-1]) + 1)}


@given(st.binary(max_size=12))
def test_any_bytes_are_a_set_or_refused(content: bytes) -> None:
    """No message ends otherwise."""
    try:
        found = set_from_bytes(content)
    except SecureSumError:
        return
    assert found >= 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0f",
        "F",
        "~1-",
        "~2-1",
        "~1,2",
        "~01",
        "~1-1",
        "~3,1",
        "~1048576",
        "~-1",
        "~٣",
        "+1",
        "-1",
        "1_0",
    ],
)
def test_what_is_written_otherwise_is_refused(text: str) -> None:
    """In words, as one of a sum's messages."""
    with pytest.raises(SecureSumError, match="a set of contributors"):
        set_from_text(text)
    with pytest.raises(SecureSumError, match="a set of contributors"):
        set_from_bytes(b"\1" + text.removeprefix("~").encode() if text.startswith("~") else b"\2")


def test_a_set_of_nearly_all_of_ten_thousand_is_short() -> None:
    """Its bits would be 1,250 bytes, or 2,500 digits."""
    nearly = (1 << 10_000) - 1 - (1 << 17) - (1 << 4_000)
    assert set_to_text(nearly) == "~0-16,18-3999,4001-9999"
    assert len(set_to_bytes(nearly)) == 23
