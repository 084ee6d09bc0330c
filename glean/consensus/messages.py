"""What voters say to each other, as plain values of JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from glean.consensus.state_version import Version
from glean.errors import FederationError

_LARGEST = 2**53


@dataclass(frozen=True)
class _Said:
    """Anything that is said.

    Parameters
    ----------
    term : int
        Of the sender.
    """

    term: int

    def to_content(self) -> dict[str, Any]:
        """Write it as plain values; `message_of` reads it."""
        found = {name: getattr(self, name) for name in (f.name for f in fields(self))}
        plain = {k: [v.term, v.index] if isinstance(v, Version) else v for k, v in found.items()}
        return {"kind": _NAMES[type(self)], **plain}

    @classmethod
    def from_content(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_content` wrote.

        Raises
        ------
        FederationError
            It is something else.
        """
        names = [f.name for f in fields(cls)]
        if {*content} - {"kind"} != {*names}:
            raise FederationError(f"{_NAMES[cls]}: found other fields; wanted {', '.join(names)}")
        return cls(**{f.name: _read(f.name, str(f.type), content[f.name]) for f in fields(cls)})


@dataclass(frozen=True)
class VoteRequest(_Said):
    """A candidate asks for a vote.

    Parameters
    ----------
    version : Version
        What it has stored.
    trial : bool
        Whether it only asks if it would get one: that changes nobody's term.
    """

    version: Version
    trial: bool


@dataclass(frozen=True)
class VoteReply(_Said):
    """The reply to a candidate.

    Parameters
    ----------
    granted : bool
        Whether it has the vote, or would have it.
    trial : bool
        Whether that was asked only.
    """

    granted: bool
    trial: bool


@dataclass(frozen=True)
class Heartbeat(_Said):
    """A coordinator is there.

    Parameters
    ----------
    version : Version
        What it has committed.
    number : int
        Its own count of heartbeats.
    """

    version: Version
    number: int


@dataclass(frozen=True)
class HeartbeatReply(_Said):
    """A follower has heard a coordinator.

    Parameters
    ----------
    version : Version
        What it has stored.
    number : int
        Of the heartbeat.
    """

    version: Version
    number: int


Message = VoteRequest | VoteReply | Heartbeat | HeartbeatReply

_KINDS: dict[str, type[Message]] = {
    "vote-request": VoteRequest,
    "vote-reply": VoteReply,
    "heartbeat": Heartbeat,
    "heartbeat-reply": HeartbeatReply,
}
_NAMES: dict[type[Any], str] = {kind: name for name, kind in _KINDS.items()}


def message_of(content: Any) -> Message:
    """Read what a `to_content` wrote.

    Raises
    ------
    FederationError
        It is something else.
    """
    kind = _KINDS.get(str(content.get("kind"))) if isinstance(content, Mapping) else None
    if kind is None:
        raise FederationError(f"found {content!r:.80}; wanted one of {', '.join(_KINDS)}")
    return kind.from_content(content)


def _read(name: str, kind: str, value: Any) -> Any:
    if kind == "Version":
        if isinstance(value, list) and len(value) == 2 and all(map(_is_count, value)):
            return Version(*value)
    elif kind == "bool":
        if isinstance(value, bool):
            return value
    elif _is_count(value):
        return value
    raise FederationError(f"{name}: found {value!r:.60}; wanted {kind}")


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < _LARGEST
