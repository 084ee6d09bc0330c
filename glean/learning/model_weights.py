"""Weights that federated averaging works on: a small neural network's or a linear model's.

They travel as a NumPy `.npz` with the feature definition inside, and are taken only if they are
byte for byte such a file: whatever else a stranger sends is refused before it is interpreted.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from glean.errors import ModelError
from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix
from glean.learning import neural, poisson
from glean.learning.scaling import input_count, scaled_inputs

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

KINDS = ("neural", "poisson")

NPZ_MAGIC = b"PK"
"""How a file of weights begins: an `.npz` is a ZIP archive. A file of trees begins otherwise."""

LARGEST_WEIGHT = 1e4
"""Weights beyond it are refused: on scaled inputs they can only be damage."""

_KIND_KEY = "glean_kind"
_FEATURES_KEY = "glean_features"
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


@dataclass(frozen=True, eq=False)
class Weights:
    """A model as named arrays.

    Parameters
    ----------
    kind : str
        "neural" or "poisson".
    definition : FeatureDefinition
        What the inputs are made of.
    arrays : mapping of str to float32 array
        Named and shaped as the kind wants them for the definition.
    """

    kind: str
    definition: FeatureDefinition
    arrays: Mapping[str, Singles]

    def to_npz(self) -> bytes:
        """Write a NumPy `.npz`, not compressed; equal weights give equal bytes."""
        texts = {_KIND_KEY: self.kind, _FEATURES_KEY: self.definition.to_json()}
        encoded = {k: np.frombuffer(text.encode(), dtype=np.uint8) for k, text in texts.items()}
        packed = io.BytesIO()
        np.savez(packed, allow_pickle=False, **encoded, **self.arrays)
        return packed.getvalue()

    @classmethod
    def from_npz(cls, data: bytes) -> Self:
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
            definition = FeatureDefinition.from_json(
                members[_FEATURES_KEY][_HEADER_BYTES:].decode()
            )
            arrays = {
                name: np.frombuffer(members[name], np.float32, int(np.prod(shape)), _HEADER_BYTES)
                for name, shape in _shapes(kind, definition).items()
            }
        except _UNREADABLE as error:
            raise ModelError(f"the weights can't be read: {error!s:.200}") from error
        shaped = {k: arrays[k].reshape(s) for k, s in _shapes(kind, definition).items()}
        weights = cls(kind, definition, shaped)
        if weights.to_npz() != data:
            raise ModelError("damaged weights: wanted an .npz as Glean writes it, to the byte")
        for name, values in shaped.items():
            if not (np.abs(values) <= LARGEST_WEIGHT).all():
                raise ModelError(f"weights {name}: found one that isn't finite or sane")
        return weights


def initial_weights(kind: str, definition: FeatureDefinition, *, seed: int) -> Weights:
    """Make the weights before the first round; they forecast about the level.

    Parameters
    ----------
    kind : str
        "neural" or "poisson".
    definition : FeatureDefinition
        What the inputs are made of.
    seed : int
        Seed of the draw; "poisson" draws nothing.
    """
    _check_kind(kind)
    inputs = input_count(definition)
    arrays = neural.initial(inputs, seed=seed) if kind == "neural" else poisson.initial(inputs)
    return Weights(kind, definition, arrays)


def fit_round(
    kind: str, weights: Weights, features: FeatureMatrix, *, learning_rate: float, seed: int
) -> Weights:
    """Train on one bakery's rows for one round: `neural.EPOCHS` passes or `poisson.STEPS` steps.

    Parameters
    ----------
    kind : str
        "neural" or "poisson".
    weights : Weights
        The global ones.
    features : FeatureMatrix
        Training rows; those with NaN `y` teach nothing.
    learning_rate : float
        Step size ("neural"), or share of the way to go ("poisson").
    seed : int
        Seed of the order of rows, another one in every round.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    _same_kind(kind, weights)
    known = features.rows(np.isfinite(features.y))
    if len(known) == 0:
        return weights
    inputs = scaled_inputs(known.x, weights.definition)
    weight = known.weight / known.weight.mean()
    # Threads would split the sums otherwise on another machine, and round them otherwise.
    with threadpool_limits(1):
        if kind == "neural":
            arrays = neural.fit(
                weights.arrays, inputs, known.y, weight, learning_rate=learning_rate, seed=seed
            )
        else:
            arrays = poisson.fit(
                weights.arrays, inputs, known.y, weight, learning_rate=learning_rate
            )
    return Weights(kind, weights.definition, arrays)


def predict_weights(kind: str, weights: Weights, x: Singles) -> Floats:
    """Forecast units / level, float64 of shape (rows,), for `x` of shape (rows, columns)."""
    _same_kind(kind, weights)
    inputs = scaled_inputs(x, weights.definition)
    if kind == "neural":
        return neural.forecast(weights.arrays, inputs)
    return poisson.forecast(weights.arrays, inputs)


def _shapes(kind: str, definition: FeatureDefinition) -> dict[str, tuple[int, ...]]:
    _check_kind(kind)
    shapes = neural.shapes if kind == "neural" else poisson.shapes
    return shapes(input_count(definition))


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ModelError(f"found weights of kind {kind!r:.40}; wanted one of {', '.join(KINDS)}")


def _same_kind(kind: str, weights: Weights) -> None:
    if weights.kind != kind:
        raise ModelError(f"found weights of kind {weights.kind!r}; wanted {kind!r}")


def _members(data: bytes) -> dict[str, bytes]:
    """Unpack the arrays' files, without `.npy`; nothing that would grow is unpacked."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        listed = archive.infolist()
        size = sum(item.file_size for item in listed)
        if size > len(data) or any(item.compress_type != zipfile.ZIP_STORED for item in listed):
            raise ModelError("the weights are compressed; wanted them as they are")
        return {item.filename.removesuffix(".npy"): archive.read(item) for item in listed}
