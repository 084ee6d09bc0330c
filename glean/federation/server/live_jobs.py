"""Trainings of clients with data of their own, each at its own speed, on the wall clock.

Everybody who is idle is told to train, and nobody is waited for: the first who are done make up the
next buffer, and those who aren't go on. Who vanishes, or takes longer than `round-timeout-s`, is
named and left out until it is back. Nothing of it is kept on disk: where a run resumes, all begin
anew.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from flwr.app import RecordDict

from glean.aggregation.buffered import buffer_size
from glean.asynchronous_settings import FEWEST_IN_BUFFER
from glean.errors import FederationError, ImpossibleSumError, ModelError
from glean.federation.coordination.client_manager import LACKING, ClientManager
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.grid_messenger import pause_s
from glean.federation.coordination.reply_checks import check_sender
from glean.federation.server.job_schedule import Buffer, Job, JobSchedule
from glean.federation.wire.messages import JobReply

JOB = "train.job"


@dataclass(frozen=True)
class _UnderWay:
    job: Job
    model: GlobalModel
    whole: bool = False


class LiveJobs:
    """Who trains since which round, and who is done.

    Parameters
    ----------
    manager : ClientManager
        The clients.
    """

    def __init__(self, manager: ClientManager) -> None:
        self._manager = manager
        self._clients = manager.clients
        self._bound = manager.settings.asynchronous.staleness_bound
        self._under_way: dict[str, _UnderWay] = {}
        self._done: dict[str, Job] = {}  # in the order of their arrival

    def filled(self, number: int, model: GlobalModel) -> Buffer:
        """Have all who are idle begin, and wait until so many are done as a buffer takes.

        Parameters
        ----------
        number : int
            The round.
        model : GlobalModel
            The model that they begin with.

        Returns
        -------
        Buffer
            Those who were done first. With fewer than `buffer-size` where all the others have
            failed in this round or are gone, never with fewer than `min-contributors`.

        Raises
        ------
        ImpossibleSumError
            So few are done, and nobody trains any more.
        FederationError
            Too few clients are there for too long.
        """
        failed: set[str] = set()
        dropped: list[Job] = []
        start = self._clients.clock()
        while True:
            there = frozenset(self._manager.present_trainers(number))
            self._forget_without(there)
            dropped += self._too_stale(number)
            self._begin(there - self._under_way.keys() - self._done.keys() - failed, model, number)
            most = self._size(len(there))
            if len(self._done) >= most or not self._under_way:
                return self._taken(number, most, dropped)
            failed |= self._look(number, since_s=start)

    def settle(self, number: int) -> None:
        """Wait until nobody trains any more, so that all can be asked something else.

        Whoever is done then is in a later buffer.
        """
        start = self._clients.clock()
        while self._under_way:
            self._look(number, since_s=start)

    def _size(self, trainers: int) -> int:
        asked = self._manager.settings.asynchronous.buffer_size
        floor = self._least
        return max(floor, buffer_size(asked, clients=trainers, floor=floor))

    @property
    def _least(self) -> int:
        return max(FEWEST_IN_BUFFER, self._manager.contributors_floor)

    def _taken(self, number: int, most: int, dropped: list[Job]) -> Buffer:
        names = [*self._done][:most]
        if len(names) < self._least:
            raise ImpossibleSumError(
                f"round {number}: found {', '.join(names) or 'nobody'} done with their training, "
                f"and nobody who still trains; wanted {self._least} for a buffer"
            )
        jobs = sorted((self._done.pop(name) for name in names), key=lambda job: job.client)
        return Buffer(tuple(jobs), tuple(dropped), JobSchedule())

    def _begin(self, names: Collection[str], model: GlobalModel, number: int) -> None:
        self._under_way |= {name: _UnderWay(Job(name, number, 0.0), model) for name in names}
        self._send(names, number)

    def _send(self, names: Collection[str], number: int) -> None:
        records = {}
        for name in sorted(names):
            one = self._under_way[name]
            task = self._manager.task(name, one.model, one.job.begun, whole=one.whole)
            records[name] = task.to_record()
        if records:
            self._clients.open_requests.send(JOB, records, round_number=number)

    def _look(self, number: int, *, since_s: float) -> set[str]:
        """Take what has come, and pause where nothing has; whose training is lost."""
        found = self._clients.open_requests.look(number)
        lost = dict(found.lost)
        for name, record in found.replies.items():
            if reason := self._take(name, record, number):
                lost[name] = reason
        for name, reason in sorted(lost.items()):
            self._under_way.pop(name, None)
            self._clients.report_failure(name, reason, round_number=number)
        if not (found.replies or lost) and self._under_way:
            self._clients.sleep(pause_s(self._clients.clock() - since_s))
        return {*lost}

    def _take(self, name: str, record: RecordDict, number: int) -> str:
        """Note that a client is done, or send it all of the model; why its training is lost."""
        one = self._under_way[name]
        try:
            reply = JobReply.from_record(record)
            check_sender(name, reply)
        except (ModelError, FederationError) as error:
            return str(error)
        if not reply.lacks_model:
            del self._under_way[name]
            self._done[name] = one.job
            self._manager.note_model(name, one.model.state)
        elif one.whole:
            return LACKING
        else:
            self._under_way[name] = replace(one, whole=True)
            self._send([name], number)
        return ""

    def _forget_without(self, there: Collection[str]) -> None:
        """Forget what is kept at clients that are gone, or have come back without it."""
        self._done = {
            name: job
            for name, job in self._done.items()
            if name in there and self._manager.holds_model(name)
        }

    def _too_stale(self, number: int) -> list[Job]:
        """Drop what is done and too old for a round: it begins anew."""
        found = [job for job in self._done.values() if job.staleness(number) > self._bound]
        for job in found:
            del self._done[job.client]
        return found
