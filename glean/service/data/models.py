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
from glean.workloads import DEFAULT_WORKLOAD

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

    @property
    def forecasts(self) -> bool:
        """Whether forecasts and plans can be made by it."""
        return self.run.workload == DEFAULT_WORKLOAD

    @property
    def no_forecasts(self) -> str:
        """Why none can."""
        return (
            f"the model of run {self.run.id} is of the workload {self.run.workload}; wanted one "
            f"of {DEFAULT_WORKLOAD}, which forecasts and plans go by"
        )


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
            lines = self._file.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        found = [_read(line) for line in lines]
        return [promotion for promotion in found if promotion is not None]

    def promote(self, model_id: str, *, by: str) -> ModelVersion:
        """Put a version into production.

        Raises
        ------
        ProblemError
            There is no such version, or nothing can be forecast by it.
        """
        with self._lock:
            version = self.find(model_id)
            if not version.forecasts:
                raise ProblemError(HTTPStatus.CONFLICT, version.no_forecasts)
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
            version = self._there_still(_before(self.history()))
            if version is None:
                raise ProblemError(HTTPStatus.CONFLICT, "no other model was in production before")
            self._append(Promotion(version.run.id, by, utc_now(), back=True))
        return self.find(version.run.id)

    @property
    def _file(self) -> Path:
        return self._settings.home / "promotions.jsonl"

    def _append(self, promotion: Promotion) -> None:
        with self._file.open("ab+", buffering=0) as file:
            # What a full disk or a power cut left of a line before mustn't swallow this one.
            size = file.seek(0, os.SEEK_END)
            cut_off = size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
            file.write(b"\n" * cut_off + json.dumps(asdict(promotion)).encode() + b"\n")
            os.fsync(file.fileno())

    def _there_still(self, model_ids: list[str]) -> ModelVersion | None:
        """Give the first of these whose run wasn't deleted."""
        for model_id in model_ids:
            try:
                return self.find(model_id)
            except ProblemError:
                continue
        return None

    def _version(self, row: RunRow, current: str) -> ModelVersion | None:
        folder = self._settings.results / row.folder
        paths = [folder / name for name in MODEL_NAMES if (folder / name).is_file()]
        return ModelVersion(row, paths[0], row.id == current) if paths else None


def _before(history: list[Promotion]) -> list[str]:
    """Find what was in production before, the latest first, as one undoes.

    A step back isn't undone by the next: it leads to what was there then, past what was deleted.
    """
    stack: list[str] = []
    for promotion in history:
        if promotion.back:
            while stack and stack[-1] != promotion.model:
                stack.pop()
            stack = stack or [promotion.model]
        elif not stack or stack[-1] != promotion.model:
            stack.append(promotion.model)
    return stack[-2::-1]


def _read(line: bytes) -> Promotion | None:
    """Read a promotion; None where that can't be, as of a line that was cut off."""
    try:
        return Promotion(**json.loads(line))
    except (ValueError, TypeError):
        return None
