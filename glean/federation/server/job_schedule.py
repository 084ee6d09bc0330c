"""Who is training what, until when on the virtual clock, and who makes up the next buffer.

A job is one training of one client, begun with the model of some round. It goes through checkpoints
as the strategy's state, so that a run that resumes has the same arrivals.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from glean.errors import ModelError
from glean.seeds import derived_seed

Permitted = Callable[[Collection[str]], bool]
"""Whether a sum over some clients may be opened."""


@dataclass(frozen=True)
class Job:
    """A client's training.

    Parameters
    ----------
    client : str
        Its name.
    begun : int
        The round that it was begun in, with the model of the round before.
    ends : float
        When it is done, virtual seconds.
    """

    client: str
    begun: int
    ends: float

    def staleness(self, number: int) -> int:
        """Count the steps that the model has taken since, in the making of a round's."""
        return number - self.begun


@dataclass(frozen=True)
class Buffer:
    """A buffer that is full.

    Parameters
    ----------
    jobs : tuple of Job
        What is in it, a client once each, in text order.
    dropped : tuple of Job
        What came and was too stale.
    schedule : JobSchedule
        What goes on without them.
    """

    jobs: tuple[Job, ...]
    dropped: tuple[Job, ...]
    schedule: JobSchedule

    @property
    def clients(self) -> tuple[str, ...]:
        """Whose updates are in it."""
        return tuple(job.client for job in self.jobs)


@dataclass(frozen=True)
class JobSchedule:
    """The jobs that are under way or done, and the time.

    Parameters
    ----------
    now : float
        Virtual seconds since the run began.
    jobs : tuple of Job
        One a client at most.
    """

    now: float = 0.0
    jobs: tuple[Job, ...] = ()

    @property
    def busy(self) -> frozenset[str]:
        """Who has a job."""
        return frozenset(job.client for job in self.jobs)

    def begin(self, seconds: Mapping[str, float], number: int) -> Self:
        """Begin jobs in a round, each of so many seconds."""
        begun = tuple(Job(name, number, self.now + s) for name, s in sorted(seconds.items()))
        return replace(self, jobs=(*self.jobs, *begun))

    def without(self, clients: Collection[str]) -> Self:
        """Forget the jobs of some clients."""
        return replace(self, jobs=tuple(job for job in self.jobs if job.client not in clients))

    def filled(
        self, number: int, *, size: int, bound: int, permitted: Permitted, seed: int
    ) -> Buffer:
        """Wait until a buffer is full, and take it.

        Jobs are taken in the order in which they are done, by a draw where that is at once. What
        is more than `bound` rounds stale is dropped. Where the sum over the first `size` may not be
        opened, later ones are taken in with them, until one may; where none may be, the buffer is
        of all that there are.
        """
        taken: list[Job] = []
        dropped: list[Job] = []
        now = self.now
        for job in sorted(
            self.jobs, key=lambda job: (job.ends, _tie_break(seed, number, job.client))
        ):
            if len(taken) >= size and permitted([one.client for one in taken]):
                break
            now = max(now, job.ends)
            (dropped if job.staleness(number) > bound else taken).append(job)
        gone = {job.client for job in (*taken, *dropped)}
        left = replace(self.without(gone), now=now)
        return Buffer(tuple(sorted(taken, key=lambda job: job.client)), tuple(dropped), left)

    def to_bytes(self) -> bytes:
        """Write it; `from_bytes` reads it."""
        jobs = [[job.client, job.begun, job.ends] for job in self.jobs]
        return json.dumps({"now": self.now, "jobs": jobs}).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises
        ------
        ModelError
            It is something else.
        """
        try:
            found = json.loads(content)
            jobs = tuple(Job(str(n), int(begun), float(ends)) for n, begun, ends in found["jobs"])
            return cls(float(found["now"]), jobs)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ModelError(f"the schedule of jobs can't be read: {error!r:.80}") from error


def _tie_break(seed: int, number: int, client: str) -> tuple[int, str]:
    return derived_seed(seed, "arrival", number, client), client


def names_of(jobs: Iterable[Job]) -> str:
    """List whose jobs they are."""
    return ", ".join(job.client for job in jobs)
