"""What a path names is found out, and what can't be read says so before anything is tried."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from glean.errors import GleanError, SettingsError
from glean.images.reading.image_set import ReadImages
from glean.images.reading.read_images import read_images
from tests.images.reading.picture_files import (
    encoded,
    folder_of,
    noise,
    read,
    refusal,
    two_classes,
)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing", "no such file or folder; wanted a folder with a folder of pictures"),
        ("data.zip", "a packed file; wanted"),
        ("data.pkl", "a pickled file, which is read by running code in it"),
        ("picture.png", "a single file of another kind; wanted"),
    ],
)
def test_what_is_not_read_says_what_is(tmp_path: Path, name: str, said: str) -> None:
    """A missing path, a packed or pickled file, a picture alone."""
    if name != "missing":
        (tmp_path / name).write_bytes(encoded(noise(3, 3)))
    found = refusal(tmp_path / name)
    assert said in found
    assert "an .npz file" in found


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Whatever it is called."""
    os.mkfifo(tmp_path / "data.npz")
    assert "a pipe, a device or a socket" in refusal(tmp_path / "data.npz")


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_a_path_that_none_can_be_is_refused(path: str) -> None:
    """Before a file is looked for."""
    with pytest.raises(SettingsError, match="the path of a folder"):
        read_images(path, size=0, channels=0)


@pytest.mark.parametrize(("size", "channels"), [(-1, 0), (0, 2), (28, 4)])
def test_sizes_and_channels_that_pictures_can_not_have_are_refused(
    tmp_path: Path, size: int, channels: int
) -> None:
    """With both."""
    said = refusal(two_classes(tmp_path), size=size, channels=channels)
    assert f"image-size {size} and image-channels {channels}" in said


def test_without_pillow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What pip installs then is told."""
    known = importlib.util.find_spec
    monkeypatch.setattr(
        "glean.installed_packages.find_spec", lambda name: None if name == "PIL" else known(name)
    )
    with pytest.raises(GleanError, match=r"found no PIL .* pip install 'glean\[images\]'"):
        read_images(str(two_classes(tmp_path)), size=0, channels=0)


def test_a_relative_path_is_one_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a person types it."""
    two_classes(tmp_path / "pets")
    monkeypatch.chdir(tmp_path)
    assert read_images("pets", size=0, channels=0).training.classes == ("cat", "dog")


def test_more_than_memory_is_refused_before_pictures_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the setting that makes them smaller."""
    two_classes(tmp_path, side=20)
    free = type("Memory", (), {"available": 1000})
    monkeypatch.setattr("glean.images.reading.refusals.psutil.virtual_memory", free)
    assert "set image-size" in refusal(tmp_path)
    assert len(read(tmp_path, size=8).training.labels) == 4


def same(first: ReadImages, second: ReadImages) -> bool:
    return np.array_equal(first.training.pixels, second.training.pixels)


def test_the_same_pictures_are_the_same_however_they_are_kept(tmp_path: Path) -> None:
    """In an .npz file or in folders, at a size and in colour."""
    pixels = noise(4, 9, 9)
    labels = np.array(["cat", "cat", "dog", "dog"])
    np.savez(tmp_path / "a.npz", images=pixels, labels=labels)
    files = {f"{labels[k]}/{k}.png": encoded(pixels[k]) for k in range(4)}
    folder = folder_of(tmp_path / "folder", files)
    for size, channels in ((0, 0), (5, 0), (5, 3)):
        packed = read(tmp_path / "a.npz", size=size, channels=channels)
        assert same(packed, read(folder, size=size, channels=channels))
