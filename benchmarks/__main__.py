"""All measurements, one after the other: `make bench`."""

from __future__ import annotations

import sys

from benchmarks import engines, many_bakeries, merge, reference


def main() -> None:
    """Run each with its defaults."""
    sys.argv = sys.argv[:1]
    for module in (merge, many_bakeries, engines, reference):
        print(f"\n{module.__name__}: {(module.__doc__ or '').splitlines()[0]}\n", flush=True)
        module.main()


if __name__ == "__main__":
    main()
