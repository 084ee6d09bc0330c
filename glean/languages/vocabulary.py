"""What a workload calls those who learn together and what they learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Vocabulary:
    """Nouns of English sentences, and which of the two forms of a `Worded` is said.

    Parameters
    ----------
    one, many : str
        Whoever takes part in a federation.
    """

    one: str
    many: str


BAKERIES = Vocabulary("bakery", "bakeries")
"""The demand's: bakeries learn from their sales, by days."""

CLIENTS = Vocabulary("client", "clients")
"""Of all other workloads: clients learn from rows."""


class Worded(str):
    """A sentence in the words of bakeries that has another form for clients.

    `Language` says the form of its vocabulary; whoever knows nothing of vocabularies has the first.

    Parameters
    ----------
    bakeries, clients : str
        The sentence in English in either form, each marked by `translatable`.

    Examples
    --------
    >>> Worded("waiting for bakeries", "waiting for clients").said_with(CLIENTS)
    'waiting for clients'
    """

    clients: str

    def __new__(cls, bakeries: str, clients: str) -> Self:
        """Keep both forms."""
        found = super().__new__(cls, bakeries)
        found.clients = clients
        return found

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, str]]:
        """Say what pickle makes it anew of."""
        return (str(self),), {"clients": self.clients}

    def said_with(self, vocabulary: Vocabulary) -> str:
        """Give the form of a vocabulary."""
        return self.clients if vocabulary == CLIENTS else str(self)
