"""A process that watches over ours: should ours be killed, it ends what ours had started.

Nobody can act on `kill -9`; but the pipe that the killed process held open is closed then.
"""

from __future__ import annotations

import subprocess
import sys

import psutil

from glean.runs.process_tree import end_tree


def watch(pid: int) -> subprocess.Popen[bytes]:
    """Have a process and all it started ended once this process is gone, whatever happens to it.

    Parameters
    ----------
    pid : int
        A process that leads a session of its own.

    Returns
    -------
    Popen
        The watcher; it goes by itself when its standard input is closed.
    """
    return subprocess.Popen(  # noqa: S603 # nosec B603 # our own words
        [sys.executable, "-m", "glean.federation.launch.watchdog", str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def main(pid: int) -> None:
    """Wait until the other end of standard input is closed, then end the process."""
    try:
        watched = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return
    sys.stdin.buffer.read()
    end_tree(watched)


if __name__ == "__main__":
    main(int(sys.argv[1]))
