"""Flower's SuperLink in a process that seldom looks for garbage.

What a SuperLink imports stays for good, and each call makes thousands of objects that go by
themselves: Python's collector went through all of them again and again, which took a sixth of the
process's time. `python -m benchmarks.superlink_calls` measures a call with and without.
"""

from __future__ import annotations

import gc
import sys
from importlib.metadata import entry_points

COMMAND = "flower-superlink"

NEW_OBJECTS = 200_000
"""So many objects more than before, and the collector looks at the youngest; Python's default is
700. At a kilobyte each what waits for it takes 200 MB at the very most, and usually a tenth."""


def main() -> None:
    """Do what Flower's command does, with the words that were typed."""
    (command,) = entry_points(group="console_scripts", name=COMMAND)
    run = command.load()
    sys.argv[0] = COMMAND
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)
    run()


if __name__ == "__main__":
    main()
