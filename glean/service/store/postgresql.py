"""PostgreSQL as the service's database, by pg8000: connections with time-outs, errors in words.

URLs are as libpq's programs take them: `postgresql://USER:PASSWORD@HOST:PORT/NAME`, with what
`OPTIONS` lists behind a question mark. The password may stand in the variable PGPASSWORD instead.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import sqlalchemy as sa

from glean.errors import SettingsError
from glean.installed_packages import check_installed

CONNECT_S = 5.0
"""How long it may take to reach the server."""

LOCK_S, STATEMENT_S, IDLE_S = 5.0, 10.0, 300.0
"""How long a statement waits for another transaction, lasts, and a transaction may do nothing."""

ANSWER_S = 15.0
"""How long a server may be silent: longer than any statement lasts that it looks after."""

POOL: dict[str, Any] = {
    "pool_size": 5,
    "max_overflow": 15,
    "pool_timeout": 5.0,
    "pool_recycle": 1800,  # firewalls forget connections that do nothing
    "pool_pre_ping": True,
    "pool_use_lifo": True,
}

OPTIONS = frozenset({"application_name", "connect_timeout", "host", "sslmode", "sslrootcert"})
SSL_MODES = ("disable", "prefer", "require", "verify-full")
DRIVER = "postgresql+pg8000"


def open_engine(url: sa.URL) -> sa.Engine:
    """Open a pool of connections; nothing is connected yet.

    Parameters
    ----------
    url : URL
        Of PostgreSQL.

    Raises
    ------
    SettingsError
        It says what is not understood here; without the password.
    GleanError
        pg8000 isn't installed.
    """
    check_installed("pg8000", extra="postgres")
    _check(url)
    return sa.create_engine(
        url.set(drivername=DRIVER, query={}),
        creator=_connector(url),
        # What is written, hashes of secrets among it, is nobody's business who reads a log.
        hide_parameters=True,
        **POOL,
    )


def words_of(error: BaseException) -> str:
    """Give the sentence in an error of pg8000's: of the server's, it holds all fields."""
    said = error.args[0] if error.args else ""
    text = said.get("M", "") if isinstance(said, dict) else str(said)
    return text.removeprefix(f"{_BROKEN}: ")


def refuses_value(error: BaseException) -> bool:
    """Whether the server refused what a request holds, like a number too large for its column."""
    said = error.args[0] if error.args else ""
    return isinstance(said, dict) and str(said.get("C", "")).startswith(_DATA_EXCEPTION)


_DATA_EXCEPTION = "22"
"""Class of SQLSTATE."""


def is_away(error: BaseException) -> bool:
    """Whether the server can't be reached or just starts: later it may be there."""
    said = error.args[0] if error.args else ""
    if isinstance(said, dict):
        return said.get("C") == _STARTING
    return str(said).startswith((_UNREACHED, _BROKEN))


_STARTING = "57P03"
"""SQLSTATE."""

_UNREACHED = "it can't be reached"


def _check(url: sa.URL) -> None:
    if url.drivername not in ("postgresql", "postgres", DRIVER):
        raise SettingsError(
            f"--database: found {url.drivername}://; wanted postgresql://, which pg8000 drives"
        )
    if not url.username:
        raise SettingsError("--database: found no user; wanted postgresql://USER@HOST/NAME")
    unknown = sorted(url.query.keys() - OPTIONS)
    if unknown:
        raise SettingsError(
            f"--database: found ?{unknown[0]}; wanted only {', '.join(sorted(OPTIONS))}"
        )
    mode = _option(url, "sslmode", "prefer")
    if mode not in SSL_MODES:
        raise SettingsError(
            f"--database: found sslmode={mode}; wanted one of {', '.join(SSL_MODES)}"
        )


def _connector(url: sa.URL) -> Callable[[], Any]:
    password = url.password or os.environ.get("PGPASSWORD", "")
    options = {
        "statement_timeout": STATEMENT_S,
        "lock_timeout": LOCK_S,
        "idle_in_transaction_session_timeout": IDLE_S,
    }
    words = {
        "user": url.username,
        # Without any pg8000 would stumble where the server asks for one.
        "password": str(password),
        "database": url.database or url.username,
        "host": url.host or "localhost",
        "application_name": _option(url, "application_name", "glean"),
        "startup_params": {
            "options": " ".join(f"-c {name}={s * 1000:.0f}" for name, s in options.items())
        },
    }

    def connect() -> Any:
        from pg8000.legacy import InterfaceError

        opened = None
        try:
            opened = _reach(url)
            found = _connection_class()(**words, sock=opened, ssl_context=_tls(url))
        except OSError as error:
            _close(opened)
            raise InterfaceError(f"{_UNREACHED}: {_why(error)}") from error
        except (KeyError, struct.error, UnicodeError, ValueError) as error:
            _close(opened)
            raise InterfaceError("what answers there is no PostgreSQL") from error
        except BaseException:
            _close(opened)
            raise
        found.wait_at_most(ANSWER_S)
        # PostgreSQL's texts hold all but this one; what programs print may have it.
        found.register_out_adapter(
            str, lambda text: text.replace("\0", "\N{REPLACEMENT CHARACTER}")
        )
        return found

    return connect


def _reach(url: sa.URL) -> socket.socket:
    limit_s = float(_option(url, "connect_timeout", str(CONNECT_S)))
    host, port = _option(url, "host", url.host or "localhost"), url.port or 5432
    if host.startswith("/"):  # libpq's way to say: by the Unix socket in this folder
        found = socket.socket(socket.AF_UNIX)
        found.settimeout(limit_s)
        found.connect(f"{host}/.s.PGSQL.{port}")
        return found
    found = socket.create_connection((host, port), limit_s)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return found


def _tls(url: sa.URL) -> ssl.SSLContext | bool | None:
    """Say how the connection is to be encrypted, as pg8000 takes it."""
    if _option(url, "host", "").startswith("/"):
        return False
    match _option(url, "sslmode", "prefer"):
        case "disable":
            return False
        case "prefer":
            return None  # where the server offers it, whoever it is
        case "require":
            return True  # whoever the server is
        case _:
            return ssl.create_default_context(cafile=_option(url, "sslrootcert", "") or None)


def _option(url: sa.URL, name: str, otherwise: str) -> str:
    found = url.query.get(name, otherwise)
    return found if isinstance(found, str) else found[-1]


def _why(error: OSError) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)


def _close(opened: socket.socket | None) -> None:
    if opened is not None:
        opened.close()


_BROKEN = "network error"
"""By these words in a message SQLAlchemy knows that a connection is of no use any more."""


@cache
def _connection_class() -> Any:
    """Make the class of connections; here, since pg8000 needn't be installed."""
    from pg8000.legacy import Connection, InterfaceError

    class PostgresConnection(Connection):  # type: ignore[misc]
        """A connection that tells its end by one kind of error, whichever way it ends."""

        def handle_messages(self, context: Any) -> None:
            try:
                super().handle_messages(context)
            except (OSError, InterfaceError) as error:
                # A server that ends a connection says why, and then no more.
                said = words_of(context.error) if context.error is not None else ""
                why = said or (_why(error) if isinstance(error, OSError) else "it was cut")
                raise InterfaceError(f"{_BROKEN}: {why}") from error

        def close(self) -> None:
            # One that is broken needs no good-bye.
            with suppress(InterfaceError, OSError):
                super().close()

        def wait_at_most(self, seconds: float) -> None:
            self._usock.settimeout(seconds)

    return PostgresConnection
