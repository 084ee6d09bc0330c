"""Messages that processes answer: the same run, and the same failures, as without them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flwr.app import Message

from glean.client_app import answer_apart
from glean.federation.coordination.exchange import TEST
from glean.federation.grids.answers_apart import AnswersApart
from glean.federation.grids.inprocess import InProcessGrid
from glean.runs.folder import RunFolder
from tests.federation.grids.grid_calls import ask, counting_app, grid_of, value_of
from tests.federations import events
from tests.inprocess_runs import config_of, run

APART = AnswersApart(frozenset([TEST]), answer_apart, workers=2)
SAME = ("bakeries.csv", "days.csv", "plan.csv", "alone.csv", "coverage.csv", "choice.csv")


class ApartGrid(InProcessGrid):
    """Has the final test answered by two processes."""

    def __init__(self, *parts: Any, **options: Any) -> None:
        super().__init__(*parts, **options, apart=APART)


@pytest.mark.parametrize("share", ["yes", "no"])
def test_a_run_s_files_have_the_same_bytes(three_bakeries: str, tmp_path: Path, share: str) -> None:
    """Also where scores are summed up afterwards, from what each client keeps in its state."""
    config = config_of(three_bakeries, baselines=True, share_scores=share, secure_sums=True)
    here = run(tmp_path / "here", config)
    apart = run(tmp_path / "apart", config, grid_type=ApartGrid)
    for name in (*SAME, "model.ubj", "forecasts.csv"):
        assert (here / name).read_bytes() == (apart / name).read_bytes(), name


def test_who_fails_is_told_of_as_here(tmp_path: Path, three_bakeries: str) -> None:
    config = config_of(three_bakeries, baselines=True)

    class Spoilt(ApartGrid):
        """Sends the second bakery a model that is none."""

        def push_messages(self, messages: Any) -> Any:
            sent = list(messages)
            for message in sent:
                if message.metadata.message_type == TEST and message.metadata.dst_node_id == 3:
                    message.content = type(message.content)()
            return super().push_messages(sent)

    folder = run(tmp_path, config, grid_type=Spoilt)
    failed = [e for e in _events(folder) if e["event"] == "bakery_failed"]
    assert [e["bakery"] for e in failed] == ["bakery 1"]
    assert "lacks" in failed[0]["reason"]


def _events(folder: Path) -> list[dict[str, Any]]:
    return events(RunFolder(folder))


def double(message: Message, context: Any) -> tuple[Message, Any]:
    """Answer here what is asked of another kind, and count on."""
    from glean.federation.grids.client_host import ClientHost

    host = ClientHost.with_context(counting_app(), context)
    return host.answer(message), host.plain_context()


def test_a_client_s_state_goes_there_and_comes_back() -> None:
    """Two calls apart, two here: the app counts on, and what a failing one wrote is dropped."""
    grid = grid_of(counting_app())
    grid._apart = AnswersApart(frozenset(["query"]), double, workers=2)
    assert [value_of(reply) for reply in ask(grid)] == [1, 1, 1]
    assert sorted(reply.has_error() for reply in ask(grid)) == [False, False, True]
    grid._apart = None
    second, third = ask(grid), ask(grid)
    assert [reply.has_error() for reply in second] == [True, False, False]
    assert [value_of(reply) for reply in third[1:]] == [4, 4]
