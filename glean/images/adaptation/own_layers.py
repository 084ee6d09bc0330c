"""What a client keeps of its network from round to round: layers that the run's doesn't have.

They stay in the node's state, and in the client's home where it has one, since a run that is
resumed begins with new states. Kept are the values now, and those that training from the last few
models began with: a round that is asked for again begins with the same.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from glean.errors import FederationError
from glean.federation.workload.client_state import ClientState
from glean.learning.model_weights import Singles
from glean.runs.client_home import keep_files

FILE = "own-layers.npz"

_NAME = "own layers"
_MOST = 3
"""Models whose beginnings are kept: a server goes back by two rounds at most."""

_MODELS = "models"

Arrays = Mapping[str, Singles]


@dataclass(frozen=True, eq=False)
class OwnLayers:
    """Values of a client's own layers.

    Parameters
    ----------
    now : mapping of str to float32 array
        After the last training, by name; empty before the first.
    began : mapping of str to mapping of str to float32 array
        Digest of a model -> what training from it began with, the last ones.
    """

    now: Arrays = field(default_factory=dict)
    began: Mapping[str, Arrays] = field(default_factory=dict)

    def at(self, model: str) -> Arrays:
        """Give the values that go with a model, by its digest."""
        return self.began.get(model, self.now)

    def after_training(self, model: str, before: Arrays, after: Arrays) -> OwnLayers:
        """Note what training from a model began with, and came to."""
        others = {key: kept for key, kept in self.began.items() if key != model}
        last = dict([*others.items()][1 - _MOST :])
        return OwnLayers(after, {**last, model: before})

    def write(self, state: ClientState, home: str) -> None:
        """Keep them.

        Raises
        ------
        FederationError
            The home can't be written to.
        """
        flat = self._flat()
        text = json.dumps([*self.began])
        state.put(_NAME, text, flat)
        if home:
            packed = io.BytesIO()
            told = np.frombuffer(text.encode(), dtype=np.uint8)
            np.savez(packed, allow_pickle=False, **{_MODELS: told}, **flat)
            keep_files(Path(home).expanduser(), {FILE: packed.getvalue()})

    @classmethod
    def read(cls, state: ClientState, home: str) -> OwnLayers:
        """Read what was kept; of the home only where the state has none.

        Raises
        ------
        FederationError
            The file in the home is damaged.
        """
        if text := state.text(_NAME):
            return cls._of(text, state.arrays(_NAME))
        path = Path(home).expanduser() / FILE
        if not home or not path.is_file():
            return cls()
        try:
            with np.load(path, allow_pickle=False) as kept:
                arrays = {name: kept[name] for name in kept.files}
            return cls._of(bytes(arrays.pop(_MODELS)).decode(), arrays)
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise FederationError(
                f"{path} can't be read ({error!s:.200}): delete it, and this client's own layers "
                "begin afresh"
            ) from error

    def _flat(self) -> dict[str, Singles]:
        sets = [self.now, *self.began.values()]
        return {
            f"{place} {name}": values
            for place, arrays in enumerate(sets)
            for name, values in arrays.items()
        }

    @classmethod
    def _of(cls, text: str, flat: Mapping[str, np.ndarray]) -> OwnLayers:
        models = json.loads(text)
        sets: list[dict[str, Singles]] = [{} for _ in range(len(models) + 1)]
        for key, values in flat.items():
            place, _, name = key.partition(" ")
            sets[int(place)][name] = values
        return cls(sets[0], dict(zip(models, sets[1:], strict=True)))
