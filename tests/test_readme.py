from __future__ import annotations

import re

from glean.runs.code_version import PACKAGE
from glean.settings import declared_fields

README = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")


def _written(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case _:
            return f"{value:g}"


def test_the_readme_lists_every_setting_with_its_default() -> None:
    """In the order in which they are declared, none missing, none made up."""
    rows = re.findall(r"^\| `([a-z-]+)` \| (\S+) \|", README, re.MULTILINE)
    assert rows == [(key, _written(item.default)) for key, item in declared_fields().items()]


def test_the_pages_that_the_readme_links_are_there() -> None:
    """No link of the README leads nowhere."""
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", README)
    assert links
    assert all((PACKAGE.parent / link).exists() for link in links), links
