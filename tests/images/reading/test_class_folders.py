"""A folder a class: what can be read is, in one order; the rest is named with the reason."""

from __future__ import annotations

import os
import shutil
import socket
import unicodedata
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest

from glean.images.reading import picture_files
from glean.images.reading.class_names import MOST_CLASSES
from tests.images.reading.picture_files import (
    Array,
    encoded,
    folder_of,
    noise,
    read,
    reasons,
    refusal,
    two_classes,
)


def pixels_in(path: Path) -> Array:
    return np.asarray(PIL.Image.open(path))


def test_pictures_come_sorted_by_their_paths(tmp_path: Path) -> None:
    """With the label of their folder, also from folders within it."""
    names = ["dog/b.png", "cat/z.png", "cat/10.png", "cat/9/x.png", "dog/a.png", "cat/9.png"]
    files = {name: encoded(noise(4, 4, seed=k)) for k, name in enumerate(names)}
    found = read(folder_of(tmp_path, files)).training
    assert found.classes == ("cat", "dog")
    assert found.labels.tolist() == [0, 0, 0, 0, 1, 1]
    assert found.labels.dtype == np.int64
    wanted = [pixels_in(tmp_path / name) for name in sorted(names)]
    assert np.array_equal(found.pixels[..., 0], np.array(wanted))


def test_the_order_in_which_files_were_made_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system gives them in any."""
    two_classes(tmp_path, each=6)
    first = read(tmp_path)
    given = os.scandir

    class Backwards:
        def __init__(self, folder: Path) -> None:
            with given(folder) as entries:
                self.entries = [*entries][::-1]

        def __enter__(self) -> list[os.DirEntry[str]]:
            return self.entries

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(picture_files, "os", SimpleNamespace(scandir=Backwards))
    second = read(tmp_path)
    assert np.array_equal(first.training.pixels, second.training.pixels)
    assert np.array_equal(first.training.labels, second.training.labels)


@pytest.mark.parametrize("names", [("train", "test"), ("Training", "VAL"), ("train", "valid")])
def test_folders_for_training_and_test_stand_above_the_classes(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    """However they are called; a class may lack a test picture."""
    two_classes(tmp_path / names[0], each=3)
    folder_of(tmp_path, {f"{names[1]}/dog/x.png": encoded(noise(6, 6))})
    found = read(tmp_path)
    assert found.training.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.test is not None
    assert found.test.labels.tolist() == [1]
    assert found.test.classes == found.training.classes
    assert np.array_equal(found.test.pixels[0, :, :, 0], noise(6, 6))


def test_validation_pictures_beside_a_test_are_for_training(tmp_path: Path) -> None:
    """Validation rows are drawn from training later; none is lost, none gets into the test."""
    for name, each in (("train", 3), ("val", 2), ("test", 1)):
        two_classes(tmp_path / name, each=each)
    found = read(tmp_path)
    assert found.training.labels.tolist() == [0] * 3 + [1] * 3 + [0] * 2 + [1] * 2
    assert found.test is not None
    assert len(found.test.labels) == 2
    assert found.skipped == ()


def test_classes_that_are_called_train_and_test_are_classes(tmp_path: Path) -> None:
    """Where pictures lie directly in them, or other classes beside."""
    two_classes(tmp_path)
    shutil.move(tmp_path / "cat", tmp_path / "train")
    shutil.move(tmp_path / "dog", tmp_path / "test")
    found = read(tmp_path)
    assert found.training.classes == ("test", "train")
    assert (len(found.training.labels), found.skipped) == (4, ())
    shutil.move(tmp_path / "test", tmp_path / "bus")
    two_classes(tmp_path / "train")
    found = read(tmp_path)
    assert found.training.classes == ("bus", "train")
    assert (len(found.training.labels), found.skipped) == (8, ())


def test_training_and_test_beside_other_folders_are_refused(tmp_path: Path) -> None:
    """They would be classes of their own, and the network learn which is the test."""
    for name in ("train", "test", "old"):
        two_classes(tmp_path / name)
    assert "train/ and test/ beside 'old'; wanted either" in refusal(tmp_path)


def test_one_folder_in_two_cases_is_told(tmp_path: Path) -> None:
    """Neither is left out silently."""
    for name in ("train", "Train", "test"):
        two_classes(tmp_path / name)
    if len([*tmp_path.iterdir()]) < 3:
        pytest.skip("this file system takes the two for one")
    assert "two classes of one name, 'Train' and 'train'" in refusal(tmp_path)


def test_test_pictures_of_a_class_without_training_are_refused(tmp_path: Path) -> None:
    """It can't be learned."""
    two_classes(tmp_path / "train")
    folder_of(tmp_path, {"test/emu/1.png": encoded(noise(6, 6))})
    assert "test pictures of 'emu' and none for training" in refusal(tmp_path)


def test_what_is_no_picture_is_named_with_its_reason(tmp_path: Path) -> None:
    """Hidden files aren't: nobody put them there by hand."""
    two_classes(tmp_path)
    files = {
        "cat/Thumbs.db": b"x",
        "cat/notes.txt": b"x",
        "cat/.DS_Store": b"x",
        "cat/.hidden/1.png": b"x",
        ".git/config": b"x",
        "cat/new\nline.png": b"",
        "readme.md": b"x",
        "cat/deep/zero.jpg": bytes(100),
    }
    found = read(folder_of(tmp_path, files))
    assert len(found.training.labels) == 4
    why = reasons(found)
    assert [*why] == sorted(why)
    assert why.keys() == {
        "cat/Thumbs.db", "cat/notes.txt", "cat/new\\nline.png", "readme.md", "cat/deep/zero.jpg",
    }  # fmt: skip
    assert why["cat/Thumbs.db"].startswith("a name that ends in .db, which is none of .png")
    assert why["cat/new\\nline.png"] == "an empty file, of 0 bytes"
    assert why["readme.md"] == "a file beside the class folders, and in none of them"


def test_links_are_followed_to_files_of_the_folder_only(tmp_path: Path) -> None:
    """Not out of it, not to folders, not in circles."""
    root = two_classes(tmp_path / "mine")
    outside = folder_of(tmp_path / "other", {"secret.png": encoded(noise(6, 6))})
    (root / "cat" / "again.png").symlink_to(root / "dog" / "0.png")
    (root / "cat" / "out.png").symlink_to(outside / "secret.png")
    (root / "cat" / "lost.png").symlink_to(root / "nowhere.png")
    (root / "cat" / "circle.png").symlink_to(root / "cat" / "circle.png")
    (root / "cat" / "up").symlink_to(root)
    (root / "emu").symlink_to(outside)
    found = read(root)
    assert found.training.labels.tolist() == [0, 0, 0, 1, 1]
    assert np.array_equal(found.training.pixels[2], found.training.pixels[3])
    assert reasons(found) == {
        "cat/circle.png": "a link that leads nowhere",
        "cat/lost.png": "a link that leads nowhere",
        "cat/out.png": "a link that leads out of the folder; put the file itself here",
        "cat/up": "a link to a folder, which isn't followed; put the folder itself here",
        "emu": "a link to a folder, which isn't followed; put the folder itself here",
    }


def test_a_folder_that_is_named_by_a_link_is_read(tmp_path: Path) -> None:
    """The person named it."""
    two_classes(tmp_path / "there")
    (tmp_path / "here").symlink_to(tmp_path / "there")
    assert len(read(tmp_path / "here").training.labels) == 4


def test_pipes_and_sockets_are_not_waited_for(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """They are named as what can't be read."""
    two_classes(tmp_path)
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    listening = socket.socket(socket.AF_UNIX)
    request.addfinalizer(listening.close)
    here = Path.cwd()
    os.chdir(tmp_path)  # a socket's path has to be short
    request.addfinalizer(lambda: os.chdir(here))
    listening.bind("cat/socket.png")
    why = reasons(read(tmp_path))
    assert why["cat/pipe.png"] == "a file that can't be read (a pipe, not a file)"
    assert why["cat/socket.png"] == "a file that can't be read (a socket, not a file)"


def test_what_may_not_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and folders."""
    two_classes(tmp_path)
    folder_of(tmp_path, {"emu/1.png": encoded(noise(6, 6))})
    given_bytes, given_scan = Path.read_bytes, os.scandir

    def read_bytes(path: Path) -> bytes:
        if path.name == "1.png":
            raise PermissionError(13, "Permission denied", str(path))
        return given_bytes(path)

    def scandir(path: Path) -> object:
        if path.name == "emu":
            raise PermissionError(13, "Permission denied", str(path))
        return given_scan(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    monkeypatch.setattr(picture_files, "os", SimpleNamespace(scandir=scandir))
    found = read(tmp_path)
    assert found.training.labels.tolist() == [0, 1]
    assert [(file.path, file.why) for file in found.skipped] == [
        ("cat/1.png", "a file that can't be read (Permission denied)"),
        ("dog/1.png", "a file that can't be read (Permission denied)"),
        ("emu", "a folder that can't be opened (Permission denied)"),
        ("emu", "the folder of a class without a picture that can be read"),
    ]


ALIKE = {
    "case": ("Cat", "cat"),
    "blanks": ("cat", "cat "),
    "sharp s": ("straße", "STRASSE"),
    "accents": (unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café")),
}


@pytest.mark.parametrize("names", ALIKE.values(), ids=ALIKE)
def test_two_classes_of_one_name_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    """Both are named, so that the difference shows."""
    picture = encoded(noise(6, 6))
    folder_of(tmp_path, {f"{name}/1.png": picture for name in (*names, "dog")})
    if len([*tmp_path.iterdir()]) < 3:
        pytest.skip("this file system takes the two for one")
    said = refusal(tmp_path)
    assert "two classes of one name" in said
    for name in names:
        assert ascii(name) in said


def test_one_name_has_to_be_written_one_way_for_training_and_test(tmp_path: Path) -> None:
    """`Cat` and `cat` there would be two classes to a computer only."""
    two_classes(tmp_path / "train")
    folder_of(tmp_path, {"test/Cat/1.png": encoded(noise(6, 6))})
    assert "two classes of one name, 'Cat' and 'cat'" in refusal(tmp_path)


def test_names_of_classes_are_composed_and_trimmed(tmp_path: Path) -> None:
    """Clients on other file systems write the same."""
    picture = encoded(noise(6, 6))
    decomposed = unicodedata.normalize("NFD", "Äpfel")
    folder_of(tmp_path, {f"{decomposed}/1.png": picture, " Birnen/1.png": picture})
    assert read(tmp_path).training.classes == ("Birnen", "Äpfel")


def test_a_class_without_a_picture_is_told(tmp_path: Path) -> None:
    """It is none of the classes."""
    two_classes(tmp_path)
    folder_of(tmp_path, {"emu/1.png": b"", "fox/notes.txt": b"x"})
    (tmp_path / "gnu").mkdir()
    found = read(tmp_path)
    assert found.training.classes == ("cat", "dog")
    for name in ("emu", "fox", "gnu"):
        assert reasons(found)[name] == "the folder of a class without a picture that can be read"


def test_one_class_is_refused(tmp_path: Path) -> None:
    """With a hint, where the classes are a folder deeper."""
    two_classes(tmp_path / "archive")
    assert f"name {tmp_path / 'archive'}" in refusal(tmp_path)
    shutil.rmtree(tmp_path / "archive" / "dog")
    assert "training pictures of one class only, 'cat'" in refusal(tmp_path / "archive")


def test_too_many_classes_are_refused(tmp_path: Path) -> None:
    """A folder for each person, say."""
    for k in range(MOST_CLASSES + 1):
        (tmp_path / f"{k}").mkdir()
    assert "201 classes; wanted at most 200" in refusal(tmp_path)


def test_a_folder_without_pictures_says_what_is_in_it(tmp_path: Path) -> None:
    """Nothing, loose files, a file that can be named, or files that are all broken."""
    assert "an empty folder" in refusal(tmp_path)
    folder_of(tmp_path, {"1.png": b""})
    assert "no folders in it, and 1 files such as '1.png'" in refusal(tmp_path)
    folder_of(tmp_path, {"mnist.npz": b""})
    assert "but 'mnist.npz', which can be named itself" in refusal(tmp_path)
    folder_of(tmp_path, {"cat/1.png": b"", "dog/1.png": b""})
    assert "no picture that can be read; 6 files or folders were left out" in refusal(tmp_path)


def test_sizes_have_to_agree_or_to_be_set(tmp_path: Path) -> None:
    """The commonest is told; set, all are brought to it."""
    two_classes(tmp_path, each=5, side=8)
    folder_of(tmp_path, {"cat/a.png": encoded(noise(9, 12)), "dog/a.png": encoded(noise(12, 9))})
    said = refusal(tmp_path)
    assert "pictures of 3 sizes (10 of 8 x 8, 1 of 12 x 9, 1 of 9 x 12)" in said
    assert "set image-size = 8, the commonest" in said
    found = read(tmp_path, size=8).training
    assert found.pixels.shape == (12, 8, 8, 1)


def test_sizes_of_training_and_test_have_to_agree(tmp_path: Path) -> None:
    """As they do within each."""
    two_classes(tmp_path / "train", side=8)
    two_classes(tmp_path / "test", side=9, each=1)
    assert "pictures of 2 sizes (4 of 8 x 8, 2 of 9 x 9)" in refusal(tmp_path)


def test_grey_among_colour_is_refused_or_brought_to_one(tmp_path: Path) -> None:
    """By the setting; the commonest is told."""
    two_classes(tmp_path, each=2, side=6)
    colour = noise(6, 6, 3)
    folder_of(tmp_path, {"cat/colour.png": encoded(colour)})
    said = refusal(tmp_path)
    assert "4 pictures in grey and 1 in colour; wanted one kind: set image-channels" in said
    assert "1 is the commonest" in said
    assert read(tmp_path, channels=1).training.pixels.shape == (5, 6, 6, 1)
    found = read(tmp_path, channels=3).training.pixels
    assert found.shape == (5, 6, 6, 3)
    assert np.array_equal(found[2], colour)
    assert np.array_equal(found[0], np.repeat(found[0][:, :, :1], 3, axis=2))


@pytest.mark.parametrize("place", ["cat/0a.png", "cat/a.png", "dog/z.png"])
def test_sixteen_bits_among_eight_bring_all_to_sixteen(tmp_path: Path, place: str) -> None:
    """Wherever the first of them comes, training and test alike."""
    two_classes(tmp_path / "train", each=2)
    two_classes(tmp_path / "test", each=1)
    plain = read(tmp_path)
    deep = noise(6, 6, dtype="uint16", seed=9)
    folder_of(tmp_path / "train", {place: encoded(deep)})
    found = read(tmp_path)
    assert found.test is not None
    assert plain.test is not None
    assert found.training.pixels.dtype == found.test.pixels.dtype == np.uint16
    assert np.array_equal(found.test.pixels, plain.test.pixels * np.uint16(257))
    at = sorted(["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png", place]).index(place)
    assert np.array_equal(found.training.pixels[at, :, :, 0], deep)
    others = np.delete(found.training.pixels, at, axis=0)
    assert np.array_equal(others, plain.training.pixels * np.uint16(257))


def test_folders_in_folders_by_the_thousand_are_no_trouble(tmp_path: Path) -> None:
    """As deep as Python's stack isn't."""
    root = two_classes(tmp_path)
    places = [f"{root}/cat" + "/d" * k for k in range(1500)]
    for place in places[1:]:
        os.mkdir(place)  # noqa: PTH102 - a Path of it takes long to make
    try:
        found = read(root)
    finally:
        for place in places[:0:-1]:  # whoever clears up would take one step into each by a call
            os.rmdir(place)  # noqa: PTH106
    assert len(found.training.labels) == 4
    assert found.skipped == ()


BREAKAGES = 10


def broken(way: int, k: int) -> tuple[str, bytes]:
    """The end of a name and the bytes of a file that gives no picture."""
    whole = encoded(noise(20, 20, 3, seed=k))
    stack = [PIL.Image.fromarray(noise(4, 4, seed=page)) for page in range(3)]
    return (
        (".png", b""),
        (".png", bytes(300)),
        (".png", whole[: len(whole) // 2]),
        (".jpg", encoded(noise(60, 60, 3), "JPEG")[:700]),
        (".jpg", whole),
        (".png", b"no picture\n"),
        (".txt", whole),
        (".db", b"\xd0\xcf\x11\xe0"),
        (".png", whole[:60] + bytes(60) + whole[120:]),
        (".tif", encoded(stack[0], "TIFF", save_all=True, append_images=stack[1:])),
    )[way]


def test_a_thousand_files_of_which_fifty_are_broken_in_ten_ways(tmp_path: Path) -> None:
    """950 are read, and each of the 50 is named with a reason."""
    files: dict[str, bytes] = {}
    bad = set()
    for k in range(1000):
        name = f"{('cat', 'dog', 'emu')[k % 3]}/{k:04d}"
        ending, data = ".png", encoded(noise(20, 20, 3, seed=k))
        if k % 20 == 7:
            ending, data = broken(k // 20 % BREAKAGES, k)
            bad.add(name + ending)
        files[name + ending] = data
    found = read(folder_of(tmp_path, files))
    assert found.training.pixels.shape == (950, 20, 20, 3)
    assert {file.path for file in found.skipped} == bad
    assert len(bad) == 50
    assert len({file.why.partition(" (")[0] for file in found.skipped}) >= 7
    good = sorted(files.keys() - bad)
    for row in (0, 400, 949):
        assert np.array_equal(found.training.pixels[row], pixels_in(tmp_path / good[row]))
        assert found.training.classes[found.training.labels[row]] == good[row].partition("/")[0]
