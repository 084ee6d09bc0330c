"""What a network's inputs and outputs are, as clients agree on it: the spec of the workload."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from glean.errors import ModelError, SettingsError
from glean.image_settings import LARGEST_SIDE, ImageSettings

FEWEST_CLASSES, MOST_CLASSES = 2, 200
_LONGEST_NAME = 200


@dataclass(frozen=True)
class ImageSpec:
    """Pictures that a network takes, and the classes that it tells.

    Parameters
    ----------
    classes : tuple of str
        Names, sorted; a label is a place among them.
    size : int
        Side of the square pictures, pixels.
    channels : int
        1 for grey, 3 for colour.
    mean, std : float
        Brightness between 0 and 1 that counts as zero, and as a unit; public constants.
    """

    classes: tuple[str, ...]
    size: int
    channels: int
    mean: float
    std: float

    def to_json(self) -> str:
        """Write it; equal specs give equal texts."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what may come from anyone.

        Raises
        ------
        ModelError
            It isn't a spec that `to_json` wrote.
        """
        try:
            found = json.loads(text)
            spec = cls(**{**found, "classes": tuple(found["classes"])})
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ModelError(f"the spec of the pictures can't be read: {error!s:.200}") from error
        if not spec._sane() or spec.to_json() != text:
            raise ModelError(f"found {text!r:.200} as the spec of the pictures; wanted a sane one")
        return spec

    def _sane(self) -> bool:
        names = self.classes
        return (
            all(isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME for name in names)
            and FEWEST_CLASSES <= len(names) <= MOST_CLASSES
            and list(names) == sorted(set(names))
            and type(self.size) is int
            and 0 < self.size <= LARGEST_SIDE
            and type(self.channels) is int
            and self.channels in (1, 3)
            and type(self.mean) is type(self.std) is float
            and 0.0 <= self.mean <= 1.0
            and 0.0 < self.std < float("inf")
        )


def agreed(facts: Sequence[Mapping[str, Any]], settings: ImageSettings) -> ImageSpec:
    """Agree on a spec: all classes that some client has, of pictures that are alike.

    Raises
    ------
    SettingsError
        Pictures differ in size or channels, or there are too few classes, or too many.
    """
    forms = sorted({(fact.get("size"), fact.get("channels")) for fact in facts}, key=str)
    if len(forms) != 1:
        listed = ", ".join(f"{size} pixels with {channels} channels" for size, channels in forms)
        raise SettingsError(
            f"image-size: the clients' pictures are {listed or 'none'}; wanted all alike: set "
            "image-size and image-channels, to which each client brings its own"
        )
    size, channels = (side if type(side) is int else 0 for side in forms[0])
    listed_classes = [name for fact in facts for name in _classes(fact)]
    spec = ImageSpec(
        tuple(sorted(set(listed_classes))), size, channels, settings.image_mean, settings.image_std
    )
    try:
        return ImageSpec.from_json(spec.to_json())
    except (ModelError, TypeError) as error:
        raise SettingsError(
            f"images: found {len(spec.classes)} classes of {size!r} pixels with {channels!r} "
            f"channels among all clients; wanted {FEWEST_CLASSES} to {MOST_CLASSES} classes of "
            f"pictures of up to {LARGEST_SIDE} pixels"
        ) from error


def _classes(fact: Mapping[str, Any]) -> list[str]:
    found = fact.get("classes")
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []
