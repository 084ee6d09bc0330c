"""The file in which a checkpoint keeps a strategy's own state, beside the model of its round.

A digest comes before the state: only the strategy can read it, so that nobody else could tell
damage otherwise.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from glean.errors import ModelError
from glean.runs.folder import RunFolder, checkpoint_name

STATE_SUFFIX = ".state"


def write_state(folder: RunFolder, number: int, state: bytes) -> None:
    """Write the state after a round; nothing where it is empty."""
    if state:
        content = hashlib.sha256(state).digest() + state
        folder.write_bytes(checkpoint_name(number, STATE_SUFFIX), content)


def read_state(run: Path, number: int) -> bytes:
    """Read the state after a round.

    Raises
    ------
    ModelError
        It isn't there, or is damaged.
    """
    path = run / checkpoint_name(number, STATE_SUFFIX)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} can't be read ({error.strerror})") from error
    size = hashlib.sha256().digest_size
    digest, state = content[:size], content[size:]
    if not state or hashlib.sha256(state).digest() != digest:
        raise ModelError(f"{path}: damaged; wanted the state of an aggregation as Glean wrote it")
    return state
