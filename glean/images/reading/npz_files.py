"""NumPy's .npz files: the arrays of pictures and labels in them, and nothing that is pickled."""

from __future__ import annotations

import lzma
import math
import tokenize
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from glean.images.reading.image_set import ReadImages
from glean.images.reading.labelled_arrays import Array, LabelledArrays, arrays_read
from glean.images.reading.refusals import check_memory, printable, refused


@dataclass(frozen=True)
class _Keys:
    """Names of the arrays, each of pictures and then of labels."""

    training: tuple[str, str]
    validation: tuple[str, str]
    test: tuple[str, str]


KEYS = (
    _Keys(
        ("train_images", "train_labels"),
        ("val_images", "val_labels"),
        ("test_images", "test_labels"),
    ),
    _Keys(("x_train", "y_train"), ("x_val", "y_val"), ("x_test", "y_test")),
    _Keys(("images", "labels"), ("val_images", "val_labels"), ("test_images", "test_labels")),
)

_WANTED_KEYS = (
    "train_images and train_labels (with or without test_images and test_labels), x_train and "
    "y_train (x_test, y_test), or images and labels"
)
_WHOLE = "a whole .npz file, as numpy.savez writes it; write or copy it again"
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError,
    RuntimeError, ValueError, TypeError, KeyError, SyntaxError, tokenize.TokenError, MemoryError,
)  # fmt: skip
"""What Python's zip and NumPy's header raise over bytes that aren't theirs."""


def read_npz(path: Path, *, size: int, channels: int) -> ReadImages:
    """Read an .npz file.

    Parameters
    ----------
    path : Path
        A regular file.
    size, channels : int
        What pictures are brought to; 0 takes them as they are.

    Raises
    ------
    SettingsError
        It is damaged, larger than memory once unpacked, holds objects, or not the arrays that are
        looked for.
    """
    try:
        with zipfile.ZipFile(path) as file:
            training, test = _parts(path, file)
    except _DAMAGE as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise refused(path, f"a damaged .npz file ({printable(said)[:120]})", _WHOLE) from None
    return arrays_read(path, training, test, size=size, channels=channels)


def _parts(path: Path, file: zipfile.ZipFile) -> tuple[LabelledArrays, LabelledArrays | None]:
    members = {name.removesuffix(".npy") for name in file.namelist()}
    keys = next((keys for keys in KEYS if members.issuperset(keys.training)), None)
    if keys is None:
        found = ", ".join(printable(name) for name in sorted(members)[:10]) or "nothing in it"
        raise refused(path, f"an .npz file with {found}", _WANTED_KEYS)
    for pair in (keys.validation, keys.test):
        if len(there := members.intersection(pair)) == 1:
            raise refused(path, f"an .npz file with {there.pop()} alone", " and ".join(pair))
    arrays = _Members(path, file)
    training = arrays.labelled(keys.training)
    test = arrays.labelled(keys.test) if members.issuperset(keys.test) else None
    if not members.issuperset(keys.validation):
        return training, test
    validation = arrays.labelled(keys.validation)
    # Whoever trains draws validation pictures itself; these are for training where there is a test.
    return (training, validation) if test is None else (_joined(path, training, validation), test)


def _joined(path: Path, first: LabelledArrays, second: LabelledArrays) -> LabelledArrays:
    alike = [
        (part.images.shape[1:], part.images.dtype, part.labels.shape[1:], part.labels.dtype.kind)
        for part in (first, second)
    ]
    if alike[0] != alike[1]:
        raise refused(path, f"{first.what} and {second.what} that differ", "one size and type")
    return LabelledArrays(
        first.what,
        np.concatenate([first.images, second.images]),
        np.concatenate([first.labels, second.labels]),
    )


class _Members:
    """Reads arrays of a zip file, after a look at what they will take.

    Parameters
    ----------
    path : Path
        The file, for errors.
    file : zipfile.ZipFile
        Open.
    """

    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self.path, self.file = path, file
        self.taken = 0

    def labelled(self, keys: tuple[str, str]) -> LabelledArrays:
        """Read pictures and their labels."""
        return LabelledArrays(keys[0], self._array(keys[0]), self._array(keys[1]))

    def _array(self, key: str) -> Array:
        info = self.file.getinfo(f"{key}.npy")
        with self.file.open(info) as member, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            shape, dtype = _header(member)
            if dtype.hasobject:
                raise refused(
                    self.path,
                    f"{key} as an array of Python objects",
                    "an array of numbers: objects are read by running code that is in the file; "
                    "save it anew with its dtype, like images.astype('uint8')",
                )
            size = math.prod(shape) * dtype.itemsize
            if size != info.file_size - member.tell():
                raise refused(self.path, f"a damaged .npz file ({key} cut off)", _WHOLE)
            self.taken += size
            check_memory(self.path, shape[0] if shape else 0, self.taken)
            member.seek(0)
            return np.asarray(npy.read_array(member, allow_pickle=False))


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    version = npy.read_magic(member)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(member)
    return shape, dtype
