"""Rounds that are made of a buffer of updates, and wait for nobody else.

Each client trains by itself, from the model that there was when it began, and keeps what came of
it.
Once enough are done, what they keep is opened as one sum over exactly these; they begin anew with
the model that comes of it, and the others go on. A round is such a buffer: checkpoints, scores,
resuming and stopping early are those of every run. In a simulation the order in which clients are
done comes from a virtual clock; clients with data of their own take the time that they take.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import replace

from glean.aggregation.buffered import buffer_size
from glean.errors import FederationError, ImpossibleSumError, ModelError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.global_model import GlobalModel, read_global_model
from glean.federation.coordination.metric_rounds import Scores, sum_scores
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.server.job_schedule import Buffer, JobSchedule
from glean.federation.server.live_jobs import JOB, LiveJobs
from glean.federation.server.pipelined import PiggybackedEvaluation, PipelinedStrategy
from glean.federation.server.round_clock import speeds_of
from glean.federation.server.round_result import RoundResult
from glean.federation.wire.messages import JobReply
from glean.federation.wire.noised_parts import scored_rounds
from glean.federation.wire.opened_cohorts import TRAINING
from glean.runs.folder import checkpoint_name


class BufferedStrategy(PipelinedStrategy):
    """Fills buffers, and has a strategy of synchronous rounds make a step of each.

    Parameters
    ----------
    manager : ClientManager
        The clients.
    sum_rounds : SumRounds
        Sums over them.
    """

    def __init__(self, manager: ClientManager, sum_rounds: SumRounds) -> None:
        super().__init__(manager, sum_rounds)
        self._asynchronous = manager.settings.asynchronous
        self._begun: dict[str, int] = {}
        self._lost = b""
        self._size = 0
        self._live = LiveJobs(manager) if manager.deployed else None
        _check_whole_networks(manager)

    @abstractmethod
    def _step(
        self, number: int, model: GlobalModel, state: bytes, evaluation: PiggybackedEvaluation
    ) -> RoundResult:
        """Make a step of the buffer, as a synchronous round does of all who train."""

    def _inner_state(self, model: GlobalModel) -> bytes:  # noqa: ARG002
        """Give the state of such a round before the first; b"" where it has none."""
        return b""

    def init(self, model: GlobalModel) -> bytes:
        """Begin with nobody training."""
        return _packed(JobSchedule(), self._inner_state(model))

    def after_loss(self, state: bytes) -> bytes:
        """Go on without the buffer that was lost: the same would be lost again."""
        return self._lost or state

    def train(self, number: int, model: GlobalModel, state: bytes) -> RoundResult:
        """Wait for a buffer, and make a step of it."""
        first = number == 1 and not (self._settings.start_from or self._settings.noise.wanted)
        scores: Scores = {}
        if first:
            with suppress(ImpossibleSumError):
                scores = sum_scores(self._sum_rounds, number, model)
        evaluation = PiggybackedEvaluation(self._sum_rounds, wanted=False)
        result = self._train(number, model, state, evaluation)
        return replace(result, scores_before=scores)

    def evaluate(self, number: int, model: GlobalModel, state: bytes) -> Scores:
        """Have a model scored, apart from any training: nobody who trains is waited for."""
        del state
        return sum_scores(self._sum_rounds, number, model)

    def _train(
        self, number: int, model: GlobalModel, state: bytes, evaluation: PiggybackedEvaluation
    ) -> RoundResult:
        before, inner = _unpacked(state)
        self._lost = b""
        buffer = (
            self._live.filled(number, model) if self._live else self._filled(number, model, before)
        )
        self._lost = _packed(buffer.schedule, inner)
        for job in buffer.dropped:
            reason = f"its update began {job.staleness(number)} rounds before"
            bound = f"staleness-bound takes up to {self._asynchronous.staleness_bound}"
            self._manager.clients.report_failure(
                job.client, f"{reason}; {bound}", round_number=number
            )
        self._check_opens(buffer.clients, number)
        self._size = len(buffer.jobs)
        result = self._step_of(number, model, inner, evaluation, buffer)
        stale = {job.client: job.staleness(number) for job in buffer.jobs}
        return replace(
            result,
            state=_packed(buffer.schedule, result.state),
            learned={name: stale[name] for name in result.learned},
            virtual_seconds=None if self._live else buffer.schedule.now - before.now,
        )

    def _step_of(
        self,
        number: int,
        model: GlobalModel,
        state: bytes,
        evaluation: PiggybackedEvaluation,
        buffer: Buffer,
    ) -> RoundResult:
        """Make a step of a buffer; where its model is to be scored, all who train are waited for.

        Raises
        ------
        ImpossibleSumError
            Of clients with data of their own so many have vanished since they were done that their
            sum isn't to be opened: that buffer is lost, and no more.
        """
        try:
            with self._manager.selection.learning(buffer.clients):
                return self._step(number, model, state, evaluation)
        except FederationError as error:
            if self._live is None or isinstance(error, ImpossibleSumError):
                raise
            raise ImpossibleSumError(
                f"round {number}: the buffer of {', '.join(buffer.clients)} isn't opened: {error}"
            ) from error
        finally:
            if self._live is not None and number in scored_rounds(self._settings):
                self._live.settle(number)

    def _filled(self, number: int, model: GlobalModel, schedule: JobSchedule) -> Buffer:
        """Have those begin who are idle and chosen, and wait for the next buffer."""
        there = frozenset(self._manager.present_trainers(number))
        size = buffer_size(
            self._asynchronous.buffer_size,
            clients=len(there),
            floor=self._manager.contributors_floor,
        )
        if self._sum_rounds.cohorts.floor:
            self._sum_rounds.totals(number)  # which buffers may be opened depends on these
        schedule = schedule.without(schedule.busy - there)
        schedule = self._begin_again(number, model, schedule)
        most = max(size, round(self._settings.rounds.fraction_train * len(there)))
        idle = there - schedule.busy
        chosen = self._manager.selection.subset(idle, most - len(schedule.jobs), number)
        begun = self._begin(chosen, model, number)
        speeds = speeds_of(self._manager)
        seconds = {name: speeds.seconds(name, number) for name in begun}
        return schedule.begin(seconds, number).filled(
            number,
            size=size,
            bound=self._asynchronous.staleness_bound,
            permitted=self._permits,
            seed=self._settings.seed,
        )

    def _begin(self, names: Iterable[str], model: GlobalModel, number: int) -> list[str]:
        """Have clients begin a job with the model of the round before; who has."""
        replies = self._manager.request(JOB, sorted(names), model, number=number, form=JobReply)
        self._begun |= dict.fromkeys(replies, number)
        return [*replies]

    def _begin_again(self, number: int, model: GlobalModel, schedule: JobSchedule) -> JobSchedule:
        """Have jobs begun again that went with their client's state, or with an earlier process.

        From the same model and seed the same comes of them.
        """
        gone: dict[int, list[str]] = {}
        for job in schedule.jobs:
            known = self._begun.get(job.client) == job.begun
            if not (known and self._manager.holds_model(job.client)):
                gone.setdefault(job.begun, []).append(job.client)
        lost: set[str] = set()
        for begun, names in sorted(gone.items()):
            earlier = model if begun == number else self._model_after(begun - 1)
            lost |= {*names} - {*self._begin(names, earlier, begun)}
        return schedule.without(lost)

    def _model_after(self, number: int) -> GlobalModel:
        """Read the model after a round that is over."""
        folder = self._manager.clients.folder.path
        path = folder / checkpoint_name(number, self._settings.rounds.kind.suffix)
        if number == 0 and not path.is_file():
            return self.first_model()
        try:
            return read_global_model(path.read_bytes(), self._settings)
        except (OSError, ModelError) as error:
            raise FederationError(
                f"round {number + 1}: a client's training began with {path.name}, which can't be "
                f"read: {error}. Put the file back, or begin anew"
            ) from error

    def _permits(self, names: Collection[str]) -> bool:
        """Whether a sum over some clients may be opened, by those that were before."""
        cohorts = self._sum_rounds.cohorts
        enough = len(names) >= max(1, self._manager.contributors_floor)
        return enough and cohorts.choose(TRAINING, names, there=names) == tuple(sorted(names))

    def _check_opens(self, names: Collection[str], number: int) -> None:
        if not self._permits(names):
            raise ImpossibleSumError(
                f"round {number}: found {', '.join(names) or 'nobody'} done with their training; "
                "wanted so many, or so many others than before, that their sum tells of no few"
            )


def _check_whole_networks(manager: ClientManager) -> None:
    if partly := sorted(name for name, info in manager.infos.items() if info.in_part):
        raise FederationError(
            f"mode: found 'async' with clients that train a part of the weights "
            f"({', '.join(partly)}); wanted mode=sync, or the run's own network at all of them"
        )


def _packed(schedule: JobSchedule, inner: bytes) -> bytes:
    head = schedule.to_bytes()
    return len(head).to_bytes(8, "big") + head + inner


def _unpacked(state: bytes) -> tuple[JobSchedule, bytes]:
    """Read what `_packed` wrote."""
    size = 8 + int.from_bytes(state[:8], "big")
    return JobSchedule.from_bytes(state[8:size]), state[size:]
