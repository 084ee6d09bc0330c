"""Settings as typed: `--set KEY=VALUE`, `--sales FILE` and `--resume RUN`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from glean.errors import SettingsError
from glean.settings import ConfigValue, parse_text


def typed_settings(
    words: Iterable[str], *, sales: Path | None = None, resume: Path | None = None
) -> dict[str, ConfigValue]:
    """Read what was typed into run config of the declared types.

    Parameters
    ----------
    words : iterable of str
        Each like "KEY=VALUE".
    sales, resume : Path, optional
        Beat the keys of the same name.

    Raises
    ------
    SettingsError
        All words that aren't settings, a line each.
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
    return found | {key: str(path) for key, path in options.items() if path is not None}
