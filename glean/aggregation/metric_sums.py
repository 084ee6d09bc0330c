"""Sums of metrics as whole numbers that can be added up under masks, and back.

What is counted in the data's unit is divided by a public one first, so that one scale serves small
and large currencies alike.
"""

from __future__ import annotations

import logging
import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from glean.metric_sums import MetricSums

LOG = logging.getLogger("glean")

Encoded = NDArray[np.int64]
Kind = TypeVar("Kind", bound=MetricSums)

LARGEST = 2.0**36
"""Bound on what one client adds to a sum: usual days, or their squares."""

_RING_BITS = 62
"""Sums keep away from the ring's end by a factor of two."""


def fraction_bits(num_clients: int) -> int:
    """Binary places of the fixed point, such that the sum over `num_clients` clients can't wrap."""
    return _RING_BITS - int(math.log2(LARGEST)) - math.ceil(math.log2(max(num_clients, 1)))


def encode(values: NDArray[np.float64], *, num_clients: int) -> Encoded:
    """Round values, shape (n,), to the fixed point.

    What is beyond `LARGEST` is cut to it, what is no number counts as zero, and the log says so. It
    is no error: whoever chooses the unit could find out by it, in a few steps, what a value is.
    """
    if not (np.abs(values) <= LARGEST).all():
        LOG.warning(
            "found a sum of %.3g; wanted at most %.3g, to which it is cut: count in larger units, "
            "say thousands. Where your numbers aren't large the server made up the unit",
            np.abs(values).max(),
            LARGEST,
        )
        values = np.clip(np.nan_to_num(values), -LARGEST, LARGEST)
    return np.rint(np.ldexp(values, fraction_bits(num_clients))).astype(np.int64)


def decode(encoded: Encoded, *, num_clients: int) -> NDArray[np.float64]:
    """Give sums of words, shape (n,), their values back."""
    return np.ldexp(encoded.astype(np.float64), -fraction_bits(num_clients))


def encode_sums(sums: MetricSums, *, unit_weight: float, num_clients: int) -> Encoded:
    """Write sums as whole numbers, shape (fields,)."""
    return encode(
        np.array(sums.as_tuple) / _scales(type(sums), unit_weight), num_clients=num_clients
    )


def decode_sums(
    kind: type[Kind], encoded: Encoded, *, unit_weight: float, num_clients: int
) -> Kind:
    """Read the sum of several clients' numbers."""
    values = decode(encoded, num_clients=num_clients) * _scales(kind, unit_weight)
    return kind(*values.tolist())


def _scales(kind: type[MetricSums], unit_weight: float) -> NDArray[np.float64]:
    return np.array([unit_weight**power for power in kind.UNIT_POWERS])
