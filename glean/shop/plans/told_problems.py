"""What was wrong with an export, in each of the languages: people read it later, in their own."""

from __future__ import annotations

from pathlib import Path

from glean.errors import GleanError, Problem, SalesError, said_by
from glean.languages.catalogues import translatable
from glean.languages.language import LANGUAGES, Language, language

SaidInAll = dict[str, str]
"""A line by the code of its language."""


def told_problems(error: GleanError, path: Path) -> list[SaidInAll]:
    """Say what is wrong, a line a problem.

    Parameters
    ----------
    error : GleanError
        Why an export couldn't be read.
    path : Path
        Its file: people know it by the name that stands above the lines, so it isn't in them.
    """
    languages = [language(code) for code in LANGUAGES]
    if isinstance(error, SalesError):
        return [
            {speaks.code: _said(problem, path, speaks) for speaks in languages}
            for problem in error.problems
        ]
    whole = said_by(error)
    said = {speaks.code: speaks.translate_sentence(whole) for speaks in languages}
    return [{code: text.replace(f"{path}", path.name) for code, text in said.items()}]


def _said(problem: Problem, path: Path, speaks: Language) -> str:
    place = [part for part in problem.source.replace(f"{path}", "").split(", ") if part]
    if problem.line is not None:
        place.append(speaks.translate("line {line}", line=problem.line))
    if problem.column:
        place.append(speaks.translate("column {column}", column=repr(problem.column)))
    told = translatable("found {found}; wanted {wanted}")
    if place:
        told = translatable("{place}: found {found}; wanted {wanted}")
    said = speaks.translate(
        told,
        place=", ".join(place),
        found=speaks.translate_sentence(problem.found),
        wanted=speaks.translate_sentence(problem.wanted),
    ).replace(f"{path}", path.name)
    return said[:1].upper() + said[1:]


def line_in(line: SaidInAll | str, speaks: Language) -> str:
    """Take a line in a language; one that is kept from before is in English alone."""
    return line if isinstance(line, str) else line.get(speaks.code, "")
