"""A client's side of the rounds: its answers to the server's tasks."""

from __future__ import annotations

import json
import logging
from functools import lru_cache

from flwr.app import RecordDict

from glean.aggregation.update import share_weight
from glean.errors import FederationError, RefusalError
from glean.federation.client.job_note import note_job
from glean.federation.client.members_file import node_file
from glean.federation.client.policy import ClientPolicy
from glean.federation.client.signed_model import check_final_model
from glean.federation.wire.final_test_sums import keep
from glean.federation.wire.messages import (
    ClientInfo,
    EvaluateReply,
    FinalReply,
    FinalTask,
    JobReply,
    Task,
    TrainReply,
    identity_of,
)
from glean.federation.wire.model_state import check_state
from glean.federation.wire.simulated_tables import (
    TablesReply,
    TablesRequest,
    keep_tables,
    take_tables,
)
from glean.federation.workload.client_state import ClientState
from glean.federation.workload.protocols import FinalScores, LocalTrainer, Partition
from glean.federation.workload.registry import workload_of
from glean.node_settings import NodeSettings
from glean.privacy.privacy_ledger import SCORED
from glean.privacy.signing import claim
from glean.runs.code_version import code_fingerprint
from glean.seeds import derived_seed
from glean.settings import RunSettings
from glean.workloads import vocabulary_of

LOG = logging.getLogger("glean")

TOO_LITTLE = "too little to learn from; its own log says more"
"""What a bakery says where it doesn't train and the run wants noise on all numbers of its own; also
where it isn't rows that it has too little of, but privacy."""

CACHED_CLIENTS = 10_000
"""Clients that one process keeps; in a simulation it plays many of them, each in every exchange."""


class Client:
    """One client of a run.

    Parameters
    ----------
    node : NodeSettings
        The node that plays it.
    partition : Partition
        Its data.
    settings : RunSettings
        The run's settings.
    """

    def __init__(self, node: NodeSettings, partition: Partition, settings: RunSettings) -> None:
        self.node = node
        self.partition = partition
        self.settings = settings
        self.name = partition.name
        self.own_table = partition.own_table
        self.policy = ClientPolicy(node, settings, self.own_table)

    @property
    def trains(self) -> bool:
        """Whether there is something to learn from."""
        return not self.partition.why_untrained

    @property
    def newest(self) -> str:
        """The last day of the data, which new data changes; "" where it has none."""
        return max(self.partition.days(SCORED), default="")

    def info(self, challenge: str = "", *, spent: bool = False) -> ClientInfo:
        """Say who this is and whether there is enough to learn from.

        Parameters
        ----------
        challenge : str
            What a bakery with a signing key signs with its name, so that nobody else can claim it.
        spent : bool
            Whether no day of it can learn in this run, by the bakery's own ledger.

        Raises
        ------
        SettingsError
            The data doesn't fit the run's settings, or a key of the node config can't be read.
        SecureSumError
            The signing key is none.
        """
        note = self.partition.why_untrained
        if note and self.policy.keeps_ledger:
            one = vocabulary_of(self.settings.workload).one
            LOG.info("this %s isn't learned from: %s", one, note)
        if (note or spent) and self.policy.keeps_ledger:
            note = TOO_LITTLE
        signs = challenge and self.own_table and self.node.signing_key
        return ClientInfo(
            bakery=self.name,
            code=code_fingerprint(),
            partition=self.node.partition,
            trains=self.trains and not spent,
            own_table=self.own_table,
            note=note,
            facts=json.dumps(self.partition.facts()),
            min_contributors=self.policy.min_contributors,
            proof=claim(node_file(self.node, "signing-key"), self.name, challenge) if signs else "",
        )

    def trainer(self, spec: str) -> LocalTrainer:
        """Give what learns and scores here."""
        return self.partition.trainer(spec)

    def catch_up(self, task: Task, state: RecordDict) -> bool:
        """Take the model of a task; False where it continues one that isn't held here.

        Raises
        ------
        ModelError
            It isn't the model that the task names.
        """
        check_state(task, model=self.settings.rounds.kind.model)
        return self.trainer(task.spec).catch_up(task, ClientState(state))

    def train(self, task: Task, state: RecordDict) -> TrainReply:
        """Learn what the global model lacks here.

        Raises
        ------
        FederationError
            There are no rows to learn from, or the run's settings want noise on what leaves.
        RefusalError
            The run is made of sums.
        """
        if self.settings.noise.wanted:
            raise FederationError("the server asks for trees, which privacy=noise doesn't open")
        self.policy.check_update()
        weight = self.training_weight(task.spec)
        trainer = self.trainer(task.spec)
        held = self.catch_up(task, state)
        model = trainer.train(task, seed=self.training_seed(task.round)) if held else b""
        return TrainReply(
            bakery=self.name,
            code=code_fingerprint(),
            spec=identity_of(task.spec),
            lacks_model=not held,
            weight=weight,
            device=trainer.device_used,
            model=model,
        )

    def begin(self, task: Task, state: RecordDict) -> JobReply:
        """Train for a buffer, and keep what came of it until it is wanted in a sum.

        Raises
        ------
        FederationError
            Rounds of the run wait for all.
        RefusalError
            The data is the client's own, of which buffers without noise would tell.
        """
        if self.own_table and not self.settings.noise.wanted:
            raise RefusalError(
                "a job for a buffer without noise",
                "found a job for a buffer whose sum carries no noise; wanted one with noise, or a "
                "run with mode=sync. Nothing is trained",
            )
        if not self.settings.rounds.buffered:
            raise FederationError("found a job for a buffer; this run has mode=sync")
        held = self.catch_up(task, state)
        if held:
            self.training_weight(task.spec)
            self.trainer(task.spec).begin(task, seed=self.training_seed(task.round))
            note_job(state, task.round)
        return JobReply(self.name, code_fingerprint(), lacks_model=not held)

    def evaluate(self, task: Task, state: RecordDict) -> EvaluateReply:
        """Score the global model on the validation rows.

        Raises
        ------
        RefusalError
            Scores leave only in sums.
        """
        self.policy.check_scores()
        trainer = self.trainer(task.spec)
        held = self.catch_up(task, state)
        sums = trainer.validate() if held else workload_of(self.settings).metrics()
        return EvaluateReply(
            bakery=self.name, code=code_fingerprint(), lacks_model=not held, sums=sums.as_tuple
        )

    def final_test(self, task: FinalTask, state: RecordDict, *, run_id: int) -> FinalReply:
        """Keep the final model, and score it and its baselines on the test rows.

        Raises
        ------
        RefusalError
            It isn't signed as the node config wants it.
        SettingsError
            The node config's `model-key` can't be read.
        """
        vouched = check_final_model(self.node, task, run_id=run_id)
        self._recall(task, state)
        scores = self.partition.final_test(task, run_id=run_id, vouched=vouched)
        if scores.tables and not self.own_table:
            keep_tables(scores.tables, task, state)
        return self._final_reply(scores, task, state)

    def simulated_tables(self, request: TablesRequest, state: RecordDict) -> TablesReply:
        """Give the tables of the final test, once.

        Raises
        ------
        RefusalError
            This client has data of its own.
        """
        if self.own_table:
            raise no_tables()
        tables = take_tables(state, request.tested)
        return TablesReply(self.name, code_fingerprint(), tables)

    def start_test(self, task: Task, state: RecordDict) -> FinalReply:
        """Score the model that the run started from on the test rows."""
        self._recall(task, state)
        return self._final_reply(self.partition.start_test(task), task, state)

    def _recall(self, task: Task, state: RecordDict) -> None:
        """Have a trainer of weights take what it kept from the rounds; of trees nothing is."""
        if self.settings.rounds.kind.averages_weights:
            self.trainer(task.spec).catch_up(task, ClientState(state))

    def training_weight(self, spec: str) -> float:
        """Give the client's weight in training, to two significant digits.

        Raises
        ------
        FederationError
            There are no rows to learn from.
        """
        weight = self.partition.weight(spec)
        if not self.trains or weight <= 0:
            reason = self.partition.why_untrained or "its rows weigh nothing"
            raise FederationError(f"{self.name} isn't trained on: {reason}")
        return share_weight(weight)

    def training_seed(self, number: int) -> int:
        """Seed of whatever is drawn here in the training of a round."""
        return _training_seed(self.settings.seed, number, self.name)

    def _final_reply(self, scores: FinalScores, task: Task, state: RecordDict) -> FinalReply:
        """Show the scores, or keep them back for the sum over all clients."""
        shown = self.settings.shows_scores(deployed=self.own_table)
        if not shown:
            keep(scores.primary if self.settings.noise.wanted else scores.sums, task, state)
        return FinalReply(self.name, code_fingerprint(), scores.rows if shown else "")


def no_tables() -> RefusalError:
    """Say that a client with data of its own gives no tables."""
    return RefusalError(
        "tables of single days, which only a simulation's server may see",
        "found a request for tables of single days; wanted none here: only a simulation's server "
        "has them, whose data is the operator's. Nothing is answered",
    )


@lru_cache(maxsize=CACHED_CLIENTS)
def _training_seed(seed: int, number: int, name: str) -> int:
    """Derive a seed, once for the many sums of a round."""
    return derived_seed(seed, "train", number, name)


@lru_cache(maxsize=CACHED_CLIENTS)
def client_of(
    node: NodeSettings, settings: RunSettings, *, newcomer: bool = False
) -> Client | None:
    """Open the client that a node plays; None for an idle node of a simulation."""
    partition = workload_of(settings).open_partition(node, settings, newcomer=newcomer)
    return Client(node, partition, settings) if partition is not None else None


IDLE_NODE_INFO = ClientInfo(
    bakery="", code=code_fingerprint(), partition=0, trains=False, own_table=False, note=""
)
"""The reply of a node that plays no client: a run may have more nodes than its data has clients."""
