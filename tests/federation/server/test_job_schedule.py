"""Who is in a buffer: the first who are done, nobody too stale, nobody twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import ModelError
from glean.federation.server.job_schedule import JobSchedule

SECONDS = st.dictionaries(st.sampled_from("ABCDEFGH"), st.integers(1, 9), min_size=1)


@given(SECONDS, st.integers(1, 6), st.integers(0, 4), st.integers(3, 9))
def test_a_buffer_is_of_the_first_who_are_done(
    seconds: dict[str, int], size: int, bound: int, rounds: int
) -> None:
    """Time never goes back, nobody in a buffer is done after it or too stale, none is lost."""
    schedule, number = JobSchedule(), 0
    for number in range(1, rounds + 1):
        idle = {name: float(s) for name, s in seconds.items() if name not in schedule.busy}
        begun = schedule.begin(idle, number)
        found = begun.filled(number, size=size, bound=bound, permitted=lambda _: True, seed=1)
        taken = [*found.jobs, *found.dropped]
        assert len(found.jobs) == len({*found.clients}) <= size
        assert all(job.staleness(number) <= bound for job in found.jobs)
        assert all(job.staleness(number) > bound for job in found.dropped)
        assert found.schedule.now >= schedule.now
        assert all(job.ends <= found.schedule.now for job in taken)
        assert all(job.ends >= found.schedule.now for job in found.schedule.jobs)
        assert {job.client for job in taken} | found.schedule.busy == {*seconds}
        assert len(found.jobs) == size or not found.schedule.jobs
        schedule = found.schedule


def test_a_buffer_that_may_not_be_opened_waits_for_more() -> None:
    """Until it may; in the end it is of all that there are, which is for others to refuse."""
    begun = JobSchedule().begin({"A": 1.0, "B": 2.0, "C": 3.0, "D": 4.0}, 1)

    def filled(least: int) -> tuple[str, ...]:
        return begun.filled(
            1, size=2, bound=9, permitted=lambda names: len(names) >= least, seed=1
        ).clients

    assert filled(0) == ("A", "B")
    assert filled(3) == ("A", "B", "C")
    assert filled(5) == ("A", "B", "C", "D")


def test_who_is_done_at_once_is_drawn_by_the_seed() -> None:
    """Else the first names would always be first."""
    begun = JobSchedule().begin(dict.fromkeys("ABCDEFGH", 1.0), 1)
    found = {
        begun.filled(number, size=3, bound=9, permitted=lambda _: True, seed=1).clients
        for number in range(1, 9)
    }
    assert len(found) > 1


@given(SECONDS)
def test_what_is_written_is_read(seconds: dict[str, int]) -> None:
    """A checkpoint holds all of it; anything else is refused."""
    schedule = JobSchedule(2.5).begin({name: s / 3 for name, s in seconds.items()}, 4)
    assert JobSchedule.from_bytes(schedule.to_bytes()) == schedule


@pytest.mark.parametrize("content", [b"", b"[]", b'{"now": 1}', b'{"now": 1, "jobs": [[1]]}'])
def test_what_is_no_schedule_is_refused(content: bytes) -> None:
    """In words, since a file may be damaged."""
    with pytest.raises(ModelError, match="the schedule of jobs can't be read"):
        JobSchedule.from_bytes(content)
