"""What a registry's answers mean: it is away, or it refuses; in plain words, without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from glean.errors import GleanError
from glean.registry.registry_address import (
    RegistryDownError,
    RegistryRefusedError,
    UnknownToRegistryError,
    shown_address,
)

_SYSTEM_WORDS, _CAUSE = re.compile(r"\[Errno -?\d+\] ([\w ,]+)"), re.compile(r"Caused by (\w+)")
_NAME_AND_PASSWORD, _QUERY = re.compile(r"//[^/\s@]+@"), re.compile(r"\?\S+")

_WRONG_PASSWORD = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_MAY_PASS = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
"""Refusals that, like wrong passwords, have nothing to do with what is sent: it is sent later."""

_LONGEST = 500


@contextmanager
def answers_of(address: str) -> Iterator[None]:
    """Tell a server that is away from one that refuses, for what the body asks of it.

    Raises
    ------
    RegistryDownError
        It doesn't answer, or what keeps it from answering may pass.
    RegistryRefusedError
        It won't do so.
    """
    import requests
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        status = int(error.get_http_status_code())
        raise _said(address, status, error.error_code, error.message) from error
    except requests.HTTPError as error:  # files go and come without MLflow's own errors
        answer = error.response
        status = HTTPStatus.INTERNAL_SERVER_ERROR if answer is None else answer.status_code
        raise _said(address, status, "", str(error)) from error
    except (requests.RequestException, OSError) as error:
        raise _away(address, str(error) or type(error).__name__) from error


def without_secrets(said: str) -> str:
    """Take names, passwords and queries out of the addresses in a text.

    Examples
    --------
    >>> without_secrets("413 for url: http://me:secret@models.example.org/x?signature=1")
    '413 for url: http://models.example.org/x'
    """
    return _QUERY.sub("", _NAME_AND_PASSWORD.sub("//", said))


def _said(address: str, status: int, code: str, text: str) -> GleanError:
    if status in _WRONG_PASSWORD:
        return RegistryDownError(
            f"the registry at {shown_address(address)} refuses this name and password; wanted "
            "others in MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or in "
            "MLFLOW_TRACKING_TOKEN"
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _MAY_PASS:
        return _away(address, text)
    said = f"the registry at {shown_address(address)} refuses: {without_secrets(text):.{_LONGEST}}"
    if code == "RESOURCE_ALREADY_EXISTS":
        return RegistryDownError(said)  # somebody else was quicker: look again
    if code == "RESOURCE_DOES_NOT_EXIST":
        return UnknownToRegistryError(said)
    return RegistryRefusedError(said)


def _away(address: str, text: str) -> RegistryDownError:
    said = without_secrets(text)
    # What the system said, where it said something, stands at the end of a long sentence.
    cause = _SYSTEM_WORDS.search(said) or _CAUSE.search(said)
    words = cause[1] if cause else (said.splitlines() or ["without a word"])[0][:200]
    return RegistryDownError(f"the registry at {shown_address(address)} doesn't answer ({words})")
