"""What the attacks of an audit work on: a run made again, with all bakeries and without some."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from glean.audit.bakery_truth import BakeryTruth, open_bakery
from glean.audit.leaf_sums import LeafSums, opened_leaves
from glean.audit.members_view import MembersView
from glean.audit.received import Received, received_by_server
from glean.audit.rerun import FIRST_NODE, Rerun, run_again, shortened
from glean.errors import GleanError
from glean.features.definition import FeatureDefinition
from glean.federation.coordination.global_model import TreeModel
from glean.federation.grids.inprocess import BakeryApp
from glean.federation.server.training_state import Best, TrainingState
from glean.learning.bin_layout import BinLayout
from glean.node_settings import FEWEST_CONTRIBUTORS
from glean.privacy.mask_graph import FEWEST_BAKERIES
from glean.settings import RunSettings

MOST_VICTIMS = 5
"""Bakeries that are attacked, those with the fewest rows: each costs a run without it."""

CHURN_ROUND = 3
"""First round without the bakery that leaves; in the two before it there is something to compare
with."""


Said = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Observed:
    """A run as its server and its members saw it.

    Parameters
    ----------
    rerun : Rerun
        The run.
    settings : RunSettings
        Its settings.
    """

    rerun: Rerun
    settings: RunSettings

    @cached_property
    def received(self) -> Received:
        """What the server received."""
        return received_by_server(self.rerun.exchanges)

    @cached_property
    def layout(self) -> BinLayout:
        """The public bins."""
        definition = FeatureDefinition.from_json(self.rerun.spec)
        return BinLayout(definition, self.settings.boosting.bins)

    @cached_property
    def leaves(self) -> tuple[LeafSums, ...]:
        """The sums by leaf that the server opened."""
        return opened_leaves(self.received.sums, layout=self.layout, seed=self.settings.seed)

    @cached_property
    def member(self) -> MembersView:
        """What a member was told; all are told the same of models."""
        return MembersView.of(self.rerun.exchanges, FIRST_NODE)


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that the attacks look at.

    Parameters
    ----------
    whole : Observed
        The run, with all bakeries.
    without : mapping of str to Observed
        The run without a bakery, for each that is attacked.
    resumed : mapping of str to Observed
        The second round without a bakery, after a first round with all.
    churned : mapping of str to Observed
        The run's first rounds, in which a bakery leaves before `CHURN_ROUND`.
    bakeries : mapping of str to BakeryTruth
        The truth, by name, in the order of the run.
    """

    whole: Observed
    without: Mapping[str, Observed]
    resumed: Mapping[str, Observed]
    churned: Mapping[str, Observed]
    bakeries: Mapping[str, BakeryTruth]

    @property
    def victims(self) -> tuple[str, ...]:
        """Bakeries that are attacked."""
        return tuple(self.without)

    def another(self, victim: str) -> str:
        """Name another bakery that is attacked, for a comparison."""
        at = self.victims.index(victim)
        return self.victims[(at + 1) % len(self.victims)]


def whole_run(
    settings: RunSettings, count: int, client_app: BakeryApp, *, newcomers: Sequence[str]
) -> Observed:
    """Make a simulation's training again.

    Raises
    ------
    FederationError
        No training came of it.
    """
    return Observed(run_again(settings, range(count), client_app, newcomers=newcomers), settings)


def gathered(
    whole: Observed, client_app: BakeryApp, *, newcomers: Sequence[str], said: Said
) -> Evidence:
    """Make the runs without each bakery that is attacked, and open the tables.

    Parameters
    ----------
    whole : Observed
        From `whole_run`.
    client_app : BakeryApp
        What plays the bakeries.
    newcomers : sequence of str
        Who was cut to a short history.
    said : callable
        Told what is done next.

    Raises
    ------
    GleanError
        They are too few for a run without one of them.
    """
    names = whole.rerun.names
    bakeries = {
        name: open_bakery(
            partition,
            whole.settings,
            whole.rerun.spec,
            newcomer=name in newcomers,
            name=name,
        )
        for partition, name in sorted(names.items())
    }
    learners = {k: name for k, name in names.items() if len(bakeries[name])}
    check_enough(whole.settings, len(learners))
    victims = sorted(learners, key=lambda k: (len(bakeries[names[k]]), k))[:MOST_VICTIMS]
    settings = _for_fewer(whole.settings, len(learners) - 1)
    start = _after_a_round(whole)
    without, resumed, churned = {}, {}, {}
    for victim in victims:
        name = names[victim]
        said(f"runs without {name}")
        others = [partition for partition in sorted(names) if partition != victim]
        again = partial(run_again, client_app=client_app, newcomers=newcomers)
        without[name] = Observed(again(settings, others), settings)
        if start is not None:
            two, opened = shortened(settings, 2), whole.rerun.opened
            resumed[name] = Observed(again(two, others, start=start, opened=opened), two)
        if not settings.noise.wanted:
            three, leaves = shortened(settings, CHURN_ROUND), {victim: CHURN_ROUND}
            churned[name] = Observed(again(three, sorted(names), leaves=leaves), three)
    return Evidence(whole, without, resumed, churned, bakeries)


def check_enough(settings: RunSettings, learners: int) -> None:
    """Refuse a run that can't be made again without one of its bakeries.

    Raises
    ------
    GleanError
        Says how many are wanted.
    """
    masked = settings.min_contributors or settings.rounds.kind.always_masked
    least = 1 + (FEWEST_BAKERIES if masked else 1)
    if learners < least:
        raise GleanError(
            f"found {learners} bakeries that learn; wanted {least} or more with these settings: "
            "each attack is compared with the same one on a run without a bakery"
        )


def _for_fewer(settings: RunSettings, learners: int) -> RunSettings:
    """Let a run go on with so many bakeries, also where its own floor wants one more."""
    floor = settings.min_contributors
    return replace(
        settings,
        min_contributors=max(min(floor, learners), FEWEST_CONTRIBUTORS) if floor else 0,
        rounds=replace(settings.rounds, min_available_bakeries=1),
    )


def _after_a_round(whole: Observed) -> TrainingState | None:
    """Give the state after the first round; with noise a resumed run opens no levels anew."""
    forest = whole.member.models.get(2)
    if whole.settings.noise.wanted or forest is None or not whole.leaves:
        return None
    model = TreeModel.of(forest)
    return TrainingState(1, model, Best(), model, b"")
