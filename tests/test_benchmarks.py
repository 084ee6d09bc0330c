"""The benchmarks say what they found, and end with 1 where a limit isn't kept."""

from __future__ import annotations

import datetime as dt
import json
import socket
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

import benchmarks.__main__ as bench
from benchmarks import (
    accuracy,
    attacks,
    engines,
    iris,
    loopback,
    many_bakeries,
    mask_steps,
    masks,
    merge,
    outlier_days,
    pooled,
    privacy_curve,
    reference,
    reopening,
    round_cost,
    sampled_profile,
    scale,
    service_load,
    stock,
    transports,
)
from benchmarks.evaluated_run import EvaluatedRun
from benchmarks.federations import federation_of
from benchmarks.jobs import Job
from benchmarks.metered_grid import Spent
from benchmarks.quick import Ratio, exceeded, read_limits, write_limits
from benchmarks.rounds_run import Cost
from benchmarks.stock_app import StockRound
from benchmarks.stock_run import StockRun
from benchmarks.variants import HISTOGRAM, MASKED, REFIT, SCALED, VARIANTS, Config
from glean.evaluation.tables.privacy_curve import COLUMNS
from glean.forecasting.forecast_model import LocalTraining
from glean.forecasting.forecasters import TreeForecaster
from glean.settings import BoostingSettings, ConfigValue, RunSettings
from tests.matrices import random_forest, random_matrix


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("missed", [(), (engines,), (merge, many_bakeries)])
def test_a_missed_limit_fails_the_benchmarks(
    missed: tuple[ModuleType, ...],
    quick: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every measurement runs, whatever the others found; those that missed decide the exit code."""
    monkeypatch.setattr(sys, "argv", ["benchmarks", *["--quick"] * quick])
    ran = []

    def measure(module: ModuleType) -> int:
        ran.append(module)
        return int(module in missed)

    modules = [merge, many_bakeries, engines, masks, iris]
    if not quick:
        modules += [pooled, reference, accuracy, transports, scale, stock]
    for module in (*bench.QUICK, *bench.SLOW):
        monkeypatch.setattr(module, "main", partial(measure, module))
    assert bench.main() == int(bool(missed))
    assert ran == modules
    last = capsys.readouterr().out.splitlines()[-1]
    assert all(module.__name__ in last for module in missed)


@pytest.mark.parametrize(
    ("inprocess_s", "models", "code"), [(2.0, "same", 0), (2.1, "same", 1), (2.0, "different", 1)]
)
def test_engines_misses_its_limit_by_time_or_by_model(
    inprocess_s: float,
    models: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In process may take a fifth of Ray's time, and both make the same model."""
    clock = [0.0]

    def run_job(_: Job, engine: str, scratch: Path, *_settings: str) -> Path:
        clock[0] += 10.0 if engine == "ray" else inprocess_s
        model = engine if models == "different" else "a model"
        (scratch / "model.ubj").write_text(model)
        return scratch

    monkeypatch.setattr(sys, "argv", ["engines", "1"])
    monkeypatch.setattr(engines, "run_job", run_job)
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    assert engines.main() == code
    assert "wanted 0.2 or less" in capsys.readouterr().out


def test_transports_time_the_rounds_between_the_first_and_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And count what passed meanwhile; a way whose model differs is told."""
    began = 1_800_000_000.0
    monkeypatch.setattr(transports, "travelling", lambda *_: (5.0, 16.8))

    def made_up(model: bytes) -> transports.Run:
        def run(_: Config, out: Path) -> Path:
            out.mkdir()
            moments = [began, began + 0.5, began + 1.0, began + 9.0]
            lines = [
                json.dumps(
                    {"event": "round_finished", "time": dt.datetime.fromtimestamp(at, dt.UTC)},
                    default=str,
                )
                for at in moments
            ]
            (out / "events.jsonl").write_text("\n".join(lines), encoding="utf-8")
            (out / "model.ubj").write_bytes(model)
            return out

        return run

    class Passed(loopback.LoopbackBytes):
        """So many bytes by a time of day."""

        def until(self, moment: float) -> int:
            return int((moment - began) * 4_000)

    monkeypatch.setattr(transports, "LoopbackBytes", Passed)
    ways: dict[str, transports.Way] = {
        "one": lambda _: nullcontext(made_up(b"a model")),
        "two": lambda _: nullcontext(made_up(b"another model")),
    }
    transports.compare(4, ways, tmp_path, "refit, masked")
    lines = capsys.readouterr().out.splitlines()[-2:]
    assert [line.split()[-4:] for line in lines] == [
        ["0.50", "2.0", "the", "same"],
        ["two", "0.50", "2.0", "another"],
    ]


def test_loopback_bytes_are_counted_over_time() -> None:
    """What was sent before a moment counts, what comes later doesn't."""
    with loopback.LoopbackBytes() as passed:
        before = time.time()
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname()) as out,
            server.accept()[0] as come,
        ):
            out.sendall(bytes(20_000))
            left = 20_000
            while left:
                left -= len(come.recv(left))
    assert passed.until(time.time()) >= 20_000
    assert passed.until(before - 1.0) == 0


def cost(bakeries: int = 200, **changes: float | str) -> Cost:
    """A run that took 10 s, a tenth of a second of them at the server, and 1 MB."""
    spent = Spent(exchanges=5, bytes_down=900_000, bytes_up=100_000, seconds=10.0, bakery_s=9.9)
    own = {"cpu_s": 9.0, "peak_gib": 1.0, "model": "m", "process_s": 12.0} | changes
    return Cost(bakeries=bakeries, spent=spent, **own)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("aggregation_s", "ray_s", "payload", "missed"),
    [
        (10.0, 120.0, 10_000_000, []),
        (9.0, 120.0, 10_000_000, ["aggregation"]),
        (10.0, 119.0, 10_000_000, ["whole run"]),
        (10.0, 120.0, 9_900_000, ["bytes"]),
        (0.0, 119.0, 9_900_000, ["aggregation", "whole run", "bytes"]),
    ],
)
def test_stock_holds_three_limits(
    aggregation_s: float, ray_s: float, payload: int, missed: list[str]
) -> None:
    """A hundredth of the aggregation, a tenth of Ray's time and of the bytes; no figure is a miss.

    The seconds at the server stand for Glean's aggregation.
    """
    last = StockRound(2, 1000.0 + ray_s, aggregation_s, payload // 2, payload - payload // 2)
    run = StockRun(1000.0, (last,))
    found = stock.shares_of(run, cost(), ray=run, glean_ray=cost()).misses()
    assert [line.split(":")[0] for line in found] == missed


def test_stock_without_ray_can_not_keep_its_limit() -> None:
    """What wasn't measured isn't kept."""
    run = StockRun(0.0, (StockRound(2, 500.0, 100.0, 10**8, 10**8),))
    (line,) = stock.shares_of(run, cost(), ray=None, glean_ray=cost()).misses()
    assert line.startswith("whole run: nan")


@pytest.mark.parametrize(
    ("slower", "peak_gib", "missed"),
    [(1.2, 2.0, 0), (0.5, 2.0, 0), (1.21, 2.0, 2), (1.0, 2.1, 1)],
)
def test_scale_holds_what_a_bakery_costs_and_memory(
    slower: float, peak_gib: float, missed: int
) -> None:
    """Among twenty times as many a bakery costs a fifth more at most, in seconds and in bytes."""
    few = cost(50)
    spent = Spent(5, round(18e6 * slower), round(2e6 * slower), 200.0 * slower, 0.0)
    many = replace(cost(1000, peak_gib=peak_gib), spent=spent)
    assert len(scale.misses("histogram", [few, many])) == missed


@pytest.mark.parametrize(("peak_gib", "missed"), [(8.0, 0), (8.1, 1)])
def test_ten_thousand_may_take_more_memory(peak_gib: float, missed: int) -> None:
    """Four times as much as a thousand, for ten times as many."""
    spent = Spent(5, 18 * 10**7, 2 * 10**7, 2000.0, 0.0)
    costs = [cost(50), replace(cost(10_000, peak_gib=peak_gib), spent=spent)]
    assert len(scale.misses("histogram", costs)) == missed


@pytest.mark.parametrize(
    ("federated", "missed"), [((0.98, 0.90), 0), ((1.0, 0.86), 0), ((0.96, 0.88), 1)]
)
def test_iris_holds_the_mean_accuracy(federated: tuple[float, float], missed: int) -> None:
    """A point below pooled at most, on average over seeds; one bad seed is none."""
    pooled_all = np.array([0.97, 0.90])
    assert len(iris.misses(np.array(federated), pooled_all)) == missed


@pytest.mark.parametrize(("open_s", "masked_s", "missed"), [(6, 12, 0), (6.1, 12, 1), (7, 13, 2)])
def test_pooled_holds_medians(open_s: float, masked_s: float, missed: int) -> None:
    """Three times the CPU of pooled XGBoost, six with masks; one slow repeat of three is none."""
    rounds = {HISTOGRAM: [open_s, 99.0, 0.0], HISTOGRAM + MASKED: [99.0, 0.0, masked_s]}
    assert len(pooled.Timings([2.0, 99.0, 1.0], rounds).misses()) == missed


@pytest.mark.parametrize(("times", "missed"), [(2.0, 0), (2.1, 1), (3.1, 1)])
def test_rounds_are_held_to_one_place(
    times: float, missed: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twice the CPU for refitted leaves, three times for histograms; a message is told too."""
    cost = round_cost.RoundCost(rounds_s=2.0 * times, pooled_s=2.0, messages=1000)
    monkeypatch.setattr(sys, "argv", ["round_cost"])
    monkeypatch.setattr(round_cost, "prepared_bakeries", lambda *_: [])
    monkeypatch.setattr(round_cost, "stack", lambda _: ())
    monkeypatch.setattr(round_cost, "as_glean_commands_do", lambda: None)
    monkeypatch.setattr(round_cost, "measured", lambda *_: cost)
    assert round_cost.main() == missed
    assert f"{2.0 * times:.3f}" in capsys.readouterr().out


def test_steps_of_secure_sums_are_told_by_length(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each sum is the right one, or it stops."""
    argv = ["mask_steps", "--bakeries=4", "--steps=2", "--lengths=1,30"]
    monkeypatch.setattr(sys, "argv", argv)
    assert mask_steps.main() == 0
    said = capsys.readouterr().out
    assert "4 bakeries, 3 neighbours" in said
    assert [line.split()[0] for line in said.splitlines()[1:]] == ["1", "30"]


def test_a_sampled_profile_tells_what_takes_long() -> None:
    """Nearly all samples are below the function whose loop runs."""

    def busy() -> int:
        return sum(number * number for number in range(3_000_000))

    spent, seen = sampled_profile.sampled(busy)
    assert 0.0 < spent < 60.0
    (depth, name, share), *_ = sampled_profile.tree(
        seen, below="test_benchmarks.py:busy", least=0.1
    )
    assert (depth, name) == (0, "test_benchmarks.py:busy")
    assert 0.8 < share <= 1.0


def test_one_place_grows_as_many_trees_as_rounds_do() -> None:
    """Those of all proposers where leaves are refitted, else the same as a round."""
    refit, histogram = (RunSettings.from_config(VARIANTS[name]) for name in (REFIT, HISTOGRAM))
    assert round_cost.in_one_place(refit).boosting.num_parallel_tree == 10
    assert round_cost.in_one_place(histogram) == histogram


@pytest.mark.parametrize(
    ("settings", "runs"),
    [
        ((), [(), ("privacy=noise",)]),
        (("max-depth=4",), [("max-depth=4",), ("max-depth=4", "privacy=noise")]),
        (("privacy=sums",), [("privacy=sums",)]),
        (("aggregation=cyclic",), [("aggregation=cyclic",)]),
    ],
)
def test_a_reference_job_shows_both_modes_unless_one_is_asked_for(
    settings: tuple[str, ...],
    runs: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Of the second run only what the mode moves; local and the habits are the first one's."""
    ran: list[tuple[str, ...]] = []

    def run_job(_: Job, _engine: str, scratch: Path, *told: str) -> Path:
        ran.append(told)
        return scratch

    found = {"federated": 0.2, "chosen": 0.1, "local": 0.3}
    monkeypatch.setattr(reference, "run_job", run_job)
    monkeypatch.setattr(reference, "scores", lambda _: dict(found))
    both = {"noise: federated": 0.2, "noise: chosen": 0.1} if len(runs) == 2 else {}
    job = Job("made-up", 3)
    assert reference.scores_of_modes(job, "inprocess", tmp_path, *settings) == found | both
    assert ran == runs


@pytest.mark.parametrize(
    ("shared", "chosen", "newcomers", "missed"),
    [
        (0.1544, 0.1501, 0.184, []),
        (0.1546, 0.1501, 0.184, ["shared model, beside sums"]),
        (
            0.2,
            0.1501,
            0.184,
            ["shared model, beside sums", "shared model, beside the weekday-mean"],
        ),
        (0.15, 0.153, 0.184, ["chosen, beside sums"]),
        (0.15, 0.1501, 0.185, ["newcomers' choice, beside alone"]),
    ],
)
def test_the_curve_of_noise_holds_what_is_wanted_at_the_default_epsilon(
    shared: float, chosen: float, newcomers: float, missed: list[str]
) -> None:
    """The shared model on the synthetic job only; what is chosen, and newcomers, on both."""
    columns = dict.fromkeys(COLUMNS, 0.15) | {"bakeries": 40, "seed": 42}
    sums = columns | {"privacy": "sums", "epsilon": np.nan, "epsilon_of_a_days_sales": np.nan}
    found = {"wape_federated": shared, "wape_chosen": chosen, "newcomers_chosen": newcomers}
    beside = {"wape_weekday_mean": 0.18, "newcomers_local": 0.2}
    noise = columns | {"privacy": "noise", "epsilon": 4.0} | found | beside
    curve = pd.DataFrame([sums, noise])
    names = [line.split(": ")[1] for line in privacy_curve.misses("synthetic-40", curve)]
    assert names == missed
    other = privacy_curve.misses("restaurants-100", curve)
    assert len(other) == sum(not name.startswith("shared") for name in missed)


@pytest.mark.parametrize(("other", "code"), [("m", 0), ("n", 1)])
def test_masks_may_not_change_the_model(
    other: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their cost has no limit; another model is a miss."""

    def cost_of(bakeries: int, config: dict[str, object], *, warm: bool) -> Cost:
        assert warm
        return cost(bakeries, model=other if config["secure-sums"] else "m")

    monkeypatch.setattr(sys, "argv", ["masks"])
    monkeypatch.setattr(masks, "cost_of", cost_of)
    assert masks.main() == code
    assert ("another one" in capsys.readouterr().out) == bool(code)


def evaluated(*wape: float, first: int = 2, step: int = 2) -> EvaluatedRun:
    """A run whose first model is there after `first` exchanges, the others `step` later each."""
    spent = tuple(Spent(exchanges=first + step * k) for k in range(len(wape)))
    return EvaluatedRun(wape, spent, spent[-1])


@pytest.mark.parametrize(
    ("scaled", "refit", "histogram", "whole", "missed"),
    [
        (0.140, (0.139, 0.130), 0.1205, 0.1205, 0),
        (0.140, (0.139, 0.130), 0.1207, 0.1205, 1),
        (0.140, (0.139, 0.130), 0.1193, 0.1195, 1),
        (0.140, (0.139, 0.130), 0.1205, 0.1207, 1),
        (0.120, (0.119, 0.110), 0.1200, 0.1200, 1),
        (0.140, (0.141, 0.130), 0.1200, 0.1200, 1),
        (0.140, (0.141, 0.140), 0.1200, 0.1200, 2),
    ],
)
def test_accuracy_holds_what_is_wanted_of_each_job(
    scaled: float, refit: tuple[float, float], histogram: float, whole: float, missed: int
) -> None:
    """`histogram` beside pooled XGBoost, both below scaled leaves; refit also at equal exchanges.

    Scaled bagging's last model is there after 4 exchanges, when only refit's first one is.
    """
    found = accuracy.JobAccuracy(
        bakeries=3,
        runs={
            SCALED: [evaluated(0.2, scaled)],
            REFIT: [evaluated(*refit, first=4)],
            HISTOGRAM: [evaluated(0.2, histogram, step=6)],
        },
        pooled=[0.12],
        local=0.15,
        whole=whole,
        pooled_whole=0.12,
    )
    assert found.refit_at_equal_exchanges == refit[0]
    assert len(found.misses()) == missed


@pytest.mark.parametrize(
    ("variant", "models", "total"),
    [(SCALED, [2, 4], 5), (REFIT, [4, 6], 7), (HISTOGRAM, [4, 6], 7)],
)
def test_exchanges_are_counted_up_to_each_model(
    variant: str, models: list[int], total: int, tmp_path: Path
) -> None:
    """One to meet; sums need one to count rows; then two a round here, the last to score.

    A tree of depth 2 takes `histogram` two exchanges, in which the scores ride along.
    """
    small: dict[str, ConfigValue] = {"num-server-rounds": 2, "max-depth": 2, "seed": 7}
    settings = RunSettings.from_config(VARIANTS[variant] | small)
    federation = federation_of(settings, 3, tmp_path)
    federation.run()  # with other seeds the first model may count, which is written again
    assert [spent.exchanges for spent in federation.folder.milestones] == models
    spent = federation.grid.so_far()
    assert spent.exchanges == total
    assert len(federation.checkpoints()) == len(federation.validation_curve()) == 2
    assert min(spent.bytes_down, spent.bytes_up, spent.server_s) > 0


@pytest.mark.parametrize(
    ("stopped", "chosen", "bearable", "code"),
    [
        ("", 0.202, 0, 0),
        ("", 0.203, 0, 1),
        ("no bakery is left", 0.2, 0, 1),
        ("", 0.2, 1, 1),
    ],
)
def test_attacks_may_stop_no_run_and_harm_nobody_s_own_choice(
    stopped: str,
    chosen: float,
    bearable: int,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the checks, what bakeries bake by may be 1% worse than alone.

    In groups that bear so many bad ones the shared model may be 3% worse than without them.
    """
    asked = []

    def measure(
        _settings: RunSettings, numbers: range, honest: range, attack: str, _out: Path
    ) -> attacks.AttackedRun:
        asked.append((attack, len(numbers), len(honest)))
        return attacks.AttackedRun(
            0.3 if attack else 0.15, chosen, 0.2, 3, stopped if attack else "", bearable
        )

    monkeypatch.setattr(attacks, "measure", measure)
    words = ["attacks", "--bakeries", "10", "--kinds", "refit", "--attacks", "zeros"]
    monkeypatch.setattr(sys, "argv", words)
    assert attacks.main() == code
    assert asked == [("", 9, 9), *[("zeros", 10, 9)] * 2, ("", 7, 7), *[("zeros", 10, 7)] * 2]
    assert "+100.0%" in capsys.readouterr().out


def test_under_attack_a_bakery_s_own_model_is_the_one_without() -> None:
    """It is trained once for the same rows and settings, and is what it would be anew."""
    rows, others, validation = (random_matrix(n, seed=n) for n in (300, 301, 60))
    shared = TreeForecaster(random_forest(1))
    how = LocalTraining(BoostingSettings(), learning_rate=0.1, seed=1)
    with attacks.own_models_kept():
        once, again = (shared.train_local(rows, validation, how) for _ in range(2))
        other = shared.train_local(others, validation, how)
        later = shared.train_local(rows, validation, replace(how, seed=2))
    assert again is once
    assert len({model.to_bytes() for model in (once, other, later)}) == 3
    anew = shared.train_local(rows, validation, how)
    assert anew is not once
    assert anew.to_bytes() == once.to_bytes()


def open_days(*spans: tuple[str, int]) -> pd.DataFrame:
    days = [pd.date_range(first, periods=count) for first, count in spans]
    return pd.DataFrame({"date": np.concatenate([part.to_numpy() for part in days]), "units": 5.0})


def test_reopenings_are_those_after_long_closures_with_enough_days() -> None:
    """A holiday of three weeks is none, nor a single day between two closures."""
    sold = open_days(("2016-01-01", 70), ("2016-04-01", 10), ("2016-07-01", 1), ("2016-10-01", 30))
    ((before, after),) = reopening.reopenings(sold)
    assert (len(before), before["date"].max()) == (81, pd.Timestamp("2016-07-01"))
    assert list(after["date"]) == list(pd.date_range("2016-10-01", periods=14))
    short = open_days(("2016-01-01", 40), ("2016-07-01", 14))
    assert list(reopening.reopenings(short)) == []


def test_plans_apart_are_shares_of_what_is_planned() -> None:
    """What isn't planned in one of both, or at nothing, has no share."""
    units, others = np.array([11.0, 5.0, np.nan, 3.0]), np.array([10.0, np.nan, 4.0, 0.0])
    assert outlier_days.apart(units, others) == pytest.approx([0.1])


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({}, 0),
        ({"waits_ms": [10.0] * 94 + [300.0] * 6}, 1),
        ({"waits_ms": [10.0] * 96 + [300.0] * 4}, 0),
        ({"refused": 1, "incomplete": 1}, 2),
        ({"idle_mb": 150.0, "idle_cpu": 0.01}, 2),
    ],
)
def test_the_service_bears_what_is_wanted(changes: dict[str, Any], missed: int) -> None:
    """95% of the requests at once, every event once, and nearly nothing while nobody is there."""
    good: dict[str, Any] = {"waits_ms": [10.0] * 100, "refused": 0, "events": 5, "incomplete": 0}
    load = service_load.Load(**(good | {"idle_mb": 149.0, "idle_cpu": 0.009} | changes))
    assert len(load.misses()) == missed


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_left")
@pytest.mark.skipif(sys.platform == "win32", reason="signals and sessions are POSIX's")
def test_the_service_is_loaded_in_small(tmp_path: Path) -> None:
    """Few who watch get every event of a run that trains, and it ends with the measurement."""
    size = service_load.Size(
        watchers=3, rate=10, seconds=1, idle_seconds=1, settle_seconds=0, runs=3
    )
    found = service_load.measure(size, tmp_path)
    assert (len(found.waits_ms), found.refused, found.incomplete) == (10, 0, 0)
    assert found.events > 0
    assert min(found.idle_mb, *found.waits_ms) > 0
    assert len([*(tmp_path / "results").glob("2*")]) == 3


def test_a_ratio_is_told_a_quarter_above_its_figure(tmp_path: Path) -> None:
    """Or where the table doesn't have it; and a table is read as it was written."""
    path = tmp_path / "limits.csv"
    write_limits({"one": 2.0, "two": 1234.5}, path)
    limits = read_limits(path)
    assert limits == {"one": 2.0, "two": 1230.0}
    assert exceeded({"one": 2.5, "two": 1.0}, limits) == []
    (line,) = exceeded({"one": 2.51}, limits)
    assert "one: 2.51; the table has 2, and at most 1.25 times" in line
    assert exceeded({"other": 1.0}, limits)
    assert exceeded({"one": float("nan")}, limits)


def test_a_ratio_counts_by_the_least_of_its_sides() -> None:
    """What other work added doesn't count; both sides are measured in turns."""
    order: list[str] = []

    def side(name: str, *taken: float) -> Callable[[], float]:
        left = list(taken)

        def measured() -> float:
            order.append(name)
            return left.pop(0)

        return measured

    ratio = Ratio("ratio", side("what", 9.0, 6.0), side("beside", 2.0, 7.0))
    assert ratio.measure(2) == 3.0
    assert order == ["what", "beside"] * 2
