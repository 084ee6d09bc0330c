"""The command `glean`, also as `python -m glean`."""

from __future__ import annotations

import atexit
import gc
import os


def main() -> None:
    """Run the command line."""
    # A command makes many objects that stay and few cycles: looking for garbage as often as Python
    # does by default takes a tenth of a run's time.
    gc.set_threshold(50_000)
    # At its end Python looks through all that is left once more, which takes another tenth.
    atexit.register(gc.freeze)
    # More threads are more in each other's way than of use on a bakery's table; NumPy and XGBoost
    # look for this when they are imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from glean.cli.app import app

    app()


if __name__ == "__main__":
    main()
