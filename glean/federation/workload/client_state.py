"""What a client keeps from one message to the next, in its node's own state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from flwr.app import ConfigRecord, RecordDict
from numpy.typing import NDArray

from glean.federation.wire.record_form import config_record

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class ClientState:
    """Named texts and arrays, each kept until it is put anew; lost with the node's state.

    Parameters
    ----------
    record : RecordDict
        The node's own state, as Flower hands it out with a message.
    """

    record: RecordDict

    @classmethod
    def empty(cls) -> Self:
        """Give one that is of no node."""
        return cls(RecordDict())

    def text(self, name: str) -> str:
        """Give the text kept under a name; "" where there is none."""
        found = self.record.get(name)
        return str(found[name]) if isinstance(found, ConfigRecord) else ""

    def arrays(self, name: str) -> dict[str, Floats]:
        """Give the arrays kept with a text; empty where there are none."""
        found = self.record.get(_arrays_of(name))
        if not isinstance(found, ConfigRecord):
            return {}
        return {key: _array(found, key) for key in found if not key.startswith(_FORM)}

    def put(self, name: str, text: str, arrays: Mapping[str, Floats]) -> None:
        """Keep a text and what belongs to it."""
        kept: dict[str, Any] = {}
        for key, array in arrays.items():
            kept[key] = array.tobytes()
            kept[_FORM + key] = [array.dtype.str, *map(str, array.shape)]
        self.record[name] = config_record({name: text})
        # Not Flower's arrays, which are written as files are: that takes ten times as long.
        self.record[_arrays_of(name)] = config_record(kept)


_FORM = "form of "


def _array(kept: ConfigRecord, key: str) -> Floats:
    content, form = kept[key], kept[_FORM + key]
    assert isinstance(content, bytes), "as `put` wrote it"
    assert isinstance(form, list), "as `put` wrote it"
    kind, *shape = map(str, form)
    return np.frombuffer(content, dtype=kind).reshape([int(length) for length in shape]).copy()


def _arrays_of(name: str) -> str:
    return f"{name}-arrays"
