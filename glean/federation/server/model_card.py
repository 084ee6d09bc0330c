"""The card of a run's final model: written after the rounds, and again after the final test.

What the federation knows stands here: the run, its members, settings and privacy. What the model is
for, what it learned from and where it is weak, the workload's conclusion says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from glean.federation.server.conclusion import CardFacts, FinishedRounds
from glean.federation.server.model_files import write_model
from glean.federation.wire.noised_parts import budget_of, client_budget_of
from glean.node_settings import DEFAULT_MIN_CONTRIBUTORS
from glean.privacy.model_key import ModelSigner
from glean.privacy.noise_budget import RECORDS_OF_A_DAY
from glean.runs.events import RoundFinished
from glean.runs.folder import known_events
from glean.runs.model_card import CARD_FILE, CARD_PAGE, ModelCard, digest_of
from glean.runs.model_card_page import card_page
from glean.settings import RunSettings

_PLACES = ("sales", "products", "images", "start-from", "resume", "output-dir")
"""Settings that say where a file lies on the server's machine."""

_ELSEWHERE = "each member's own are in its home, all members' together at the operator"

_OF_THE_RUN = ("start", "engine", "seed", "code", "versions", "learning_rate")
"""What `run.json` says and the card repeats."""


class CardWriter:
    """Writes the card of a run's final model.

    Parameters
    ----------
    run : FinishedRounds
        The run.
    run_id : int
        Its id.
    facts : mapping
        Its `run.json`.
    signer : ModelSigner or None
        Who signs; None for nobody.
    """

    def __init__(
        self,
        run: FinishedRounds,
        *,
        run_id: int,
        facts: Mapping[str, Any],
        signer: ModelSigner | None,
    ) -> None:
        self._run = run
        self._run_id = run_id
        self._facts = facts
        self._signer = signer

    def keep_model(self, said: CardFacts) -> FinishedRounds:
        """Write the final model and its card; the run with the card that goes to its clients."""
        run, model = self._run, self._run.result.model
        card = self._card(said, travels=run.deployed).to_bytes()
        # The card first: a kill leaves no model that nobody vouches for.
        run.folder.write_bytes(CARD_FILE, card)
        write_model(run.folder, "model", model, run.settings)
        sent = card.decode() if run.deployed else ""
        return replace(run, result=replace(run.result, card=sent))

    def write(self, said: CardFacts) -> None:
        """Write the card anew, with what the final test came to."""
        card = self._card(said, travels=False)
        self._run.folder.write_bytes(CARD_FILE, card.to_bytes())
        self._run.folder.write_bytes(CARD_PAGE, card_page(card).encode())

    def _card(self, said: CardFacts, *, travels: bool) -> ModelCard:
        """Make the card; one that travels tells a member nothing that the server alone opened."""
        run, model = self._run, self._run.result.model
        scored = not travels or run.settings.noise.wanted
        sections = {
            "use": said.use,
            "run": self._about_run(),
            "data": dict(said.data),
            "members": _members(run, names_only=travels),
            "scores": {
                "validation": _validation(run) if scored else None,
                "test": [dict(row) for row in said.scores],
                "elsewhere": _ELSEWHERE if run.deployed else None,
            },
            "privacy": {**privacy_section(run.settings, deployed=run.deployed), **said.privacy},
            "weak_points": [*said.weak_points, *_weak_points(run)],
            "settings": {k: v for k, v in run.settings.to_config().items() if k not in _PLACES},
        }
        card = ModelCard.of(
            model.to_bytes(),
            file=f"model{model.suffix}",
            run_id=str(self._run_id),
            sections=sections,
        )
        return self._signer.sign(card) if self._signer else card

    def _about_run(self) -> dict[str, Any]:
        start, result = self._run.loop.start, self._run.result
        return {
            **{name: self._facts.get(name) for name in _OF_THE_RUN},
            "aggregation": self._run.settings.rounds.aggregation,
            "best_round": result.best_round,
            "last_round": result.last_round,
            "resumed": bool(self._run.settings.resume),
            "started_from_sha256": digest_of(start.to_bytes()) if start else None,
        }


def privacy_section(settings: RunSettings, *, deployed: bool) -> dict[str, Any]:
    """Say what a run opened of its members' rows, and what that spends.

    Parameters
    ----------
    settings : RunSettings
        The run's.
    deployed : bool
        Whether members have data of their own.
    """
    if not settings.noise.wanted:
        how = "masked sums" if settings.secure_sums else "updates and sums as they are, unmasked"
        return {
            "mode": "sums",
            "epsilon": None,
            "opened": f"{how}, without noise: they can tell of single members (docs/privacy.md)",
            "simulated": not deployed,
        }
    if settings.noise.by_client:
        whole = client_budget_of(settings)
        return {
            "mode": settings.noise.privacy,
            "epsilon": round(whole.spent_when_resumed if settings.resume else whole.spent, 6),
            "delta": whole.delta,
            "unit": "one client with all of its data, over all rounds and scores of the run",
            "simulated": not deployed,
        }
    budget = budget_of(settings)
    return {
        "mode": "noise",
        "epsilon": round(budget.spent_when_resumed if settings.resume else budget.spent, 6),
        "delta": budget.delta,
        "unit": "one bakery's day of training records",
        "epsilon_of_a_days_sales": round(budget.spent_of_a_days_sales, 6),
        "why_more": f"a day's sales enter the records of up to {RECORDS_OF_A_DAY} days",
        "all_of_one_products_days": "promises nothing",
        "simulated": not deployed,
    }


def _members(run: FinishedRounds, *, names_only: bool) -> list[dict[str, Any]]:
    """List who took part, in text order; who had too little to learn from is for the operator."""
    infos = sorted(run.loop.manager.infos.items())
    if names_only:
        return [{"name": name} for name, _ in infos]
    return [
        {"name": name, "trained": info.trains, "newcomer": name in run.newcomers}
        for name, info in infos
    ]


def _validation(run: FinishedRounds) -> dict[str, Any] | None:
    """Give the model's score on the validation rows; None where there is none."""
    rounds = [
        event
        for event in known_events(run.folder.path / "events.jsonl")
        if isinstance(event, RoundFinished)
    ]
    noised = run.settings.noise.wanted
    wanted = [e for e in rounds if (e.noise if noised else e.round == run.result.best_round)]
    if not wanted:
        return None
    last = wanted[-1]
    metric, value = last.shown
    if value is None or not math.isfinite(value):
        return None
    return {"metric": metric, "value": value, "noise": last.noise, "round": last.round}


def _weak_points(run: FinishedRounds) -> list[str]:
    trained = sum(info.trains for info in run.loop.manager.infos.values())
    points = [
        "It is as honest as its members: docs/threats.md says what one that sends wrong numbers "
        "can still do to it."
    ]
    if trained < DEFAULT_MIN_CONTRIBUTORS:
        points.append(f"Few members, {trained}, trained it: each of them weighs much in it.")
    if run.settings.noise.wanted:
        points.append(
            "What it learned from carries noise, so the last round's model was taken and not the "
            "best one's: which one that is, scores with noise can't tell."
        )
    return points
