"""What an audit of a run on pictures found, in frozen values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from glean.images.inversion.experiments import Case, Experiment
from glean.images.inversion.first_round import FirstRound
from glean.runs.code_version import code_fingerprint

_DIGITS = 6


@dataclass(frozen=True, eq=False)
class Inversions:
    """What an audit of a run on pictures found.

    Parameters
    ----------
    run : str
        Name of the run.
    first : FirstRound
        What was attacked.
    compared : bool
        Whether the first round has the run's numbers; otherwise nothing says so.
    found : tuple of Experiment
        The attacks.
    """

    run: str
    first: FirstRound
    compared: bool
    found: tuple[Experiment, ...]

    def to_json(self) -> str:
        """Write all figures; no time is in it, so the same run gives the same bytes."""
        settings, victim = self.first.settings, self.first.victim
        told: dict[str, Any] = {
            "run": self.run,
            "code": code_fingerprint(),
            "same_round": self.compared,
            "privacy": "noise" if settings.noise.in_steps else "sums",
            "secure_sums": settings.secure_sums,
            "epsilon": settings.noise.epsilon,
            "delta": settings.noise.delta,
            "attacked": victim.name,
            "training_pictures": len(victim.training),
            "findings": [
                {"attack": "a single step" if one.pictures else "the first round", **_told(case)}
                for one in self.found
                for case in one.cases
            ],
        }
        return json.dumps(told, indent=1)


def _told(case: Case) -> dict[str, Any]:
    found = case.recovery
    return {
        "update": case.update,
        "clients": case.clients,
        "pictures_behind": case.behind,
        "tried": found.tried,
        "recovered": found.recovered,
        "chance": round(found.chance, _DIGITS),
        "more_than_chance": found.significant,
        "likeness": round(found.likeness, _DIGITS),
        "chance_likeness": round(found.chance_likeness, _DIGITS),
        "class_mean_likeness": round(found.mean_likeness, _DIGITS),
        "most_alike_other": round(found.other_likeness, _DIGITS),
        "likeness_of_each": [round(float(one), _DIGITS) for one in found.pairs.likeness],
    }
