"""Runs that hide whole clients: what is opened, who may be missing, breaks, ledgers, refusals."""

from __future__ import annotations

import csv
import json
import logging
import re
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest
from flwr.app import Message, RecordDict
from numpy.typing import NDArray
from scipy import stats

from glean.aggregation.clipped_updates import clipped_update, mean_update
from glean.errors import FederationError, ModelError, RefusalError, SettingsError
from glean.federation.client.journal_store import JournalStore
from glean.federation.client.ledger_store import LedgerStore
from glean.federation.client.noised_vector import noise_on, noise_source
from glean.federation.client.policy import ClientPolicy
from glean.federation.client.privacy_account import PrivacyAccount
from glean.federation.coordination.global_model import WeightModel
from glean.federation.coordination.sum_rounds import SUM
from glean.federation.grids.inprocess import as_server
from glean.federation.server.fedavg import FedAvgStrategy
from glean.federation.wire.noised_parts import part_deviation, score_deviation, whole_run
from glean.federation.wire.sum_request import CLIENT_STEPS, CLIPPED_FINAL, SumRequest
from glean.images import conclusion
from glean.images.client_images import simulated_images
from glean.images.partition import ImagePartition
from glean.images.workload import IMAGES
from glean.languages.language import ENGLISH
from glean.learning.model_weights import Weights
from glean.node_settings import NodeSettings
from glean.privacy.members import new_keys, write_members
from glean.privacy.privacy_ledger import TRAINING, WHOLE_CLIENT
from glean.seeds import derived_seed
from glean.settings import ConfigValue, RunSettings
from tests.federations import CapturingGrid, Federation, Honest, MeddledApp, federation_of
from tests.images.test_runs import assert_same, images, nodes_of
from tests.inprocess_runs import cut_off, facts_of, run


@pytest.fixture(autouse=True)
def no_report() -> Iterator[None]:
    """Leave out figures."""
    with mock.patch.object(conclusion.ImageConclusion, "write_report"):
        yield


def noised(**changes: ConfigValue) -> dict[str, ConfigValue]:
    given: dict[str, ConfigValue] = {
        "privacy": "noise",
        "privacy_unit": "client",
        "secure_sums": True,
        "local_steps": 3,
        "reduced_data": 40,
        "min_available_bakeries": 1,
    }
    return images(**{**given, **changes})


def settings_of(**changes: ConfigValue) -> RunSettings:
    return RunSettings.from_config(noised(**changes))


def test_the_unit_says_where_noise_goes() -> None:
    """A picture's is in steps, a client's in sums; in a deployment by itself."""
    for told, deployed in (("noise", False), ("auto", True), ("dp-fedavg", False)):
        noise = RunSettings.from_config(noised(privacy=told), deployed=deployed).noise
        assert (noise.privacy, noise.wanted, noise.in_steps) == ("dp-fedavg", True, False)
    settings = RunSettings.from_config({"workload": "images", "privacy": "dp-fedavg"})
    assert settings.noise.privacy_unit == "client"
    assert RunSettings.from_config(settings.to_config()) == settings
    assert not settings_of(privacy="sums").noise.wanted


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"privacy": "dp-sgd"}, "privacy-unit: found 'client' with dp-sgd"),
        ({"workload": "demand"}, "privacy-unit: found 'client' with workload=demand"),
        ({"secure_sums": False}, "secure-sums: found false with privacy=dp-fedavg"),
        ({"share_scores": "yes"}, "share-scores: found 'yes' with privacy=dp-fedavg"),
        ({"fraction_train": 0.5}, "fraction-train: found 0.5 with privacy=dp-fedavg"),
        ({"early_stopping_rounds": 3}, "early-stopping-rounds: found 3"),
    ],
)
def test_settings_that_do_not_go_with_a_client_s_noise(
    changes: dict[str, ConfigValue], words: str
) -> None:
    """Refused by name, not changed."""
    with pytest.raises(SettingsError, match=words):
        settings_of(**changes)


def first_of(federation: Federation) -> WeightModel:
    strategy = FedAvgStrategy(federation.rounds.manager, federation.rounds.sum_rounds)
    return strategy.first_model()


def opened_sum(federation: Federation) -> NDArray[np.int64]:
    """What the server reads of the first round: the sum over who is there."""
    found: list[NDArray[np.int64]] = []

    def keep(total: NDArray[np.int64], **given: Any) -> Weights:
        found.append(total)
        return mean_update(total, **given)

    rounds = federation.rounds
    with (
        as_server(federation.grid),
        mock.patch("glean.federation.server.fedavg.mean_update", keep),
    ):
        FedAvgStrategy(rounds.manager, rounds.sum_rounds).train(1, first_of(federation), b"")
    return found[0]


def exact_updates(settings: RunSettings, clients: int, first: Weights) -> list[NDArray[np.int64]]:
    """What each client of a simulation adds without noise, by itself."""
    found = []
    for place in range(clients):
        node = NodeSettings(partition=place, partitions=clients)
        mine = IMAGES.open_partition(node, settings, newcomer=False)
        after = mine.fit(first, learning_rate=0.02, seed=derived_seed(settings.seed, 1), number=1)
        norm = settings.local_training.update_clip_norm
        found.append(clipped_update(after, first, clip_norm=norm))
    return found


def test_what_is_opened_is_each_one_s_update_and_noise(tmp_path: Path) -> None:
    """To the byte, over real messages and masks: masks change nothing. The noise is a seed's."""
    settings = settings_of(local_epochs=1, local_steps=1, batch_size=40)
    nodes = nodes_of(4)
    federation = federation_of(tmp_path, settings, nodes=nodes)
    total = opened_sum(federation)
    first = first_of(federation).weights
    wanted = np.zeros(len(total), dtype=np.int64)
    for place in range(4):
        node = NodeSettings(partition=place, partitions=4)
        mine = IMAGES.open_partition(node, settings, newcomer=False)
        seed = derived_seed(settings.seed, "train", 1, mine.name)
        rate = federation.rounds.manager.learning_rate
        after = mine.fit(first, learning_rate=rate, seed=seed, number=1)
        source = noise_source(settings, mine.name, f"{CLIENT_STEPS}, round 1 ", own_table=False)
        wanted += clipped_update(after, first, clip_norm=settings.local_training.update_clip_norm)
        wanted += noise_on(CLIENT_STEPS, len(total), settings, parties=4, random_bytes=source)
    assert (total == wanted).all()


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_what_is_opened_has_the_accounted_noise_whoever_is_missing(
    tmp_path: Path, missing: int
) -> None:
    """Of five a third may go between their vectors and the masks; of fewer nothing is opened."""
    settings = settings_of(update_clip_norm=1e-6, local_steps=1)
    gone = [f"bakery {place}" for place in range(missing)]

    def leave(message: Message, name: str, honest: Honest) -> Message:
        if name in gone and message.metadata.message_type == SUM:
            raise ConnectionError("gone")
        return honest()

    federation = federation_of(tmp_path, settings, nodes=nodes_of(5), app=MeddledApp(leave))
    if missing == 2:  # of five four give the noise
        with pytest.raises(FederationError, match="found 3 vectors for a sum"):
            opened_sum(federation)
        return
    first = first_of(federation).weights
    noise = opened_sum(federation) - sum(exact_updates(settings, 5, first))
    each = part_deviation(CLIENT_STEPS, settings, parties=5)
    # Updates are a unit long at most, which is next to nothing beside the noise of all weights.
    statistic = float(((noise / each) ** 2).sum() / (5 - missing))
    low, high = stats.chi2.ppf([5e-7, 1 - 5e-7], len(noise))
    assert low < statistic < high


def test_no_message_asks_for_anything_without_noise(tmp_path: Path) -> None:
    """A sum of updates a round, one score, two final ones: all masked."""
    settings = settings_of(num_server_rounds=2, share_scores="no")
    federation = federation_of(tmp_path, settings, nodes=nodes_of(3), grid_type=CapturingGrid)
    result = federation.run()
    with as_server(federation.grid):
        federation.rounds.test(result)
        found = federation.rounds.noised_test(result, methods=1)
    assert 0.0 <= found.means[0] <= 1.0
    assert isinstance(federation.grid, CapturingGrid)
    from glean.federation.wire.sum_messages import SumTask

    requests = [
        SumRequest.from_json(SumTask.from_record(message.content).request)
        for message in federation.grid.captured
        if message.metadata.message_type == SUM and not message.metadata.reply_to_message_id
    ]
    assert all(request.masked and request.num_clients == 3 for request in requests)
    parts = [request.parts[0] for request in requests]
    assert parts == [CLIENT_STEPS] * 6 + ["clipped score"] * 3 + [CLIPPED_FINAL] * 3


@pytest.mark.parametrize("unit", ["picture", "client"])
@pytest.mark.parametrize("wanted", ["noise", "dp-sgd", "dp-fedavg"])
def test_an_owner_can_want_a_unit(tmp_path: Path, wanted: str, unit: str) -> None:
    """Or any noise."""
    node = NodeSettings(images="x", bakery="a", privacy=wanted, home=str(tmp_path))
    policy = ClientPolicy(node, settings_of(privacy_unit=unit, share_scores="no"), own_table=True)
    if (wanted, unit) in {("dp-sgd", "client"), ("dp-fedavg", "picture")}:
        with pytest.raises(RefusalError, match="which hides something else"):
            policy.check_run()
    else:
        policy.check_run()


@pytest.mark.parametrize(("told", "grouped"), [("noise", False), ("sums", True)])
def test_sums_are_over_all(tmp_path: Path, told: str, grouped: bool) -> None:
    """In groups each would carry all of the noise."""
    settings = settings_of(privacy=told, min_contributors=3, privacy_unit="client")
    federation = federation_of(tmp_path, settings, nodes=nodes_of(18))
    assert (federation.rounds.sum_rounds.groups is not None) is grouped


def test_only_a_simulation_s_noise_follows_from_a_seed() -> None:
    """And there from all that it is for; a client's own is of the operating system."""
    settings = settings_of()
    assert noise_source(settings, "a", "x", own_table=True) is secrets.token_bytes
    days = RunSettings.from_config({"privacy": "noise"})
    assert noise_source(days, "a", "x", own_table=False) is secrets.token_bytes
    told = [(settings, "a", "x"), (settings, "b", "x"), (settings, "a", "y")]
    told.append((replace(settings, seed=7), "a", "x"))
    draws = [noise_source(*each, own_table=False)(16) for each in told]
    assert len({*draws}) == 4
    again = noise_source(settings, "a", "x", own_table=False)
    assert again(16) == draws[0] != again(16)


def test_a_client_gives_updates_only_where_their_noise_is_accounted_for() -> None:
    """A run without it, and a workload without a clip norm, have no such part."""
    node = NodeSettings(images="somewhere", bakery="a")
    request = SumRequest((CLIENT_STEPS,), (CLIENT_STEPS,), masked=True)
    policy = ClientPolicy(node, settings_of(privacy="sums"), own_table=True)
    with pytest.raises(RefusalError, match="found a request for client steps"):
        policy.check_request(request, b"")
    ClientPolicy(node, settings_of(), own_table=True).check_request(request, b"")
    from glean.iris.workload import IRIS

    iris = RunSettings.from_config({"workload": "iris", "privacy": "sums"})
    client = IRIS.open_partition(NodeSettings(partition=0, partitions=3), iris, newcomer=False)
    with pytest.raises(ModelError, match="found the part 'client steps'"):
        client.trainer("").length(CLIENT_STEPS, mock.Mock(), request)


def account_of(home: Path, settings: RunSettings, run: str, **node: float) -> PrivacyAccount:
    told = NodeSettings(images="somewhere", bakery="a", home=str(home), **node)  # type: ignore[arg-type]
    policy = ClientPolicy(told, settings, own_table=True)
    policy.check_run()
    client: Any = SimpleNamespace(settings=settings, policy=policy, partition=None)
    account = PrivacyAccount.of(client, JournalStore(RecordDict(), home, run))
    assert account is not None
    return account


def test_a_client_counts_what_it_spends_as_a_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Two runs of the default; the third it doesn't learn in, and a step too many is noise."""
    settings = settings_of(num_server_rounds=2)
    for run_id in ("1", "2"):
        account = account_of(tmp_path, settings, run_id)
        assert account.has_room()
        with caplog.at_level(logging.INFO, logger="glean"):
            for number in (1, 2):
                charge = account.charge({CLIENT_STEPS: 10}, number=number)
                assert charge.days[CLIENT_STEPS]
                charge.write()
            account.charge({"clipped score": 1}, number=2).write()
            account.charge({CLIPPED_FINAL: 2}, number=2).write()
    assert "epsilon 5.934 of 5.934 is spent (delta 1e-06, unit: this client with all" in caplog.text
    repeated = account_of(tmp_path, settings, "2").charge({CLIENT_STEPS: 10}, number=2)
    assert not repeated.days[CLIENT_STEPS]
    assert "adds nothing but noise" in caplog.text
    assert not account_of(tmp_path, settings, "3").has_room()
    assert "It takes no part in the training" in caplog.text
    ledger = json.loads((tmp_path / "privacy-ledger.json").read_text(encoding="utf-8"))
    assert [*ledger["spent"]["training"]] == ["client"]
    with pytest.raises(RefusalError, match="so much of a client does this run spend by itself"):
        account_of(tmp_path, settings, "4", epsilon_total=3.0)
    homeless = ClientPolicy(NodeSettings(images="x", bakery="a"), settings, own_table=True)
    with pytest.raises(RefusalError, match="counts what this client spends"):
        homeless.check_run()


def test_a_client_that_may_spend_no_more_adds_nothing() -> None:
    """Its pictures aren't even looked at."""
    settings = settings_of()
    mine = simulated_images(settings.image, settings.seed, 3)[0]
    client = ImagePartition("a", mine, settings, own_table=True)
    weights = IMAGES.first_model(IMAGES.negotiate([client.facts()], settings), settings)
    task = mock.Mock(model=weights.to_npz(), learning_rate=0.02, round=1)
    request = SumRequest((CLIENT_STEPS,), (CLIENT_STEPS,), masked=True)

    def update(days: frozenset[str] | None) -> NDArray[np.int64]:
        return client.contribute(CLIENT_STEPS, task, request, weight=0.0, seed=1, days=days)

    with mock.patch.object(ImagePartition, "fit") as fit:
        assert not update(frozenset()).any()
        fit.assert_not_called()
    assert update(frozenset({"client"})).any()
    assert (update(None) == update(frozenset({"client"}))).all()


@pytest.mark.slow
@pytest.mark.parametrize("aggregation", ["fedavg", "fedprox", "fedadam", "fedyogi", "fedavgm"])
def test_a_run_that_goes_on_ends_in_the_same_bytes(tmp_path: Path, aggregation: str) -> None:
    """After round 2 of 4; twice whole is the same, another seed isn't."""
    config = noised(num_server_rounds=4, aggregation=aggregation, share_scores="no")
    whole = run(tmp_path / "whole", config, nodes=nodes_of(3))
    old = cut_off(tmp_path / "out", config, round_number=4, nodes=nodes_of(3))
    new = run(tmp_path / "out", config | {"resume": str(old)}, nodes=nodes_of(3))
    assert facts_of(new)["resumed_round"] in (2, 3)
    assert_same(whole, new)
    other = run(tmp_path / "other", config | {"seed": 43}, nodes=nodes_of(3))
    assert (other / "model.npz").read_bytes() != (whole / "model.npz").read_bytes()


@pytest.mark.slow
def test_files_say_what_is_promised_and_hold_noised_scores_only(tmp_path: Path) -> None:
    """Each score with ±; no counts, no confusion, nothing of a single client."""
    folder = run(
        tmp_path, noised(share_scores="no", baselines=True, num_server_rounds=2), nodes=nodes_of(3)
    )
    facts = facts_of(folder)
    assert facts["settings"]["privacy"] == "dp-fedavg"
    unit = "one client with all of its pictures, over all rounds of the run"
    assert (facts["privacy"]["unit"], facts["privacy"]["epsilon"]) == (unit, 4.0)
    card = json.loads((folder / "model_card.json").read_text(encoding="utf-8"))
    assert card["privacy"] | facts["privacy"] == card["privacy"]
    assert card["scores"]["validation"]["metric"] == "accuracy"
    settings = RunSettings.from_config(facts["settings"])
    noise = score_deviation(settings, parties=3, senders=3)
    assert facts["score_noise"] == noise
    for name in ("bakeries.csv", "scores.csv", "bakery_rounds.csv"):
        with (folder / name).open(newline="") as file:
            for row in csv.DictReader(file):
                known = {key for key, value in row.items() if value}
                assert known <= {"bakery", "group", "method", "accuracy", "round"}
                assert "client" not in row.get("bakery", "")
    assert not (folder / "confusion.csv").exists()
    assert card["scores"]["test"][0]["noise"] == round(noise, 6)
    page = conclusion.CONCLUSION.report_html(folder, ENGLISH)
    assert "counted for one client with all of its pictures over all rounds" in page
    assert f"± {noise:.3f}" in page
    assert "There are no final scores" not in page
    assert "No round of this run has a validation score" not in page
    assert not re.search(r"\bnan\b", re.sub(r"base64,[^\"]*", "", page))
    table = conclusion.CONCLUSION.result_table(folder)
    assert [row[0] for row in table.rows] == ["federated", "local"]
    assert f"± {noise:.3f}" in table.rows[0][1]
    assert "epsilon 4, delta 1e-06, counted for one client with all" in table.sentences[1]


def own_nodes(
    folder: Path, settings: RunSettings, names: str = "abc"
) -> list[dict[str, ConfigValue]]:
    """Node configs of clients, a letter each, with pictures, keys and homes of their own."""
    folder.mkdir(exist_ok=True)
    keys = {name: new_keys(name) for name in names}
    members = folder / "members.json"
    members.write_bytes(write_members(own.member for own in keys.values()))
    nodes = []
    shares = simulated_images(settings.image, settings.seed, len(names))
    for name, share in zip(names, shares, strict=True):
        (folder / f"{name}.pem").write_bytes(keys[name].signing_key)
        mine = share.training
        labels = np.array(mine.classes)[mine.labels[mine.places]]
        np.savez(folder / f"{name}.npz", images=mine.pixels[mine.places], labels=labels)
        told = {"images": folder / f"{name}.npz", "bakery": name, "home": folder / name}
        told |= {"signing-key": folder / f"{name}.pem", "members": members}
        node: dict[str, ConfigValue] = {key: str(value) for key, value in told.items()}
        nodes.append(node | {"min-contributors": 3, "privacy": "noise"})
    return nodes


@pytest.mark.slow
def test_clients_of_their_own_pay_for_a_run_and_stay_out_of_the_third(tmp_path: Path) -> None:
    """Noise of the operating system; ledgers come to the run's epsilon; nothing exact is opened."""
    config = noised(privacy="auto", num_server_rounds=2, baselines=True, min_contributors=3)
    config |= {"min-available-bakeries": 3, "share-scores": "auto"}
    settings = RunSettings.from_config(config, deployed=True)
    nodes = own_nodes(tmp_path, settings)
    models = set()
    for number in (1, 2):
        folder = run(tmp_path / str(number), config, nodes=nodes)
        models.add((folder / "model.npz").read_bytes())
        assert facts_of(folder)["settings"]["privacy"] == "dp-fedavg"
        for name in "abc":
            spent = LedgerStore(tmp_path / name).read().spent_on(WHOLE_CLIENT, TRAINING)
            assert spent == pytest.approx(number * whole_run(settings), rel=1e-9)
        with (folder / "scores.csv").open(newline="") as file:
            assert {row["rows"] + row["log_loss"] for row in csv.DictReader(file)} == {""}
    assert len(models) == 2
    with pytest.raises(FederationError, match=r"enough to learn from|little to learn"):
        run(tmp_path / "3", config, nodes=nodes)
