"""Logs for machines: a JSON object a line on the error stream, whoever logs; by structlog.

Glean, Uvicorn, Alembic, Flower, warnings and what nobody caught: all of it goes by Python's own
logging into one handler, which adds the fields of the moment and takes secrets out.
"""

from __future__ import annotations

import logging
import math
import os
import sys
import threading
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from glean.installed_packages import check_installed
from glean.observability.log_context import FIELDS, current_fields
from glean.observability.redaction import HIDDEN, names_a_secret, redacted

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

VARIABLE, JSON = "GLEAN_LOG_FORMAT", "json"
"""Variable of the environment that has processes of Glean's log so, and its value."""

_LOG = logging.getLogger("glean")

_TOLD_FROM = ("glean", "alembic.runtime.migration", "uvicorn")
"""Whose lines below a warning are told; of other libraries they are for their developers."""

_OWN_HANDLERS = ("flwr",)
"""Loggers that libraries give handlers of their own, whenever they are imported."""

_NOT_TOLD = ("color_message", "taskName", "_record", "_from_structlog")


def log_as_json() -> None:
    """Have everything that this process logs appear as JSON, and processes that it starts know it.

    Raises
    ------
    GleanError
        structlog isn't installed.
    """
    check_installed("structlog", extra="observability")
    os.environ[VARIABLE] = JSON
    os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "0")  # or it has handlers of its own
    handler = _JsonHandler()
    handler.setFormatter(_formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in _TOLD_FROM:
        logging.getLogger(name).setLevel(logging.INFO)
    _LOG.handlers[:] = [logging.NullHandler()]  # `log_to` finds one, and adds none
    for name in _OWN_HANDLERS:
        logging.getLogger(name).filters[:] = [_Diverted(handler)]
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def logs_json() -> bool:
    """Whether this process logs as JSON."""
    return any(isinstance(handler, _JsonHandler) for handler in logging.getLogger().handlers)


def log_as_told(environ: Mapping[str, str]) -> None:
    """Do as the process that started this one does."""
    if environ.get(VARIABLE) == JSON:
        log_as_json()


class _JsonHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever is the error stream now: Flower exchanges it."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 # logging's name
        """Log a line whose own words can't be put together, in place of a traceback of logging."""
        if isinstance(sys.exc_info()[1], OSError):
            return  # nobody reads the stream any more
        record.msg, record.args = f"{record.msg} {record.args}", ()
        super().emit(record)


class _Diverted(logging.Filter):
    """Hands a logger's records to our handler, and none to its own."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__()
        self._handler = handler

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            self._handler.handle(record)
        return False


def _formatter() -> logging.Formatter:
    from structlog.processors import JSONRenderer, TimeStamper, format_exc_info
    from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_log_level, add_logger_name

    first: list[Processor] = [
        TimeStamper(fmt="iso", utc=True, key="time"),
        add_log_level,
        add_logger_name,
        ExtraAdder(),
        _add_context,
        format_exc_info,
    ]
    return ProcessorFormatter(
        foreign_pre_chain=first,
        processors=[ProcessorFormatter.remove_processors_meta, _tidied, JSONRenderer(default=str)],
    )


def _add_context(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """Add what the line is about; what it says itself counts for more."""
    return {**current_fields(), **event}


_FIRST = ("time", "level", "logger", "event")


def _tidied(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """Put the common fields first, and take out secrets and what isn't JSON."""
    kept = {name: value for name, value in event.items() if name not in _NOT_TOLD}
    return {name: _named(name, kept[name], known=FIELDS) for name in sorted(kept, key=_place)}


def _place(name: str) -> int:
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)


def _named(name: str, value: Any, *, known: Collection[str] = ()) -> Any:
    """Hide what is named a secret, unless it is one of the fields of which we know better."""
    hidden = name not in known and isinstance(value, str | bytes) and names_a_secret(name)
    return HIDDEN if hidden else _plain(value)


def _plain(value: Any) -> Any:
    match value:
        case str():
            return redacted(value)
        case bool() | int() | None:
            return value
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(key): _named(str(key), inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(inner) for inner in value]
        case _:
            return redacted(str(value))


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        _LOG.info("interrupted")
        return
    _LOG.critical("ended by what nobody caught", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
        name = args.thread.name if args.thread is not None else ""
        caught = (args.exc_type, args.exc_value, args.exc_traceback)
        _LOG.critical(
            "a thread ended by what nobody caught", exc_info=caught, extra={"thread_name": name}
        )
