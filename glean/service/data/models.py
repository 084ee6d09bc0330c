"""Versions of the model: each completed run made one; one of them is in production.

Which is, and which were before, stands in a file that is only appended to, beside the results.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path

import sqlalchemy as sa

from glean.runs.folder import utc_now
from glean.runs.model_card import CARD_FILE, MODEL_NAMES
from glean.service.problems import ProblemError, not_found
from glean.service.runs.queue import find_row
from glean.service.runs.status import RunStatus
from glean.service.settings import ServiceSettings
from glean.service.store.database import Database
from glean.service.store.tables import RunRow

PRODUCTION = "production"
"""The word that stands for the version in production wherever one is asked for."""


@dataclass(frozen=True)
class Promotion:
    """That a version was put into production.

    Parameters
    ----------
    model : str
        Id of its run.
    by, at : str
        Who did it, and when.
    back : bool
        Whether that took the one before back.
    """

    model: str
    by: str
    at: str
    back: bool = False


@dataclass(frozen=True)
class ModelVersion:
    """A model that a run made.

    Parameters
    ----------
    run : RunRow
        Its run, whose id is the version's.
    path : Path
        The model file.
    in_production : bool
        Whether it is the one in production.
    """

    run: RunRow
    path: Path
    in_production: bool

    @property
    def card(self) -> Path | None:
        """Its card, None where an earlier version of Glean made none."""
        card = self.path.with_name(CARD_FILE)
        return card if card.is_file() else None


class ModelRegistry:
    """The versions of the model.

    Parameters
    ----------
    database : Database
        Where the list of runs is.
    settings : ServiceSettings
        Where their folders are.
    """

    def __init__(self, database: Database, settings: ServiceSettings) -> None:
        self._database = database
        self._settings = settings
        self._lock = threading.Lock()

    def all(self) -> list[ModelVersion]:
        """Give all versions, the newest first."""
        completed = sa.select(RunRow).where(RunRow.status == RunStatus.COMPLETED)
        with self._database.transaction() as session:
            rows = list(session.scalars(completed.order_by(RunRow.started_at.desc(), RunRow.id)))
        current = self.current()
        found = [self._version(row, current) for row in rows]
        return [version for version in found if version is not None]

    def find(self, model_id: str) -> ModelVersion:
        """Find a version by the id of its run, or "production".

        Raises
        ------
        ProblemError
            There is none.
        """
        current = self.current()
        if model_id == PRODUCTION:
            if not current:
                raise not_found("model in production: promote one first")
            model_id = current
        with self._database.transaction() as session:
            row = find_row(session, model_id)
        version = self._version(row, current) if row.status == RunStatus.COMPLETED else None
        if version is None:
            raise not_found(f"model of run {model_id[:40]!r}: it is {row.status}")
        return version

    def current(self) -> str:
        """Give the id of the version in production; "" while there is none."""
        history = self.history()
        return history[-1].model if history else ""

    def history(self) -> list[Promotion]:
        """Give all promotions, the oldest first."""
        try:
            lines = self._file.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        return [Promotion(**json.loads(line)) for line in lines]

    def promote(self, model_id: str, *, by: str) -> ModelVersion:
        """Put a version into production."""
        with self._lock:
            version = self.find(model_id)
            self._append(Promotion(version.run.id, by, utc_now()))
        return self.find(version.run.id)

    def roll_back(self, *, by: str) -> ModelVersion:
        """Put the version that was in production before into it again.

        Raises
        ------
        ProblemError
            There was none.
        """
        with self._lock:
            before = _before(self.history())
            if not before:
                raise ProblemError(HTTPStatus.CONFLICT, "no other model was in production before")
            version = self.find(before)
            self._append(Promotion(version.run.id, by, utc_now(), back=True))
        return self.find(version.run.id)

    @property
    def _file(self) -> Path:
        return self._settings.home / "promotions.jsonl"

    def _append(self, promotion: Promotion) -> None:
        with self._file.open("ab", buffering=0) as file:
            file.write(json.dumps(asdict(promotion)).encode() + b"\n")
            os.fsync(file.fileno())

    def _version(self, row: RunRow, current: str) -> ModelVersion | None:
        folder = self._settings.results / row.folder
        paths = [folder / name for name in MODEL_NAMES if (folder / name).is_file()]
        return ModelVersion(row, paths[0], row.id == current) if paths else None


def _before(history: list[Promotion]) -> str:
    """Find what was in production before, as one undoes: a step back isn't undone by the next."""
    stack: list[str] = []
    for promotion in history:
        if promotion.back:
            stack.pop()
        elif not stack or stack[-1] != promotion.model:
            stack.append(promotion.model)
    return stack[-2] if len(stack) > 1 else ""
