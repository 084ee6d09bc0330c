"""What a server tells of a run before its first message: which app, in which version, how set."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from glean.errors import FederationError
from glean.settings import ConfigValue

ANNOUNCEMENT_FILE = "announcement.json"
"""The announcement in the folder of a run whose clients a carrier reached."""

FORMAT = "glean run 1"
MOST_BYTES = 2**18
_LARGEST_RUN_ID = 2**63
_LONGEST_NAME = 200


@dataclass(frozen=True)
class RunAnnouncement:
    """A run, as its clients hear of it.

    Parameters
    ----------
    run_id : int
        Its number.
    app, release : str
        Which app it runs, like "glean/glean", and in which version.
    code : str
        Fingerprint of the server's code.
    run_config : mapping
        The whole run config.
    """

    run_id: int
    app: str
    release: str
    code: str
    run_config: Mapping[str, ConfigValue]

    def to_bytes(self) -> bytes:
        """Write it; `from_bytes` reads it."""
        content = {"format": FORMAT, **vars(self), "run_config": dict(self.run_config)}
        return json.dumps(content, sort_keys=True, allow_nan=False).encode()

    @classmethod
    def from_bytes(cls, body: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises
        ------
        FederationError
            It is something else.
        """
        found = _object(body)
        if found.pop("format", None) != FORMAT or found.keys() != cls.__dataclass_fields__.keys():
            raise FederationError(
                f"found an announcement of a run in another form; wanted {FORMAT!r}: server and "
                "clients have different versions of Glean. Install the same one everywhere"
            )
        run_id, config = found["run_id"], found["run_config"]
        if type(run_id) is not int or not 0 < run_id < _LARGEST_RUN_ID:
            raise FederationError(f"announcement of a run: found the number {run_id!r:.40}")
        for name in ("app", "release", "code"):
            if not isinstance(found[name], str) or len(found[name]) > _LONGEST_NAME:
                raise FederationError(f"announcement of a run, {name}: wanted a short text")
        if not isinstance(config, dict) or not all(_is_plain(value) for value in config.values()):
            raise FederationError("announcement of a run: wanted plain values in its run config")
        return cls(**found)


def _object(body: bytes) -> dict[str, Any]:
    if len(body) > MOST_BYTES:
        raise FederationError(
            f"found an announcement of {len(body):,} bytes; wanted at most {MOST_BYTES:,}"
        )
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FederationError(f"an announcement of a run can't be read: {error!s:.100}") from error
    if not isinstance(found, dict):
        raise FederationError("an announcement of a run can't be read: wanted an object")
    return found


def _is_plain(value: object) -> bool:
    return isinstance(value, bool | int | str) or (
        isinstance(value, float) and math.isfinite(value)
    )
