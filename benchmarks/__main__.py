"""All measurements, one after the other: `make bench`. Ends with 1 if one missed its limit."""

from __future__ import annotations

import sys

from benchmarks import engines, many_bakeries, merge, reference


def main() -> int:
    """Run each with its defaults, whatever the others found; 1 when one missed its limit."""
    sys.argv = sys.argv[:1]
    missed = []
    for module in (merge, many_bakeries, engines, reference):
        print(f"\n{module.__name__}: {(module.__doc__ or '').splitlines()[0]}\n", flush=True)
        if module.main():
            missed.append(module.__name__)
    if missed:
        print(f"\nmissed their limits: {', '.join(missed)}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
