"""Weights that federated averaging works on: named arrays of numbers.

They travel as a NumPy `.npz` with the model's spec inside, and are taken only if they are byte for
byte such a file: whatever else a stranger sends is refused before it is interpreted.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from glean.errors import ModelError

Singles = NDArray[np.float32]

ShapesOf = Callable[[str, str], Mapping[str, tuple[int, ...]]]
"""Kind and spec of a model -> the shape of each of its arrays; raises ModelError for others."""

NPZ_MAGIC = b"PK"
"""How a file of weights begins: an `.npz` is a ZIP archive. A file of trees begins otherwise."""

LARGEST_WEIGHT = 1e4
"""Weights beyond it are refused: on scaled inputs they can only be damage."""

_KIND_KEY = "glean_kind"
_SPEC_KEY = "glean_features"
_HEADER_BYTES = 128
_UNREADABLE = (
    ValueError,
    KeyError,
    EOFError,
    OSError,
    OverflowError,
    RuntimeError,
    IndexError,
    struct.error,
    zipfile.BadZipFile,
)


def is_npz(content: bytes) -> bool:
    """Tell a file of weights from one of trees."""
    return content.startswith(NPZ_MAGIC)


@dataclass(frozen=True, eq=False)
class Weights:
    """A model as named arrays.

    Parameters
    ----------
    kind : str
        The kind of model, like "neural".
    spec : str
        What the model's inputs are made of, as the workload writes it.
    arrays : mapping of str to float32 array
        Named and shaped as the kind wants them for the spec.
    """

    kind: str
    spec: str
    arrays: Mapping[str, Singles]

    def to_npz(self) -> bytes:
        """Write a NumPy `.npz`, not compressed; equal weights give equal bytes."""
        texts = {_KIND_KEY: self.kind, _SPEC_KEY: self.spec}
        encoded = {k: np.frombuffer(text.encode(), dtype=np.uint8) for k, text in texts.items()}
        packed = io.BytesIO()
        np.savez(packed, allow_pickle=False, **encoded, **self.arrays)
        return packed.getvalue()

    @classmethod
    def from_npz(cls, data: bytes, *, shapes_of: ShapesOf) -> Self:
        """Read `to_npz`'s bytes, which may come from anyone.

        Raises
        ------
        ModelError
            The bytes are damaged or cut short, hold other arrays than the kind of model has, or a
            value that isn't finite or is beyond `LARGEST_WEIGHT`.
        """
        try:
            members = _members(data)
            kind = members[_KIND_KEY][_HEADER_BYTES:].decode()
            spec = members[_SPEC_KEY][_HEADER_BYTES:].decode()
            shapes = shapes_of(kind, spec)
            arrays = {
                name: np.frombuffer(members[name], np.float32, int(np.prod(shape)), _HEADER_BYTES)
                for name, shape in shapes.items()
            }
        except _UNREADABLE as error:
            raise ModelError(f"the weights can't be read: {error!s:.200}") from error
        shaped = {name: arrays[name].reshape(shape) for name, shape in shapes.items()}
        weights = cls(kind, spec, shaped)
        if weights.to_npz() != data:
            raise ModelError("damaged weights: wanted an .npz as Glean writes it, to the byte")
        for name, values in shaped.items():
            if not (np.abs(values) <= LARGEST_WEIGHT).all():
                raise ModelError(f"weights {name}: found one that isn't finite or sane")
        return weights


def _members(data: bytes) -> dict[str, bytes]:
    """Unpack the arrays' files, without `.npy`; nothing that would grow is unpacked."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        listed = archive.infolist()
        size = sum(item.file_size for item in listed)
        if size > len(data) or any(item.compress_type != zipfile.ZIP_STORED for item in listed):
            raise ModelError("the weights are compressed; wanted them as they are")
        return {item.filename.removesuffix(".npy"): archive.read(item) for item in listed}
