"""A folder for each class, perhaps below `train/` and `test/`, becomes arrays."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from glean.images.reading.class_names import (
    check_class_names,
    check_trained_classes,
    class_name,
)
from glean.images.reading.decoding import decode
from glean.images.reading.image_set import ImageSet, ReadImages
from glean.images.reading.picture_files import FolderListing, PictureFile, bytes_of
from glean.images.reading.pixel_stack import PixelStack, check_one_shape
from glean.images.reading.refusals import UnreadableError, printable, refused
from glean.images.reading.scaling import with_channels

TRAINING_FOLDERS = ("train", "training")
VALIDATION_FOLDERS = ("val", "valid", "validation")
TEST_FOLDERS = ("test", "testing")
_HELD_OUT = (*VALIDATION_FOLDERS, *TEST_FOLDERS)

WANTED = (
    "a folder with a folder of pictures for each class (perhaps below train/ and test/), an .npz "
    "file, or a folder with MNIST's four files or CIFAR-10's binary ones"
)


def read_class_folders(root: Path, *, size: int, channels: int) -> ReadImages:
    """Read all pictures below a folder; what can't be read is named, and the rest is taken.

    Parameters
    ----------
    root : Path
        Absolute, without links.
    size : int
        Side of the square that pictures are brought to, pixels; 0 takes them as they are.
    channels : int
        1 or 3; 0 takes them as they are.

    Raises
    ------
    SettingsError
        It has no pictures that can be read, or not of two classes; classes have the same name;
        pictures don't agree in size or channels, and neither is set.
    """
    listing = FolderListing(root)
    training, test = _class_folders(listing)
    check_class_names(root, [folder.name for folder in (*training, *test)])
    if not training:
        raise refused(root, _loose(listing), WANTED)
    parts = [_Part(listing, folders, size, channels) for folders in (training, test)]
    if not parts[0].names:
        raise refused(root, _none_read(listing), WANTED)
    if len({*parts[0].names}) == 1:
        _check_nesting(root, training)
    check_trained_classes(root, *(part.names for part in parts))
    check_one_shape(root, [part.stack for part in parts])
    classes = tuple(sorted({*parts[0].names}))
    sixteen = any(part.stack.has_sixteen_bits for part in parts)
    sets = [part.image_set(classes, sixteen_bits=sixteen) if part.names else None for part in parts]
    assert sets[0] is not None, "training pictures were checked above"
    skipped = sorted(listing.skipped, key=lambda file: file.path)
    return ReadImages(sets[0], sets[1], tuple(skipped))


class _Part:
    """Pictures of training, or of the test.

    Parameters
    ----------
    listing : FolderListing
        Notes what can't be read.
    folders : sequence of Path
        Of the classes; of one class there may be two, from train/ and val/.
    size, channels : int
        What pictures are brought to.
    """

    def __init__(
        self, listing: FolderListing, folders: Sequence[Path], size: int, channels: int
    ) -> None:
        files = [(folder, listing.files_below(folder)) for folder in folders]
        self.stack = PixelStack(listing.root, sum(len(found) for _, found in files))
        self.names: list[str] = []
        with _pillow_s_warnings():
            for folder, found in files:
                before = len(self.names)
                for file in found:
                    self._take(listing, file, size, channels)
                if len(self.names) == before:
                    listing.skip(folder, "the folder of a class without a picture that can be read")

    def _take(self, listing: FolderListing, file: PictureFile, size: int, channels: int) -> None:
        try:
            pixels = decode(bytes_of(file), file.kind, size=size)
        except UnreadableError as error:
            listing.skip(file.path, str(error))
        else:
            self.stack.add(with_channels(pixels, channels))
            self.names.append(class_name(file.folder))

    def image_set(self, classes: tuple[str, ...], *, sixteen_bits: bool) -> ImageSet:
        """Give the pictures with their labels."""
        places = {name: place for place, name in enumerate(classes)}
        labels = np.array([places[name] for name in self.names], dtype=np.int64)
        return ImageSet(self.stack.pixels(sixteen_bits=sixteen_bits), labels, classes)


@contextmanager
def _pillow_s_warnings() -> Iterator[None]:
    """Take a warning of too many pixels for an error, and keep back those of odd metadata."""
    from PIL.Image import DecompressionBombWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", DecompressionBombWarning)
        yield


def _class_folders(listing: FolderListing) -> tuple[list[Path], list[Path]]:
    """Folders of the classes, for training and for the test."""
    folders = _folders_of(listing, listing.root)
    by_name = {folder.name.casefold(): folder for folder in folders}
    named = [by_name[name] for name in (*TRAINING_FOLDERS, *_HELD_OUT) if name in by_name]
    trained = [folder for folder in named if folder.name.casefold() in TRAINING_FOLDERS]
    # Pictures that lie in train/ itself make it a class that happens to be called so.
    if not any(_has_folders(folder) for folder in trained) or len(by_name) < len(folders):
        return folders, []
    if len(named) < len(folders):
        if len(named) == len(trained):
            return folders, []
        other = next(folder.name for folder in folders if folder not in named)
        raise refused(
            listing.root,
            f"{named[0].name}/ and {named[-1].name}/ beside {printable(other)!r}",
            "either folders for training and for the test, or folders of classes: move the others "
            "out, or rename classes that are called so",
        )
    below = {folder.name.casefold(): _folders_of(listing, folder) for folder in named}
    training, validation, test = (
        [folder for name in names for folder in below.get(name, [])]
        for names in (TRAINING_FOLDERS, VALIDATION_FOLDERS, TEST_FOLDERS)
    )
    # Whoever trains draws validation pictures itself; these are for training beside a test.
    return (training + validation, test) if test else (training, validation)


def _has_folders(folder: Path) -> bool:
    return any(path.is_dir() and not path.name.startswith(".") for path in folder.iterdir())


def _folders_of(listing: FolderListing, folder: Path) -> list[Path]:
    folders, files = listing.entries(folder)
    for path in files:
        listing.skip(path, "a file beside the class folders, and in none of them")
    return folders


def _loose(listing: FolderListing) -> str:
    tables = [file.path for file in listing.skipped if file.path.casefold().endswith(".npz")]
    if tables:
        return f"no folders in it, but {tables[0]!r}, which can be named itself"
    if listing.skipped:
        return f"no folders in it, and {len(listing.skipped):,} files such as " + repr(
            listing.skipped[0].path
        )
    return "an empty folder"


def _none_read(listing: FolderListing) -> str:
    first = min(listing.skipped, key=lambda file: file.path)
    return (
        f"no picture that can be read; {len(listing.skipped):,} files or folders were left out, "
        f"such as {printable(first.path)!r}: {first.why}"
    )


def _check_nesting(root: Path, training: Sequence[Path]) -> None:
    """Say it where the classes lie one folder deeper, as an archive unpacks."""
    if len(training) == 1 and _has_folders(training[0]):
        raise refused(
            root,
            f"one folder in it, {printable(training[0].name)!r}, with further folders",
            f"a folder with a folder for each class; if that is what it holds, name {training[0]}",
        )
