"""MNIST's own files (IDX): a header with the type and the shape, then bytes; gzipped or not."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np

from glean.images.reading.image_set import ReadImages
from glean.images.reading.labelled_arrays import Array, LabelledArrays, arrays_read
from glean.images.reading.refusals import check_memory, refused

BinaryFile: TypeAlias = BinaryIO | gzip.GzipFile

STEMS = ("train", "t10k")
_UNSIGNED_BYTES = 8
"""IDX's code of the type; others (signed, floats) don't occur in pictures."""

_WHOLE = "a whole file as MNIST has it; get or copy it again"


def has_idx_files(folder: Path) -> bool:
    """Whether a folder has any of MNIST's four files."""
    return any(
        _found(folder, stem, what, digit) for stem in STEMS for what, digit in _FILES.items()
    )


_FILES = {"images": 3, "labels": 1}
"""The two files of a set, and their dimensions."""


def read_idx_folder(folder: Path, *, size: int, channels: int) -> ReadImages:
    """Read MNIST's four files, or the two of training.

    Parameters
    ----------
    folder : Path
        Holds `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and perhaps the two of `t10k`,
        each perhaps with `.gz`.
    size, channels : int
        What pictures are brought to; 0 takes them as they are.

    Raises
    ------
    SettingsError
        A file is missing, damaged, or of another type or shape.
    """
    training = _labelled(folder, "train")
    test = _labelled(folder, "t10k") if any(_paths(folder, "t10k")) else None
    return arrays_read(folder, training, test, size=size, channels=channels)


def _paths(folder: Path, stem: str) -> list[Path | None]:
    return [_found(folder, stem, what, dimensions) for what, dimensions in _FILES.items()]


def _found(folder: Path, stem: str, what: str, dimensions: int) -> Path | None:
    names = [f"{stem}-{what}{mark}idx{dimensions}-ubyte" for mark in ("-", ".")]
    paths = (folder / f"{name}{end}" for name in names for end in ("", ".gz"))
    return next((path for path in paths if path.is_file()), None)


def _labelled(folder: Path, stem: str) -> LabelledArrays:
    images, labels = _paths(folder, stem)
    if images is None or labels is None:
        what, dimensions = ("images", 3) if images is None else ("labels", 1)
        raise refused(
            folder,
            f"some of MNIST's files and no {stem}-{what}-idx{dimensions}-ubyte",
            "both files of a set, images and labels, gzipped or not",
        )
    return LabelledArrays(images.name, read_idx(images, 3), read_idx(labels, 1))


def read_idx(path: Path, dimensions: int) -> Array:
    """Read one file of unsigned bytes.

    Parameters
    ----------
    path : Path
        Gzipped where it ends in `.gz`.
    dimensions : int
        How many it should have.

    Raises
    ------
    SettingsError
        It is damaged, or of another type or number of dimensions.
    """
    try:
        with path.open("rb") as file:
            packed = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
            return _array(path, packed, dimensions)
    except (OSError, EOFError, zlib.error) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise refused(path, f"a file that can't be read ({said})", _WHOLE) from None


def _array(path: Path, file: BinaryFile, dimensions: int) -> Array:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise refused(path, f"no IDX file: it begins with {magic.hex(' ') or 'nothing'}", _WHOLE)
    if magic[2] != _UNSIGNED_BYTES or magic[3] != dimensions:
        raise refused(
            path,
            f"an IDX file of the type 0x{magic[2]:02x} with {magic[3]} dimensions",
            f"the type 0x08, unsigned bytes, with {dimensions}",
        )
    header = file.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise refused(path, "an IDX file that ends in its header", _WHOLE)
    shape = tuple(int(length) for length in np.frombuffer(header, dtype=">u4"))
    check_memory(path, shape[0], math.prod(shape))
    found = np.empty(math.prod(shape), dtype=np.uint8)
    there = _fill(file, found)
    if there < len(found) or file.read(1):
        more = "more" if there == len(found) else f"{there:,}"
        raise refused(path, f"a header that says {len(found):,} bytes, and {more} after it", _WHOLE)
    return found.reshape(shape)


def _fill(file: BinaryFile, array: Array) -> int:
    """Read into an array until it is full or the file ends; bytes that were there."""
    place, step = 0, 2**24
    while place < len(array):
        data = file.read(min(step, len(array) - place))
        if not data:
            break
        array[place : place + len(data)] = np.frombuffer(data, dtype=np.uint8)
        place += len(data)
    return place
