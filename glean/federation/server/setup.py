"""Before the first round: the server meets bakeries, draws newcomers, agrees on features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flwr.serverapp import Grid

from glean.errors import FederationError
from glean.features.definition import FeatureDefinition, check_covariates
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.exchange import ClientExchange
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.server.training_loop import TrainingLoop
from glean.federation.wire.messages import ClientInfo
from glean.learning.learning_rates import learning_rate_of
from glean.runs.folder import RunFolder
from glean.seeds import derived_seed, draw
from glean.settings import RunSettings

Bakeries = Mapping[str, ClientInfo]


def register_clients(
    grid: Grid,
    settings: RunSettings,
    folder: RunFolder,
    *,
    newcomers: Sequence[str] | None = None,
) -> tuple[ClientExchange, Bakeries, tuple[str, ...]]:
    """Ask every node who it is, and draw who plays a newcomer.

    Parameters
    ----------
    newcomers : sequence of str, optional
        Who may play one, already drawn; those who aren't met don't count.

    Returns
    -------
    clients : ClientExchange
        Ready to reach the bakeries by name.
    bakeries : mapping of str to ClientInfo
        In text order.
    newcomers : tuple of str
        Names of those cut to a short history.

    Raises
    ------
    FederationError
        Too few bakeries can take part.
    """
    clients = ClientExchange(grid, folder, float(settings.rounds.round_timeout_s))
    bakeries = clients.register(at_least=settings.rounds.min_available_bakeries)
    if newcomers is None:
        newcomers = draw_newcomers(tuple(bakeries), settings)
    cut = tuple(name for name in bakeries if name in newcomers)
    return clients, bakeries | clients.register_newcomers(cut), cut


def draw_newcomers(names: Sequence[str], settings: RunSettings) -> tuple[str, ...]:
    """Draw by the run's seed which of the bakeries are cut to a short history."""
    count = round(settings.rounds.newcomer_fraction * len(names))
    return draw(names, count, seed=derived_seed(settings.seed, "newcomers"))


def negotiate_features(
    bakeries: Bakeries, newcomers: Sequence[str], settings: RunSettings
) -> FeatureDefinition:
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


def training_loop(
    clients: ClientExchange,
    settings: RunSettings,
    definition: FeatureDefinition,
    bakeries: Bakeries,
    newcomers: Sequence[str],
    *,
    start: GlobalModel | None = None,
) -> TrainingLoop:
    """Set up the rounds with the bakeries that were met, and the model to go on from.

    Raises
    ------
    FederationError
        None of them has enough trading days to learn from.
    """
    if not any(met.trains for met in bakeries.values()):
        notes = "; ".join(f"{name}: {met.note}" for name, met in bakeries.items())
        raise FederationError(f"no bakery has enough trading days to learn from. {notes}")
    manager = ClientManager(
        clients,
        settings,
        definition,
        learning_rate=learning_rate_of(settings.rounds),
        infos=bakeries,
        newcomers=newcomers,
    )
    return TrainingLoop(manager, start=start)
