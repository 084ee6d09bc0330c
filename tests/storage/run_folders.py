"""Run folders as a run leaves them, small, and stores of which something goes wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glean.storage.store import Storage, open_storage

NAME = "20261130T101500Z-17"


def begun(results: Path, *, rounds: int = 1, status: str = "running") -> Path:
    """The folder of a run that has done so many rounds."""
    folder = results / NAME
    (folder / "models").mkdir(parents=True, exist_ok=True)
    (folder / ".reserve-00000000").write_bytes(bytes(100))
    for number in range(1, rounds + 1):
        (folder / "models" / f"round_{number:03d}.ubj").write_bytes(b"model" * 100 * number)
    (folder / "rounds.csv").write_text("round\n" + "".join(f"{k}\n" for k in range(1, rounds + 1)))
    (folder / "events.jsonl").write_text('{"event": "round_finished"}\n' * rounds)
    (folder / "run.json").write_text(json.dumps({"status": status, "rounds": rounds}))
    return folder


def content_of(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, hidden files apart."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


@dataclass(frozen=True)
class Breaking(Storage):
    """A store whose process is killed while it takes what is written: half of that is there."""

    writes_left: list[int] = field(default_factory=lambda: [0])

    def write(self, name: str, content: bytes) -> None:
        if self.writes_left[0] == 0:
            super().write(name, content[: len(content) // 2])
            raise KilledError
        self.writes_left[0] -= 1
        super().write(name, content)


class KilledError(BaseException):
    """Whoever sent is gone."""


def local_store(folder: Path) -> Storage:
    return open_storage(f"file://{folder}", pauses_s=())


def breaking(store: Storage, *, writes: int) -> Breaking:
    """The same store, which breaks after so many writes."""
    found: dict[str, Any] = {name: getattr(store, name) for name in ("url", "filesystem", "root")}
    return Breaking(**found, writes_left=[writes])
