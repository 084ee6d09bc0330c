"""What can bad members do to the shared model? Attack by defence by number of bad members.

Bakeries of synthetic-40, masked; the bad ones are the first. WAPE is that of the run's model (the
best round's) on the test windows of the honest ones, beside a run without the bad ones. "chosen" is
what the honest bakeries bake by, beside each one's own model ("local"). Without the defence sums
are over all bakeries and aren't checked, and no round is taken back; with it they are checked, and
in groups where --floor (`min-contributors`) says so. Run `python -m benchmarks.attacks` (hours),
with options a part of it: --bakeries 10 --bad 1,3 --kinds refit,fedavg --attacks
"zeros,flipped gradient" --rounds 20 --floor 5 --defences checked. "noise" is "oblivious" with
noise.

It ends with 1 where a run stopped, where with the defence "chosen" is more than 1% worse than
local, or where in groups the shared model is more than 3% worse than without the bad ones, if they
are so few that most groups have none. In one sum how far it is off is told and isn't judged: it
isn't protected from sums that honest rows could have.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from unittest import mock

from benchmarks.bad_members import ATTACKS, FORGED, lying
from benchmarks.federations import Federation, federation_of, open_bakeries
from benchmarks.jobs import JOBS
from glean.errors import GleanError
from glean.evaluation.tables.backtest import rows_from_json
from glean.evaluation.tables.scores import BakeryScore
from glean.features.matrix import FeatureMatrix
from glean.federation.coordination.sum_result import SumResult
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.grids.inprocess import as_server
from glean.federation.server import training_loop
from glean.federation.server.training_loop import TrainingResult
from glean.federation.server.training_state import TrainingState
from glean.forecasting.forecast_model import ForecastModel, LocalTraining
from glean.forecasting.forecasters import TreeForecaster, WeightForecaster, read_model
from glean.metrics import ErrorSums
from glean.runs.folder import known_events
from glean.runs.setback_events import RoundGivenUp, RoundTakenBack
from glean.settings import RunSettings

KINDS: dict[str, dict[str, str]] = {
    "refit": {},
    "histogram": {"aggregation": "histogram"},
    "fedavg": {"aggregation": "fedavg"},
    "oblivious": {"aggregation": "oblivious"},
    "noise": {"privacy": "noise"},
}
BAD = {10: (1, 3), 40: (1, 3, 6)}
DEFENCES = ("unchecked", "checked")
NOT_WORSE, PROTECTED = 0.01, 0.03
JOB = "synthetic-40"


@dataclass(frozen=True)
class AttackedRun:
    """What came of a run.

    Parameters
    ----------
    shared, chosen, local : float
        WAPE on the honest bakeries' test windows.
    lost : int
        Rounds that were given up or taken back.
    stopped : str
        Why the run stopped; "" where it ended.
    bearable : int
        Groups that may hold a bad one, as fewer than half of them; 0 without groups.
    """

    shared: float
    chosen: float
    local: float
    lost: int
    stopped: str = ""
    bearable: int = 0


def measure(
    settings: RunSettings, numbers: Sequence[int], honest: Sequence[int], attack: str, out: Path
) -> AttackedRun:
    """Run the rounds and the final test of bakeries of which those that aren't honest attack."""
    federation = federation_of(settings, numbers, out)
    bad = {name for name, info in federation.infos.items() if info.partition not in honest}
    try:
        with lying(bad, attack) if bad else nullcontext():
            result = federation.run()
            scores = _final_scores(federation, result, bad)
    except GleanError as error:
        return AttackedRun(math.nan, math.nan, math.nan, lost=0, stopped=str(error))
    events = known_events(federation.folder.path / "events.jsonl")
    groups = federation.rounds.sum_rounds.groups
    return AttackedRun(
        _shared_wape(settings, result, honest),
        _wape(scores, "chosen"),
        _wape(scores, "local"),
        sum(isinstance(event, RoundGivenUp | RoundTakenBack) for event in events),
        bearable=groups.count - groups.least if groups else 0,
    )


@contextmanager
def undefended() -> Iterator[None]:
    """Take any sum, no round back, and no first model for the best, while the body runs."""
    run = SumRounds.run

    def unchecked(sums: SumRounds, *parts: object, **options: object) -> SumResult:
        options.pop("check", None)
        return run(sums, *parts, **options)  # type: ignore[arg-type]

    with (
        mock.patch.object(SumRounds, "run", unchecked),
        mock.patch.object(training_loop, "setback", return_value=0.0),
        mock.patch.object(TrainingState, "scored", lambda state, *_: state),
    ):
        yield


@contextmanager
def own_models_kept() -> Iterator[None]:
    """Train each bakery's own model once while the body runs: no attack has a part in it."""
    with ExitStack() as patches:
        for kind in (TreeForecaster, WeightForecaster):
            patches.enter_context(mock.patch.object(kind, "train_local", _trained_once(kind)))
        yield


def _trained_once(kind: type[ForecastModel]) -> Callable[..., ForecastModel]:
    train = kind.train_local
    made: dict[tuple[int, int, LocalTraining], tuple[object, object, ForecastModel]] = {}

    def once(
        shared: ForecastModel,
        training: FeatureMatrix,
        validation: FeatureMatrix,
        how: LocalTraining,
    ) -> ForecastModel:
        key = id(training), id(validation), how
        if key not in made:  # the rows are kept too, so that no others get their ids
            made[key] = training, validation, train(shared, training, validation, how)
        return made[key][-1]

    return once


def _final_scores(
    federation: Federation, result: TrainingResult, bad: set[str]
) -> list[BakeryScore]:
    with as_server(federation.grid):
        replies = federation.rounds.test(result)
    honest = {name: text for name, text in replies.items() if name not in bad}
    return [score for name, text in honest.items() for score in rows_from_json(text, bakery=name)]


def _wape(scores: Sequence[BakeryScore], method: str) -> float:
    mine = [score for score in scores if score.method == method]
    return sum(score.abs_error for score in mine) / sum(score.units for score in mine)


def _shared_wape(settings: RunSettings, result: TrainingResult, honest: Sequence[int]) -> float:
    model = read_model(result.model.to_bytes())
    sums = []
    for bakery in (open_bakeries(settings, max(honest) + 1)[k] for k in honest):
        test = bakery.test(model.definition)
        sums.append(ErrorSums.of(test.units, model.predict(test)))
    return reduce(add, sums, ErrorSums()).wape


def compare(kind: str, bakeries: int, bad: int, args: argparse.Namespace, scratch: Path) -> bool:
    """Print a row for each attack and defence; whether all is as it is wanted."""
    changes = {"num_server_rounds": str(args.rounds), **KINDS[kind]}
    settings = JOBS[JOB].settings(scratch, min_contributors=str(args.floor), **changes)
    in_one_sum = JOBS[JOB].settings(scratch, **changes)
    honest, kept = range(bad, bakeries), True
    without = measure(settings, honest, honest, "", scratch / "without")
    print(f"\n{kind}: {bad} of {bakeries} bakeries are bad; without them WAPE {without.shared:.4f}")
    for attack in args.attacks:
        for defence in args.defences:
            defended = defence == "checked"
            told = settings if defended else in_one_sum
            with nullcontext() if defended else undefended():
                found = measure(told, range(bakeries), honest, attack, scratch / "runs")
            against = f"{found.shared / without.shared - 1:+8.1%}"
            chosen = f"{found.chosen / found.local - 1:+8.1%}"
            print(
                f"{attack:>18} {defence:>10} {found.shared:>8.4f} "
                f"{against} chosen to local {chosen} lost rounds {found.lost} {found.stopped}",
                flush=True,
            )
            if defended:
                kept &= not found.stopped and found.chosen <= found.local * (1 + NOT_WORSE)
                if bad <= found.bearable:
                    kept &= found.shared <= without.shared * (1 + PROTECTED)
    return kept


def main() -> int:
    """Print the table; 1 when a run stopped or harmed what bakeries bake by."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bakeries", default="10,40")
    parser.add_argument("--bad", default="", help="numbers, by default 1,3 of 10 and 1,3,6 of 40")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--attacks", default=",".join([*ATTACKS, FORGED]))
    parser.add_argument("--defences", default=",".join(DEFENCES))
    parser.add_argument("--floor", type=int, default=0, help="min-contributors; from 6 times on")
    parser.add_argument("--rounds", type=int, default=RunSettings().rounds.num_server_rounds)
    args = parser.parse_args()
    args.attacks, args.defences = args.attacks.split(","), args.defences.split(",")
    kept = True
    with tempfile.TemporaryDirectory() as scratch:
        for kind in args.kinds.split(","):
            for bakeries in map(int, args.bakeries.split(",")):
                counts = [int(n) for n in args.bad.split(",") if n] or BAD[bakeries]
                with own_models_kept():
                    for bad in counts:
                        kept &= compare(kind, bakeries, bad, args, Path(scratch))
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
