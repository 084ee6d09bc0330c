"""What every event of a run can do: be a row of `events.jsonl`, be read from one, be a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import UnionType
from typing import Any, ClassVar, Self, get_args, get_origin, get_type_hints

from glean.languages.language import ENGLISH, Language


@dataclass(frozen=True)
class Event:
    """One thing that happened in a run."""

    kind: ClassVar[str]
    """What `events.jsonl` calls it."""

    words: ClassVar[str] = ""
    """The sentence in English, with the fields' names in braces."""

    @property
    def sentence(self) -> str:
        """What happened, as terminals and logs say it: in English."""
        return self.sentence_in(ENGLISH)

    def sentence_in(self, language: Language) -> str:
        """Say what happened, without the number of the round; reasons of errors stay English."""
        return language.translate(self.words, **self.shown_in(language))

    def shown_in(self, language: Language) -> dict[str, Any]:  # noqa: ARG002
        """Give what stands in the sentence for each field's name; numbers as one writes them."""
        return dict(vars(self))

    def to_row(self) -> dict[str, Any]:
        """Write kind and fields, in the order of `events.jsonl`, which adds the time."""
        return {"event": self.kind, **{f.name: getattr(self, f.name) for f in fields(self)}}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Read the fields of a row of this kind; others are passed over.

        Raises
        ------
        ValueError
            A field is missing or of another type.
        """
        found = {f.name: _read(row.get(f.name)) for f in fields(cls)}
        wanted = get_type_hints(cls)
        for name, value in found.items():
            if not fits(value, wanted[name]):
                raise ValueError(f"{cls.kind}: found {name} {value!r}; wanted {wanted[name]}")
        return cls(**found)


def _read(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def fits(value: Any, wanted: Any) -> bool:
    """Whether a value is of a type, as a field is annotated with it."""
    kinds = get_args(wanted) if isinstance(wanted, UnionType) else (wanted,)
    plain = [get_origin(kind) or kind for kind in kinds]
    return isinstance(value, (*plain, int) if float in plain else tuple(plain))
