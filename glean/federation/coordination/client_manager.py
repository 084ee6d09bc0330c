"""The bakeries as the rounds see them: who is there, who may learn, what each lacks.

Whatever asks the bakeries something in a round goes through here: the strategies in
`federation/server/` and the sums over all bakeries (`sum_rounds.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from flwr.app import RecordDict

from glean.errors import FederationError, ModelError
from glean.federation.coordination.client_selection import ClientSelection
from glean.federation.coordination.exchange import ClientExchange
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.quorum import go_on_with_fewer, own_floors
from glean.federation.coordination.reply_checks import check_sender
from glean.federation.coordination.reply_kinds import AnyReply, ModelReply
from glean.federation.wire.messages import ClientInfo, Task
from glean.privacy.mask_graph import FEWEST_BAKERIES
from glean.seeds import derived_seed, draw_share
from glean.settings import RunSettings

LACKING = "the reply says that it lacks the model, which was sent as a whole"


class ClientManager:
    """Who takes part in the rounds.

    Parameters
    ----------
    clients : ClientExchange
        Exchanges messages with bakeries by name.
    settings : RunSettings
        The run's.
    spec : str
        What the model's inputs are made of, as the workload writes it.
    learning_rate : float
        Step size of every round.
    infos : mapping of str to ClientInfo
        What each registered bakery said of itself.
    newcomers : sequence of str
        Bakeries that play newcomers.

    Attributes
    ----------
    selection : ClientSelection
        Chooses who trains where not all do.
    devices : set of str
        Where bakeries learned so far, in XGBoost's words, like "cpu" or "cuda:0".
    infos : dict of str to ClientInfo
        What each bakery said when it last registered.
    """

    def __init__(
        self,
        clients: ClientExchange,
        settings: RunSettings,
        spec: str,
        *,
        learning_rate: float,
        infos: Mapping[str, ClientInfo],
        newcomers: Sequence[str],
    ) -> None:
        self.clients = clients
        self.settings = settings
        self.spec = spec
        self.newcomers = frozenset(newcomers)
        self.infos = dict(infos)
        self.devices: set[str] = set()
        self.learning_rate = learning_rate
        self._held: dict[str, str] = {}
        self.selection = ClientSelection(settings, clients.folder)

    @property
    def deployed(self) -> bool:
        """Whether bakeries read tables of their own."""
        return any(info.own_table for info in self.infos.values())

    @property
    def requires_secagg(self) -> bool:
        """Whether a sum that can't be masked is none: as the aggregation says, and for own tables.

        One or two bakeries of a simulation, whose tables are the operator's anyhow, are else
        summed as they are.
        """
        noised = self.settings.noise.wanted  # each part of the noise alone hides too little
        return self.deployed or noised or self.settings.rounds.kind.always_masked

    def uses_secagg(self, contributors: int) -> bool:
        """Whether a sum of so many bakeries' numbers is masked."""
        enough = contributors >= FEWEST_BAKERIES
        return self.settings.secure_sums and (enough or self.requires_secagg)

    @property
    def contributors_floor(self) -> int:
        """How many bakeries what is opened has to be of, by the run and by each that is there."""
        own = own_floors(self.infos, self.clients.present) if self.settings.secure_sums else {}
        return max([self.settings.contributors_floor(deployed=self.deployed), *own.values()])

    @property
    def shows_scores(self) -> bool:
        """Whether the server may see each bakery's scores."""
        return self.settings.shows_scores(deployed=self.deployed)

    @property
    def trainers(self) -> tuple[str, ...]:
        """Bakeries with enough days to learn from, there or not, in text order."""
        return tuple(sorted(name for name, info in self.infos.items() if info.trains))

    def gather(self, number: int, *, at_least: int | None = None) -> None:
        """See who is there; bakeries that came or came back hold no model, and may train.

        Raises
        ------
        FederationError
            They are fewer than `at_least` (by default `min-available-bakeries`) for too long.
        """
        wanted = self.settings.rounds.min_available_bakeries if at_least is None else at_least
        news = self.clients.gather(at_least=wanted, round_number=number)
        for name, info in news.items():
            if info.note:
                self.clients.report_untrained(name, info.note)
        if news:
            self._add_infos(news | self._as_newcomers(news))

    def wait_for_quorum(self, number: int, there: int) -> None:
        """In a deployment, wait until bakeries can hide each other: one may be away for a moment.

        Raises
        ------
        FederationError
            They can't for too long.
        """
        fewest = max(FEWEST_BAKERIES, self.contributors_floor)
        if self.deployed and there < fewest:
            least = self.settings.rounds.min_available_bakeries
            try:
                self.gather(number, at_least=max(fewest, least))
            except FederationError as error:
                enough = max(FEWEST_BAKERIES, self.settings.contributors_floor(deployed=True))
                go_on_with_fewer(
                    self.clients, self.infos, error, fewest=fewest, at_least=enough, number=number
                )

    def present_trainers(self, number: int) -> tuple[str, ...]:
        """Name the bakeries that are there and can be learned from.

        Raises
        ------
        FederationError
            There is none, or too few for the sums of a deployment for too long.
        """
        if self.settings.secure_sums and self.settings.rounds.kind.sums:
            self.wait_for_quorum(number, len(self.clients.present))
        present = self.clients.present
        found = tuple(name for name in self.trainers if name in present)
        if not found:
            raise FederationError(
                f"round {number}: none of the {self.clients.vocabulary.many} that are present has "
                f"enough to learn from; those that have are {', '.join(self.trainers) or 'none'}"
            )
        return found

    def sample_trainers(
        self, number: int, *, without: frozenset[str] = frozenset()
    ) -> tuple[str, ...]:
        """Choose who trains in a round from those that are there, by the run's seed.

        Raises
        ------
        FederationError
            As `present_trainers`.
        """
        names = [name for name in self.present_trainers(number) if name not in without]
        return self.selection.share(names, number)

    def holds_model(self, name: str) -> bool:
        """Whether a client has had a model since it came: else it has lost what it kept."""
        return name in self._held

    def note_model(self, name: str, state: str) -> None:
        """Note which model a client holds now."""
        self._held[name] = state

    def sample_evaluators(self, *, without: Iterable[str] = ()) -> tuple[str, ...]:
        """Name the bakeries that score: the same in every round, as far as they are there."""
        # Else the best round would be the luckiest draw.
        seed = derived_seed(self.settings.seed, "evaluate fraction")
        fraction = self.settings.rounds.fraction_evaluate
        return draw_share(tuple(self.clients.present - {*without}), fraction, seed=seed)

    def request(
        self,
        kind: str,
        names: Iterable[str],
        model: GlobalModel | None,
        *,
        number: int,
        form: type[ModelReply],
        record_of: Callable[[str, Task], RecordDict] = lambda _, task: task.to_record(),
    ) -> dict[str, ModelReply]:
        """Ask with what each bakery lacks; again with the whole model where it lacked more.

        Parameters
        ----------
        kind : str
            Type of the messages.
        names : iterable of str
            Who is asked.
        model : GlobalModel or None
            What the task is about, if it is about a model.
        number : int
            The round.
        form : type
            What replies are read as.
        record_of : callable
            Makes a bakery's record of its task.

        Returns
        -------
        dict of str to form
            Replies that can be read, in text order; the others are named in the run's events.
        """

        def send(asked: Iterable[str], *, whole: bool) -> dict[str, ModelReply]:
            # Those who hold the same are asked the same.
            alike = {name: (self._held.get(name, ""), name in self.newcomers) for name in asked}
            some = {key: name for name, key in alike.items()}
            tasks = {k: self.task(name, model, number, whole=whole) for k, name in some.items()}
            records = {name: record_of(name, tasks[key]) for name, key in alike.items()}
            return self.replies(kind, records, form, number=number)

        replies, lacking = _by_lack(send(names, whole=False))
        if lacking:
            again, still_lacking = _by_lack(send(lacking, whole=True))
            replies |= again
            self._report_lacking(still_lacking, number)
        if model is not None:
            self._held |= dict.fromkeys(replies, model.state)
        return dict(sorted(replies.items()))

    def replies(
        self, kind: str, records: Mapping[str, RecordDict], form: type[AnyReply], *, number: int
    ) -> dict[str, AnyReply]:
        """Send records; the replies that can be read, in text order. Others are named."""
        found: dict[str, AnyReply] = {}
        for name, record in self.clients.ask(kind, records, round_number=number).items():
            try:
                reply = form.from_record(record)
                check_sender(name, reply)
            except (ModelError, FederationError) as error:
                self.clients.report_failure(name, str(error), round_number=number)
            else:
                found[name] = reply
        return found

    def task(
        self, name: str, model: GlobalModel | None, number: int, *, whole: bool = False
    ) -> Task:
        """Make a bakery's task, with what it lacks of the model."""
        held = "" if whole else self._held.get(name, "")
        base, content = model.since(held) if model is not None else ("", b"")
        return Task(
            round=number,
            spec=self.spec,
            base=base,
            state=model.state if model is not None else "",
            learning_rate=self.learning_rate,
            newcomer=name in self.newcomers,
            model=content,
        )

    def failed(self, phase: str) -> FederationError:
        """Say that nobody gave a valid reply."""
        return FederationError(
            f"no {self.clients.vocabulary.one} gave a valid reply in {phase}; see events.jsonl. "
            f"The last reason: {self.clients.last_failure}"
        )

    def _report_lacking(self, names: Iterable[str], number: int) -> None:
        for name in names:
            self.clients.report_failure(name, LACKING, round_number=number)

    def _as_newcomers(self, news: Mapping[str, ClientInfo]) -> dict[str, ClientInfo]:
        return self.clients.register_newcomers([name for name in news if name in self.newcomers])

    def _add_infos(self, news: Mapping[str, ClientInfo]) -> None:
        self.infos |= news
        self._held = {name: s for name, s in self._held.items() if name not in news}


def _by_lack(replies: Mapping[str, ModelReply]) -> tuple[dict[str, ModelReply], list[str]]:
    """Tell the replies from the names of those who lack the model."""
    complete = {name: reply for name, reply in replies.items() if not reply.lacks_model}
    return complete, [name for name in replies if name not in complete]
