"""CIFAR-10's binary files, as its page describes them; the pickled ones aren't opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from glean.images.reading.cifar_files import CLASSES, RECORD
from tests.images.reading.picture_files import Array, folder_of, noise, read, refusal


def batch(labels: list[int], pixels: Array) -> bytes:
    """Records by the page: a label, then 1,024 bytes of red, of green and of blue, row by row."""
    rows = b""
    for label, picture in zip(labels, pixels, strict=True):
        rows += bytes([label]) + b"".join(picture[:, :, k].tobytes() for k in range(3))
    return rows


PIXELS = noise(5, 32, 32, 3)


def test_batches_are_read_one_after_the_other(tmp_path: Path) -> None:
    """With the names of the classes; the test where it is there."""
    folder_of(
        tmp_path,
        {
            "data_batch_2.bin": batch([9, 0], PIXELS[3:]),
            "data_batch_1.bin": batch([3, 9, 3], PIXELS[:3]),
            "batches.meta.txt": b"airplane\n",
        },
    )
    found = read(tmp_path)
    assert found.test is None
    assert found.training.classes == ("airplane", "cat", "truck")
    assert found.training.labels.tolist() == [1, 2, 1, 2, 0]
    assert np.array_equal(found.training.pixels, PIXELS)
    folder_of(tmp_path, {"test_batch.bin": batch([3], PIXELS[:1])})
    found = read(tmp_path)
    assert found.test is not None
    assert found.test.labels.tolist() == [1]
    assert read(tmp_path, size=8, channels=1).training.pixels.shape == (5, 8, 8, 1)


def test_the_names_are_sorted_as_the_data_set_has_them() -> None:
    """So that a place in them is the data set's own label."""
    assert tuple(sorted(CLASSES)) == CLASSES
    assert len(CLASSES) == 10


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "0 bytes; wanted a multiple of 3,073"),
        (bytes(RECORD - 1), "3,072 bytes; wanted a multiple of 3,073"),
        (batch([10], PIXELS[:1]), "the label 10; wanted labels from 0 to 9"),
    ],
)
def test_damaged_batches_are_refused(tmp_path: Path, data: bytes, said: str) -> None:
    """With the file's name."""
    said_all = refusal(folder_of(tmp_path, {"data_batch_1.bin": data}))
    assert said in said_all
    assert "data_batch_1.bin" in said_all


def test_the_pickled_version_is_refused_with_the_reason(tmp_path: Path) -> None:
    """And the version that is read is named."""
    said = refusal(folder_of(tmp_path, {"data_batch_1": b"\x80\x02}q", "batches.meta": b"\x80"}))
    assert "its pickled version" in said
    assert "cifar-10-binary.tar.gz" in said
    assert "running code that is in it" in said
