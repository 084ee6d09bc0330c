"""Scores that each bakery keeps: what the server gets is one row a method for all of them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from flwr.app import RecordDict
from hypothesis import given
from hypothesis import strategies as st

from glean.aggregation.metric_sums import LARGEST, decode_sums, encode_sums
from glean.client_app import app as client_app
from glean.errors import FederationError, ModelError
from glean.evaluation.tables.scores import BakeryScore
from glean.evaluation.tables.summed_scores import FIELDS, UNIT_POWERS, scores_of, sums_of
from glean.federation.grids.inprocess import InProcessGrid, run_inprocess
from glean.federation.wire.final_test_sums import keep, kept_encoded, name_of_test, summed
from glean.federation.wire.messages import FinalTask
from glean.metrics import ErrorSums
from glean.privacy.certificate_folder import make_certificates
from glean.privacy.members import folder_name
from glean.server_app import app as server_app
from glean.settings import ConfigValue, RunSettings
from tests.federation.client.test_disclosure import own_nodes
from tests.federations import small_settings

METHODS = ("federated", "local")


def score(bakery: str, method: str, *, units: float, error: float, rows: int) -> BakeryScore:
    return BakeryScore(
        bakery=bakery,
        cohort="established",
        method=method,
        n_days=rows // 2,
        units=units,
        abs_error=error,
        wape=error / units if units else math.nan,
        mae=error / rows,
        rmse=2 * error / rows,
        mape=0.3,
        mase=0.9,
        bias=-0.1 if units else math.nan,
        n_rows=rows,
    )


def test_sums_of_bakeries_become_one_row_a_method() -> None:
    """Units, errors and rows add up; means are weighted by rows; a method nobody ran is missing."""
    one = [score("a", "federated", units=100.0, error=10.0, rows=10)]
    two = [score("b", "federated", units=300.0, error=50.0, rows=30)]
    (found,) = scores_of(sums_of(one, METHODS) + sums_of(two, METHODS), METHODS)
    assert (found.bakery, found.method, found.n_rows, found.n_days) == (
        "(all)",
        "federated",
        40,
        20,
    )
    assert (found.units, found.abs_error) == (400.0, 60.0)
    assert found.wape == pytest.approx(0.15)
    assert found.mae == pytest.approx(1.5)
    squares = 10 * 2.0**2 + 30 * (100 / 30) ** 2
    assert found.rmse == pytest.approx(math.sqrt(squares / 40))
    assert (found.mape, found.mase, found.bias) == pytest.approx((0.3, 0.9, -0.1))


def test_a_bakery_without_sales_adds_its_rows_only() -> None:
    """NaN is no number to be summed."""
    nothing = sums_of([score("a", "federated", units=0.0, error=5.0, rows=10)], METHODS)
    assert np.isfinite(nothing).all()
    assert nothing[0, FIELDS.index("signed_error")] == 0.0


def test_impossible_sums_are_refused() -> None:
    """What can't be a sum of errors isn't shown as one."""
    sums = sums_of([score("a", "federated", units=9.0, error=1.0, rows=3)], METHODS)
    sums[0, FIELDS.index("abs_error")] = -1.0
    with pytest.raises(ModelError, match="found a negative sum of scores of federated"):
        scores_of(sums, METHODS)


@given(
    st.lists(st.tuples(*[st.floats(0.0, 1e7)] * 7), min_size=1, max_size=20),
    st.sampled_from([0.01, 1.0, 37.5, 4e4]),
)
def test_words_of_scores_add_up_to_the_scores_of_all(
    bakeries: list[tuple[float, ...]], unit_weight: float
) -> None:
    """In any currency, within the fixed point's step for each bakery."""
    parties = len(bakeries)
    powers = (0, 1, 1, 1, 2, 0, 0)
    sums = [
        ErrorSums(*(v * unit_weight**p for v, p in zip(values, powers, strict=True)))
        for values in bakeries
    ]
    words = [encode_sums(s, unit_weight=unit_weight, num_clients=parties) for s in sums]
    found = decode_sums(
        ErrorSums, sum(words[1:], words[0]), unit_weight=unit_weight, num_clients=parties
    )
    wanted = sum(sums[1:], sums[0])
    step = 1e-6 * parties
    assert found.rows == pytest.approx(wanted.rows, abs=step)
    assert found.units == pytest.approx(wanted.units, abs=step * unit_weight)
    assert found.squared_error == pytest.approx(wanted.squared_error, abs=step * unit_weight**2)


def test_what_is_too_large_for_the_ring_is_cut_and_said(caplog: pytest.LogCaptureFixture) -> None:
    """Sums must not wrap; the bakery's own log says it, as the server chose the unit."""
    sums = ErrorSums(rows=1.0, units=2 * LARGEST, abs_error=np.nan)
    words = encode_sums(sums, unit_weight=1.0, num_clients=3)
    assert "count in larger units" in caplog.text
    found = decode_sums(ErrorSums, words, unit_weight=1.0, num_clients=3)
    assert (found.rows, found.units, found.abs_error) == (1.0, LARGEST, 0.0)


def test_what_was_kept_comes_back_as_words() -> None:
    """And a node that judged nothing says so."""
    state, task = RecordDict(), FinalTask(1, "", "", "", 0.1, False, b"a model", "")
    tested = name_of_test(task)
    with pytest.raises(FederationError, match="found none here"):
        kept_encoded(state, tested, unit_powers=UNIT_POWERS, unit_weight=2.0, num_clients=3)
    sums = sums_of([score("a", "local", units=50.0, error=7.0, rows=5)], METHODS)
    keep(sums, task, state)
    words = kept_encoded(state, tested, unit_powers=UNIT_POWERS, unit_weight=2.0, num_clients=3)
    other = name_of_test(replace(task, model=b"another"))
    with pytest.raises(FederationError, match="found those of another test here"):
        kept_encoded(state, other, unit_powers=UNIT_POWERS, unit_weight=2.0, num_clients=3)
    np.testing.assert_allclose(
        summed(words, unit_powers=UNIT_POWERS, unit_weight=2.0, num_clients=3), sums, atol=1e-4
    )


@pytest.mark.parametrize("leaf_values", ["refit", "scaled"])
def test_a_deployment_s_scores_stay_at_home(
    leaf_values: str, tmp_path: Path, three_bakeries: str
) -> None:
    """The run's files hold "(all)" alone, which is what the bakeries' own files add up to."""
    nodes = [dict(node) for node in own_nodes(tmp_path, three_bakeries)]
    names = [str(node["bakery"]) for node in nodes]
    make_certificates(tmp_path / "keys", hosts=["localhost"], bakeries=names)
    for node, name in zip(nodes, names, strict=True):
        keys = tmp_path / "keys" / "bakeries" / folder_name(name)
        node |= {"signing-key": str(keys / "signing-key"), "members": str(keys / "members.json")}
        node["min-contributors"] = len(names)
    changes: dict[str, ConfigValue] = {"leaf-values": leaf_values, "secure-sums": True}
    changes["min-contributors"] = len(names)
    changes |= {"baselines": True, "output-dir": str(tmp_path / "results")}
    config = small_settings("").to_config() | changes
    settings = RunSettings.from_config(config)
    with mock.patch(
        "glean.demand.conclusion.write_report"
    ):  # drawing takes seconds, and shows no more
        run_inprocess(server_app, InProcessGrid(client_app, nodes, config, run_id=1), config)
    run = tmp_path / "results" / "latest"
    assert not settings.shows_scores(deployed=True)
    together = pd.read_csv(run / "bakeries.csv").set_index("method")
    assert (
        set(together["bakery"])
        == set(pd.read_csv(run / "bakery_rounds.csv")["bakery"])
        == {"(all)"}
    )
    own = pd.concat([pd.read_csv(Path(str(n["home"])) / "bakeries.csv") for n in nodes])
    columns = ["units", "abs_error", "n_rows", "n_days"]
    expected = own.groupby("method")[columns].sum()
    pd.testing.assert_frame_equal(
        together.loc[expected.index, columns].astype(float), expected.astype(float), rtol=1e-6
    )
    assert all(name not in (run / "bakeries.csv").read_text() for name in names)
