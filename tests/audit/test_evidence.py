"""Which runs can be made again without a bakery."""

from __future__ import annotations

import pytest

from glean.audit.evidence import check_enough
from glean.errors import GleanError
from glean.settings import ConfigValue, RunSettings

LEAST: list[tuple[dict[str, ConfigValue], int]] = [
    ({}, 2),
    ({"min-contributors": 3}, 4),
    ({"privacy": "noise"}, 4),
]


@pytest.mark.parametrize(("config", "least"), LEAST)
def test_without_one_there_have_to_be_enough(config: dict[str, ConfigValue], least: int) -> None:
    """Of masked sums three; else one is left to learn alone."""
    settings = RunSettings.from_config(config)
    check_enough(settings, least)
    with pytest.raises(GleanError, match=f"found {least - 1} bakeries .*; wanted {least} or more"):
        check_enough(settings, least - 1)
