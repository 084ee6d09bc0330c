"""What days spend adds up as it should, and no day spends more than its owner allows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from glean.errors import FederationError
from glean.federation.wire.noised_parts import (
    NOISED_PARTS,
    noised_parts_of,
    release_of,
    whole_run,
)
from glean.federation.wire.sum_request import (
    CLIPPED_FINAL,
    CLIPPED_SCORE,
    DAY_GRADIENTS,
    DAY_HESSIANS,
)
from glean.privacy.gaussian_dp import mu_of
from glean.privacy.privacy_ledger import (
    SCORED,
    TRAINING,
    Days,
    PrivacyLedger,
    Release,
    epsilon_at,
    total_of,
)
from glean.settings import RunSettings

NOISED = RunSettings.from_config({"privacy": "noise"})
MAY: Days = frozenset({"2026-05-04", "2026-05-05", "2026-05-06"})
FOURTH, LATER = frozenset({"2026-05-04"}), frozenset({"2026-06-01"})


def charged(ledger: PrivacyLedger, cost: float, days: Days = MAY, run: str = "1") -> PrivacyLedger:
    """Charge a release after which nothing comes, out of a total of 1."""
    return ledger.charged(Release(TRAINING, cost), days, run=run, total=1.0)[0]


@pytest.mark.parametrize(("epsilon", "rounds"), [(0.5, 1), (4.0, 20), (50.0, 300)])
def test_a_whole_run_costs_what_it_says(epsilon: float, rounds: int) -> None:
    """Its releases add up to the epsilon of its settings, and each knows what comes after it."""
    run = RunSettings.from_config(
        {"privacy": "noise", "epsilon": epsilon, "num-server-rounds": rounds}
    )
    gradients = [release_of(DAY_GRADIENTS, run, number=n) for n in range(1, rounds + 1)]
    asked = [release_of(DAY_HESSIANS, run, number=1), *gradients]
    assert {release.window for release in asked} == {TRAINING}
    costs = [release.cost for release in asked]
    assert sum(costs) == pytest.approx(mu_of(epsilon, 1e-6) ** 2, rel=1e-12)
    assert whole_run(run) == pytest.approx(sum(costs), rel=1e-12)
    for place, release in enumerate(asked):
        assert release.ahead == pytest.approx(sum(costs[place + 1 :]), rel=1e-12, abs=1e-12)
    score = release_of(CLIPPED_SCORE, run, number=rounds)
    assert (score.window, score.ahead) == (SCORED, 0.0)
    final = release_of(CLIPPED_FINAL, run, number=rounds, length=2)
    assert score.cost + final.cost == pytest.approx(mu_of(epsilon, 1e-6) ** 2, rel=1e-12)
    opened = {DAY_HESSIANS, DAY_GRADIENTS, CLIPPED_SCORE, CLIPPED_FINAL}
    assert opened == noised_parts_of(run)
    by_client = replace(run, noise=replace(run.noise, privacy="dp-fedavg"))
    assert opened | noised_parts_of(by_client) == NOISED_PARTS


def test_the_default_is_two_full_runs() -> None:
    """Neither more nor less, whatever order their costs are added in."""
    assert total_of(0.0) == pytest.approx(2 * whole_run(NOISED), rel=1e-12)
    assert epsilon_at(total_of(0.0)) == pytest.approx(5.934, abs=1e-3)
    assert epsilon_at(total_of(7.5)) == pytest.approx(7.5, rel=1e-9)
    ledger = PrivacyLedger()
    taken = []
    for run in ("1", "2", "3"):
        for part, number in [(DAY_HESSIANS, 1), *((DAY_GRADIENTS, n) for n in range(1, 21))]:
            release = release_of(part, NOISED, number=number)
            ledger, days = ledger.charged(release, MAY, run=run, total=total_of(0.0))
            taken.append(days)
    assert taken == [MAY] * 42 + [frozenset()] * 21


def test_a_day_enters_a_run_only_with_room_for_all_of_it() -> None:
    """Else it would leave in the middle; one that is in stays in until its own release's room."""
    ledger = charged(PrivacyLedger(), 0.5, FOURTH)
    first = Release(TRAINING, 0.25, ahead=0.5)
    ledger, days = ledger.charged(first, MAY, run="2", total=1.0)
    assert days == MAY - FOURTH
    assert (ledger.run, ledger.days, ledger.reserved) == ("2", days, 0.5)
    for ahead in (0.25, 0.0):
        ledger, days = ledger.charged(Release(TRAINING, 0.25, ahead), MAY, run="2", total=1.0)
        assert days == MAY - FOURTH
    assert ledger.spent_on("2026-05-04", TRAINING) == 0.5
    assert ledger.spent_on("2026-05-05", TRAINING) == 0.75


def test_a_repeated_step_is_charged_and_ends_with_the_total() -> None:
    """Repeats take what is left; then the day is in no sum any more."""
    step = Release(TRAINING, 0.3, ahead=0.3)
    ledger = PrivacyLedger()
    sizes = []
    for _ in range(5):
        ledger, days = ledger.charged(step, MAY, run="1", total=1.0)
        sizes.append(len(days))
    assert sizes == [3, 3, 3, 0, 0]
    assert ledger.spent_on("2026-05-04", TRAINING) == pytest.approx(0.9)


def test_days_that_come_during_a_run_wait_for_the_next() -> None:
    """Their weight isn't in the run's first sum, so their gradients aren't in its later ones."""
    ledger = charged(PrivacyLedger(), 0.25)
    ledger = charged(ledger, 0.25, MAY | LATER)
    assert ledger.spent_on("2026-06-01", TRAINING) == 0.0
    ledger = charged(ledger, 0.25, MAY | LATER, run="2")
    assert ledger.spent_on("2026-06-01", TRAINING) == 0.25


def test_another_run_frees_what_was_reserved() -> None:
    """A run that was broken off keeps no room for itself."""
    ledger, _ = PrivacyLedger().charged(
        Release(TRAINING, 0.25, ahead=0.75), MAY, run="1", total=1.0
    )
    ledger, days = ledger.charged(Release(TRAINING, 0.25, ahead=0.5), MAY, run="2", total=1.0)
    assert days == MAY


def test_scores_are_of_runs_that_train_and_of_whole_windows() -> None:
    """Each day spends them, apart from its records; in one run they have the total once."""
    score = Release(SCORED, 0.4)
    ledger, days = PrivacyLedger().charged(score, LATER, run="1", total=1.0)
    assert days == frozenset()
    ledger = charged(ledger, 0.5)
    taken = []
    for _ in range(3):
        ledger, days = ledger.charged(score, LATER, run="1", total=1.0)
        taken.append(days)
    assert taken == [LATER, LATER, frozenset()]
    assert ledger.spent_on("2026-06-01", SCORED) == 0.8
    assert ledger.spent_on("2026-06-01", TRAINING) == 0.0
    assert ledger.spent_on("2026-05-04", TRAINING) == 0.5
    ledger = charged(ledger, 0.5, run="2")
    ledger, days = ledger.charged(score, LATER, run="2", total=1.0)
    assert days == LATER
    ledger, days = ledger.charged(score, LATER, run="1", total=1.0)
    assert days == frozenset()
    ledger = charged(ledger, 0.5, run="3")
    assert ledger.days == frozenset()
    ledger, days = ledger.charged(score, LATER, run="3", total=1.0)
    assert days == frozenset()


def test_a_ledger_is_read_as_it_was_written() -> None:
    """To the bit: what is left of a total doesn't move by being kept."""
    ledger = charged(PrivacyLedger(), 0.1 + 0.2, FOURTH)
    ledger, _ = ledger.charged(Release(SCORED, 1 / 3), LATER, run="1", total=1.0)
    assert PrivacyLedger.from_json(ledger.to_json()) == ledger
    assert PrivacyLedger.from_json("{}") == PrivacyLedger()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "[" * 100_000,
        '{"colour": 1}',
        '{"count": -1}',
        '{"count": true}',
        '{"run": 3}',
        '{"days": ["yesterday"]}',
        '{"days": [3]}',
        '{"days": 3}',
        '{"total": "1"}',
        '{"total": NaN}',
        '{"spent": []}',
        '{"spent": {"training": 1}}',
        '{"spent": {"training": {"2026-05-04": -1}}}',
        '{"spent": {"training": {"2026-05-04": Infinity}}}',
        '{"spent": {"training": {"May 4": 1}}}',
        '{"spent": {"training": {"20260504": 1}}}',
    ],
)
def test_a_damaged_ledger_is_an_error_that_says_so(text: str) -> None:
    """It isn't taken for one in which nothing was spent."""
    with pytest.raises(FederationError, match="can't be read"):
        PrivacyLedger.from_json(text)
