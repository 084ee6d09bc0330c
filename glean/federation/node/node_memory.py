"""What a node keeps on disk: its number at the server, and the message in its hand or the reply.

A SuperLink hands each message out once. A node that was killed with one in its hand says so when it
starts again; otherwise the round would wait for its reply until its time is up. One that was killed
while it sent a reply sends it again: the server may have a part, waits three minutes for the rest,
and does nothing else. By its number it is let in again at once, while the server still takes the
killed one for connected.
"""

from __future__ import annotations

import json
import logging
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glean.federation.node.fleet import Head, Reply

LOG = logging.getLogger("glean")

NUMBER_FILE, MESSAGE_FILE = "node.json", "message-in-hand.json"


@dataclass(frozen=True)
class NodeMemory:
    """A node's own files, in its bakery's home.

    Parameters
    ----------
    home : Path
        The home; it is there.
    server, key : str
        The server's address and the public key, for which a number is good.
    """

    home: Path
    server: str
    key: str

    @property
    def number(self) -> int | None:
        """Number that this server gave to this key; None where it isn't known."""
        found = _read(self.home / NUMBER_FILE)
        mine = (found.get("server"), found.get("key")) == (self.server, self.key)
        number = found.get("number")
        return number if mine and isinstance(number, int) else None

    def keep_number(self, number: int) -> None:
        """Keep the number that the server gave."""
        _write(self.home / NUMBER_FILE, {"server": self.server, "key": self.key, "number": number})

    def take(self, head: Head) -> None:
        """Note the message that is in hand from now on."""
        _write(
            self.home / MESSAGE_FILE,
            {"node": head.node_id, "run": head.run_id, "content": _text(head.content)},
        )

    def keep_reply(self, reply: Reply) -> None:
        """Note the reply to the message in hand, before the server hears of it."""
        _write(
            self.home / MESSAGE_FILE,
            {
                "node": reply.node_id,
                "run": reply.run_id,
                "content": _text(reply.head),
                "tree": _text(reply.tree),
                "objects": {number: _text(part) for number, part in reply.objects.items()},
            },
        )

    def lay_down(self) -> None:
        """Note that no message is in hand."""
        try:
            (self.home / MESSAGE_FILE).unlink(missing_ok=True)
        except OSError as error:
            LOG.warning("%s can't be removed: %s", self.home / MESSAGE_FILE, error)

    def in_hand(self, node_id: int) -> Head | Reply | None:
        """Give the message that a process that has gone had in its hand, or its reply."""
        found = _read(self.home / MESSAGE_FILE)
        try:
            if found["node"] != node_id:
                return None
            run_id, content = int(found["run"]), _bytes(found["content"])
            if "tree" not in found:
                return Head(node_id, run_id, content)
            objects = {number: _bytes(part) for number, part in found["objects"].items()}
            return Reply(node_id, run_id, content, _bytes(found["tree"]), objects)
        except (KeyError, ValueError, TypeError, AttributeError):
            return None


def _text(content: bytes) -> str:
    return b64encode(content).decode("ascii")


def _bytes(text: Any) -> bytes:
    return b64decode(str(text), validate=True)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, content: Mapping[str, object]) -> None:
    """Replace a file as a whole, without waiting for the disk: a power cut may lose it.

    After a power cut the server knows that the node was gone before it is back.
    """
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(content), encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        LOG.warning("%s can't be written (%s): the node goes on without it", path, error)
