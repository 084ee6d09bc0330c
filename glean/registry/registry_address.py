"""Where the registry is: what an option or the environment says, and how it is told to people."""

from __future__ import annotations

import os
from urllib.parse import urlsplit, urlunsplit

from glean.errors import GleanError

VARIABLE = "MLFLOW_TRACKING_URI"
"""MLflow's own variable: processes that come of this one find the registry by it."""


class RegistryDownError(GleanError):
    """The registry doesn't answer, or not as one that is well: what was asked is asked again."""


class RegistryRefusedError(GleanError):
    """The registry answers that it won't do so: asking again as before brings nothing."""


class UnknownToRegistryError(RegistryRefusedError):
    """The registry has no such thing, or has it no more."""


def registry_address() -> str:
    """Give the address of the registry as the environment has it; "" where there is none."""
    return os.environ.get(VARIABLE, "").strip()


def use_registry(address: str) -> str:
    """Have this process and those that it starts use a registry; "" leaves the environment's.

    Returns
    -------
    str
        The address that counts; "" where there is none.
    """
    if address:
        os.environ[VARIABLE] = address
    return registry_address()


def shown_address(address: str) -> str:
    """Give an address without the name and the password that may stand in it.

    Examples
    --------
    >>> shown_address("https://glean:secret@models.example.org:5000/mlflow")
    'https://models.example.org:5000/mlflow'
    """
    try:
        parts = urlsplit(address)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path, "", ""))
    except ValueError:
        return "the registry"
