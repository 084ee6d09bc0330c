"""Messages in chunks that a broker takes, and back: in any order, mixed, twice; within a limit."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from glean.kafka.envelope import Chunk, EnvelopeError, EnvelopeHead, digest_of
from glean.kafka.envelope import write_chunk as _write
from glean.privacy.envelope_signature import EnvelopeSigner

CHUNK_BYTES = 768 * 1024
"""With its head less than the megabyte that brokers take if nothing else is set."""

MOST_BYTES = 512 * 2**20
KEPT_S = 600.0
"""How long a message of which chunks are missing waits for them since the last one came."""

_OVERHEAD = 1024
"""Counted with each chunk, so that many small ones have a limit too."""

_MOST_MESSAGES = 4096
"""Of which chunks are missing: looking for the one to give up mustn't take long."""

_Name = tuple[str, str, str, int]


def split(
    head: EnvelopeHead, body: bytes, signer: EnvelopeSigner, *, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[bytes]:
    """Give the records of a message, one after the other."""
    count = max(1, -(-len(body) // chunk_bytes))
    for index in range(count):
        data = body[index * chunk_bytes : (index + 1) * chunk_bytes]
        yield _write(Chunk(head, index, count, data), signer)


@dataclass
class _Partial:
    head: EnvelopeHead
    chunks: dict[int, bytes] = field(default_factory=dict)
    size: int = 0
    held: int = 0
    last_at: float = 0.0


class Assembler:
    """Puts chunks together; of each message once it is whole.

    Parameters
    ----------
    dropped : callable
        Told of each message that is given up, with the reason.
    most_bytes : int
        Of all chunks that wait for others: above it the message that waits longest is given up, of
        the sender that holds most.
    kept_s : float
        How long one may wait, in seconds.
    clock : callable
        Seconds that only go up.
    """

    def __init__(
        self,
        dropped: Callable[[EnvelopeHead, EnvelopeError], None],
        *,
        most_bytes: int = MOST_BYTES,
        kept_s: float = KEPT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dropped, self._most_bytes, self._kept_s = dropped, most_bytes, kept_s
        self._clock = clock
        self._partial: dict[_Name, _Partial] = {}
        self.held_bytes = 0

    @property
    def waiting(self) -> list[str]:
        """Ids of messages of which chunks are missing."""
        # In one go: other threads ask, too.
        return [partial.head.message_id for partial in list(self._partial.values())]

    def arriving(self, within_s: float) -> list[str]:
        """Ids of messages of which a chunk came within the last seconds."""
        since = self._clock() - within_s
        partials = list(self._partial.values())
        return [partial.head.message_id for partial in partials if partial.last_at >= since]

    def add(self, chunk: Chunk) -> bytes | None:
        """Add a chunk that was proved; the message, where that was the last one.

        Raises
        ------
        EnvelopeError
            The chunk is there already; or all are, and aren't what the head says.
        """
        head = chunk.head
        if chunk.count == 1:
            return _whole(head, [chunk.data])
        name = (head.sender, head.message_id, head.digest, chunk.count)
        partial = self._partial.setdefault(name, _Partial(head))
        if chunk.index in partial.chunks:
            raise EnvelopeError(
                "came again", f"chunk {chunk.index} of {head.message_id!r:.80} is here already"
            )
        self._hold(name, partial, chunk)
        if len(partial.chunks) < chunk.count or name not in self._partial:
            return None
        self._forget(name)
        return _whole(head, [partial.chunks[index] for index in range(chunk.count)])

    def forget(self, run: int) -> None:
        """Drop what waits of a run that is over."""
        for name in [n for n, p in self._partial.items() if p.head.run == run]:
            self._forget(name)

    def expire(self) -> None:
        """Give up what has waited for too long."""
        oldest = self._clock() - self._kept_s
        for name in [n for n, p in self._partial.items() if p.last_at < oldest]:
            self._give_up(name, "chunks were missing for too long")

    def _hold(self, name: _Name, partial: _Partial, chunk: Chunk) -> None:
        size = len(chunk.data)
        if partial.size + size > partial.head.size:
            self._forget(name)
            raise EnvelopeError("chunks that don't fit", "found more bytes than its head says")
        partial.chunks[chunk.index] = chunk.data
        partial.size += size
        partial.last_at = self._clock()
        partial.held += size + _OVERHEAD
        self.held_bytes += size + _OVERHEAD
        while len(self._partial) > 1 and (
            self.held_bytes > self._most_bytes or len(self._partial) > _MOST_MESSAGES
        ):
            self._give_up(self._least_wanted(name), "no room for it")

    def _least_wanted(self, newest: _Name) -> _Name:
        """Of the sender that holds most, what waits longest; the newest only where it is alone."""
        held: Counter[str] = Counter()
        for (sender, *_), partial in self._partial.items():
            held[sender] += partial.held
        ((greediest, _),) = held.most_common(1)
        own = [n for n in self._partial if n[0] == greediest]
        return min(own, key=lambda n: (n == newest, self._partial[n].last_at))

    def _give_up(self, name: _Name, why: str) -> None:
        head = self._partial[name].head
        self._forget(name)
        self._dropped(head, EnvelopeError("incomplete", f"{head.message_id!r:.80}: {why}"))

    def _forget(self, name: _Name) -> None:
        self.held_bytes -= self._partial.pop(name).held


def _whole(head: EnvelopeHead, chunks: list[bytes]) -> bytes:
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    if len(body) != head.size or digest_of(body) != head.digest:
        raise EnvelopeError(
            "checksum", f"{head.message_id!r:.80} as a whole isn't what its checksum says"
        )
    return body
