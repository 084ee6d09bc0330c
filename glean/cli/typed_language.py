"""`--language CODE`: what a page, a table and remarks are written in; errors stay English."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from glean.errors import SettingsError

if TYPE_CHECKING:
    from glean.languages.language import Language

LanguageOption = Annotated[str, typer.Option(metavar="en|de|fr", help="What it is written in.")]


def language_of(code: str) -> Language:
    """Read a language's code.

    Raises
    ------
    SettingsError
        There is no such language.
    """
    # Here, since most commands say nothing but English.
    from glean.languages.language import LANGUAGES, language

    for known in LANGUAGES:
        if code == known:
            return language(known)
    raise SettingsError(f"--language: found {code!r}; wanted one of {', '.join(LANGUAGES)}")
