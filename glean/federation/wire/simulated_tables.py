"""Tables that a simulation's client makes in its final test, for a server that could open its data.

Who makes them has the models that they are of, so that nobody trains these again. They wait in the
node's state until the server asks. A client with data of its own makes none and refuses it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from flwr.app import ConfigRecord, RecordDict

from glean.errors import ModelError
from glean.federation.wire.compression import compress, decompress
from glean.federation.wire.final_test_sums import name_of_test
from glean.federation.wire.messages import Task
from glean.federation.wire.record_form import Flat

_NAME, _TESTED, _TABLES = "glean-tables", "tested", "tables"


@dataclass(frozen=True)
class TablesRequest(Flat):
    """The server's request for the tables of a final test.

    Parameters
    ----------
    newcomer : bool
        Whether the client plays a newcomer.
    tested : str
        Which test they are of (`name_of_test`).
    """

    newcomer: bool
    tested: str


@dataclass(frozen=True)
class TablesReply(Flat):
    """A client's reply.

    Parameters
    ----------
    bakery, code : str
        Who, running what.
    tables : bytes
        JSON of file -> text, compressed; empty where there are none of that test.
    """

    bakery: str
    code: str
    tables: bytes

    def by_file(self) -> dict[str, str]:
        """Read the tables.

        Raises
        ------
        ModelError
            They are none.
        """
        try:
            found = json.loads(decompress(self.tables) if self.tables else b"{}")
        except ValueError as error:
            raise ModelError(f"the tables can't be read: {error!r:.200}") from error
        if not isinstance(found, dict) or not all(isinstance(t, str) for t in found.values()):
            raise ModelError("the tables can't be read: wanted texts by file")
        return found


def keep_tables(tables: Mapping[str, str], task: Task, state: RecordDict) -> None:
    """Keep the tables of a test in a node's state, in the place of those of a test before."""
    content = compress(json.dumps(dict(tables)).encode())
    state[_NAME] = ConfigRecord({_TESTED: name_of_test(task), _TABLES: content})


def take_tables(state: RecordDict, tested: str) -> bytes:
    """Take the tables of a test out of a node's state; empty where there are none of it."""
    found = state.config_records.get(_NAME)
    if found is None or found[_TESTED] != tested:
        return b""
    content = found[_TABLES]
    del state[_NAME]
    return content if isinstance(content, bytes) else b""
