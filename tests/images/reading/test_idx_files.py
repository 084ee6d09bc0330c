"""MNIST's four files, as its page describes them, gzipped or not."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from glean.images.reading.idx_files import read_idx
from tests.images.reading.picture_files import Array, folder_of, noise, read, refusal

LABELS = np.array([7, 0, 7, 2, 0], dtype=np.uint8)
IMAGES = noise(5, 4, 3)


def idx(array: Array, *, kind: int = 8) -> bytes:
    """By the format's own description: zeros, type, dimensions, lengths, then the bytes."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape)
    return header + array.tobytes()


def mnist(root: Path, **changed: bytes) -> Path:
    """The four files; one changed by the first letters of its parts."""
    files = {
        "train-images-idx3-ubyte": idx(IMAGES),
        "train-labels-idx1-ubyte": idx(LABELS),
        "t10k-images-idx3-ubyte": idx(IMAGES[:2]),
        "t10k-labels-idx1-ubyte": idx(LABELS[:2]),
    }
    return folder_of(root, files | {name.replace("_", "-"): data for name, data in changed.items()})


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=1, max_dims=4, min_side=0)))
def test_an_array_comes_back(tmp_path_factory: pytest.TempPathFactory, array: Array) -> None:
    """Of any shape, packed or not."""
    folder = tmp_path_factory.mktemp("idx")
    (folder / "a").write_bytes(idx(array))
    (folder / "a.gz").write_bytes(gzip.compress(idx(array)))
    for name in ("a", "a.gz"):
        found = read_idx(folder / name, array.ndim)
        assert found.shape == array.shape
        assert np.array_equal(found, array)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("mark", ["-", "."])
def test_the_four_files_are_read(tmp_path: Path, packed: bool, mark: str) -> None:
    """Under both ways in which they are called."""
    mnist(tmp_path)
    for path in [*tmp_path.iterdir()]:
        data = path.read_bytes()
        path.unlink()
        name = path.name.replace("-idx", f"{mark}idx")
        (tmp_path / (name + ".gz" * packed)).write_bytes(gzip.compress(data) if packed else data)
    found = read(tmp_path)
    assert found.training.classes == ("0", "2", "7")
    assert found.training.labels.tolist() == [2, 0, 2, 1, 0]
    assert np.array_equal(found.training.pixels[..., 0], IMAGES)
    assert found.test is not None
    assert np.array_equal(found.test.pixels[..., 0], IMAGES[:2])


def test_the_two_files_of_training_are_enough(tmp_path: Path) -> None:
    """Half of the test isn't."""
    mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    assert "no t10k-labels-idx1-ubyte; wanted both files" in refusal(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte").unlink()
    assert read(tmp_path).test is None
    (tmp_path / "train-images-idx3-ubyte").unlink()
    assert "no train-images-idx3-ubyte" in refusal(tmp_path)


WHOLE = idx(IMAGES)
HUGE = struct.pack(">BBBBIII", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1)
BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "no IDX file: it begins with nothing"),
    "text": (b"digits", "no IDX file: it begins with 64 69 67 69"),
    "floats": (idx(IMAGES, kind=13), "the type 0x0d with 3 dimensions; wanted the type 0x08"),
    "flat": (idx(IMAGES.reshape(-1)), "the type 0x08 with 1 dimensions; wanted the type 0x08"),
    "header": (WHOLE[:9], "ends in its header"),
    "cut off": (WHOLE[:-1], "a header that says 60 bytes, and 59 after it"),
    "longer": (WHOLE + b"x", "a header that says 60 bytes, and more after it"),
    "huge": (HUGE, "4,294,967,295 pictures that take"),
    "count": (idx(IMAGES[:4]), "4 train-images-idx3-ubyte and 5 labels"),
}


@pytest.mark.parametrize("name", BAD)
def test_damaged_files_are_refused(tmp_path: Path, name: str) -> None:
    """With what they hold."""
    data, said = BAD[name]
    assert said in refusal(mnist(tmp_path, train_images_idx3_ubyte=data))


def test_damaged_gzip_is_refused(tmp_path: Path) -> None:
    """Cut off, changed within, or none."""
    packed = gzip.compress(idx(noise(5, 40, 40)))
    mnist(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").unlink()
    spoilt = packed[:2000] + bytes(20) + packed[2020:]
    for data in (packed[:-12], packed[:3000], spoilt, b"no gzip", idx(IMAGES)):
        (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(data)
        assert "train-images-idx3-ubyte.gz: found " in refusal(tmp_path)


def test_an_archive_without_end_is_read_as_far_as_its_header_says(tmp_path: Path) -> None:
    """Not unpacked to see how long it is."""
    mnist(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").unlink()
    bomb = gzip.compress(WHOLE + bytes(10**7))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(bomb)
    assert "and more after it" in refusal(tmp_path)


@given(st.binary(max_size=60))
def test_any_bytes_are_an_array_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    """No other error."""
    folder = mnist(tmp_path_factory.mktemp("idx"), train_images_idx3_ubyte=data)
    assert "found " in refusal(folder)
