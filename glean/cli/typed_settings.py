"""Settings as typed: `--set KEY=VALUE`, `--sales FILE` and `--resume RUN`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from glean.environment_names import settings_from
from glean.errors import SettingsError
from glean.settings import ConfigValue, parse_text


def typed_settings(
    words: Iterable[str], *, sales: str | Path | None = None, resume: str | Path | None = None
) -> dict[str, ConfigValue]:
    """Read what was typed into run config of the declared types.

    Parameters
    ----------
    words : iterable of str
        Each like "KEY=VALUE".
    sales, resume : str or Path, optional
        Beat the keys of the same name.

    Returns
    -------
    dict
        With what the environment says of a run of pictures (`glean/environment_names.py`).

    Raises
    ------
    SettingsError
        All words that aren't settings, a line each; or a variable that stands for one isn't.
    """
    found: dict[str, ConfigValue] = {}
    problems: list[str] = []
    for word in words:
        key, equals, text = (part.strip() for part in word.partition("="))
        if not equals:
            problems.append(f"--set: found {word!r}; wanted KEY=VALUE")
            continue
        try:
            found[key] = parse_text(key, text)
        except SettingsError as error:
            problems.append(str(error))
    if problems:
        raise SettingsError("\n".join(problems))
    options = {"sales": sales, "resume": resume}
    found |= {key: str(path) for key, path in options.items() if path is not None}
    return settings_from(os.environ, found) | found
