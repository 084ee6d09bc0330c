"""Federated averaging of a neural network's or a linear model's weights."""

from __future__ import annotations

import io
import random
import zipfile
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neural_network import MLPRegressor

from glean.aggregation.fedavg import encoded, encoded_length, encoded_steps, mean, stepped
from glean.demand.weight_trainer import WeightTrainer
from glean.errors import ModelError
from glean.federation.wire.sum_messages import SumTask
from glean.federation.wire.sum_request import WEIGHT_STEPS, SumRequest
from glean.learning import neural
from glean.learning.model_weights import LARGEST_WEIGHT, Weights
from glean.learning.scaling import FARTHEST, input_count, scaled_inputs
from glean.learning.weight_models import (
    KINDS,
    fit_round,
    initial_weights,
    predict_weights,
    read_weights,
)
from glean.metrics import wape
from tests.matrices import DEFINITION, random_matrix

RATES = {"neural": 0.1, "poisson": 1.0}


def random_weights(kind: str, seed: int) -> Weights:
    """Weights at random."""
    rng = np.random.default_rng(seed)
    start = initial_weights(kind, DEFINITION, seed=0)
    arrays = {k: rng.normal(size=v.shape).astype(np.float32) for k, v in start.arrays.items()}
    return replace(start, arrays=arrays)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_gives_back_its_weights(kind: str) -> None:
    """decode(encode(x)) == x; NumPy itself reads the file."""
    weights = random_weights(kind, 1)
    again = read_weights(weights.to_npz())
    assert again.to_npz() == weights.to_npz()
    assert again.spec == DEFINITION.to_json()
    with np.load(io.BytesIO(weights.to_npz()), allow_pickle=False) as held:
        assert all(np.array_equal(held[k], again.arrays[k]) for k in weights.arrays)


def test_steps_of_all_lead_to_the_mean_and_who_is_missing_takes_none() -> None:
    """With the fixed denominator: the global weights, and each one's share of what it changed."""
    rows, shares = 1_000, {1: 600.0, 2: 300.0, 3: 100.0}
    start = random_weights("poisson", 0)
    after = {k: random_weights("poisson", k) for k in shares}
    steps = {k: encoded_steps(after[k], start, weight=shares[k], rows=rows) for k in shares}
    assert {len(step) for step in steps.values()} == {encoded_length(start) - 1}
    sums = [encoded(after[k], weight=shares[k], rows=rows) for k in shares]
    whole = stepped(np.sum([*steps.values()], axis=0), like=start, rows=rows)
    wanted = mean(np.sum(sums, axis=0), like=start, rows=rows)
    some = stepped(steps[1] + steps[3], like=start, rows=rows)
    for name, held in start.arrays.items():
        assert np.allclose(whole.arrays[name], wanted.arrays[name], atol=1e-6)
        moved = 0.6 * (after[1].arrays[name] - held) + 0.1 * (after[3].arrays[name] - held)
        assert np.allclose(some.arrays[name], held + moved, atol=1e-6)
    with pytest.raises(ModelError, match="isn't sane"):
        stepped(np.full(encoded_length(start) - 1, 2**61), like=start, rows=rows)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_refused(kind: str) -> None:
    """Every single-bit flip and every cut is a ModelError and nothing else: CRC and form tell."""
    data = random_weights(kind, 1).to_npz()
    chance = random.Random(5)  # noqa: S311 - damage, no secret
    for _ in range(250):
        place = chance.randrange(len(data))
        flipped = data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]
        for damaged in (flipped, data[:place]):
            with pytest.raises(ModelError):
                read_weights(damaged)


@given(st.binary(max_size=300))
def test_random_bytes_raise_nothing_but_model_errors(data: bytes) -> None:
    """Whatever the bytes, behind a file's beginning too."""
    good = initial_weights("poisson", DEFINITION, seed=0).to_npz()
    for prefix in (b"", b"PK\3\4", good[:-200]):
        with suppress(ModelError):
            read_weights(prefix + data)


def test_a_compressed_file_isnt_unpacked() -> None:
    """A small file that would unpack to a large one is refused."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("glean_kind.npy", b"\0" * 10_000_000)
    with pytest.raises(ModelError, match="compressed"):
        read_weights(packed.getvalue())


@pytest.mark.parametrize("value", [np.nan, np.inf, -2e4])
def test_values_that_arent_sane_are_refused(value: float) -> None:
    """A weight that isn't finite or is huge is refused, with the array's name."""
    weights = random_weights("poisson", 1)
    weights.arrays["coef"][3] = value
    with pytest.raises(ModelError, match="weights coef: found one that isn't finite"):
        read_weights(weights.to_npz())


@pytest.mark.parametrize("kind", KINDS)
def test_other_shapes_are_refused(kind: str) -> None:
    """An array of another shape or one too many doesn't pass, well packed as it may be."""
    weights = random_weights(kind, 1)
    name = next(iter(weights.arrays))
    first = weights.arrays[name]
    for odd in ({name: first[:-1]}, {name: first[None]}, {"more": first}):
        with pytest.raises(ModelError):
            read_weights(replace(weights, arrays=dict(weights.arrays) | odd).to_npz())
    with pytest.raises(ModelError, match="kind 'forest'"):
        read_weights(replace(weights, kind="forest").to_npz())


def test_inputs_are_scaled_by_public_constants() -> None:
    """One row's inputs don't depend on other rows; nothing is missing, nothing far away."""
    x = random_matrix(60).x
    x[0], x[1], x[2] = np.nan, 1e9, -np.inf
    inputs = scaled_inputs(x, DEFINITION)
    assert inputs.shape == (60, input_count(DEFINITION))
    assert inputs.dtype == np.float32
    assert np.abs(inputs).max() == FARTHEST
    assert (inputs[0] == 0).all()
    assert np.array_equal(inputs[7:9], scaled_inputs(x[7:9], DEFINITION))
    weekday = x[:, DEFINITION.names.index("weekday")]
    known = np.isin(weekday, range(7))
    assert np.array_equal(inputs[known, -7:].argmax(axis=1), weekday[known])
    assert (inputs[:, -7:].sum(axis=1) == known).all()


@pytest.mark.parametrize("kind", KINDS)
def test_rounds_learn(kind: str) -> None:
    """Two bakeries in ten rounds beat the level by a fifth, on rows that neither saw."""
    bakeries = [random_matrix(500, seed=k) for k in range(2)]
    unseen = random_matrix(300, seed=9)
    weights = initial_weights(kind, DEFINITION, seed=0)
    start = wape(unseen.units, predict_weights(kind, weights, unseen.x) * unseen.level)
    for number in range(10):
        one, other = (
            fit_round(kind, weights, rows, learning_rate=RATES[kind], seed=number)
            for rows in bakeries
        )
        total = encoded(one, weight=1.0, rows=2) + encoded(other, weight=1.0, rows=2)
        weights = mean(total, like=weights, rows=2)
    end = wape(unseen.units, predict_weights(kind, weights, unseen.x) * unseen.level)
    assert end < 0.8 * start


@pytest.mark.parametrize("kind", KINDS)
def test_training_is_repeatable_and_leaves_its_input_alone(kind: str) -> None:
    """The same seed gives the same bytes; weights given and rows without sales stay out of it."""
    features, weights = random_matrix(200), initial_weights(kind, DEFINITION, seed=3)
    before = weights.to_npz()
    future = replace(random_matrix(50, seed=1), y=np.full(50, np.nan, dtype=np.float32))
    assert fit_round(kind, weights, future, learning_rate=0.1, seed=1) is weights
    one, two = (
        fit_round(kind, weights, features, learning_rate=0.1, seed=1).to_npz() for _ in range(2)
    )
    assert one == two != before
    assert weights.to_npz() == before


def test_the_networks_forecast_is_that_of_scikit_learn() -> None:
    """Glean's own pass through the layers gives what MLPRegressor.predict gives."""
    inputs = scaled_inputs(random_matrix(80).x, DEFINITION)
    network = MLPRegressor(
        hidden_layer_sizes=neural.HIDDEN, solver="sgd", random_state=0, batch_size=8
    )
    network.partial_fit(inputs, inputs[:, 0])
    arrays = {f"coef_{k}": v for k, v in enumerate(network.coefs_)}
    arrays |= {f"intercept_{k}": v for k, v in enumerate(network.intercepts_)}
    assert {k: v.shape for k, v in arrays.items()} == neural.shapes(inputs.shape[1])
    wanted = network.predict(inputs)
    assert neural.predict(arrays, inputs) == pytest.approx(wanted, rel=1e-4, abs=1e-5)


def test_first_weights_forecast_about_the_level() -> None:
    """Before any training a forecast is near 1; the linear model's is 1."""
    x = random_matrix(200).x
    start = initial_weights("neural", DEFINITION, seed=0)
    assert predict_weights("neural", start, x) == pytest.approx(np.ones(200), abs=0.5)
    start = initial_weights("poisson", DEFINITION, seed=0)
    assert (predict_weights("poisson", start, x) == 1.0).all()


@given(st.lists(st.floats(0.5, 9e5), min_size=1, max_size=6), st.sampled_from(KINDS), st.randoms())
@settings(max_examples=40)
def test_the_mean_is_weighted_and_independent_of_order(
    says: list[float], kind: str, chance: random.Random
) -> None:
    """Equal to NumPy's weighted average, and to the byte in whatever order words are added."""
    rows = max(1, round(sum(says)))
    trained = [random_weights(kind, k) for k in range(len(says))]
    summands = [encoded(w, weight=say, rows=rows) for w, say in zip(trained, says, strict=True)]
    merged = mean(sum(summands[1:], summands[0]), like=trained[0], rows=rows)
    for name, values in merged.arrays.items():
        wanted = np.average([w.arrays[name] for w in trained], axis=0, weights=says)
        assert values == pytest.approx(wanted, abs=1e-5)
    chance.shuffle(summands)
    again = mean(sum(summands[1:], summands[0]), like=trained[0], rows=rows)
    assert again.to_npz() == merged.to_npz()


@pytest.mark.parametrize("value", [np.nan, np.inf, 2e4])
def test_weights_that_are_not_sane_are_cut(value: float, caplog: pytest.LogCaptureFixture) -> None:
    """One of them would spoil the sum; an error would tell who chose the learning rate."""
    trained = random_weights("poisson", 1)
    arrays = {name: values.copy() for name, values in trained.arrays.items()}
    next(iter(arrays.values())).flat[0] = value
    words = encoded(replace(trained, arrays=arrays), weight=100.0, rows=10)
    assert "wanted a smaller learning-rate" in caplog.text
    assert words[0] == (0 if np.isnan(value) else LARGEST_WEIGHT * words[-1])
    assert words[-1] == encoded(trained, weight=20.0, rows=10)[-1]


def test_a_sum_of_nothing_has_no_mean() -> None:
    """And one beyond all bounds is damage."""
    like = random_weights("poisson", 1)
    nothing = np.zeros(encoded_length(like), dtype=np.int64)
    with pytest.raises(ModelError, match="found 0 as the sum of all weights"):
        mean(nothing, like=like, rows=10)
    damaged = encoded(like, weight=1.0, rows=10)
    damaged[0] = 2**62
    with pytest.raises(ModelError, match="isn't sane"):
        mean(damaged, like=like, rows=10)


def test_another_kind_of_weights_isn_t_forecast_from() -> None:
    """What a bakery is told to train says which kind it wants."""
    like = initial_weights("neural", DEFINITION, seed=0)
    with pytest.raises(ModelError, match="wanted 'poisson'"):
        predict_weights("poisson", like, random_matrix(3).x)


def test_a_step_that_is_too_large_is_said() -> None:
    """Training that runs away ends in advice, not in scikit-learn's traceback."""
    features, start = random_matrix(300), initial_weights("neural", DEFINITION, seed=0)
    with pytest.raises(ModelError, match="smaller learning-rate"):
        fit_round("neural", start, features, learning_rate=1e6, seed=0)


def test_a_bakery_whose_training_runs_away_takes_no_step(caplog: pytest.LogCaptureFixture) -> None:
    """And sends no error, by which a server could try how steep its rows are."""
    features, start = random_matrix(300), initial_weights("neural", DEFINITION, seed=0)
    task = SumTask(
        round=1,
        spec="",
        base="",
        state="",
        learning_rate=1e6,
        newcomer=False,
        model=start.to_npz(),
        number=1,
        request="",
        structures=b"",
        participants=b"",
        cohort=b"",
    )
    trainer = WeightTrainer(lambda: features, lambda: features, kind="neural")
    steps = trainer.contribute(WEIGHT_STEPS, task, SumRequest(rows=300), weight=1.0, seed=0)
    assert not steps.any()
    assert "smaller learning-rate" in caplog.text


def test_one_mad_day_doesnt_throw_the_network_off() -> None:
    """A day of a thousand times the level moves forecasts no further than a busy day would."""
    features, start = random_matrix(300), initial_weights("neural", DEFINITION, seed=0)
    mad = features.y.copy()
    mad[7] = 1_000.0
    fitted = fit_round("neural", start, replace(features, y=mad), learning_rate=0.1, seed=0)
    assert np.abs(predict_weights("neural", fitted, features.x)).max() < neural.LARGEST_TARGET
