"""What a store says when it doesn't do what it is asked, in plain words and without secrets.

Stores raise what their libraries have; none of these is imported here: they are told apart by what
they carry (an S3 code, an HTTP status) and by their names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from glean.errors import GleanError

SECRETS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "WEBDAV_USERNAME",
    "WEBDAV_PASSWORD",
)
"""Environment variables whose values appear in no message."""

_NO_CREDENTIALS = {"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"}
_WRONG_CREDENTIALS = {
    "AccessDenied",
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "Forbidden",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "UnauthorizedAccess",
    "401",
    "403",
}
_TOO_LARGE = {"EntityTooLarge", "413"}
_LONGEST = 200


class StorageError(GleanError):
    """A store can't be used as it is asked for; a person has to change something."""


class StorageAwayError(StorageError):
    """A store doesn't answer, or not as it should; later it may."""


class StoredFileMissingError(StorageError):
    """A store has no such file."""


def translated(error: BaseException, url: str, what: str) -> StorageError:
    """Say what went wrong at a store.

    Parameters
    ----------
    error : BaseException
        What its library raised.
    url : str
        The store's.
    what : str
        What was asked for: "read runs/x/run.json".
    """
    chain = list(_chain(error))
    codes = {code for each in chain if (code := _code(each))}
    names = {type(each).__name__ for each in chain}
    if codes & {"NoSuchBucket"}:
        return StorageError(
            f"found no such bucket at {url}; wanted one that is there: make it, or mend the URL"
        )
    if names & _NO_CREDENTIALS:
        return StorageError(
            f"found no credentials for {url}; wanted them in the environment: AWS_ACCESS_KEY_ID "
            "and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        )
    if codes & _WRONG_CREDENTIALS or any(isinstance(each, PermissionError) for each in chain):
        return StorageError(
            f"{url} refuses to {what} with these credentials; wanted ones that may read and write "
            "there: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for S3, WEBDAV_USERNAME and "
            "WEBDAV_PASSWORD for WebDAV"
        )
    if codes & _TOO_LARGE:
        return StorageError(f"{url}: can't {what}: it is larger than the store takes")
    if any(isinstance(each, FileNotFoundError) for each in chain) or codes & {"NoSuchKey", "404"}:
        return StoredFileMissingError(f"{url}: can't {what}: there is no such file or folder")
    return StorageAwayError(f"{url}: can't {what} ({_said_by(error)})")


def _chain(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    for _ in range(10):
        if found is None:
            return
        yield found
        found = found.__cause__ or found.__context__


def _code(error: BaseException) -> str:
    """Give the code of an error of S3, or the status of one of WebDAV; "" where it has none."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):
        return str(response.get("Error", {}).get("Code", ""))
    status = getattr(error, "status_code", None)
    return str(int(status)) if isinstance(status, int | HTTPStatus) else ""


def _said_by(error: BaseException) -> str:
    if "Timeout" in type(error).__name__:
        return "no answer in time"
    if "Connect" in type(error).__name__:
        return "it can't be reached"
    said = " ".join(str(error).split())
    for name in SECRETS:
        if value := os.environ.get(name):
            said = said.replace(value, "***")
    return f"{type(error).__name__}: {said[:_LONGEST]}" if said else type(error).__name__
