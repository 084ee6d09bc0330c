"""The home of a peer: its key, what it knows of its mesh, and what it has told others.

Only its owner reads what lies in it: the folder is closed, and so is each file.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from glean.mesh.membership_entry import MembershipError
from glean.mesh.peer_card import check_address
from glean.privacy.members import folder_name
from glean.regular_files import read_regular
from glean.runs.process_tree import still_runs, this_process

DEFAULT_LISTEN = "0.0.0.0:7700"  # nosec B104 # peers on the local network reach it

_CLOSED = 0o700
_FOR_ITS_OWNER = 0o600


@dataclass(frozen=True)
class MeshFacts:
    """What a peer noted when it founded or joined a mesh.

    Parameters
    ----------
    name : str
        Its bakery's name there.
    mesh : str
        Id of the mesh.
    title : str
        What the mesh is called.
    entry : str
        Id of the entry by which it belongs to the mesh.
    listen : str
        HOST:PORT where it listens.
    addresses : tuple of str
        HOST:PORT by which others reach it.
    left : bool
        Whether it has signed that it leaves.
    told : bool
        Whether another member has taken that.
    """

    name: str
    mesh: str
    title: str
    entry: str
    listen: str
    addresses: tuple[str, ...]
    left: bool = False
    told: bool = False


@dataclass(frozen=True)
class MeshHome:
    """Paths in a home.

    Parameters
    ----------
    path : Path
        The folder, absolute.
    """

    path: Path

    @property
    def membership(self) -> Path:
        """Entries of the membership."""
        return self.path / "membership.json"

    @property
    def cards(self) -> Path:
        """The newest card of each peer."""
        return self.path / "peer-cards.json"

    @property
    def invitations(self) -> Path:
        """Invitations that this peer made."""
        return self.path / "invitations.json"

    @property
    def topology(self) -> Path:
        """Who reaches whom, as the peer that runs wrote it last."""
        return self.path / "topology.json"

    @property
    def there(self) -> bool:
        """Whether a mesh was founded or joined from here."""
        return self._facts.is_file()

    @property
    def _facts(self) -> Path:
        return self.path / "mesh.json"

    @property
    def _lock(self) -> Path:
        return self.path / ".peer.lock"

    def make(self) -> None:
        """Make the folder, for its owner alone.

        Raises
        ------
        MembershipError
            A mesh was founded or joined from there already.
        """
        if self.there:
            facts = self.facts()
            raise MembershipError(
                f"{self.path} is the home of {facts.name!r} in the mesh {facts.title!r}; wanted "
                "--home with a folder of its own"
            )
        self.path.mkdir(mode=_CLOSED, parents=True, exist_ok=True)
        self.path.chmod(_CLOSED)

    def facts(self) -> MeshFacts:
        """Read what was noted.

        Raises
        ------
        MembershipError
            Nothing was, or it can't be read.
        """
        try:
            content = json.loads(read_regular(self._facts))
            return MeshFacts(**{**content, "addresses": tuple(content["addresses"])})
        except FileNotFoundError:
            raise MembershipError(
                f"{self.path}: found no peer of a mesh; wanted the home that `glean mesh init` or "
                "`glean mesh join` made"
            ) from None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise MembershipError(f"{self._facts} can't be read: {error}") from error

    def note(self, facts: MeshFacts) -> None:
        """Note how it belongs to the mesh; from then on it does."""
        write_json(self._facts, asdict(facts))

    def note_listening(self, listen: str, addresses: tuple[str, ...]) -> MeshFacts:
        """Note where it listens from now on."""
        facts = replace(self.facts(), listen=listen, addresses=addresses)
        self.note(facts)
        return facts

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Be the only process that is this peer; a kill gives it free.

        Raises
        ------
        MembershipError
            Another one is.
        """
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, _FOR_ITS_OWNER)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise MembershipError(
                    f"{self.path}: found a peer that runs from there already; wanted one a home"
                ) from None
            os.ftruncate(descriptor, 0)
            os.write(descriptor, json.dumps(this_process()).encode())
            try:
                yield
            finally:
                os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)

    @property
    def runs(self) -> bool:
        """Whether a process is this peer now."""
        try:
            return still_runs(json.loads(self._lock.read_bytes()))
        except (OSError, ValueError):
            return False


def homes_folder() -> Path:
    """Give the folder of this user's homes of peers."""
    return Path.home() / "glean-mesh"


def new_home(path: Path | None, name: str) -> MeshHome:
    """Give the home that is named, else one by the bakery's name."""
    return MeshHome(homes_folder() / folder_name(name) if path is None else _absolute(path))


def mesh_home_of(path: Path | None) -> MeshHome:
    """Find the home that is meant: the one that is named, else the only one there is.

    Raises
    ------
    MembershipError
        There is none, or several.
    """
    if path is not None:
        home = MeshHome(_absolute(path))
        home.facts()
        return home
    folder = homes_folder()
    homes = [home for home in map(MeshHome, sorted(folder.glob("*"))) if home.there]
    if len(homes) != 1:
        found = ", ".join(str(home.path) for home in homes) or "none"
        raise MembershipError(
            f"homes in {folder}: found {found}; wanted one, or --home with the one that is meant. "
            "To begin: `glean mesh init NAME` or, with an invitation, `glean mesh join LINK`"
        )
    return homes[0]


def check_listening(listen: str, addresses: tuple[str, ...]) -> None:
    """Refuse addresses that can't be.

    Raises
    ------
    MembershipError
        One can't.
    """
    for address in (listen, *addresses):
        check_address(address)


def write_json(path: Path, content: Any, *, lasting: bool = True) -> None:
    """Write a file whole and for its owner alone; a kill leaves the old or the new one."""
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    try:
        with open(
            fresh, "xb", opener=lambda name, flags: os.open(name, flags, _FOR_ITS_OWNER)
        ) as file:
            file.write(text.encode())
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()
