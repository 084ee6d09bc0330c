"""Names of classes: none twice, at least two, not too many."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from glean.images.reading.refusals import printable, refused

MOST_CLASSES = 200
"""More are rather people, days or file names than classes."""


def class_name(text: str) -> str:
    """Give the name of a class as it is written in results: composed, without blanks around it."""
    return printable(text.strip())


def check_class_names(source: Path, names: Iterable[str]) -> None:
    """Refuse names that people would take for the same, and too many.

    Parameters
    ----------
    source : Path
        Where they come from.
    names : iterable of str
        As they stand there.

    Raises
    ------
    SettingsError
        Two are the same but for case, blanks around them or how accents are coded; or there are
        more than `MOST_CLASSES`.
    """
    first: dict[str, str] = {}
    for name in sorted(set(names)):
        other = first.setdefault(class_name(name).casefold(), name)
        if other != name:
            raise refused(
                source,
                f"two classes of one name, {other!a} and {name!a}",
                "names that differ by more than case, blanks or the coding of accents: rename "
                "one, or put the pictures of both together",
            )
    if len(first) > MOST_CLASSES:
        raise refused(
            source,
            f"{len(first):,} classes",
            f"at most {MOST_CLASSES}: a folder, or a label, for each class and not for each "
            "picture or person",
        )


def check_trained_classes(source: Path, training: Iterable[str], test: Iterable[str]) -> None:
    """Refuse a source with one class only, or a test of classes that can't be learned from it.

    Raises
    ------
    SettingsError
        Names them.
    """
    trained = sorted(set(training))
    if len(trained) < 2:
        raise refused(
            source,
            f"training pictures of one class only, {trained[0]!r}",
            "two classes or more to tell apart",
        )
    unknown = sorted(set(test) - set(trained))
    if unknown:
        raise refused(
            source,
            f"test pictures of {', '.join(map(repr, unknown))} and none for training",
            "training pictures of every class that is tested; add some, or take these out",
        )
