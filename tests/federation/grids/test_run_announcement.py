"""What is told of a run: it comes back as it went, and nothing else is taken for one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import FederationError
from glean.federation.grids.run_announcement import MOST_BYTES, RunAnnouncement

VALUES = st.one_of(
    st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
RUN = RunAnnouncement(7, "glean/glean", "1.2.3", "0123", {"seed": 1, "sales": "x", "rate": 0.1})


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_it_comes_back_as_it_went(config: dict[str, bool | int | float | str]) -> None:
    """Types of values too: True is no 1."""
    found = RunAnnouncement.from_bytes(RunAnnouncement(7, "a", "1", "c", config).to_bytes())
    assert repr(dict(sorted(found.run_config.items()))) == repr(dict(sorted(config.items())))
    assert (found.run_id, found.app, found.release, found.code) == (7, "a", "1", "c")


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"format": "glean run 2"}, "another form"),
        ({"more": 1}, "another form"),
        ({"run_id": 0}, "number"),
        ({"run_id": 2**63}, "number"),
        ({"run_id": True}, "number"),
        ({"app": 1}, "app"),
        ({"code": "x" * 300}, "code"),
        ({"run_config": []}, "plain values"),
        ({"run_config": {"a": [1]}}, "plain values"),
        ({"run_config": {"a": float("inf")}}, "plain values"),
        ({"run_config": {"a": None}}, "plain values"),
    ],
)
def test_what_is_said_of_a_run_is_checked(change: dict[str, object], wanted: str) -> None:
    """Form, number, names and values."""
    with pytest.raises(FederationError, match=wanted):
        RunAnnouncement.from_bytes(json.dumps(json.loads(RUN.to_bytes()) | change).encode())


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"\xff", b"[" * 100_000, b"1", b" " * (MOST_BYTES + 1)]
)
def test_bytes_that_are_none_are_refused(body: bytes) -> None:
    """In plain words."""
    with pytest.raises(FederationError, match="announcement"):
        RunAnnouncement.from_bytes(body)
