"""The final test: whoever is there evaluates a model on its own test window."""

from __future__ import annotations

from collections.abc import Mapping

from glean.errors import FederationError, ModelError
from glean.federation.coordination.exchange import TABLES, TEST
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.metric_rounds import sum_final_test
from glean.federation.coordination.noised_scores import NoisedScores
from glean.federation.coordination.reply_checks import check_sender
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.server.round_scores import RoundScores
from glean.federation.wire.final_task_file import FINAL_TASK_FILE, task_to_file
from glean.federation.wire.final_test_sums import Floats, name_of_test
from glean.federation.wire.messages import FinalReply, FinalTask
from glean.federation.wire.simulated_tables import TablesReply, TablesRequest
from glean.federation.wire.sum_request import CLIPPED_FINAL


class FinalEvaluation:
    """Has models tested, and sums up what came of it where clients keep that to themselves.

    Parameters
    ----------
    sum_rounds : SumRounds
        Sums over the clients.
    scores : RoundScores
        Asks for scores with noise.
    """

    def __init__(self, sum_rounds: SumRounds, scores: RoundScores) -> None:
        self._sum_rounds = sum_rounds
        self._manager = sum_rounds.manager
        self._scores = scores
        self._tested = ""
        self._final = ""

    def request(
        self, kind: str, number: int, model: GlobalModel, *, findings: str = "", card: str = ""
    ) -> dict[str, str]:
        """Have all that are there evaluate a model on their test windows; JSON of their rows.

        What can't be trusted is left out and named.
        """
        manager = self._manager
        manager.gather(number, at_least=1)
        tasks = {
            name: FinalTask(
                **vars(manager.task(name, model, number, whole=True)), findings=findings, card=card
            )
            for name in sorted(manager.clients.present)
        }
        self._tested = next((name_of_test(task) for task in tasks.values()), "")
        if kind == TEST:
            self._final = self._tested
            self._keep_task(tasks)
        records = {name: task.to_record() for name, task in tasks.items()}
        replies = manager.replies(kind, records, FinalReply, number=number)
        return {name: reply.rows for name, reply in replies.items()}

    def tables(self, number: int) -> dict[str, dict[str, str]]:
        """Ask a simulation's clients for the tables of the final test: client -> file -> text.

        Without those that have none.
        """
        manager = self._manager
        records = {
            name: TablesRequest(name in manager.newcomers, self._final).to_record()
            for name in sorted(manager.clients.present)
        }
        found: dict[str, dict[str, str]] = {}
        for name, record in manager.clients.ask(TABLES, records, round_number=number).items():
            try:
                reply = TablesReply.from_record(record)
                check_sender(name, reply)
                found[name] = reply.by_file()
            except (ModelError, FederationError) as error:
                manager.clients.report_failure(name, str(error), round_number=number)
        return {name: tables for name, tables in found.items() if tables}

    def _keep_task(self, tasks: Mapping[str, FinalTask]) -> None:
        """Keep what a client that comes later needs, before anyone is asked.

        Only for clients with data of their own: a simulation's are never away.
        """
        if tasks and self._manager.deployed:
            kept = task_to_file(next(iter(tasks.values())))
            self._manager.clients.folder.write_bytes(FINAL_TASK_FILE, kept)

    def summed(self, number: int, *, methods: int) -> Floats:
        """Sum up what came of the last test, shape (methods, fields).

        Raises
        ------
        FederationError
            Nobody gave a valid reply, or too few did for a sum.
        """
        return sum_final_test(self._sum_rounds, number, tested=self._tested, methods=methods)

    def noised(self, number: int, *, methods: int) -> NoisedScores:
        """Give the means of what came of the last test, by method, with noise.

        Raises
        ------
        FederationError
            Nobody gave a valid reply, or too few did for the noise that is accounted.
        """
        return self._scores.with_noise(
            CLIPPED_FINAL, number, None, length=methods, tested=self._tested
        )
