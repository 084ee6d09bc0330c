"""Sentences that are English where they are written, and can be said in another language later."""

from __future__ import annotations

from typing import Any, Self


class Sentence(str):
    """A text in English that knows what it was made of.

    `Language.translate_sentence` says it in another language; whoever knows nothing of languages
    has a plain text. A process may hand it to another one.

    Parameters
    ----------
    template : str
        The sentence in English, marked by `translatable`, with names in braces.
    **values
        What stands in their place: texts, sentences, and whole numbers, which each language writes
        in its own way.

    Examples
    --------
    >>> Sentence("{count} lines, not {other}", count=1200, other="one")
    '1,200 lines, not one'
    """

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, **values: Any) -> Self:
        """Write it in English."""
        english = {
            name: f"{value:,}" if isinstance(value, int) else value
            for name, value in values.items()
        }
        found = super().__new__(cls, template.format_map(english) if values else template)
        found.template, found.values = template, values
        return found

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        """Say what pickle makes it anew of."""
        return (self.template,), self.values
