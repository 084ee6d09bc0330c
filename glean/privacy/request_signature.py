"""A member's signature over one request: method, path, body, time and a nonce.

The body goes in by its hash, which is a header too: so who gets a request can prove its head before
the body has come.

Flower's own signature covers a time stamp only, so that who sees one could send another request by
it for five minutes. This one is of a single request, which the server takes once.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_ssh_public_key,
)

from glean.errors import CertificateError
from glean.privacy.mask_wire import text_field

KEY_HEADER = "x-glean-signing-key"
TIME_HEADER = "x-glean-time"
NONCE_HEADER = "x-glean-nonce"
CONTENT_HEADER = "x-glean-content"
"""SHA-256 of the body, hexadecimal."""

SIGNATURE_HEADER = "x-glean-signature"

LARGEST_CLOCK_ERROR = dt.timedelta(seconds=300)
"""As Flower's own."""

_HEADERS = (KEY_HEADER, TIME_HEADER, NONCE_HEADER, CONTENT_HEADER, SIGNATURE_HEADER)
_DOMAIN = b"glean: a member's request 1\n"
_NONCE_CHARACTERS = 24
_LONGEST_HEADER = 200
_CHANGED = "the request's signature doesn't fit: it was changed on the way"


class RequestRefusedError(CertificateError):
    """A request isn't taken; says why.

    Parameters
    ----------
    reason : {"unsigned", "clock", "replay"}
        What kind of refusal it is.
    text : str
        The same as a sentence.
    """

    def __init__(self, reason: str, text: str) -> None:
        self.reason = reason
        super().__init__(text)


class RequestSigner:
    """A member's private signing key, ready for many requests.

    Parameters
    ----------
    signing_key : bytes
        Private Ed25519 key, PEM.

    Raises
    ------
    CertificateError
        It is none.
    """

    def __init__(self, signing_key: bytes) -> None:
        try:
            key = load_pem_private_key(signing_key, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise CertificateError(f"signing-key can't be read: {error}") from error
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise CertificateError("signing-key is no Ed25519 key; wanted it as it was made here")
        self._key = key
        self.public_line = (
            key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        )

    def sign(self, statement: bytes) -> bytes:
        """Sign; 64 bytes."""
        return self._key.sign(statement)


@dataclass(frozen=True)
class SignedRequest:
    """Who sent a request, when, and by which nonce; its signature fits.

    Parameters
    ----------
    signing_key : str
        Public key, as one line of OpenSSH.
    at : datetime
        When, by the sender's clock.
    nonce : str
        Never used twice.
    content : str
        SHA-256 of the body, hexadecimal.
    """

    signing_key: str
    at: dt.datetime
    nonce: str
    content: str

    def check_content(self, body: bytes) -> None:
        """Check that a body is the one that was signed.

        Raises
        ------
        RequestRefusedError
            It is another one.
        """
        if _hash(body) != self.content:
            raise RequestRefusedError("unsigned", _CHANGED)


def sign_request(
    signer: RequestSigner,
    method: str,
    target: str,
    body: bytes,
    *,
    now: dt.datetime | None = None,
) -> dict[str, str]:
    """Make the headers of a signed request.

    Parameters
    ----------
    signer : RequestSigner
        Who sends it.
    method, target : str
        Its method, and its path with its query as they travel.
    body : bytes
        Its body.
    now : datetime, optional
        When; by default now.
    """
    at = (now or dt.datetime.now(dt.UTC)).isoformat()
    nonce = b64encode(secrets.token_bytes(16)).decode("ascii")
    content = _hash(body)
    signature = signer.sign(_statement(method, target, content, at, nonce))
    return {
        KEY_HEADER: signer.public_line,
        TIME_HEADER: at,
        NONCE_HEADER: nonce,
        CONTENT_HEADER: content,
        SIGNATURE_HEADER: b64encode(signature).decode("ascii"),
    }


def read_signed(headers: Mapping[str, str], method: str, target: str, body: bytes) -> SignedRequest:
    """Check the signature of a request that is all there.

    Parameters
    ----------
    headers, method, target
        As of `read_signed_head`.
    body : bytes
        Its body.

    Raises
    ------
    RequestRefusedError
        It isn't signed, or the signature is of another request.
    """
    found = read_signed_head(headers, method, target)
    found.check_content(body)
    return found


def read_signed_head(headers: Mapping[str, str], method: str, target: str) -> SignedRequest:
    """Check the signature of a request whose body may be still to come.

    Parameters
    ----------
    headers : mapping
        The request's, by names in small letters.
    method, target
        As of `sign_request`.

    Raises
    ------
    RequestRefusedError
        It isn't signed, or the signature is of another request.
    """
    found = [headers.get(name, "") for name in _HEADERS]
    if not all(found):
        raise RequestRefusedError("unsigned", "the request isn't signed by a member")
    if max(map(len, found)) > _LONGEST_HEADER:
        raise RequestRefusedError("unsigned", "a header of the signature is too long")
    line, at, nonce, content, signature = found
    try:
        _public(line).verify(
            b64decode(signature, validate=True), _statement(method, target, content, at, nonce)
        )
        when = dt.datetime.fromisoformat(at)
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        raise RequestRefusedError("unsigned", _CHANGED) from None
    if when.tzinfo is None or len(nonce) != _NONCE_CHARACTERS:
        raise RequestRefusedError("unsigned", "the request's time or nonce can't be read")
    return SignedRequest(line, when, nonce, content)


class SeenRequests:
    """Requests of the last minutes: each counts once.

    Parameters
    ----------
    most : int
        So many are remembered at most. Where there are more, the eldest are forgotten, and whatever
        is as old as they are is refused: memory is bounded, and still no replay is taken.
    """

    def __init__(self, most: int = 1_000_000) -> None:
        self._most = most
        self._order: deque[tuple[dt.datetime, str]] = deque()
        self._seen: set[str] = set()
        self._floor = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._lock = Lock()

    def remember(self, at: dt.datetime, nonce: str) -> None:
        """Count a request as seen; for those that were taken before a restart."""
        with self._lock:
            self._add(at, nonce)

    def check(self, request: SignedRequest, now: dt.datetime | None = None) -> None:
        """Refuse a request of a wrong time, or one that was seen before; remember it.

        Raises
        ------
        RequestRefusedError
            Says which.
        """
        now = now or dt.datetime.now(dt.UTC)
        if abs(now - request.at) > LARGEST_CLOCK_ERROR:
            off = (request.at - now).total_seconds()
            raise RequestRefusedError(
                "clock",
                f"the sender's clock is {abs(off):.0f} s {'ahead' if off > 0 else 'behind'}; the "
                f"server has {now:%Y-%m-%d %H:%M:%S} UTC; wanted at most "
                f"{LARGEST_CLOCK_ERROR.total_seconds():.0f} s (timedatectl set-ntp true)",
            )
        with self._lock:
            self._forget(now)
            if request.at <= self._floor or request.nonce in self._seen:
                raise RequestRefusedError("replay", "this request was sent before")
            self._add(request.at, request.nonce)

    def _add(self, at: dt.datetime, nonce: str) -> None:
        self._seen.add(nonce)
        self._order.append((at, nonce))

    def _forget(self, now: dt.datetime) -> None:
        """Forget what the clock refuses by itself, and the eldest where there are too many."""
        while self._order:
            at, nonce = self._order[0]
            if at >= now - LARGEST_CLOCK_ERROR:
                if len(self._order) < self._most:
                    break
                self._floor = max(self._floor, at)
            self._order.popleft()
            self._seen.discard(nonce)


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _statement(method: str, target: str, content: str, at: str, nonce: str) -> bytes:
    fields = (method, target, content, at, nonce)
    return _DOMAIN + b"".join(map(text_field, fields))


@lru_cache(maxsize=4096)
def _public(line: str) -> ed25519.Ed25519PublicKey:
    key = load_ssh_public_key(line.encode())
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise UnsupportedAlgorithm("wanted an Ed25519 key")
    return key
