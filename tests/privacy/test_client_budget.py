"""The account of runs that hide whole clients, by computations that share nothing with it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from glean.errors import FederationError
from glean.federation.client.noised_vector import check_noised
from glean.federation.wire.noised_parts import (
    client_budget_of,
    part_deviation,
    release_of,
    score_deviation,
    scored_rounds,
    whole_run,
)
from glean.federation.wire.sum_request import (
    CLIENT_STEPS,
    CLIPPED_FINAL,
    CLIPPED_SCORE,
    DAY_GRADIENTS,
    WEIGHT_STEPS,
    WEIGHTS,
    SumRequest,
)
from glean.learning.day_sums import UNIT
from glean.privacy.client_budget import ClientBudget
from glean.privacy.discrete_gaussian import divergence_of_sum
from glean.privacy.noise_budget import relied_on
from glean.privacy.privacy_ledger import TRAINING, WHOLE_CLIENT, PrivacyLedger, total_of
from glean.settings import ConfigValue, RunSettings
from tests.privacy.test_gaussian_dp import LossDistribution


def noised(**changes: ConfigValue) -> RunSettings:
    given = {key.replace("_", "-"): value for key, value in changes.items()}
    config: dict[str, ConfigValue] = {"workload": "images", "privacy": "dp-fedavg"}
    return RunSettings.from_config(config | given)


@pytest.mark.parametrize(
    ("epsilon", "rounds", "scores"), [(1.0, 20, 3), (4.0, 20, 3), (8.0, 10, 8)]
)
def test_the_epsilon_of_a_run_agrees_with_convolved_privacy_losses(
    epsilon: float, rounds: int, scores: int
) -> None:
    """Of all sums of updates and all scores: a client is in each of them."""
    delta = 1e-4  # the FFT's own rounding errors are 1e-13
    budget = ClientBudget(epsilon, delta, rounds, scores)
    deviations = [*[budget.updates] * rounds, *[budget.score] * scores]
    least = LossDistribution(deviations, up=False).delta(epsilon)
    most = LossDistribution(deviations, up=True).delta(epsilon)
    assert least <= delta <= most
    assert most - least < 0.2 * delta
    assert budget.spent == pytest.approx(epsilon, rel=1e-9)


@pytest.mark.parametrize("parties", [3, 4, 10, 50, 200, 10_000])
def test_two_thirds_of_the_clients_give_the_noise_that_is_accounted(parties: int) -> None:
    """Of updates and of scores, in what a client moves a sum by: a clip norm, and 1."""
    settings = noised(num_server_rounds=12, validation_scores=2)
    budget = client_budget_of(settings)
    assert (budget.rounds, budget.scores) == (12, 2 + 2)
    wanted = {CLIENT_STEPS: budget.updates, CLIPPED_SCORE: budget.score}
    for part, deviation in wanted.items():
        each = part_deviation(part, settings, parties=parties)
        of_two_thirds = each * math.sqrt(relied_on(parties)) / UNIT
        assert deviation <= of_two_thirds < 1.001 * deviation
        # A hundred million weights together are nearly one discrete Gaussian each.
        assert 1e8 * divergence_of_sum(each, parties) == 0.0
    assert score_deviation(settings, parties=parties, senders=parties) == pytest.approx(
        budget.score / math.sqrt(relied_on(parties) * parties), rel=1e-3
    )


@pytest.mark.parametrize("scores", [1, 3])
@pytest.mark.parametrize("start_from", ["", "/a/model.npz"])
def test_what_a_run_asks_for_costs_a_client_the_run_s_epsilon(scores: int, start_from: str) -> None:
    """Added up release by release; at each point what is ahead is what follows."""
    settings = noised(num_server_rounds=6, validation_scores=scores, start_from=start_from)
    finals = [2, 1] if start_from else [2]
    asked = []
    for number in range(1, 7):
        asked.append(release_of(CLIENT_STEPS, settings, number=number))
        if number in scored_rounds(settings):
            asked.append(release_of(CLIPPED_SCORE, settings, number=number))
    asked += [release_of(CLIPPED_FINAL, settings, number=6, length=n) for n in finals]
    costs = np.array([release.cost for release in asked])
    assert costs.sum() == pytest.approx(whole_run(settings), rel=1e-9)
    assert {release.window for release in asked} == {TRAINING}
    later = costs[::-1].cumsum()[::-1] - costs
    ahead = [release.ahead for release in asked[: -len(finals)]]
    assert ahead == pytest.approx(later[: -len(finals)], rel=1e-9)


def test_a_ledger_has_room_for_two_runs_of_the_default() -> None:
    """And for no part of a third; it is read again as it was written."""
    settings, total, whom = noised(num_server_rounds=2), total_of(0.0), frozenset({WHOLE_CLIENT})
    ledger = PrivacyLedger()
    for run in ("1", "2", "3"):
        taken = []
        for number in (1, 2):
            release = release_of(CLIENT_STEPS, settings, number=number)
            ledger, days = ledger.charged(release, whom, run=run, total=total)
            taken.append(days)
        for part, length in ((CLIPPED_SCORE, 1), (CLIPPED_FINAL, 2)):
            release = release_of(part, settings, number=2, length=length)
            ledger, days = ledger.charged(release, whom, run=run, total=total)
            taken.append(days)
        assert taken == [frozenset() if run == "3" else whom] * 4
        assert PrivacyLedger.from_json(ledger.to_json()) == ledger
    assert ledger.spent_on(WHOLE_CLIENT, TRAINING) == pytest.approx(total)


@pytest.mark.parametrize("part", [WEIGHTS, WEIGHT_STEPS, DAY_GRADIENTS, "scores", "totals"])
def test_a_client_refuses_what_its_noise_is_not_accounted_for(part: str) -> None:
    """Also what a run that hides days opens, and updates without a mask."""
    settings = noised()
    with pytest.raises(FederationError, match="privacy=dp-fedavg doesn't open"):
        check_noised(SumRequest((part,), (part,), masked=True), settings, participants=3, number=1)
    for masked in (True, False):
        request = SumRequest((CLIENT_STEPS,), (CLIENT_STEPS,), masked=masked, num_clients=3)
        if masked:
            check_noised(request, settings, participants=2, number=1)
        else:
            with pytest.raises(FederationError, match="an unmasked vector"):
                check_noised(request, settings, participants=3, number=1)
    days = RunSettings.from_config({"privacy": "noise"})
    with pytest.raises(FederationError, match="client steps"):
        check_noised(
            SumRequest((CLIENT_STEPS,), (CLIENT_STEPS,), masked=True),
            days,
            participants=3,
            number=1,
        )


def test_of_a_larger_roster_as_many_have_to_be_there() -> None:
    """Each adds less of the noise then."""
    request = SumRequest((CLIENT_STEPS,), (CLIENT_STEPS,), masked=True, num_clients=6)
    with pytest.raises(FederationError, match="relies on 4 of 6"):
        check_noised(request, noised(), participants=3, number=1)
