"""The bakery's choice: a mix that a few days can't push far, and only a sure winner replaces."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.forecasting.client_model import fit_client_model
from glean.forecasting.forecasters import TreeForecaster
from glean.forecasting.model_selection import (
    CHALLENGERS,
    USUAL_LOCAL_SHARE,
    ModelSelection,
    select_model,
)
from glean.forecasting.shrinkage import local_weight, shrunk, trading_days
from glean.languages.language import ENGLISH, LanguageCode, language
from glean.learning.forest import Forest
from glean.metrics import Floats, wape
from glean.settings import BoostingSettings
from tests.matrices import DEFINITION, random_forest, random_matrix

ROWS, TRAINING = random_matrix(28, seed=3), random_matrix(900, seed=4)
EMPTY = Forest.empty(DEFINITION, objective="reg:squarederror")


def noisy(share: float, *, seed: int) -> Floats:
    """A forecast that is off by about a share of what was sold."""
    return ROWS.units * np.exp(np.random.default_rng(seed).normal(0, share, len(ROWS)))


def forecasts(**shares: float) -> dict[str, Floats]:
    noise = {"personalised": 0.2, "federated": 0.2, "local": 0.2, "weekday_mean": 0.2} | shares
    return {name.replace("_", "-"): noisy(s, seed=k) for k, (name, s) in enumerate(noise.items())}


def test_two_equal_forecasts_are_mixed() -> None:
    """Their errors partly cancel, so that the mix is better than either; its weights sum to 1."""
    made = forecasts()
    choice = select_model(ROWS, made, history_days=900)
    assert set(choice.weights) == {"personalised", "local"}
    assert sum(choice.weights.values()) == pytest.approx(1.0)
    mixed = wape(ROWS.units, choice.combine(made))
    assert mixed < min(wape(ROWS.units, made[name]) for name in choice.weights)


def test_validation_moves_the_mix_towards_what_was_better() -> None:
    """More of the own model where that was right, less where it was wrong."""
    usual = USUAL_LOCAL_SHARE * local_weight(900)
    good = select_model(ROWS, forecasts(local=0.1), history_days=900).weights["local"]
    bad = select_model(ROWS, forecasts(local=0.3), history_days=900).weights["local"]
    assert bad < usual < good


def test_a_short_history_leans_on_the_federation() -> None:
    """Without validation days only the length of the history counts."""
    none = ROWS.rows(np.zeros(len(ROWS), dtype=bool))
    nothing = {name: np.array([]) for name in forecasts()}
    shares = [
        select_model(none, nothing, history_days=days).weights.get("local", 0.0)
        for days in (0, 20, 900)
    ]
    assert shares[0] == 0.0
    assert shares == sorted(shares)
    assert "no days yet" in select_model(none, nothing, history_days=0).reason(ENGLISH)


def test_only_a_sure_winner_takes_the_mix_s_place() -> None:
    """A habit that is right every day does, one that is a little better doesn't."""
    choice = select_model(ROWS, forecasts(weekday_mean=0.0), history_days=900)
    assert choice.weights == {"weekday-mean": 1.0}
    assert "clearly less than any mix" in choice.reason(ENGLISH)
    assert (
        "weekday-mean"
        not in select_model(ROWS, forecasts(weekday_mean=0.15), history_days=900).weights
    )


def test_the_reason_names_the_errors_that_it_goes_by() -> None:
    """Every method's validation error stands in it, in per cent."""
    made = forecasts()
    reason = select_model(ROWS, made, history_days=900).reason(ENGLISH)
    for forecast in made.values():
        assert f"{wape(ROWS.units, forecast):.1%}" in reason


@pytest.mark.parametrize(
    ("code", "mixed", "won"),
    [
        ("de", "zu \\d+\u00a0% das mit Ihren Verkäufen verfeinerte Modell .* den letzten 28 Tagen",
         "das Mittel der letzten vier gleichen Wochentage: An .* 0,0\u00a0% .* jede Mischung"),
        ("fr", "à \\d+\u00a0% le modèle de la fédération affiné .* sur les 28 derniers jours",
         "la moyenne des quatre derniers mêmes jours .* 0,0\u00a0% .* tout mélange"),
    ],
)  # fmt: skip
def test_the_reason_is_given_in_the_owner_s_language(
    code: LanguageCode, mixed: str, won: str
) -> None:
    """Of a mix, and of a sure winner; from the same errors."""
    mix = select_model(ROWS, forecasts(), history_days=900)
    assert re.match(mixed, mix.reason(language(code)))
    winner = select_model(ROWS, forecasts(weekday_mean=0.0), history_days=900)
    assert re.match(won, winner.reason(language(code)))


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 2000))
def test_few_days_stay_near_what_usually_holds(found: float, usual: float, days: int) -> None:
    """Between the two, nearer to the usual below the prior's days, and beyond them to the found."""
    drawn = shrunk(found, usual, days=days)
    assert min(found, usual) - 1e-9 <= drawn <= max(found, usual) + 1e-9
    assert (abs(drawn - usual) <= abs(drawn - found) + 1e-9) == (days <= 56 or found == usual) or (
        abs(found - usual) < 1e-6
    )


def test_a_choice_mixes_by_its_weights() -> None:
    """A weighted sum, row by row."""
    made = {"local": np.array([1.0, 2.0]), "federated": np.array([3.0, 6.0])}
    assert ModelSelection({"local": 0.25, "federated": 0.75}).combine(made).tolist() == [
        2.5,
        5.0,
    ]


@pytest.mark.parametrize("off_by", [0.4, 1.5])
def test_a_shared_model_that_noise_ruined_has_no_share(off_by: float) -> None:
    """Neither it nor its refinement, where the validation days say that the habit is better."""
    tried = forecasts(personalised=off_by, federated=off_by, local=0.15, weekday_mean=0.15)
    choice = select_model(ROWS, tried, history_days=900, noised=True)
    assert choice.weights == {"local": 1.0}


@pytest.mark.parametrize("days", [7, 28])
def test_refining_a_ruined_model_gives_it_no_share(days: int) -> None:
    """On few days neither: what is far off isn't trusted when refined, if it's made with noise."""
    some = ROWS.rows(np.arange(len(ROWS)) < days)
    tried = {name: each[:days] for name, each in forecasts(federated=2.0).items()}
    assert select_model(some, tried, history_days=900, noised=True).weights == {"local": 1.0}
    plain = select_model(some, tried, history_days=900).weights
    assert plain["personalised"] > 0.5


def test_a_shared_model_with_noise_keeps_its_share_where_it_is_as_good() -> None:
    """What can't be told from chance is mixed, with more of the own model than without noise."""
    tried = forecasts(personalised=0.21)
    noised, plain = (
        select_model(ROWS, tried, history_days=900, noised=noised).weights
        for noised in (True, False)
    )
    assert 0 < plain["local"] < noised["local"] < noised["personalised"]


def test_where_nothing_was_learned_together_each_bakes_mostly_by_its_own() -> None:
    """Of two equal forecasts most is the own model; few days of history still take from it."""
    tried = forecasts()
    shares = [
        select_model(ROWS, tried, history_days=days, learned=False).weights["local"]
        for days in (60, 900)
    ]
    assert 0.3 < shares[0] < shares[1] < 1.0
    assert shares[1] > 0.6


def test_a_model_without_a_split_is_one_in_which_nothing_was_learned() -> None:
    """As after rounds that are all lost; one that splits has its usual part."""
    for model, learned in ((EMPTY, False), (random_forest(1), True)):
        own = fit_client_model(
            TreeForecaster(model),
            TRAINING,
            ROWS,
            boosting=BoostingSettings(),
            learning_rate=0.1,
            seed=1,
        )
        made = own.forecasts(ROWS)
        tried = {method: made[method] for method in CHALLENGERS}
        days = trading_days(TRAINING)
        choices = {
            each: select_model(ROWS, tried, history_days=days, learned=each)
            for each in (False, True)
        }
        assert choices[True] != choices[False]
        assert own.selection == choices[learned]
