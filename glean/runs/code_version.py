"""The fingerprint of the code that runs, so that two versions never train one model together.

Flower finds a local SuperLink by its port only: the ClientApps of another checkout may answer.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from glean.errors import FederationError

PACKAGE = Path(__file__).resolve().parent.parent


@cache
def code_fingerprint() -> str:
    """SHA-256 over the package's Python files (names and contents), the first 16 hex digits.

    As they were when this process first asked, which it does while it imports them.
    """
    return installed_fingerprint()


def installed_fingerprint() -> str:
    """Give the same of the files as they are now: of a lasting process's, others may have come."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def check_code(code: str) -> None:
    """Refuse a ClientApp of another version of the code.

    Raises
    ------
    FederationError
        Its fingerprint isn't this process's.
    """
    if code != code_fingerprint():
        raise FederationError(
            f"the ClientApp runs other code ({code}) than the ServerApp ({code_fingerprint()}). "
            "On one machine: the SuperLink on this port was started from another checkout; end "
            "it, or use `glean simulate`, which starts its own. Across machines: install the "
            "same version everywhere"
        )
