"""Files of keys: new ones only, and private ones readable for their owner alone from the start."""

from __future__ import annotations

import os
from pathlib import Path

CLOSED_FOLDER = 0o700

_FOR_ITS_OWNER, _FOR_ALL = 0o600, 0o644
_PRIVATE = {
    "ca.key", "server.key", "node-key", "signing-key", "model-key", "noise-key", "encryption-key",
}  # fmt: skip


def write_new(path: Path, content: bytes) -> None:
    """Write a new file; a private key is never readable for others, not even for a moment."""
    mode = _FOR_ITS_OWNER if path.name in _PRIVATE else _FOR_ALL
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
