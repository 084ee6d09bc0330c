"""Calls in one request: they come through as they were, and no bytes break who reads them."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.federation.node.call_batch import (
    MOST_CALLS,
    BatchError,
    FleetCall,
    FleetResult,
    read_calls,
    read_results,
    write_calls,
    write_results,
)

PATHS = st.text(st.characters(codec="ascii"), max_size=50)
CALLS = st.lists(st.builds(FleetCall, PATHS, st.binary(max_size=200)), min_size=1, max_size=9)
RESULTS = st.lists(st.builds(FleetResult, st.integers(0, 999), st.binary(max_size=200)), max_size=9)


@given(CALLS)
def test_calls_are_read_back(calls: list[FleetCall]) -> None:
    """In their order."""
    assert read_calls(write_calls(calls)) == tuple(calls)


@given(RESULTS)
def test_results_are_read_back(results: list[FleetResult]) -> None:
    """As many as there were calls."""
    content = write_results(results)
    assert read_results(content, count=len(results)) == tuple(results)
    with pytest.raises(BatchError):
        read_results(content, count=len(results) + 1)


@given(st.binary(max_size=300))
def test_no_bytes_break_who_reads_them(content: bytes) -> None:
    """They are a batch, or refused."""
    for read in (read_calls, lambda found: read_results(found, count=1)):
        with suppress(BatchError):
            read(content)


@given(CALLS, st.data())
def test_a_batch_that_is_cut_off_is_refused_or_shorter(
    calls: list[FleetCall], data: st.DataObject
) -> None:
    """Never are other calls in it."""
    content = write_calls(calls)
    cut = content[: data.draw(st.integers(0, len(content) - 1))]
    try:
        found = read_calls(cut)
    except BatchError:
        return
    assert found == tuple(calls[: len(found)])


def test_too_many_calls_are_refused() -> None:
    """So that one request doesn't stand for a thousand."""
    call = FleetCall("/v1/fleet/pull-object", b"")
    assert len(read_calls(write_calls([call] * MOST_CALLS))) == MOST_CALLS
    for calls in ([call] * (MOST_CALLS + 1), []):
        with pytest.raises(BatchError):
            read_calls(write_calls(calls))


def test_no_further_is_read_than_calls_may_be() -> None:
    """Millions of empty fields cost no time and no memory."""
    began = time.process_time()
    with pytest.raises(BatchError, match="more than 128 fields"):
        read_calls(bytes(20 * 2**20))
    assert time.process_time() - began < 0.2
