"""Records that are lent: whoever looks at one gets a copy of its own, and nothing else is copied.

A grid that calls an app in its own process lends it the message and the state, and lends the server
the reply. Most records of a state are looked at in few messages, and the arrays among them are the
larger part of what there is.
"""

from __future__ import annotations

import copy
from collections.abc import ItemsView, ValuesView
from typing import Any

from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict

Record = ArrayRecord | ConfigRecord | MetricRecord


class LentRecords(RecordDict):
    """The records of a lender, each copied when it is first looked at.

    Parameters
    ----------
    lender : RecordDict
        Sees nothing of what is changed, put or deleted here. What is lent further from here is what
        is here then.
    """

    def __init__(self, lender: RecordDict) -> None:
        # Flower has no way to share records; its own `copy` takes them from there too.
        theirs = vars(lender)
        vars(self).update(theirs, _data=theirs["_data"].copy(), _own=set())

    def __getitem__(self, key: str) -> Record:
        """Give a record that can be changed."""
        held = vars(self)
        data: dict[str, Record] = held["_data"]
        if key not in held["_own"]:
            data[key] = _copied(data[key])
            held["_own"].add(key)
        return data[key]

    def __setitem__(self, key: str, value: Record) -> None:
        """Put a record here."""
        held = vars(self)
        if type(value) is type(held["_data"].get(key)):
            # As Flower has it, whose checks find nothing in such a value.
            held["_data"][key] = value
        else:
            super().__setitem__(key, value)
        held["_own"].add(key)

    def __delitem__(self, key: str) -> None:
        """Leave a record out here."""
        super().__delitem__(key)
        vars(self)["_own"].discard(key)

    def values(self) -> ValuesView[Record]:
        """Give all records, to be changed."""
        self._take_all()
        return super().values()

    def items(self) -> ItemsView[str, Record]:
        """Give all records with their names, to be changed."""
        self._take_all()
        return super().items()

    def copy(self) -> Any:
        """Give a plain record of the same records."""
        self._take_all()
        plain = RecordDict()
        vars(plain)["_data"].update(vars(self)["_data"])
        return plain

    def _take_all(self) -> None:
        for key in vars(self)["_data"].keys() - vars(self)["_own"]:
            self[key]


def _copied(record: Record) -> Record:
    """Copy a record, and the arrays and lists in it: these can be changed in place too."""
    copied = record.copy()
    data = vars(copied)["_data"]
    for key, value in data.items():
        if isinstance(value, _CHANGEABLE):
            data[key] = copy.copy(value)
    return copied


_CHANGEABLE = (list, Array)
