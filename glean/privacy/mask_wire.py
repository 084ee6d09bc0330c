"""Bytes of secure sums: a strict reader, and the writers that go with it.

Bytes from another machine come in, numbers, texts and slices go out, or an error that says which
message is wrong. Stands below every message of a secure sum.
"""

from __future__ import annotations

from glean.errors import SecureSumError

_LONGEST_TEXT = 1 << 16


def text_field(text: str) -> bytes:
    """Write a text with its length in front.

    Raises
    ------
    SecureSumError
        It is longer than 65,535 bytes.
    """
    content = text.encode()
    if len(content) >= _LONGEST_TEXT:
        raise SecureSumError(
            f"secure sum: found a name of {len(content)} bytes; wanted fewer than {_LONGEST_TEXT}"
        )
    return len(content).to_bytes(2, "big") + content


class Reader:
    """Reads a message from its beginning to its end.

    Parameters
    ----------
    content : bytes
        The message.
    what : str
        How errors name it.
    mark : bytes
        What it must begin with: kind and version.

    Raises
    ------
    SecureSumError
        It begins otherwise.
    """

    def __init__(self, content: bytes, what: str, *, mark: bytes) -> None:
        self._content, self._what = content, what
        self._at, self._end = 0, len(content)
        if self.take(len(mark)) != mark:
            raise self._error("it begins otherwise")

    @property
    def left(self) -> int:
        """Bytes that are still to be read."""
        return self._end - self._at

    def take(self, count: int) -> bytes:
        """Take so many bytes."""
        start = self._passed(count)
        return self._content[start : self._at]

    def view(self, count: int) -> memoryview:
        """Look at so many bytes where they lie, as a long vector needs no copy."""
        start = self._passed(count)
        return memoryview(self._content)[start : self._at]

    def _passed(self, count: int) -> int:
        """Go on by so many bytes; where they begin."""
        start, self._at = self._at, self._at + count
        if self._at > self._end:
            raise self._error(f"{self._at - self._end} bytes are missing")
        return start

    def number(self, count: int) -> int:
        """Take an unsigned integer of so many bytes."""
        return int.from_bytes(self.take(count), "big")

    def flag(self) -> bool:
        """Take a byte that is 0 or 1."""
        found = self.number(1)
        if found > 1:
            raise self._error(f"a flag is {found}")
        return bool(found)

    def text(self) -> str:
        """Take what `text_field` wrote."""
        try:
            return self.take(self.number(2)).decode()
        except UnicodeDecodeError as error:
            raise self._error("a name isn't UTF-8") from error

    def end(self) -> None:
        """Check that nothing is left."""
        if self.left:
            raise self._error(f"{self.left} bytes too many")

    def _error(self, found: str) -> SecureSumError:
        return SecureSumError(
            f"{self._what} of a secure sum: {found}; wanted the bytes as they were written, by the "
            "same version of Glean"
        )
