"""What a node keeps on disk: what it sends, what it passes on, what came, and what was taken.

An envelope goes by a key made of its sender's name and its own, so that no peer can take another's.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from glean.mesh.dead_letters import DeadLetter, DeadLetters
from glean.mesh.mesh_limits import MeshLimits
from glean.outbox.inbox import Inbox
from glean.outbox.outbox import Outbox

OUTBOX_FILE = "mesh-outbox.sqlite"
RELAYED_FILE = "mesh-relayed.sqlite"
ARRIVED_FILE = "mesh-arrived.sqlite"
INBOX_FILE = "mesh-inbox.sqlite"
DEAD_LETTERS_FILE = "dead-letters.jsonl"

ACKNOWLEDGEMENT = "acknowledgement"
"""Kind of a message that says that another one came; and origin of those in the outbox."""

KEY_BYTES = 16


@dataclass(frozen=True)
class MeshMessage:
    """A message as its receiver's handler gets it.

    Parameters
    ----------
    sender, kind, message_id : str
        From whom, which kind, and its name.
    body : bytes
        What it says.
    sent_ms : int
        When it was sent, by the sender's clock: milliseconds since 1970.
    """

    sender: str
    kind: str
    message_id: str
    body: bytes = field(repr=False)
    sent_ms: int = 0

    def to_bytes(self) -> bytes:
        """Write it, to be kept until it was handled."""
        head = json.dumps([self.sender, self.kind, self.message_id, self.sent_ms]).encode()
        return len(head).to_bytes(4, "big") + head + self.body

    @classmethod
    def of(cls, content: bytes) -> MeshMessage:
        """Read what `to_bytes` wrote."""
        end = 4 + int.from_bytes(content[:4], "big")
        sender, kind, message_id, sent_ms = json.loads(content[4:end])
        return cls(sender, kind, message_id, content[end:], sent_ms)


def envelope_key(sender: str, message_id: str) -> str:
    """Give the key of an envelope; hexadecimal."""
    content = json.dumps([sender, message_id]).encode()
    return hashlib.blake2b(content, digest_size=KEY_BYTES).hexdigest()


class MessageStore:
    """The files of a node, open.

    Parameters
    ----------
    home : Path
        The folder.
    limits : MeshLimits
        How much of each, and how long.
    told : callable
        Gets each dead letter.
    clock : callable
        Gives seconds since 1970.

    Raises
    ------
    FederationError
        A file can't be used, or another process uses it.
    """

    def __init__(
        self,
        home: Path,
        limits: MeshLimits,
        *,
        told: Callable[[DeadLetter], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        life = limits.message_life_s
        # An envelope that is older than this is refused by its own date.
        remembered = life + 2 * limits.clock_skew_s
        with ExitStack() as opened:
            self.outbox = Outbox(
                home / OUTBOX_FILE,
                most_bytes=limits.most_outbox_bytes,
                most_bytes_each=int(limits.peer_share * limits.most_outbox_bytes),
                expires_s=life,
                clock=clock,
            )
            opened.callback(self.outbox.close)
            self.relayed = Outbox(
                home / RELAYED_FILE,
                most_bytes=limits.most_relayed_bytes,
                expires_s=life,
                clock=clock,
            )
            opened.callback(self.relayed.close)
            self.arrived = Outbox(
                home / ARRIVED_FILE,
                most_bytes=limits.most_arrived_bytes,
                expires_s=life,
                clock=clock,
            )
            opened.callback(self.arrived.close)
            self.inbox = Inbox(home / INBOX_FILE, expires_s=remembered, clock=clock)
            opened.callback(self.inbox.close)
            self._opened = opened.pop_all()
        self.dead_letters = DeadLetters(home / DEAD_LETTERS_FILE, told=told, clock=clock)
        self.clock = clock

    def now_ms(self) -> int:
        """Give the time, in milliseconds since 1970."""
        return int(self.clock() * 1000)

    def close(self) -> None:
        """Let go of all files."""
        self._opened.close()
