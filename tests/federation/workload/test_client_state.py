"""What a client keeps in its node's state."""

from __future__ import annotations

import numpy as np
from flwr.app import RecordDict

from glean.federation.workload.client_state import ClientState


def test_what_is_put_is_there_for_the_next_message() -> None:
    """Text and arrays by name, in the node's own record, whoever wraps it."""
    record = RecordDict()
    arrays = {"a": np.arange(6.0).reshape(2, 3), "empty": np.empty((0, 4), dtype=np.float32)}
    ClientState(record).put("margins", "model 3", arrays)
    again = ClientState(record)
    assert again.text("margins") == "model 3"
    found = again.arrays("margins")
    assert set(found) == {"a", "empty"}
    for name, values in arrays.items():
        assert found[name].dtype == values.dtype
        assert np.array_equal(found[name], values)


def test_putting_anew_leaves_nothing_of_before() -> None:
    """The old arrays go with the old text; other names stay."""
    state = ClientState(RecordDict())
    state.put("one", "first", {"a": np.ones(2), "b": np.ones(3)})
    state.put("other", "kept", {"a": np.zeros(1)})
    state.put("one", "second", {"c": np.ones(1)})
    assert state.text("one") == "second"
    assert set(state.arrays("one")) == {"c"}
    assert (state.text("other"), set(state.arrays("other"))) == ("kept", {"a"})


def test_what_was_never_put_is_empty() -> None:
    """As after the node's state was lost."""
    state = ClientState(RecordDict())
    assert state.text("margins") == ""
    assert state.arrays("margins") == {}
    state.put("margins", "only a text", {})
    assert state.text("margins") == "only a text"
    assert state.arrays("margins") == {}
