"""Members of a federation, as the service and the command line know and change them.

The truth is the key log in the federation's folder (`key_log_file.py`).
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from glean.errors import CertificateError
from glean.federation_folder import FederationFolder
from glean.privacy.key_log import JOINED, LET_IN, REPLACED, SHUT_OUT, KeyLog
from glean.privacy.members import Member
from glean.service.membership.key_log_file import KeyLogFile
from glean.service.membership.last_heard import LastHeard
from glean.service.membership.names import check_name
from glean.service.membership.plain_nodes import PlainNodes

LOG = logging.getLogger("glean.service")


class NoMemberError(CertificateError):
    """There is no such member."""


class MemberThereError(CertificateError):
    """A bakery of that name is a member already, or stands already as it shall."""


class KeysTakenError(CertificateError):
    """The keys are another member's, or were one's."""


class Members:
    """The members of a federation; may be used from several threads and processes.

    Parameters
    ----------
    folder : FederationFolder
        Where the federation's keys and its key log are.

    Raises
    ------
    CertificateError
        The key log can't be read.
    """

    def __init__(self, folder: FederationFolder) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._file = KeyLogFile(folder)
        self._known = _Known(KeyLog())
        self._callbacks: list[Callable[[], None]] = []
        self._heard = LastHeard(folder.path / "last-heard.json")
        self._plain = PlainNodes(folder.path / "plain-nodes.json")
        self._told = self.log().head

    def settle(self) -> None:
        """Have the key log and `members.json` say the same.

        A kill between the two leaves the list behind. A folder that `glean certificates` made has a
        list and no log yet: whom it lists is taken in.
        """
        with self._changing() as log:
            if log.entries:
                self._file.mend_list()
                return
            listed = self._file.listed()
            for member in listed:
                self._plain.note(member.bakery, plain=True)
            if listed:
                self._file.append(*((JOINED, member) for member in listed))
        self.refresh()

    def log(self) -> KeyLog:
        """Give the key log as it is now."""
        return self._now().log

    def names(self) -> frozenset[str]:
        """Names of all that were ever taken in, also of those that are shut out."""
        return self._now().names

    def of_signing_key(self, line: str) -> str | None:
        """Name of the member with this signing key; None where there is none, or it is shut out."""
        return self._now().by_signing_key.get(line)

    def of_node_key(self, line: str) -> str | None:
        """Name of the member with this node key; None where there is none, or it is shut out."""
        return self._now().by_node_key.get(line)

    def is_shut_out(self, line: str) -> bool:
        """Whether a signing key is that of a member that was shut out."""
        return line in self._now().keys_out

    def joined_by_invitation(self, bakery: str) -> bool:
        """Whether it made its keys for Glean's own node, whose requests are all signed."""
        return bakery not in self._plain.names()

    def add(self, member: Member, *, by_invitation: bool = True) -> None:
        """Take a bakery in.

        Parameters
        ----------
        member : Member
            Its name and public keys; whoever sent them has proved to have the private ones.
        by_invitation : bool
            False where its keys came as a file, as for Flower's own node.

        Raises
        ------
        MemberThereError, KeysTakenError, CertificateError
            It can't be; the name or a key is another's.
        """
        with self._changing() as log:
            names = self._known.names
            if member.bakery in names:
                raise MemberThereError(f"{member.bakery!r} is a member already")
            check_name(member.bakery, names)
            _refuse_known_keys(log, member)
            self._plain.note(member.bakery, plain=not by_invitation)
            self._file.append((JOINED, member))
        self._heard.note(member.bakery)
        self.refresh()

    def replace(self, member: Member) -> None:
        """Give a member new keys, since it lost the old ones; one that is shut out stays so.

        Raises
        ------
        NoMemberError, KeysTakenError
            It isn't one, or a key was seen before.
        """
        with self._changing() as log:
            _member_of((*log.members, *log.shut_out), member.bakery, "isn't a member")
            _refuse_known_keys(log, member)
            self._plain.note(member.bakery, plain=False)
            self._file.append((REPLACED, member))
        self._heard.note(member.bakery)
        self.refresh()

    def shut_out(self, bakery: str) -> None:
        """Let a member take part no longer.

        Raises
        ------
        NoMemberError, MemberThereError
            There is none of that name, or it is out already.
        """
        with self._changing() as log:
            if bakery in {member.bakery for member in log.shut_out}:
                raise MemberThereError(f"{bakery!r} is shut out already")
            self._file.append((SHUT_OUT, _member_of(log.members, bakery, "isn't a member")))
        self.refresh()

    def let_in(self, bakery: str) -> None:
        """Let a member that was shut out take part again, by the keys that it has.

        Raises
        ------
        NoMemberError
            None of that name is shut out.
        """
        with self._changing() as log:
            self._file.append((LET_IN, _member_of(log.shut_out, bakery, "isn't shut out")))
        self.refresh()

    def heard(self, bakery: str) -> None:
        """Note that a member was heard of just now."""
        self._heard.note(bakery)

    def last_heard(self, bakery: str) -> dt.datetime | None:
        """When a member was heard of last; None where it never was."""
        return self._heard.of(bakery)

    def left(self, bakery: str) -> None:
        """Note that a member said that it leaves; it stays one, and may come back."""
        self._heard.note_left(bakery)

    def has_left(self, bakery: str) -> bool:
        """Whether a member has left, and wasn't heard of since."""
        return self._heard.has_left(bakery)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Have something called after each change, by whomever it was made."""
        self._callbacks.append(callback)

    def refresh(self) -> None:
        """Look for changes, made here or by another process, and tell of them."""
        with self._lock:
            head = self.log().head
            changed, self._told = head != self._told, head
        for callback in self._callbacks if changed else ():
            try:
                callback()
            except Exception:
                # The change counts; who follows it looks again at the next one, or at its start.
                LOG.exception("a change of the members wasn't taken up")

    def close(self) -> None:
        """Write down what is written only now and then."""
        self._heard.write()

    def _now(self) -> _Known:
        with self._lock:
            log = self._file.read()
            if log is not self._known.log:
                self._known = _Known(log)
            return self._known

    @contextmanager
    def _changing(self) -> Iterator[KeyLog]:
        with self._file.changing(), self._lock:
            yield self.log()


class _Known:
    """What a log says, by what is asked for."""

    def __init__(self, log: KeyLog) -> None:
        self.log = log
        self.names = frozenset(member.bakery for member in (*log.members, *log.shut_out))
        self.by_signing_key = {member.signing_key: member.bakery for member in log.members}
        self.by_node_key = {member.node_key: member.bakery for member in log.members}
        self.keys_out = frozenset(member.signing_key for member in log.shut_out)


def _member_of(members: tuple[Member, ...], bakery: str, objection: str) -> Member:
    for member in members:
        if member.bakery == bakery:
            return member
    raise NoMemberError(f"{bakery!r} {objection}")


def _refuse_known_keys(log: KeyLog, member: Member) -> None:
    """Refuse a key that was ever a member's: it may have been lost, or shut out."""
    known = {key for entry in log.entries for key in (entry.signing_key, entry.node_key)}
    if not known.isdisjoint({member.signing_key, member.node_key}):
        raise KeysTakenError(
            "these keys are a member's already, or were: to join under another name, or after keys "
            "were lost, make new ones in an empty folder"
        )
