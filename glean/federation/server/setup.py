"""Before the first round: clients are registered, newcomers drawn, the spec negotiated."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from flwr.serverapp import Grid

from glean.errors import FederationError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.exchange import ClientExchange
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.member_list import MemberList
from glean.federation.server.training_loop import TrainingLoop
from glean.federation.wire.messages import ClientInfo
from glean.federation.workload.registry import workload_of
from glean.learning.learning_rates import learning_rate_of
from glean.runs.folder import RunFolder
from glean.seeds import derived_seed, draw
from glean.settings import RunSettings

ClientInfos = Mapping[str, ClientInfo]


def register_clients(
    grid: Grid,
    settings: RunSettings,
    folder: RunFolder,
    *,
    newcomers: Sequence[str] | None = None,
    model_key: str = "",
) -> tuple[ClientExchange, ClientInfos, tuple[str, ...]]:
    """Ask every node who it is, and draw who plays a newcomer.

    Parameters
    ----------
    newcomers : sequence of str, optional
        Who may play one, already drawn; those who aren't registered don't count.
    model_key : str
        Fingerprint of the key that the final model will be signed by; "" where it won't be.

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
    SettingsError, CertificateError
        The list of members that the environment names can't be read.
    """
    clients = ClientExchange(
        grid,
        folder,
        float(settings.rounds.round_timeout_s),
        members=MemberList.of(os.environ),
        model_key=model_key,
    )
    bakeries = clients.register(at_least=settings.rounds.min_available_bakeries)
    if newcomers is None:
        newcomers = draw_newcomers(tuple(bakeries), settings)
    if newcomers and any(info.own_table for info in bakeries.values()):
        raise FederationError(
            f"newcomer-fraction: found {settings.rounds.newcomer_fraction:g}; wanted 0 where "
            f"{clients.vocabulary.many} have tables of their own: only a simulation cuts "
            "tables short"
        )
    cut = tuple(name for name in bakeries if name in newcomers)
    return clients, bakeries | clients.register_newcomers(cut), cut


def draw_newcomers(names: Sequence[str], settings: RunSettings) -> tuple[str, ...]:
    """Draw by the run's seed which of the bakeries are cut to a short history."""
    count = round(settings.rounds.newcomer_fraction * len(names))
    return draw(names, count, seed=derived_seed(settings.seed, "newcomers"))


def negotiate_spec(infos: ClientInfos, newcomers: Sequence[str], settings: RunSettings) -> str:
    """Agree on what the model's inputs are made of, by the facts of those who aren't cut short.

    Raises
    ------
    SettingsError
        The settings can't be met.
    """
    facts = [_facts(info) for name, info in infos.items() if name not in newcomers]
    return workload_of(settings).negotiate(facts, settings)


def _facts(info: ClientInfo) -> dict[str, Any]:
    try:
        found = json.loads(info.facts)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def training_loop(
    clients: ClientExchange,
    settings: RunSettings,
    spec: str,
    infos: ClientInfos,
    newcomers: Sequence[str],
    *,
    start: GlobalModel | None = None,
) -> TrainingLoop:
    """Set up the rounds with the registered bakeries, and the model to go on from.

    Raises
    ------
    FederationError
        None of them has enough to learn from, or the settings aren't for bakeries with own tables.
    """
    deployed = any(info.own_table for info in infos.values())
    if problems := [*settings.floor_problems(deployed=deployed)]:
        raise FederationError("\n".join(problems))
    if not any(info.trains for info in infos.values()):
        notes = "; ".join(f"{name}: {info.note}" for name, info in infos.items())
        one = clients.vocabulary.one
        raise FederationError(f"no {one} has enough to learn from. {notes}")
    manager = ClientManager(
        clients,
        settings,
        spec,
        learning_rate=learning_rate_of(settings.rounds),
        infos=infos,
        newcomers=newcomers,
    )
    return TrainingLoop(manager, start=start)
