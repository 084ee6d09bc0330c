"""Rounds whose updates travel in few bits: smaller, the same masked or not, and nearly as good."""

from __future__ import annotations

from pathlib import Path

import pytest

from glean.errors import SettingsError
from glean.settings import ConfigValue, RunSettings
from tests.federations import Federation, federation_of, small_settings

NETWORK: dict[str, ConfigValue] = {"aggregation": "fedavg", "num_server_rounds": 3}


def finished(out: Path, settings: RunSettings) -> tuple[Federation, bytes]:
    federation = federation_of(out, settings)
    return federation, federation.run().model.to_bytes()


@pytest.mark.parametrize("changes", [{}, {"mode": "async"}, {"share_scores": "no"}])
def test_masks_change_no_byte_and_few_bits_save_most(
    changes: dict[str, ConfigValue], tmp_path: Path, three_bakeries: str
) -> None:
    """An update of 16 bits a number is a quarter of one of 64, and the model nearly as good."""
    told = NETWORK | changes
    whole, _ = finished(tmp_path / "1", small_settings(three_bakeries, secure_sums=True, **told))
    few = small_settings(three_bakeries, secure_sums=True, update_bits=16, **told)
    packed, model = finished(tmp_path / "2", few)
    open_sums = small_settings(
        three_bakeries, secure_sums=False, update_bits=16, **NETWORK | {"mode": few.rounds.mode}
    )
    assert finished(tmp_path / "3", open_sums)[1] == model
    sent = [one.table("rounds.csv")["bytes_up"].sum() for one in (whole, packed)]
    assert sent[1] < 0.4 * sent[0]
    wapes = [one.table("rounds.csv")["wape"].iloc[-1] for one in (whole, packed)]
    assert wapes[1] == pytest.approx(wapes[0], rel=0.02)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "update-bits: found 12 with aggregation='bagging'"),
        (
            {"workload": "images", "privacy": "dp-fedavg"},
            "update-bits: found 12 with privacy=dp-fedavg",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, ConfigValue], message: str) -> None:
    """Trees are no weights, and noise needs room."""
    with pytest.raises(SettingsError) as error:
        RunSettings.from_config({"update-bits": 12, "privacy": "sums", **changes})
    assert message in str(error.value)
