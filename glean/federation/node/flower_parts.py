"""Whether the installed Flower has the inner parts that a node was written for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from glean.errors import FederationError

TESTED = "1.41 and 1.42"


def check_parts(used: Mapping[Callable[..., Any], str]) -> None:
    """Refuse a version of Flower whose parts take other arguments.

    Parameters
    ----------
    used : mapping of callable to str
        Parts, and the names of their parameters with spaces between them.

    Raises
    ------
    FederationError
        Names the part, and what to install.
    """
    for part, wanted in used.items():
        found = " ".join(inspect.signature(part).parameters)
        if found != wanted:
            raise FederationError(
                f"found flwr {version('flwr')}, whose {part.__qualname__} takes ({found}); wanted "
                f"({wanted}), as in {TESTED}: install Glean by `pip install -c constraints.txt`, "
                "or use flower-supernode (docs/deployment.md)"
            )
