"""What a client keeps of its own layers, in its node's state and in its home."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from glean.errors import FederationError
from glean.federation.workload.client_state import ClientState
from glean.images.adaptation.own_layers import FILE, OwnLayers


def layers(value: float) -> dict[str, np.ndarray]:
    """Values of two layers, one with a dot and a blank in its name."""
    return {"0.own weight": np.full((2, 3), value, np.float32), "b": np.full(1, value, np.float32)}


def value_of(arrays: object) -> float:
    assert isinstance(arrays, dict)
    (found,) = {float(v) for values in arrays.values() for v in values.ravel()}
    return found


def after(rounds: int) -> OwnLayers:
    """Trained from a model a round; each time the value goes up by one."""
    found = OwnLayers()
    for number in range(rounds):
        found = found.after_training(f"model {number}", layers(number), layers(number + 1))
    return found


def test_a_model_has_the_layers_that_training_from_it_began_with() -> None:
    """Of the last three; any other has those of now."""
    found = after(5)
    assert [value_of(found.at(f"model {n}")) for n in range(6)] == [5, 5, 2, 3, 4, 5]
    assert OwnLayers().at("model 0") == {}


def test_a_round_that_is_asked_again_begins_and_ends_the_same() -> None:
    """Whatever it came to the first time."""
    found = after(3)
    again = found.after_training("model 2", found.at("model 2"), layers(3))
    assert value_of(again.at("model 2")) == 2
    assert value_of(again.now) == 3
    assert [*again.began] == [*found.began]


def test_they_come_back_from_state_and_home(tmp_path: Path) -> None:
    """The state's first; the home's where a state was lost."""
    state = ClientState.empty()
    after(4).write(state, str(tmp_path))
    for found in (OwnLayers.read(state, ""), OwnLayers.read(ClientState.empty(), str(tmp_path))):
        assert [*found.began] == ["model 1", "model 2", "model 3"]
        assert [value_of(found.at(name)) for name in found.began] == [1, 2, 3]
        assert value_of(found.now) == 4
        assert found.now["0.own weight"].shape == (2, 3)
    assert OwnLayers.read(ClientState.empty(), "").now == {}
    assert OwnLayers.read(ClientState.empty(), str(tmp_path / "none")).now == {}


def test_a_damaged_home_is_said(tmp_path: Path) -> None:
    """With what to do."""
    (tmp_path / FILE).write_bytes(b"PK nothing")
    with pytest.raises(FederationError, match=r"own-layers.npz can't be read .* delete it"):
        OwnLayers.read(ClientState.empty(), str(tmp_path))
