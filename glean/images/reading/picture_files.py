"""Which files of a folder might be pictures, in one order on every file system; and their bytes."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from glean.images.reading.decoding import check_suffix
from glean.images.reading.image_set import SkippedFile
from glean.images.reading.refusals import UnreadableError, printable
from glean.regular_files import read_regular


@dataclass(frozen=True)
class PictureFile:
    """A file that its name promises to be a picture.

    Parameters
    ----------
    path : Path
        Where it is.
    kind : str
        Which kind of picture, as `check_suffix` gives it.
    folder : str
        The folder of its class, as the file system writes it.
    """

    path: Path
    kind: str
    folder: str


class FolderListing:
    """Looks for pictures below a folder, and notes what it leaves out.

    Parameters
    ----------
    root : Path
        Absolute, without links; nothing outside it is read.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.skipped: list[SkippedFile] = []

    def skip(self, path: Path, why: str) -> None:
        """Note a file, or a folder, that gives no picture."""
        below = path.relative_to(self.root).as_posix()
        self.skipped.append(SkippedFile(printable(below), why))

    def entries(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Folders and other entries of a folder, sorted; hidden ones are left out silently.

        A link to a folder is noted and not followed: it might lead back, or to the same pictures.
        """
        try:
            with os.scandir(folder) as found:
                seen = [entry for entry in found if not entry.name.startswith(".")]
        except OSError as error:
            self.skip(folder, f"a folder that can't be opened ({error.strerror})")
            return [], []
        folders, files = [], []
        for entry in sorted(seen, key=lambda entry: _order(entry.name)):
            path = folder / entry.name
            if not _leads_to_folder(entry):
                files.append(path)
            elif entry.is_symlink():
                self.skip(
                    path, "a link to a folder, which isn't followed; put the folder itself here"
                )
            else:
                folders.append(path)
        return folders, files

    def files_below(self, folder: Path) -> list[PictureFile]:
        """All files of a class, also in folders within its folder, sorted by their paths."""
        found = []
        open_folders = [folder]
        while open_folders:  # no recursion: folders may lie in each other by the thousand
            folders, files = self.entries(open_folders.pop())
            open_folders += folders
            for path in files:
                try:
                    self._check_link(path)
                    found.append(PictureFile(path, check_suffix(path.name), folder.name))
                except UnreadableError as error:
                    self.skip(path, str(error))
        return sorted(found, key=lambda file: _order(file.path.relative_to(folder).as_posix()))

    def _check_link(self, path: Path) -> None:
        if not path.is_symlink():
            return
        try:
            there = path.resolve(strict=True)
        except (OSError, RuntimeError):  # a circle is a RuntimeError before Python 3.13
            raise UnreadableError("a link that leads nowhere") from None
        if not there.is_relative_to(self.root):
            raise UnreadableError("a link that leads out of the folder; put the file itself here")


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle, which is told as a file's
        return False


def bytes_of(file: PictureFile) -> bytes:
    """Read a file.

    Raises
    ------
    UnreadableError
        It can't be opened, is too large, or a pipe, a device or a socket.
    """
    try:
        return read_regular(file.path)
    except OSError as error:
        raise UnreadableError(f"a file that can't be read ({error.strerror})") from None


def _order(name: str) -> tuple[str, str]:
    """By letters, whichever way a file system codes accents."""
    return unicodedata.normalize("NFC", name), name
