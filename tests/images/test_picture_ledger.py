"""What a client counts of its releases: once each, no more than planned, and nothing forgotten."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from glean.errors import RefusalError
from glean.images.privacy.noise_plan import NoisePlan
from glean.images.privacy.picture_ledger import DEFAULT_TOTAL, LEDGER, SECRET, PictureLedger

PLAN = NoisePlan(4.0, 1e-6, 0.1, 10, 3, 1.0, 1.2)


def test_a_release_counts_once_and_a_run_as_a_whole(tmp_path: Path) -> None:
    """Three rounds of one plan are one epsilon; a fourth begins the next."""
    ledger = PictureLedger(tmp_path / "home", 8.0)
    assert [ledger.charge(PLAN, name) for name in ("a", "b", "a", "c", "c")] == [1, 2, 1 + 1, 3, 3]
    assert ledger.charge(PLAN, "d") == 1
    for name in ("e", "f"):
        ledger.charge(PLAN, name)
    with pytest.raises(RefusalError, match=r"found 8, of which 8 is spent; wanted 12 or more"):
        ledger.charge(PLAN, "g")
    with pytest.raises(RefusalError, match="epsilon-total"):
        ledger.check_room(PLAN)
    assert ledger.charge(PLAN, "e") == 3  # asked again
    assert PictureLedger(tmp_path / "home", 12.0).charge(PLAN, "g") == 1


def test_other_plans_add_up(tmp_path: Path) -> None:
    """Whatever differs makes another plan; by default two of the default epsilon are spent."""
    ledger = PictureLedger(tmp_path, 0.0)
    assert DEFAULT_TOTAL == 8.0
    ledger.charge(PLAN, "a")
    ledger.charge(NoisePlan(3.5, 1e-6, 0.1, 10, 3, 1.0, 1.2), "b")
    with pytest.raises(RefusalError, match=r"wanted 11\.5 or more"):
        ledger.charge(NoisePlan(4.0, 1e-6, 0.1, 10, 3, 2.0, 1.2), "c")
    ledger.check_room(PLAN)  # of its three releases two are left


def test_looking_for_room_spends_nothing(tmp_path: Path) -> None:
    """Nor writes anything."""
    PictureLedger(tmp_path, 4.0).check_room(PLAN)
    assert not [*tmp_path.iterdir()]
    with pytest.raises(RefusalError, match=r"found 3\.9"):
        PictureLedger(tmp_path, 3.9).check_room(PLAN)


def test_the_secret_stays_and_is_for_its_owner(tmp_path: Path) -> None:
    """32 bytes, others in another home."""
    ledger = PictureLedger(tmp_path / "a", 8.0)
    secret = ledger.secret()
    assert len(secret) == 32
    assert ledger.secret() == secret != PictureLedger(tmp_path / "b", 8.0).secret()
    assert stat.S_IMODE((tmp_path / "a" / SECRET).stat().st_mode) == 0o600


@pytest.mark.parametrize("gone", [LEDGER, SECRET])
def test_half_a_home_is_refused(tmp_path: Path, gone: str) -> None:
    """Without the ledger all would be spent again; with a new secret a round were drawn twice."""
    ledger = PictureLedger(tmp_path, 8.0)
    ledger.secret()
    ledger.charge(PLAN, "a")
    (tmp_path / gone).unlink()
    with pytest.raises(RefusalError, match="Nothing is sent"):
        ledger.secret()


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"plans": 3}', '{"plans": [{"plan": {}, "releases": []}]}', '{"plans": [3]}'],
)
def test_a_damaged_ledger_is_refused(tmp_path: Path, content: str) -> None:
    """It is no empty one."""
    (tmp_path / LEDGER).write_text(content, encoding="utf-8")
    with pytest.raises(RefusalError, match="Nothing is sent"):
        PictureLedger(tmp_path, 8.0).charge(PLAN, "a")


def test_a_ledger_says_what_was_spent(tmp_path: Path) -> None:
    """Readable for its owner."""
    PictureLedger(tmp_path, 8.0).charge(PLAN, "a")
    told = json.loads((tmp_path / LEDGER).read_text(encoding="utf-8"))
    assert told["plans"][0]["plan"]["epsilon"] == 4.0
    assert told["plans"][0]["releases"] == ["a"]
