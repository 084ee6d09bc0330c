"""Arrays in .npz files, under the names that data sets use; nothing that would run code."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy

from glean.errors import SettingsError
from glean.images.reading.scaling import scaled
from tests.images.reading.picture_files import Array, noise, read, refusal

LABELS = np.array([3, 1, 3, 2, 1, 2])
IMAGES = noise(6, 5, 5)
GOOD = {"images": IMAGES, "labels": LABELS}


def npz(path: Path, arrays: dict[str, Any], *, packed: bool = False) -> Path:
    (np.savez_compressed if packed else np.savez)(path, **arrays)
    return path


@pytest.mark.parametrize(
    "names",
    [("train_images", "train_labels", "test_images", "test_labels"),
     ("x_train", "y_train", "x_test", "y_test"),
     ("images", "labels", "test_images", "test_labels")],
)  # fmt: skip
@pytest.mark.parametrize("packed", [False, True])
def test_arrays_are_found_by_the_names_that_data_sets_use(
    tmp_path: Path, names: tuple[str, ...], packed: bool
) -> None:
    """With a test or without; labels become the names of classes."""
    values = (IMAGES, LABELS, IMAGES[:2], LABELS[:2])
    given_arrays = dict(zip(names, values, strict=True))
    found = read(npz(tmp_path / "a.npz", given_arrays, packed=packed))
    assert found.training.classes == ("1", "2", "3")
    assert found.training.labels.tolist() == [2, 0, 2, 1, 0, 1]
    assert np.array_equal(found.training.pixels[..., 0], IMAGES)
    assert found.test is not None
    assert found.test.labels.tolist() == [2, 0]
    assert np.array_equal(found.test.pixels[..., 0], IMAGES[:2])
    alone = read(npz(tmp_path / "b.npz", {name: given_arrays[name] for name in names[:2]}))
    assert alone.test is None


def test_validation_arrays_are_the_test_or_more_for_training(tmp_path: Path) -> None:
    """As MedMNIST has them: beside a test they are for training."""
    parts = {"train_images": IMAGES, "train_labels": LABELS[:, None]}
    validation = {"val_images": IMAGES[:3], "val_labels": LABELS[:3, None]}
    test = {"test_images": IMAGES[:2], "test_labels": LABELS[:2, None]}
    found = read(npz(tmp_path / "a.npz", parts | validation))
    assert found.test is not None
    assert (len(found.training.labels), len(found.test.labels)) == (6, 3)
    found = read(npz(tmp_path / "b.npz", parts | validation | test))
    assert found.test is not None
    assert (len(found.training.labels), len(found.test.labels)) == (9, 2)
    assert np.array_equal(found.training.pixels[6:, ..., 0], IMAGES[:3])


def test_shapes_and_types_that_programs_write_are_read(tmp_path: Path) -> None:
    """Channels last or first, texts as labels, 16 bits in any byte order, Fortran's order."""
    colour = noise(6, 5, 5, 3)
    texts = np.array([" cat", "dog", " cat", "emu", "dog", "emu"])
    found = read(
        npz(tmp_path / "a.npz", {"images": np.moveaxis(colour, 3, 1), "labels": texts})
    ).training
    assert np.array_equal(found.pixels, colour)
    assert found.classes == ("cat", "dog", "emu")
    deep = noise(6, 5, 5, dtype="uint16")
    for array in (deep.astype(">u2"), np.asfortranarray(deep)):
        found = read(npz(tmp_path / "a.npz", {"images": array, "labels": LABELS})).training
        assert found.pixels.dtype == np.uint16
        assert found.pixels.dtype.isnative
        assert np.array_equal(found.pixels[..., 0], deep)


def test_arrays_are_brought_to_a_size_and_to_channels(tmp_path: Path) -> None:
    """As pictures in files are."""
    images = noise(6, 9, 7)
    found = read(npz(tmp_path / "a.npz", {"images": images, "labels": LABELS}), size=4, channels=3)
    assert found.training.pixels.shape == (6, 4, 4, 3)
    for row in range(6):
        wanted = scaled(images[row, :, :, None], 4)
        assert np.array_equal(found.training.pixels[row], np.repeat(wanted, 3, axis=2))


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "other names": ({"pictures": IMAGES}, "an .npz file with pictures; wanted train_images"),
    "no labels": ({"images": IMAGES}, "with images; wanted"),
    "half a test": (
        {"images": IMAGES, "labels": LABELS, "test_images": IMAGES},
        "with test_images alone; wanted test_images and test_labels",
    ),
    "fewer labels": ({"images": IMAGES, "labels": LABELS[:4]}, "6 images and 4 labels"),
    "no pictures": ({"images": IMAGES[:0], "labels": LABELS[:0]}, "of the shape (0, 5, 5)"),
    "one class": ({"images": IMAGES, "labels": LABELS * 0}, "one class only, '0'"),
    "shares": ({"images": IMAGES / 255, "labels": LABELS}, "(255 * images).round()"),
    "signed": ({"images": IMAGES.astype(int), "labels": LABELS}, "of the type int64"),
    "flat": ({"images": IMAGES.reshape(6, 25), "labels": LABELS}, "of the shape (6, 25)"),
    "four channels": ({"images": noise(6, 5, 5, 4), "labels": LABELS}, "of the shape (6, 5, 5, 4)"),
    "no height": ({"images": noise(6, 0, 5), "labels": LABELS}, "of the shape (6, 0, 5)"),
    "one number": ({"images": np.uint8(3), "labels": LABELS}, "of the shape ()"),
    "one-hot": ({"images": IMAGES, "labels": np.eye(6)}, "labels of images of the type float64"),
    "several labels": ({"images": IMAGES, "labels": np.eye(6, dtype=int)}, "the shape (6, 6)"),
    "alike": (
        {"images": IMAGES, "labels": np.array(["a", "A", "b", "b", "b", "b"])},
        "two classes of one name, 'A' and 'a'",
    ),
    "many classes": (
        {"images": noise(300, 2, 2), "labels": np.arange(300)},
        "300 classes; wanted at most 200",
    ),
    "unknown in test": (
        {"images": IMAGES, "labels": LABELS, "test_images": IMAGES, "test_labels": LABELS + 1},
        "test pictures of '4' and none for training",
    ),
    "sizes differ": (
        {"images": IMAGES, "labels": LABELS, "test_images": noise(6, 4, 4), "test_labels": LABELS},
        "pictures for training and for the test that differ",
    ),
    "validation differs": (
        {"images": IMAGES, "labels": LABELS, "val_images": noise(6, 4, 4), "val_labels": LABELS,
         "test_images": IMAGES, "test_labels": LABELS},
        "images and val_images that differ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_arrays_that_are_no_pictures_with_a_class_each_are_refused(
    tmp_path: Path, name: str
) -> None:
    """With what was found."""
    arrays, said = BAD[name]
    assert said in refusal(npz(tmp_path / "a.npz", arrays))


class Trap:
    """Says so when it is unpickled."""

    sprung = False

    def __reduce__(self) -> tuple[object, ...]:
        return setattr, (Trap, "sprung", True)


def test_objects_are_refused_and_nothing_of_them_runs(tmp_path: Path) -> None:
    """Whether they are the pictures or the labels."""
    objects = np.array([Trap() for _ in range(6)], dtype=object)
    for arrays in ({"images": objects, "labels": LABELS}, {"images": IMAGES, "labels": objects}):
        said = refusal(npz(tmp_path / "a.npz", arrays))
        assert "an array of Python objects; wanted an array of numbers" in said
    assert Trap.sprung is False


def member(path: Path, shape: tuple[int, ...], data: bytes) -> Path:
    """An .npz file whose pictures have a header of their own."""
    header = io.BytesIO()
    npy.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    labels = io.BytesIO()
    np.save(labels, LABELS)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("images.npy", header.getvalue() + data)
        file.writestr("labels.npy", labels.getvalue())
    return path


def test_a_header_that_says_more_than_there_is_is_refused(tmp_path: Path) -> None:
    """Before memory is asked for."""
    for shape in ((6, 5, 5), (2**20, 2**20, 2**20), (2**62, 2**62)):
        said = refusal(member(tmp_path / "a.npz", shape, bytes(100)))
        assert "a damaged .npz file (images cut off)" in said


def test_what_memory_can_not_hold_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small file can hold many zeros."""
    path = member(tmp_path / "a.npz", (1000, 100, 100), bytes(10**7))
    assert path.stat().st_size < 10**5
    free = type("Memory", (), {"available": 5 * 10**6})
    monkeypatch.setattr("glean.images.reading.refusals.psutil.virtual_memory", free)
    assert "1,000 pictures that take 0.0 GB once unpacked" in refusal(path)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    """Cut off, no zip file, with a password's flag, empty."""
    path = npz(tmp_path / "a.npz", GOOD, packed=True)
    whole = path.read_bytes()
    locked = bytearray(whole)
    locked[whole.index(b"PK\x01\x02") + 8] |= 1
    for data in (whole[:-30], whole[:100], b"", b"PK\x03\x04rest", bytes(locked)):
        path.write_bytes(data)
        assert "a damaged .npz file (" in refusal(path)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**31), st.booleans())
def test_damage_is_told_or_does_no_harm(tmp_path_factory: Any, seed: int, packed: bool) -> None:
    """No other error than Glean's own, whatever bytes change."""
    rng = random.Random(seed)  # noqa: S311 - damage, no secret
    path = npz(tmp_path_factory.mktemp("npz") / "a.npz", GOOD, packed=packed)
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 4])):
        data[rng.randrange(len(data))] = rng.randrange(256)
    path.write_bytes(data)
    try:
        found: Array = read(path).training.pixels
    except SettingsError as error:
        assert str(path) in str(error)  # noqa: PT017 - either may happen
    else:
        assert found.ndim == 4
