"""CIFAR-10's binary files: records of a label and 32 by 32 pixels, red, then green, then blue."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glean.images.reading.image_set import ReadImages
from glean.images.reading.labelled_arrays import LabelledArrays, arrays_read
from glean.images.reading.refusals import check_memory, refused
from glean.regular_files import read_regular

CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
"""By label, as the data set's `batches.meta.txt` has them."""

SIDE = 32
RECORD = 1 + 3 * SIDE * SIDE
"""Bytes of a picture with its label."""

PICKLED = (
    "the binary version (cifar-10-binary.tar.gz, files data_batch_1.bin and so on): a pickle is "
    "read by running code that is in it, so it isn't read here"
)


def training_batches(folder: Path) -> list[Path]:
    """Files of CIFAR-10's binary version that are for training, sorted."""
    return sorted(path for path in folder.glob("data_batch_*.bin") if path.is_file())


def has_pickled_batches(folder: Path) -> bool:
    """Whether a folder has CIFAR-10's version for Python, which is pickled."""
    return any((folder / name).is_file() for name in ("data_batch_1", "batches.meta"))


def read_cifar_folder(folder: Path, *, size: int, channels: int) -> ReadImages:
    """Read `data_batch_*.bin`, and `test_batch.bin` where it is there.

    Parameters
    ----------
    folder : Path
        Holds the files.
    size, channels : int
        What pictures are brought to; 0 takes them as they are.

    Raises
    ------
    SettingsError
        A file is cut off, or has a label beyond 9.
    """
    training = _labelled(folder, "training pictures", training_batches(folder))
    test = folder / "test_batch.bin"
    tested = _labelled(folder, "test pictures", [test]) if test.is_file() else None
    return arrays_read(folder, training, tested, size=size, channels=channels)


def _labelled(folder: Path, what: str, paths: list[Path]) -> LabelledArrays:
    counts = [_count(path) for path in paths]
    check_memory(folder, sum(counts), RECORD * sum(counts))
    images = np.empty((sum(counts), SIDE, SIDE, 3), dtype=np.uint8)
    labels = np.empty(sum(counts), dtype=np.uint8)
    first = 0
    for path, count in zip(paths, counts, strict=True):
        rows = slice(first, first + count)
        records = _records(path, count)
        labels[rows] = records[:, 0]
        images[rows] = np.moveaxis(records[:, 1:].reshape(-1, 3, SIDE, SIDE), 1, 3)
        first += count
    return LabelledArrays(what, images, np.array(CLASSES)[labels])


def _count(path: Path) -> int:
    size = path.stat().st_size
    if not size or size % RECORD:
        raise refused(
            path, f"{size:,} bytes", f"a multiple of {RECORD:,}, a picture each; copy it again"
        )
    return size // RECORD


def _records(path: Path, count: int) -> NDArray[np.uint8]:
    try:
        data = read_regular(path)
    except OSError as error:
        raise refused(
            path, f"a file that can't be read ({error.strerror})", "one that can"
        ) from None
    records = np.frombuffer(data, dtype=np.uint8, count=count * RECORD).reshape(count, RECORD)
    if (highest := int(records[:, 0].max())) >= len(CLASSES):
        raise refused(path, f"the label {highest}", "labels from 0 to 9, as CIFAR-10 has them")
    return records
