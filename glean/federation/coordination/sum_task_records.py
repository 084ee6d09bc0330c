"""The records in which bakeries are asked for their part of a sum."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flwr.app import RecordDict

from glean.federation.coordination.secagg_server import SecAggServer
from glean.federation.wire.messages import Task
from glean.federation.wire.sum_messages import SumTask
from glean.federation.wire.sum_request import SumRequest


def record_maker(
    asked: Mapping[str, SumRequest],
    *,
    number: int,
    structures: bytes,
    masked: tuple[str, ...],
    secagg: SecAggServer,
) -> Callable[[str, Task], RecordDict]:
    """Give what makes a bakery's record of its task; most bakeries share one.

    Parameters
    ----------
    asked : mapping of str to SumRequest
        Who is asked what.
    number : int
        Of the sum.
    structures : bytes
        Model file of the trees whose leaves are wanted; empty without.
    masked : tuple of str
        Whose masks cancel; empty where vectors aren't masked.
    secagg : SecAggServer
        Knows the keys.
    """
    texts = _request_texts(asked, secagg, masked=bool(masked))
    participants = secagg.bitmap(masked) if masked else b""
    records: dict[tuple[str, bool, str, bytes], RecordDict] = {}

    def record_of(name: str, task: Task) -> RecordDict:
        text, cohort = texts[name], secagg.cohort_for(name) if masked else b""
        # Of one model only these differ.
        key = task.base, task.newcomer, text, cohort
        if key not in records:
            records[key] = SumTask(
                **vars(task),
                number=number,
                request=text,
                structures=structures,
                participants=participants,
                cohort=cohort,
            ).to_record()
        return records[key]

    return record_of


def _request_texts(
    asked: Mapping[str, SumRequest], secagg: SecAggServer, *, masked: bool
) -> dict[str, str]:
    """Write what each bakery is asked; of a masked sum the same for all, or it's noise."""
    if masked:
        return dict.fromkeys(asked, SumRequest.shared(asked, secagg.members_of).to_json())
    distinct = {id(request): request for request in asked.values()}
    written = {key: request.to_json() for key, request in distinct.items()}
    return {name: written[id(request)] for name, request in asked.items()}
