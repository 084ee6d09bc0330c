"""What a bakery's owner typed to `glean join`: a node config, or what changes in one."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from glean.node_settings import DEFAULT_MIN_CONTRIBUTORS, NodeSettings
from glean.operations.joining.bakery_node import read_node_config
from glean.operations.joining.joined_home import JoinedHome
from glean.privacy.members import write_members
from glean.regular_files import read_regular
from glean.runs.folder import write_whole
from glean.setting_fields import ConfigValue

_TRUSTED = "trusted-members"


@dataclass(frozen=True)
class OwnerChoices:
    """What was typed; None where it wasn't.

    Parameters
    ----------
    sales : Path, optional
        The bakery's table, absolute.
    privacy, share_scores : str, optional
        As in the node config.
    epsilon_total : float, optional
        The same; 0 for two full runs.
    min_contributors : int, optional
        The same.
    trust : str, optional
        "confirmed": only members count whom the owner confirms; "operator": all.
    """

    sales: Path | None = None
    privacy: str | None = None
    epsilon_total: float | None = None
    min_contributors: int | None = None
    share_scores: str | None = None
    trust: str | None = None

    @property
    def confirms(self) -> bool:
        """Whether a bakery that joins by them confirms members; by default it does."""
        return self.trust != "operator"

    @property
    def policy(self) -> dict[str, ConfigValue]:
        """What a bakery that joins wants of runs, by keys of the node config."""
        return {
            "privacy": self.privacy or "noise",
            "min-contributors": self.min_contributors or DEFAULT_MIN_CONTRIBUTORS,
            "share-scores": self.share_scores or "no",
            **({"epsilon-total": self.epsilon_total} if self.epsilon_total else {}),
        }


@dataclass(frozen=True)
class Change:
    """A key of a node config that has another value now.

    Parameters
    ----------
    key : str
        Its name.
    before, now : str
        The values, as they stand in the file; "" where it has none.
    """

    key: str
    before: str
    now: str


def apply_choices(home: JoinedHome, choices: OwnerChoices) -> tuple[Change, ...]:
    """Write what was typed into a home's node config; all else in the file stays as it is.

    Parameters
    ----------
    home : JoinedHome
        Of a bakery that has joined.
    choices : OwnerChoices
        What was typed.

    Returns
    -------
    tuple of Change
        What is different now.

    Raises
    ------
    SettingsError
        The config can't be read, or would have a value that can't be.
    """
    before = read_node_config(home.config)
    wanted = _wanted(home, choices, before)
    changed = {key: value for key, value in wanted.items() if before.get(key) != value}
    if not changed:
        return ()
    after = {key: value for key, value in {**before, **changed}.items() if value is not None}
    NodeSettings.from_config(after)
    if _TRUSTED in after and not home.trusted.exists():
        write_whole(home.trusted, write_members(()))
    text = _edited(read_regular(home.config).decode("utf-8"), changed)
    if not _says(text, after):  # somebody wrote it in another way than a line a key
        text = "".join(_line(key, value) for key, value in after.items())
    write_whole(home.config, text.encode())
    return tuple(
        Change(key, _text(before.get(key)), _text(value)) for key, value in changed.items()
    )


def _wanted(
    home: JoinedHome, choices: OwnerChoices, before: Mapping[str, ConfigValue]
) -> dict[str, ConfigValue | None]:
    """Give the values that were typed, by their keys; None where the key is to go."""
    wanted: dict[str, ConfigValue | None] = {}
    if choices.sales is not None:
        wanted["sales"] = str(choices.sales)
    if choices.privacy is not None:
        wanted["privacy"] = choices.privacy
    if choices.epsilon_total is not None:
        wanted["epsilon-total"] = choices.epsilon_total or None
    if choices.min_contributors is not None:
        wanted["min-contributors"] = choices.min_contributors
    if choices.share_scores is not None:
        wanted["share-scores"] = choices.share_scores
    if choices.trust == "operator":
        wanted[_TRUSTED] = None
    elif choices.trust is not None and not before.get(_TRUSTED):
        wanted[_TRUSTED] = str(home.trusted)
    return wanted


def _edited(text: str, changed: Mapping[str, ConfigValue | None]) -> str:
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    for key, value in changed.items():
        line = [] if value is None else [_line(key, value)]
        found = [i for i, each in enumerate(lines) if re.match(rf"\s*{re.escape(key)}\s*=", each)]
        at = found[0] if found else len(lines)
        lines[at : at + len(found)] = line
    return "".join(lines)


def _says(text: str, config: Mapping[str, ConfigValue]) -> bool:
    try:
        return tomllib.loads(text) == config
    except ValueError:
        return False


def _line(key: str, value: ConfigValue) -> str:
    return f"{key} = {_text(value)}\n"


def _text(value: ConfigValue | None) -> str:
    # A JSON text is a basic string of TOML, as long as it is printable.
    return "" if value is None else json.dumps(value, ensure_ascii=False)
