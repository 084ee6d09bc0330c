"""What a run's folder says of its copy in a store: where that is, and whether all of it is there.

A hidden file in the folder, which isn't sent itself: so a run that couldn't be sent is found later,
by whoever looks at the results, and goes with its folder.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from glean.runs.folder import write_whole
from glean.runs.index import run_folders, signature_of

MARKER = ".storage.json"


@dataclass(frozen=True)
class SentMarker:
    """What is known of a run's copy.

    Parameters
    ----------
    url : str
        Of the store.
    sent : str
        The run's signature (`signature_of`) when all of it had been sent; "" before.
    fetched : str
        Of a folder that came from the store, the digest of the manifest that it was made by; ""
        where it was made here.
    """

    url: str
    sent: str = ""
    fetched: str = ""

    def write(self, folder: Path) -> None:
        """Keep it in a folder."""
        write_whole(folder / MARKER, json.dumps(asdict(self)).encode())


def read_marker(folder: Path) -> SentMarker | None:
    """Read what a folder says of its copy; None where it says nothing."""
    try:
        return SentMarker(**json.loads((folder / MARKER).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def is_sent(folder: Path, url: str) -> bool:
    """Whether a store has all of a run, or the run came from there."""
    marker = read_marker(folder)
    if marker is None or marker.url != url:
        return False
    return bool(marker.fetched) or marker.sent == signature_of(folder)


def unsent_runs(results: Path) -> list[tuple[Path, str]]:
    """List the runs that should be in a store and aren't, the oldest first, with its URL."""
    found = [(folder, read_marker(folder)) for folder in run_folders(results)]
    known = [(folder, marker.url) for folder, marker in found if marker is not None]
    return [(folder, url) for folder, url in known if not is_sent(folder, url)]
