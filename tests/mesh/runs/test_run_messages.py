"""What peers say of a run: as it was said, or refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import FederationError
from glean.mesh.runs.manifest import MOST_FILES
from glean.mesh.runs.run_messages import MOST_HEAD_BYTES, STORE, RunMessage
from tests.mesh.runs.made_plans import KEY


def written(head: object, rest: bytes = b"") -> bytes:
    """A message of this head."""
    text = json.dumps(head).encode()
    return len(text).to_bytes(4, "big") + text + rest


@given(
    st.dictionaries(st.text(max_size=9), st.integers() | st.booleans() | st.text(max_size=9)),
    st.lists(st.binary(max_size=50), max_size=6),
)
def test_a_message_comes_as_it_was_sent(head: dict[str, object], contents: list[bytes]) -> None:
    """With contents of any length, none included."""
    message = RunMessage(STORE, KEY, head, tuple(contents))
    assert RunMessage.from_bytes(STORE, message.to_bytes()) == message


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(body: bytes) -> None:
    """Whatever they are."""
    with pytest.raises(FederationError):
        RunMessage.from_bytes(STORE, body)


@pytest.mark.parametrize(
    "body",
    [
        (MOST_HEAD_BYTES + 1).to_bytes(4, "big") + b" " * (MOST_HEAD_BYTES + 1),
        written({"key": KEY, "head": {}}),
        written({"key": KEY, "head": [], "sizes": []}),
        written({"key": "../../x", "head": {}, "sizes": []}),
        written({"key": KEY, "head": {}, "sizes": [3]}, b"ab"),
        written({"key": KEY, "head": {}, "sizes": [1]}, b"ab"),
        written({"key": KEY, "head": {}, "sizes": [-1, 3]}, b"ab"),
        written({"key": KEY, "head": {}, "sizes": [True, True]}, b"ab"),
        written({"key": KEY, "head": {}, "sizes": [0] * (MOST_FILES + 1)}),
        (8).to_bytes(4, "big") + b"[" * 8,
    ],
)
def test_what_doesn_t_fit_together_is_refused(body: bytes) -> None:
    """Before anything of it is used."""
    with pytest.raises(FederationError):
        RunMessage.from_bytes(STORE, body)


@pytest.mark.parametrize("found", [None, "1", -1, 2**53, 1.0, True, [1]])
def test_a_number_is_one(found: object) -> None:
    """Terms are counted with it."""
    with pytest.raises(FederationError, match="run-store, term: found"):
        RunMessage(STORE, KEY, {"term": found}).number("term")


@pytest.mark.parametrize("found", [None, [1], [1, -1], [1, "2"], [True, 1], [1, 2**53], "12"])
def test_a_version_is_one(found: object) -> None:
    """So are versions compared."""
    with pytest.raises(FederationError, match="wanted its term and index"):
        RunMessage(STORE, KEY, {"version": found}).version()


def test_other_fields_are_what_they_must_be() -> None:
    """Each by its kind."""
    message = RunMessage(STORE, KEY, {"message": "", "hosts": 1, "missing": ["x"]}, (b"",))
    for read in (
        lambda: message.text("message"),
        lambda: message.flag("hosts"),
        lambda: message.digests("missing"),
        lambda: message.digests("none"),
        lambda: message.content(0, of=2),
    ):
        with pytest.raises(FederationError):
            read()
