"""Names and sentences that come over the network: what may be a name, and how to show the rest.

A name goes into logs, tables and pages, and a line of the log says how a run ended: whoever could
put a line break or a terminal's control character into one could forge that.
"""

from __future__ import annotations

import re

from glean.metric_sums import ALL_CLIENTS
from glean.runs.log_lines import visible

LONGEST_NAME = 100
"""Characters."""

LONGEST_TEXT = 2000
"""Characters of a sentence of a node's that are shown."""

_PATH_MARKS = re.compile(r"[/\\]")


def name_objection(name: str, *, own_table: bool) -> str:
    """Say why a text can't be a client's name; "" where it can.

    Parameters
    ----------
    name : str
        What a node calls itself; "" is a node that plays no client.
    own_table : bool
        Whether it has a table of its own. In a simulation names are those of the operator's table,
        in which a slash is no more than a slash.

    Examples
    --------
    >>> name_objection("Bäckerei Müller", own_table=True)
    ''
    >>> name_objection("..", own_table=False)
    "found the name '..'; wanted one without parts of a path"
    """
    wanted = ""
    if len(name) > LONGEST_NAME:
        wanted = f"one of at most {LONGEST_NAME} characters"
    elif not name.isprintable():
        wanted = "one of printable characters, on one line"
    elif name != name.strip():
        wanted = "one without a space at its ends"
    elif name == ALL_CLIENTS:
        wanted = "another, since this one stands for all in the results"
    elif name and _is_path(name, own_table=own_table):
        wanted = "one without parts of a path"
    return f"found the name {shown(name, most=40)!r}; wanted {wanted}" if wanted else ""


def shown(text: str, *, most: int = LONGEST_TEXT) -> str:
    r"""Show a text on one line: control characters as Python writes them, and not without end.

    Examples
    --------
    >>> print(shown("late\nround 9: forged \x1b[2J"))
    late; round 9: forged \x1b[2J
    """
    cut = text[:most]
    lines = "; ".join(line.strip() for line in cut.split("\n") if line.strip())
    return visible(lines) + (f"... ({len(text):,} characters)" if len(text) > most else "")


def _is_path(name: str, *, own_table: bool) -> bool:
    parts = [part.strip() for part in _PATH_MARKS.split(name)]
    return not {"", ".", ".."}.isdisjoint(parts) or (own_table and len(parts) > 1)
