#!/usr/bin/python3 -I
"""Whether the part of Glean in this container works: `healthy service`, `server`, `node`, `worker`.

Asks nothing of Glean or of other machines, so that it costs little. Ends with 0 where all is well,
with 1 and a line that says what is wrong where it isn't.
"""

import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ANSWER_S = 4.0
RESULTS = Path(os.environ.get("GLEAN_RESULTS", "/var/lib/glean/results"))
HOME = Path(os.environ.get("GLEAN_HOME", "/var/lib/glean/home"))
SUPERLINK = os.environ.get("GLEAN_SUPERLINK", "https://127.0.0.1:8000/")


class UnwellError(Exception):
    """Says what is wrong."""


def service() -> None:
    """Ask the control room whether it lives, where it says that it listens."""
    address = str(read(RESULTS / ".service" / "serving.json")["address"])
    port = address.rstrip("/").rpartition(":")[2]
    ask(f"{address.partition(':')[0]}://127.0.0.1:{port}/healthz")


def server() -> None:
    """Ask the SuperLink, as Glean itself does."""
    ask(f"{SUPERLINK}health")


def node() -> None:
    """See whether the process lives that last said how the node stands.

    One that waits for its server is well: to start it anew would bring nothing.
    """
    standing = read(HOME / "join-status.json")
    if standing["state"] == "stopped" or not lives(standing["process"]):
        raise UnwellError(f"the node has stopped: {standing['text']}")


def worker() -> None:
    """See whether a worker's process lives: nobody need ask it, and it waits for what it lacks."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        named = {Path(os.fsdecode(word)).name for word in words[:2]}
        if "glean" in named and b"worker" in words and lives({"pid": process.name}):
            return
    raise UnwellError("found no process of glean worker")


def ask(address: str) -> None:
    """Send a request to this container itself."""
    # Nobody sits between a container and itself, and the certificate has the public name.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        # The address is our own.
        with urllib.request.urlopen(  # noqa: S310
            address, timeout=ANSWER_S, context=context
        ):
            return
    except (urllib.error.URLError, OSError) as error:
        raise UnwellError(f"{address}: {error}") from error


def read(path: Path) -> dict[str, Any]:
    """Read what a part says of itself."""
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UnwellError(f"{path}: {error}") from error
    return found


def lives(process: dict[str, Any]) -> bool:
    """Whether a process is there that isn't a zombie."""
    try:
        status = Path(f"/proc/{process['pid']}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


PARTS = {part.__name__: part for part in (service, server, node, worker)}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in PARTS:
        sys.exit(f"found {' '.join(sys.argv[1:])!r}; wanted one of {', '.join(PARTS)}")
    try:
        PARTS[sys.argv[1]]()
    except (UnwellError, KeyError) as error:
        sys.exit(f"not well: {error}")
