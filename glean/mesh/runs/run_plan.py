"""What is to be trained, by whom, and who has proposed it; the same bytes at all participants."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from glean.errors import FederationError
from glean.settings import ConfigValue

DEFAULT_LEASE_S = 15.0
LEAST_LEASE_S = 1.0
MOST_LEASE_S = 600.0

MOST_PARTICIPANTS = 100
MOST_PLAN_BYTES = 2**18

_FORMAT = "glean mesh run 1"
_KEY = re.compile(r"[0-9a-f]{32}")
_LONGEST_TEXT = 200


@dataclass(frozen=True)
class RunPlan:
    """A run that a member has proposed.

    Parameters
    ----------
    key : str
        By which all know it: 32 hexadecimal digits.
    created : float
        When it was proposed, by the proposer's clock: seconds since 1970.
    proposer : str
        Who did, one of the participants; may cancel it.
    participants : tuple of str
        Who takes part, and votes on who coordinates: in text order.
    run_config : mapping
        The whole run config.
    lease_s : float
        After how many seconds without a word of the coordinator another one is looked for.
    release, code : str
        The proposer's version of Glean, and its code's fingerprint.

    Raises
    ------
    FederationError
        It can't be one.
    """

    key: str
    created: float
    proposer: str
    participants: tuple[str, ...]
    run_config: Mapping[str, ConfigValue]
    lease_s: float
    release: str
    code: str

    def __post_init__(self) -> None:
        check_key(self.key)
        check_lease(self.lease_s)
        if not _is_number(self.created) or self.created < 0:
            raise _no_plan(f"created: found {self.created!r:.40}; wanted seconds since 1970")
        if not 0 < len(self.participants) <= MOST_PARTICIPANTS:
            raise _no_plan(
                f"participants: found {len(self.participants)}; wanted 1 to {MOST_PARTICIPANTS}"
            )
        for name in (*self.participants, self.release, self.code):
            if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_TEXT:
                raise _no_plan(f"found {name!r:.60}; wanted a short text")
        if list(self.participants) != sorted({*self.participants}):
            raise _no_plan("participants: wanted each once, in text order")
        if self.proposer not in self.participants:
            raise _no_plan(f"found a proposer {self.proposer!r:.60} who doesn't take part")
        if not all(isinstance(k, str) and _is_plain(v) for k, v in self.run_config.items()):
            raise _no_plan("run config: wanted plain values by name")

    def to_bytes(self) -> bytes:
        """Write it; `from_bytes` reads it."""
        content = {
            "format": _FORMAT,
            **vars(self),
            "participants": list(self.participants),
            "run_config": dict(self.run_config),
        }
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
        if found.pop("format", None) != _FORMAT or found.keys() != cls.__dataclass_fields__.keys():
            raise _no_plan(
                f"found another form; wanted {_FORMAT!r}: the members have different versions of "
                "Glean. Install the same one everywhere"
            )
        names, config = found["participants"], found["run_config"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise _no_plan("participants: wanted a list of names")
        if not isinstance(config, dict):
            raise _no_plan("run config: wanted plain values by name")
        return cls(**{**found, "participants": tuple(names)})


def check_key(key: object) -> str:
    """Refuse what is no key of a run: it names a folder.

    Raises
    ------
    FederationError
        It is none.
    """
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise _no_plan(f"key: found {key!r:.60}; wanted 32 hexadecimal digits")
    return key


def check_lease(lease_s: object) -> float:
    """Refuse a lease that is too short or too long.

    Raises
    ------
    FederationError
        It is.
    """
    if not _is_number(lease_s) or not LEAST_LEASE_S <= float(str(lease_s)) <= MOST_LEASE_S:
        raise _no_plan(
            f"lease: found {lease_s!r:.40}; wanted {LEAST_LEASE_S:g} to {MOST_LEASE_S:g} seconds"
        )
    return float(str(lease_s))


def _object(body: bytes) -> dict[str, Any]:
    if len(body) > MOST_PLAN_BYTES:
        raise _no_plan(f"found {len(body):,} bytes; wanted at most {MOST_PLAN_BYTES:,}")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _no_plan(f"it can't be read: {error!s:.100}") from error
    if not isinstance(found, dict):
        raise _no_plan("wanted an object")
    return found


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(float(str(value)))


def _is_plain(value: object) -> bool:
    return isinstance(value, bool | int | str) or (
        isinstance(value, float) and math.isfinite(value)
    )


def _no_plan(why: str) -> FederationError:
    return FederationError(f"plan of a run on the mesh: {why}")
