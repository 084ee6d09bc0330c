"""What a bakery's own log says of each reply: true, complete and in words."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest
from flwr.app import Message

from glean.client_app import app
from glean.demand.wording import WORDING
from glean.federation.client.disclosure import Reply, disclosed
from glean.federation.grids.inprocess import InProcessGrid
from glean.federation.wire.messages import ClientInfo, EvaluateReply, FinalReply, TrainReply
from glean.federation.wire.sum_messages import SumReply, UnmaskResult
from glean.federation.wire.sum_request import WEIGHTS, SumRequest
from glean.federation.workload.protocols import Wording
from glean.languages.vocabulary import BAKERIES, CLIENTS
from glean.runs.log_lines import MARK, log_to, unmarked
from glean.settings import ConfigValue
from tests.demand_words import demand_words
from tests.federations import Federation, federation_of, small_settings


def own_nodes(folder: Path, sales: str) -> list[Mapping[str, ConfigValue]]:
    """A node for each bakery of a table, with a table and a home of its own."""
    nodes: list[Mapping[str, ConfigValue]] = []
    for name, rows in pd.read_csv(sales).groupby("bakery"):
        path = folder / f"{name} sales.csv"
        rows.to_csv(path, index=False)
        nodes.append({"sales": str(path), "bakery": str(name), "home": str(folder / f"{name}")})
    return nodes


class Listening(InProcessGrid):
    """Keeps every reply."""

    heard: list[Message]

    def pull_messages(self, message_ids: object) -> list[Message]:
        replies = super().pull_messages(message_ids)  # type: ignore[arg-type]
        self.heard = [*getattr(self, "heard", []), *replies]
        return replies


@pytest.fixture
def own_federation(tmp_path: Path, three_bakeries: str) -> Federation:
    """Three bakeries with tables of their own; one round, not yet begun."""
    settings = small_settings("", num_server_rounds=1, baselines=True)
    nodes = own_nodes(tmp_path, three_bakeries)
    return federation_of(tmp_path / "out", settings, nodes=nodes, grid_type=Listening, app=app)


def test_every_reply_is_told_with_the_numbers_in_it(
    own_federation: Federation, caplog: pytest.LogCaptureFixture
) -> None:
    """Weight, sums and totals stand in the log as they were sent, and what isn't sent is named."""
    caplog.set_level(logging.INFO, logger="glean")
    own_federation.test(own_federation.run())
    told = [r.message for r in caplog.records if r.message.startswith("to the server")]
    assert len(told) == 3 * 3
    assert all(line.endswith(f"; not: {WORDING.kept}") for line in told)
    assert isinstance(own_federation.grid, Listening)
    for reply in own_federation.grid.heard:
        match reply.metadata.message_type:
            case "train":
                sent = TrainReply.from_record(reply.content)
                size = f"{len(sent.model) / 1000:.1f} kB"
                words = [f"in round 1: 1 new tree ({size}:", f"{sent.weight:,.0f}, rounded to two"]
            case "evaluate":
                sums = EvaluateReply.from_record(reply.content).sums
                words = [f"{value:,.6g}" for value in sums]
            case "evaluate.test":
                rows = FinalReply.from_record(reply.content).rows
                assert '"method": "local"' in rows
                words = ["after the last round: totals of the test window", "local ", "last-week "]
            case _:
                continue
        assert any(all(word in line for word in words) for line in told), words


def test_an_introduction_is_told() -> None:
    """The name, whether it learns and knows the season, and the note, word for word."""
    note = "9 trading days before 2024-05-01; wanted at least 14"
    said = ClientInfo(
        "Bäckerei",
        "code",
        0,
        trains=False,
        own_table=True,
        note=note,
        facts='{"knows_season": false}',
    )
    line = disclosed(said, WORDING, round_number="0")
    assert line == (
        "to the server: the name 'Bäckerei', the version of the code here (code), "
        "that there are too few trading days to learn from and "
        "that they are too short a time to learn the season from, the note "
        f"{note!r}; not: {WORDING.kept}"
    )


def test_a_bakery_that_lacks_the_model_tells_nothing_else() -> None:
    """Nothing of its rows is in such a reply, and its log says so."""
    nothing = "to the server in round 3: nothing but"
    lacking = TrainReply("Anna", "code", "id", lacks_model=True, weight=0.0, model=b"", device="")
    assert disclosed(lacking, WORDING, round_number="3").startswith(nothing)
    score = EvaluateReply("Anna", "code", lacks_model=True, sums=(0.0,) * 7)
    assert disclosed(score, WORDING, round_number="3").startswith(nothing)


def sum_reply(vector: bytes, *, lacks: bool = False) -> SumReply:
    return SumReply(
        "Anna", "code", "", lacks, lacks_keys=False, device="", sums=(), proposal=b"", vector=vector
    )


MASKED = SumRequest((WEIGHTS,), (WEIGHTS,), num_clients=3, masked=True)

TOLD: dict[str, tuple[Reply, bool]] = {
    "floor": (
        ClientInfo(
            "Anna", "code", 0, trains=True, own_table=True, note="", facts="{}", min_contributors=5
        ),
        False,
    ),
    "lacking": (sum_reply(b"", lacks=True), False),
    "mask": (UnmaskResult("Anna", "code", b""), False),
    "masked": (sum_reply(b"123"), False),
    "noised": (sum_reply(b"123"), True),
}


@pytest.mark.parametrize(("reply", "noised"), TOLD.values(), ids=TOLD)
def test_clients_are_told_in_words_of_their_own(reply: Reply, noised: bool) -> None:
    """What a node logs of a message names bakeries in the demand, clients elsewhere."""
    for vocabulary in (BAKERIES, CLIENTS):
        line = disclosed(
            reply, Wording(), round_number="1", request=MASKED, noised=noised, vocabulary=vocabulary
        )
        found = demand_words(line) - {"day"}  # what noise hides
        assert bool(found) == (vocabulary == BAKERIES), line
        assert ("client" in line) == (vocabulary == CLIENTS)


SUMMED: dict[str, tuple[dict[str, ConfigValue], str]] = {
    "network": ({"aggregation": "fedavg"}, "the model's weights after training here, times"),
    "histogram": ({"aggregation": "histogram"}, "its gradient and hessian sums of each public bin"),
    "refitted": ({"leaf_values": "refit"}, "its gradient and hessian sums of each leaf"),
}


@pytest.mark.parametrize(("changes", "words"), SUMMED.values(), ids=SUMMED)
def test_what_is_summed_is_told(
    changes: dict[str, ConfigValue],
    words: str,
    tmp_path: Path,
    three_bakeries: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Every summand by its meaning, open scores with their numbers, structures without values."""
    caplog.set_level(logging.INFO, logger="glean")
    settings = small_settings("", num_server_rounds=2, **changes)
    nodes = own_nodes(tmp_path, three_bakeries)
    federation_of(tmp_path / "out", settings, nodes=nodes).run()
    told = [r.message for r in caplog.records if r.message.startswith("to the server")]
    assert any(words in line and "sums over the validation window: " in line for line in told)
    assert any("the number of its training rows and the sum of their levels" in t for t in told)
    proposals = [line for line in told if "without any value in its leaves" in line]
    assert bool(proposals) == (changes == {"leaf_values": "refit"})
    assert not any("look like chance" in line for line in told)


def test_a_simulation_is_told_nothing(
    tmp_path: Path, three_bakeries: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its tables are the operator's own."""
    caplog.set_level(logging.INFO, logger="glean")
    found = federation_of(tmp_path, small_settings(three_bakeries, num_server_rounds=1))
    found.test(found.run())
    assert not [r for r in caplog.records if "to the server" in r.message]


def test_glean_s_lines_are_found_again_in_a_shared_log(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line is marked, those of a long reason too; what isn't Glean's isn't taken for it."""
    log = logging.getLogger("glean")
    monkeypatch.setattr(log, "handlers", [])
    log_to("stderr")
    log_to("stderr")
    log.info("first\nsecond: %d", 2)
    said = capsys.readouterr().err.splitlines()
    assert said == [f"{MARK}first", f"{MARK}second: 2"]
    assert [unmarked(f"{line}\n") for line in said] == ["first", "second: 2"]
    assert unmarked("INFO :      glean: no") is None
