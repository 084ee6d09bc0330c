"""What runs have spent of a client's pictures' privacy, and the secret that its noise follows from.

A release is the outcome of one client's round. Releases of one plan count together, as many as the
plan has rounds: the first of them is charged the whole plan. Epsilons of plans add up, by the
composition that holds whatever a server chooses by what it saw before (Rogers et al. 2016). The
same release costs nothing again, since it is the same bytes.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glean.errors import RefusalError
from glean.federation.client.ledger_store import UNUSABLE
from glean.federation.client.policy import BEYOND_TOTAL
from glean.images.privacy.noise_plan import NoisePlan
from glean.noise_settings import NoiseSettings
from glean.privacy.key_files import write_new
from glean.privacy.keyed_noise import KEY_BYTES
from glean.runs.folder import write_whole

LEDGER, SECRET = "picture-ledger.json", "noise-key"

DEFAULT_TOTAL = 2 * NoiseSettings().epsilon
"""What all runs may spend of a picture unless the owner says otherwise: two of the default."""

_SLACK = 1e-9

_PLANS, _PLAN, _RELEASES = "plans", "plan", "releases"


@dataclass(frozen=True)
class PictureLedger:
    """One client's ledger.

    Parameters
    ----------
    home : Path
        Its folder.
    total : float
        The epsilon that all runs may spend of a picture; 0: `DEFAULT_TOTAL`.
    """

    home: Path
    total: float

    def check_room(self, plan: NoisePlan) -> None:
        """Refuse a run that the ledger has no room for, before it begins.

        Raises
        ------
        RefusalError
            There is none, or the home can't be used.
        """
        self._with_room(self._read(), plan)

    def charge(self, plan: NoisePlan, release: str) -> int:
        """Write down a release before it leaves; how many its plan has now.

        Raises
        ------
        RefusalError
            Nothing is left for it, or the home can't be used.
        """
        plans = self._read()
        for entry in plans:
            if release in entry[_RELEASES]:
                return len(entry[_RELEASES])
        entry = self._with_room(plans, plan)
        entry[_RELEASES].append(release)
        self._write(plans)
        return len(entry[_RELEASES])

    def secret(self) -> bytes:
        """Give what the noise follows from; made where nothing was released yet.

        Raises
        ------
        RefusalError
            It is missing or damaged.
        """
        plans = self._read()
        path = self.home / SECRET
        try:
            if not path.exists() and not any(entry[_RELEASES] for entry in plans):
                self._write(plans)
                write_new(path, secrets.token_bytes(KEY_BYTES))
            found = path.read_bytes()
        except OSError as error:
            raise self._unusable(path, error) from error
        if len(found) != KEY_BYTES:
            raise self._unusable(path, f"found {len(found)} bytes; wanted {KEY_BYTES}")
        return found

    def _with_room(self, plans: list[dict[str, Any]], plan: NoisePlan) -> dict[str, Any]:
        """Find where a new release of a plan counts; a new entry, which is charged, if need be."""
        wanted = asdict(plan)
        for entry in plans:
            if entry[_PLAN] == wanted and len(entry[_RELEASES]) < plan.rounds:
                return entry
        spent = sum(entry[_PLAN]["epsilon"] for entry in plans)
        total = self.total or DEFAULT_TOTAL
        if spent + plan.epsilon > total + _SLACK:
            raise RefusalError(
                BEYOND_TOTAL,
                f"node config epsilon-total: found {total:g}, of which {spent:g} is spent; wanted "
                f"{spent + plan.epsilon:g} or more: so much of a picture do all runs so far and "
                f"this one spend (epsilon {plan.epsilon:g}, delta {plan.delta:g}). "
                "Nothing is answered",
            )
        new: dict[str, Any] = {_PLAN: wanted, _RELEASES: []}
        plans.append(new)
        return new

    def _read(self) -> list[dict[str, Any]]:
        path = self.home / LEDGER
        try:
            found = json.loads(path.read_text(encoding="utf-8"))[_PLANS]
            if not all(_is_entry(entry) for entry in found):
                raise self._unusable(path, "found something else than plans and releases")
        except FileNotFoundError:
            if (self.home / SECRET).exists():
                raise self._unusable(path, f"found none beside {SECRET}") from None
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._unusable(path, error) from error
        return list(found)

    def _write(self, plans: list[dict[str, Any]]) -> None:
        content = json.dumps({_PLANS: plans}, indent=1, sort_keys=True) + "\n"
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            write_whole(self.home / LEDGER, content.encode())
        except OSError as error:
            raise self._unusable(self.home / LEDGER, error) from error

    def _unusable(self, path: Path, why: object) -> RefusalError:
        return RefusalError(
            UNUSABLE,
            f"{path}, of what runs have spent of this client's pictures: {why}. Nothing is sent. "
            "Put back its newest copy; where there is none, a new home begins a ledger that knows "
            "of nothing that was spent before",
        )


def _is_entry(entry: Any) -> bool:
    if not (isinstance(entry, Mapping) and {_PLAN, _RELEASES} <= entry.keys()):
        return False
    plan, releases = entry[_PLAN], entry[_RELEASES]
    spent = plan.get("epsilon") if isinstance(plan, Mapping) else None
    return isinstance(spent, float) and spent > 0.0 and isinstance(releases, list)
