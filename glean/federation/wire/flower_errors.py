"""What went wrong, picked out of what Flower and Ray say of it: logs, tracebacks, colours."""

from __future__ import annotations

import re

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_NAMED = r"^(?:\w+\.)*(\w*(?:Error|Exception): "
_LINE = re.compile(_NAMED + ".*)", re.MULTILINE)
_PARAGRAPH = re.compile(_NAMED + r"(?s:.*?))(?:\n\n|'>\Z|\Z)", re.MULTILINE)
_OF_RAY = "ray::"


def causes(log: str) -> list[str]:
    """Pick the errors out of a log, a line and once each, in their order."""
    return list(dict.fromkeys(_LINE.findall(_COLOUR.sub("", log))))


def reason_of_reply(reason: str) -> str:
    """Say why a bakery failed; from Ray comes its actor's traceback, with the cause first."""
    found = _PARAGRAPH.search(_COLOUR.sub("", reason)) if _OF_RAY in reason else None
    return found[1] if found else reason or "an error"
