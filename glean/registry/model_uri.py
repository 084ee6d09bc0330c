"""The name of a registered model in a setting: `models:/NAME/VERSION` or `models:/NAME@ALIAS`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from glean.errors import SettingsError

SCHEME = "models:"

DEFAULT_NAME = "glean"
"""Name of the registered model whose versions runs make, unless another one is asked for."""

CANDIDATE, PRODUCTION = "candidate", "production"
"""Aliases: the newest version, and the one that the control room has put into production."""

_FORM = re.compile(
    r"models:/(?P<name>\w[\w.-]{0,99})(?:/(?P<version>[0-9]{1,9})|@(?P<alias>[\w-]{1,50}))"
)


@dataclass(frozen=True)
class RegisteredModel:
    """A version of a registered model, by its number or by an alias.

    Parameters
    ----------
    name : str
        Name of the registered model.
    version : str
        Number of the version; "" where an alias says which.
    alias : str
        Like "production"; "" where a number says which.
    """

    name: str
    version: str = ""
    alias: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URI.

        Raises
        ------
        SettingsError
            It isn't one.

        Examples
        --------
        >>> RegisteredModel.parse("models:/glean@production")
        RegisteredModel(name='glean', version='', alias='production')
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise SettingsError(
                f"start-from: found {text!r:.200}; wanted models:/NAME/VERSION or "
                "models:/NAME@ALIAS, like models:/glean/3 or models:/glean@production"
            )
        return cls(found["name"], found["version"] or "", found["alias"] or "")

    def __str__(self) -> str:
        """Write it as a URI."""
        return f"models:/{self.name}" + (f"@{self.alias}" if self.alias else f"/{self.version}")


def is_model_uri(value: object) -> bool:
    """Whether a setting names a registered model, be it wrongly; else it is a path."""
    return isinstance(value, str) and value.startswith(SCHEME)
