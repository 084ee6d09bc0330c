"""PostgreSQL, made anew in the folder from the machine's programs; it refuses to be root's."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from glean.errors import FederationError, GleanError
from glean.installed_packages import check_installed
from glean.operations.development.part import Part, Wait, free_port
from glean.operations.development.started_server import wait_for_port
from glean.operations.rehearsal.scene import Scene

STAND_IN = Part("database", "SQLite, in a file")
PLACES = "/usr/lib/postgresql/*/bin"
"""Where Debian keeps its programs, out of everybody's way."""

_USER, _OWNER = "glean", "postgres"
_INIT_LIMIT_S = 60.0


def start_postgres(scene: Scene) -> Wait:
    """Start one; what comes back waits until it answers.

    Raises
    ------
    FederationError
        It can't be had here; says why.
    """
    try:
        check_installed("pg8000", extra="postgres")
    except GleanError as error:
        raise FederationError(str(error)) from error
    programs = _programs()
    folder, port, password = scene.folder / "postgres", free_port(), secrets.token_hex(16)
    folder.mkdir(mode=0o700)
    (folder / "password").write_text(password, encoding="utf-8")
    if _is_root():
        _give_away(folder)
    version = _init(programs, folder)
    words = [str(programs / "postgres"), "-D", str(folder / "data"), "-p", str(port)]
    words += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    # By SIGINT it ends without waiting for those who are connected.
    process = scene.start_program("PostgreSQL", _as_owner(words), goodbye=signal.SIGINT)
    url = f"postgresql://{_USER}:{password}@127.0.0.1:{port}/postgres"
    part = Part("database", f"PostgreSQL {version} at 127.0.0.1:{port}", url)
    return lambda: wait_for_port(process, port, part)


def _programs() -> Path:
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/").glob(PLACES.lstrip("/")), key=_version_of, reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise FederationError(f"found no initdb and postgres, neither on PATH nor in {PLACES}")


def _version_of(folder: Path) -> int:
    number = re.search(r"\d+", folder.parent.name)
    return int(number[0]) if number else 0


def _init(programs: Path, folder: Path) -> str:
    """Make an empty one; its version."""
    words = [str(programs / "initdb"), f"--pgdata={folder / 'data'}", f"--username={_USER}"]
    words += ["--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--encoding=UTF8"]
    words += ["--locale=C", "--no-sync"]
    try:
        done = subprocess.run(  # noqa: S603 # nosec B603 # our own words
            _as_owner(words),
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_INIT_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FederationError(f"initdb can't be run: {error}") from error
    if done.returncode:
        raise FederationError(f"initdb: {(done.stderr.strip() or 'no word').splitlines()[-1]}")
    return (folder / "data" / "PG_VERSION").read_text(encoding="utf-8").strip()


def _give_away(folder: Path) -> None:
    closed = [parent for parent in folder.parents if not parent.stat().st_mode & 0o001]
    if closed:
        raise FederationError(
            f"PostgreSQL refuses to be root's, and {_OWNER} can't enter {closed[0]}"
        )
    try:
        for path in (folder, folder / "password"):
            shutil.chown(path, _OWNER, _OWNER)
    except LookupError:
        raise FederationError(
            f"PostgreSQL refuses to be root's, and there is no user {_OWNER}"
        ) from None


def _is_root() -> bool:
    return os.getuid() == 0


def _as_owner(words: list[str]) -> list[str]:
    if not _is_root():
        return words
    # It becomes the program that it starts: who ends the process ends PostgreSQL.
    owner = (f"--reuid={_OWNER}", f"--regid={_OWNER}", "--clear-groups")
    return ["setpriv", *owner, *words]
