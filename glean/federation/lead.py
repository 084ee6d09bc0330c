"""The server's opening: meet the bakeries, draw newcomers, agree on features, set up the rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flwr.serverapp import Grid

from glean.errors import FederationError
from glean.features.definition import FeatureDefinition, check_covariates
from glean.federation.aggregator import Aggregator
from glean.federation.conversation import Conversation
from glean.federation.council import Council
from glean.federation.global_model import GlobalModel
from glean.federation.messages import Introduction
from glean.federation.rounds import Rounds
from glean.federation.run_folder import RunFolder
from glean.federation.sampling import derived_seed, draw
from glean.learning.rates import learning_rate_of
from glean.settings import RunSettings

Bakeries = Mapping[str, Introduction]


def meet(
    grid: Grid,
    settings: RunSettings,
    folder: RunFolder,
    *,
    newcomers: Sequence[str] | None = None,
) -> tuple[Conversation, Bakeries, tuple[str, ...]]:
    """Ask every node who it is, and draw who plays a newcomer.

    Parameters
    ----------
    newcomers : sequence of str, optional
        Who may play one, already drawn; those who aren't met don't count.

    Returns
    -------
    talk : Conversation
        Ready to reach the bakeries by name.
    bakeries : mapping of str to Introduction
        In text order.
    newcomers : tuple of str
        Names of those cut to a short history.

    Raises
    ------
    FederationError
        Too few bakeries can take part.
    """
    talk = Conversation(grid, folder, float(settings.rounds.round_timeout_s))
    bakeries = talk.meet(at_least=settings.rounds.min_available_bakeries)
    if newcomers is None:
        newcomers = draw_newcomers(tuple(bakeries), settings)
    cut = tuple(name for name in bakeries if name in newcomers)
    return talk, bakeries | talk.meet_newcomers(cut), cut


def draw_newcomers(names: Sequence[str], settings: RunSettings) -> tuple[str, ...]:
    """Draw by the run's seed which of the bakeries are cut to a short history."""
    count = round(settings.rounds.newcomer_fraction * len(names))
    return draw(names, count, seed=derived_seed(settings.seed, "newcomers"))


def agree(bakeries: Bakeries, newcomers: Sequence[str], settings: RunSettings) -> FeatureDefinition:
    """Agree on the features: those of the season only where someone knows it.

    Raises
    ------
    SettingsError
        A covariate that the run lists can't be one.
    """
    check_covariates(settings.covariates)
    season = any(met.knows_season for name, met in bakeries.items() if name not in newcomers)
    return FeatureDefinition(
        horizon_days=settings.windows.horizon_days, season=season, covariates=settings.covariates
    )


def rounds_of(
    talk: Conversation,
    settings: RunSettings,
    definition: FeatureDefinition,
    bakeries: Bakeries,
    newcomers: Sequence[str],
    *,
    start: GlobalModel | None = None,
) -> Rounds:
    """Set up the rounds with the bakeries that were met, and the model to go on from.

    Raises
    ------
    FederationError
        None of them has enough trading days to learn from.
    """
    if not any(met.trains for met in bakeries.values()):
        notes = "; ".join(f"{name}: {met.note}" for name, met in bakeries.items())
        raise FederationError(f"no bakery has enough trading days to learn from. {notes}")
    council = Council(
        talk,
        Aggregator(settings, definition),
        learning_rate=learning_rate_of(settings.rounds),
        bakeries=bakeries,
        newcomers=newcomers,
    )
    return Rounds(council, start=start)
