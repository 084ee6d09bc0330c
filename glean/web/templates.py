"""Templates of an application's pages, as both applications read theirs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from glean import __version__
from glean.languages.language import LANGUAGES


def template_environment(folder: Path, names: Mapping[str, Any]) -> Environment:
    """Read templates of a folder: all that they write is escaped, a name that is missing fails.

    Parameters
    ----------
    folder : Path
        Where they lie.
    names : mapping of str to object
        What all of them may name, besides `languages` and `version`.
    """
    found = Environment(
        loader=FileSystemLoader(folder),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals |= {"languages": LANGUAGES, "version": __version__, **names}
    return found
