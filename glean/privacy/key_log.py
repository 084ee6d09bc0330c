"""The log of members' keys: it only grows, and each entry is signed over the one before.

The server keeps it, and shows it to every member. Who knew a member's key sees any other key that
comes for it; who was shown another log than the others has another head, and shares no mask with
them (`federation/client/transcript.py`). So the server can't show each bakery members of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Self

from glean.errors import CertificateError
from glean.privacy.members import Member, folder_name
from glean.privacy.model_key import ModelKey, ModelSigner

FILE = "key-log.jsonl"

JOINED, REPLACED, SHUT_OUT, LET_IN = "joined", "replaced", "shut_out", "let_in"

_EVENTS = (JOINED, REPLACED, SHUT_OUT, LET_IN)
_START = "0" * 64
_DOMAIN = b"glean: an entry of the log of keys 1\n"


class KeyLogError(CertificateError):
    """A log of keys isn't what it was, or wasn't signed as it should be."""


@dataclass(frozen=True)
class KeyLogEntry:
    """One event in the log.

    Parameters
    ----------
    number : int
        Counted from 1.
    at : str
        When, ISO, UTC.
    event : {"joined", "replaced", "shut_out", "let_in"}
        What happened: "replaced" gives a member a new key for one that was lost.
    bakery : str
        Whose entry it is.
    signing_key, node_key : str
        Its public keys from then on.
    before : str
        Head of the log before it, hexadecimal; zeros for the first.
    signature : str
        The server's, over all of this, hexadecimal.
    """

    number: int
    at: str
    event: str
    bakery: str
    signing_key: str
    node_key: str
    before: str
    signature: str = ""

    @classmethod
    def read(cls, found: object) -> Self:
        """Read what `asdict` made.

        Raises
        ------
        KeyLogError
            It isn't an entry.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(found, Mapping) or {*found} != names:
            raise KeyLogError(f"the log of keys: found {found!r:.80}; wanted an entry of it")
        texts = {name: value for name, value in found.items() if name != "number"}
        if type(found["number"]) is not int or not all(isinstance(t, str) for t in texts.values()):
            raise KeyLogError(f"the log of keys: found {found!r:.80}; wanted texts and a number")
        entry = cls(number=found["number"], **texts)
        if entry.event not in _EVENTS:
            raise KeyLogError(f"the log of keys: found the event {entry.event!r:.40}")
        try:
            folder_name(entry.bakery)
        except CertificateError as error:
            raise KeyLogError(f"the log of keys: {error}") from error
        return entry

    @property
    def statement(self) -> bytes:
        """What is signed."""
        said = {name: value for name, value in asdict(self).items() if name != "signature"}
        return _DOMAIN + json.dumps(said, sort_keys=True).encode()

    @property
    def head(self) -> str:
        """Head of the log once it is the last entry: SHA-256, hexadecimal."""
        return hashlib.sha256(self.statement).hexdigest()


class _Index:
    """What a log says of each member, entry by entry."""

    def __init__(self, entries: Iterable[KeyLogEntry] = ()) -> None:
        self.count, self.head = 0, _START
        self.keys: dict[str, KeyLogEntry] = {}
        """The entry that gave each member the keys that it has."""
        self.shut_out: set[str] = set()
        self._owners: dict[str, str] = {}
        for entry in entries:
            self._note(entry)

    def take(self, entry: KeyLogEntry) -> None:
        """Take the next entry, if it fits."""
        if entry.number != self.count + 1 or entry.before != self.head:
            raise KeyLogError(
                f"the log of keys: entry {entry.number} doesn't go on from the {self.count} that "
                "are known here: the server shows another log than before"
            )
        self._check(entry)
        self._note(entry)

    def _check(self, entry: KeyLogEntry) -> None:
        known = self.keys.get(entry.bakery)
        if (known is None) != (entry.event == JOINED):
            what = "is a member already" if known else "isn't a member"
            raise KeyLogError(f"{entry.bakery!r} {what}")
        if known and entry.event in (SHUT_OUT, LET_IN):
            if (known.signing_key, known.node_key) != (entry.signing_key, entry.node_key):
                raise KeyLogError(f"{entry.bakery!r}: found other keys than those it has")
            if (entry.bakery in self.shut_out) == (entry.event == SHUT_OUT):
                state = "shut out" if entry.event == SHUT_OUT else "let in"
                raise KeyLogError(f"{entry.bakery!r} is {state} already")
            return
        for line in (entry.signing_key, entry.node_key):
            if line in self._owners:
                raise KeyLogError(
                    f"{entry.bakery!r}: its key is, or was, that of {self._owners[line]!r}"
                )

    def _note(self, entry: KeyLogEntry) -> None:
        self.count, self.head = entry.number, entry.head
        if entry.event in (JOINED, REPLACED):
            self.keys[entry.bakery] = entry
            self._owners |= dict.fromkeys((entry.signing_key, entry.node_key), entry.bakery)
        elif entry.event == SHUT_OUT:
            self.shut_out.add(entry.bakery)
        else:
            self.shut_out.discard(entry.bakery)


@dataclass(frozen=True)
class KeyLog:
    """A log whose entries go on from each other.

    Parameters
    ----------
    entries : tuple of KeyLogEntry
        In order, checked.
    """

    entries: tuple[KeyLogEntry, ...] = ()

    @property
    def head(self) -> str:
        """Names the whole log: two with one head have the same entries."""
        return self._index.head

    @property
    def members(self) -> tuple[Member, ...]:
        """Those who may take part, in text order of their names."""
        return self._listed(shut_out=False)

    @property
    def shut_out(self) -> tuple[Member, ...]:
        """Those who were, and may not now; new keys don't let them in."""
        return self._listed(shut_out=True)

    def member(self, bakery: str) -> Member | None:
        """Give a member's keys, shut out or not; None where there is none of that name."""
        entry = self._index.keys.get(bakery)
        return None if entry is None else _member(entry)

    def with_entry(self, event: str, member: Member, signer: ModelSigner, *, at: str) -> KeyLog:
        """Add an entry, as the server does.

        Parameters
        ----------
        event : str
            What happened.
        member : Member
            Whose keys, as they are from now on.
        signer : ModelSigner
            The server's key.
        at : str
            When, ISO, UTC.

        Raises
        ------
        KeyLogError
            It doesn't fit what is in the log: a name or a key that is taken, or nobody to shut out.
        """
        keys = (member.signing_key, member.node_key)
        entry = KeyLogEntry(len(self.entries) + 1, at, event, member.bakery, *keys, self.head)
        _Index(self.entries).take(entry)
        signature = signer.private().sign(entry.statement).hex()
        return KeyLog((*self.entries, replace(entry, signature=signature)))

    def extended(self, entries: Iterable[KeyLogEntry], key: ModelKey) -> KeyLog:
        """Add entries that came from a server.

        Parameters
        ----------
        entries : iterable of KeyLogEntry
            Those that follow, in order.
        key : ModelKey
            The server's, as it was known at joining.

        Raises
        ------
        KeyLogError
            They don't go on from what is known, or aren't signed by that key.
        """
        index, added = _Index(self.entries), tuple(entries)
        for entry in added:
            if not key.signed_bytes(_bytes_of_hex(entry.signature), entry.statement):
                raise KeyLogError(
                    f"the log of keys: entry {entry.number} isn't signed by the server's key "
                    f"{key.fingerprint}"
                )
            index.take(entry)
        return KeyLog((*self.entries, *added))

    @cached_property
    def _index(self) -> _Index:
        return _Index(self.entries)

    def _listed(self, *, shut_out: bool) -> tuple[Member, ...]:
        index = self._index
        found = [
            _member(entry)
            for bakery, entry in index.keys.items()
            if (bakery in index.shut_out) == shut_out
        ]
        return tuple(sorted(found, key=lambda member: member.bakery))


def write_key_log(log: KeyLog) -> bytes:
    """Write a log, a line an entry."""
    lines = (json.dumps(asdict(entry), ensure_ascii=False) + "\n" for entry in log.entries)
    return "".join(lines).encode()


def read_key_log(content: bytes, source: str, *, key: ModelKey) -> KeyLog:
    """Read what `write_key_log` wrote, and check every entry.

    Parameters
    ----------
    content : bytes
        The file.
    source : str
        What it is called in a message.
    key : ModelKey
        The server's.

    Raises
    ------
    KeyLogError
        It isn't a log, or was changed.
    """
    try:
        found = [json.loads(line) for line in content.decode().splitlines()]
    except (ValueError, RecursionError) as error:
        raise KeyLogError(f"{source} isn't a log of keys: {error!s:.80}") from error
    return KeyLog().extended(map(KeyLogEntry.read, found), key)


def _bytes_of_hex(text: str) -> bytes:
    """Read hexadecimal digits; b"" where they are none."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def _member(entry: KeyLogEntry) -> Member:
    return Member(entry.bakery, entry.signing_key, entry.node_key, entry.number, entry.head)
