"""A path that a person names becomes pictures with their classes, whichever way they are kept."""

from __future__ import annotations

from pathlib import Path

from glean.errors import SettingsError
from glean.images.reading.cifar_files import (
    PICKLED,
    has_pickled_batches,
    read_cifar_folder,
    training_batches,
)
from glean.images.reading.class_folders import WANTED, read_class_folders
from glean.images.reading.idx_files import has_idx_files, read_idx_folder
from glean.images.reading.image_set import ReadImages
from glean.images.reading.npz_files import read_npz
from glean.images.reading.refusals import refused
from glean.installed_packages import check_installed
from glean.regular_files import absolute_path

__all__ = ["ReadImages", "read_images"]

_PICKLES = (".pkl", ".pickle", ".pt", ".pth")
_ARCHIVES = (".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar")


def read_images(path: str, *, size: int, channels: int) -> ReadImages:
    """Read pictures and their classes.

    Parameters
    ----------
    path : str
        An .npz file; a folder with MNIST's four files, or with CIFAR-10's binary ones; or a folder
        with a folder for each class, perhaps below `train/` and `test/`.
    size : int
        Side of the square that pictures are brought to, pixels; 0 takes them as they are.
    channels : int
        1 for grey, 3 for colour; 0 takes them as they are.

    Returns
    -------
    ReadImages
        The same for the same files, whatever the file system.

    Raises
    ------
    SettingsError
        Nothing there can be used; says what was found, what was wanted and what to do.
    """
    if size < 0 or channels not in (0, 1, 3):
        raise SettingsError(
            f"found image-size {size} and image-channels {channels}; wanted a size of 0 (as they "
            "are) or more, and 0, 1 or 3 channels"
        )
    check_installed("PIL", extra="images")
    place = _place(path)
    try:
        if not place.is_dir():
            return _read_file(place, size=size, channels=channels)
        return _read_folder(place, size=size, channels=channels)
    except OSError as error:
        raise refused(place, f"what can't be read ({error.strerror})", WANTED) from None


def _place(path: str) -> Path:
    if "\0" in path or not path:
        raise SettingsError(
            f"images: found {path!r}; wanted the path of a folder or of an .npz file"
        )
    return absolute_path(Path(path))


def _read_file(path: Path, *, size: int, channels: int) -> ReadImages:
    if not path.is_file():
        found = "a pipe, a device or a socket" if path.exists() else "no such file or folder"
        raise refused(path, found, WANTED)
    suffix = path.suffix.casefold()
    if suffix == ".npz":
        return read_npz(path, size=size, channels=channels)
    if suffix in _PICKLES:
        raise refused(path, "a pickled file, which is read by running code in it", WANTED)
    if suffix in _ARCHIVES:
        raise refused(path, "a packed file", f"{WANTED}; unpack it, and name the folder")
    raise refused(path, "a single file of another kind", WANTED)


def _read_folder(folder: Path, *, size: int, channels: int) -> ReadImages:
    if has_idx_files(folder):
        return read_idx_folder(folder, size=size, channels=channels)
    if training_batches(folder):
        return read_cifar_folder(folder, size=size, channels=channels)
    if has_pickled_batches(folder):
        raise refused(folder, "CIFAR-10 in its pickled version, for Python", PICKLED)
    return read_class_folders(folder, size=size, channels=channels)
