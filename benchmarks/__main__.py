"""All measurements, one after the other: `make bench`. Ends with 1 if one missed its limit.

`python -m benchmarks --quick` leaves out those that take longer than a few minutes; any of them can
be run by itself.
"""

from __future__ import annotations

import sys

from benchmarks import (
    accuracy,
    engines,
    iris,
    many_bakeries,
    masks,
    merge,
    pooled,
    reference,
    scale,
    stock,
    transports,
)

QUICK = (merge, many_bakeries, engines, masks, iris)
SLOW = (pooled, reference, accuracy, transports, scale, stock)
"""Minutes each; the last one more than an hour, most of it Flower's own."""


def main() -> int:
    """Run each with its defaults, whatever the others found; 1 when one missed its limit."""
    quick = "--quick" in sys.argv
    sys.argv = sys.argv[:1]
    missed = []
    for module in QUICK if quick else QUICK + SLOW:
        print(f"\n{module.__name__}: {(module.__doc__ or '').splitlines()[0]}\n", flush=True)
        if module.main():
            missed.append(module.__name__)
    if missed:
        print(f"\nmissed their limits: {', '.join(missed)}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
