"""What is worked out from messages is what the server had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glean.audit.received import received_by_server
from glean.audit.rerun import run_again
from glean.client_app import app as glean_app
from glean.federation.coordination.sum_result import SumResult
from glean.federation.coordination.sum_rounds import SumRounds
from glean.settings import RunSettings
from tests.federations import SMALL

REFITTED = SMALL | {"leaf-values": "refit", "share-scores": "no", "num-server-rounds": 3}


def sums_of(
    monkeypatch: pytest.MonkeyPatch, sales: str, *, masked: bool, leaves: dict[int, int]
) -> tuple[list[Any], list[SumResult]]:
    """What an attacker works out of the messages, and what the server itself had."""
    had: list[SumResult] = []
    honest = SumRounds.run

    def run(rounds: SumRounds, *parts: Any, **options: Any) -> SumResult:
        result = honest(rounds, *parts, **options)
        had.append(result)
        return result

    monkeypatch.setattr(SumRounds, "run", run)
    settings = RunSettings.from_config(REFITTED | {"sales": sales, "secure-sums": masked})
    rerun = run_again(settings, range(4), glean_app, newcomers=(), leaves=leaves)
    return list(received_by_server(rerun.exchanges).sums), [r for r in had if len(r.total)]


@pytest.mark.parametrize("masked", [True, False])
def test_the_sums_are_the_server_s_own(
    small_sales: Path, monkeypatch: pytest.MonkeyPatch, masked: bool
) -> None:
    """To the bit, with the bakeries that are in them; a bakery leaves before the third round."""
    leaves = {1: 3} if masked else {}
    found, had = sums_of(monkeypatch, str(small_sales), masked=masked, leaves=leaves)
    assert len(found) == len(had)
    for mine, own in zip(found, had, strict=True):
        np.testing.assert_array_equal(mine.total, own.total)
        assert {*mine.senders} == own.replies.keys()
    assert {len(one.senders) for one in found} == ({4, 3} if masked else {4})
