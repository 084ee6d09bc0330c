"""One client's rounds with noise: what they are planned for, keyed by, charged and told."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glean.errors import RefusalError
from glean.federation.client.policy import NO_LEDGER
from glean.images.image_subset import ImageSubset
from glean.images.privacy.noise_plan import NoisePlan
from glean.images.privacy.picture_ledger import PictureLedger
from glean.learning.model_weights import Weights
from glean.node_settings import NodeSettings
from glean.privacy.keyed_noise import derived_key
from glean.settings import RunSettings

if TYPE_CHECKING:  # it loads PyTorch
    from glean.images.networks.training import SGDOptions

LOG = logging.getLogger("glean")

_AT_ONCE = 1024


@dataclass(frozen=True)
class PrivateClient:
    """What a client needs to train with noise.

    Parameters
    ----------
    name : str
        The client's.
    node : NodeSettings
        Its home, and what its owner lets all runs spend.
    settings : RunSettings
        The run's.
    own_table : bool
        Whether the pictures are its own. A simulation's noise follows from the run's seed and hides
        nothing; no ledger is kept of it.
    """

    name: str
    node: NodeSettings
    settings: RunSettings
    own_table: bool

    def check(self, pictures: int) -> None:
        """Refuse a run that so many training pictures can't be learned from in, at its beginning.

        Raises
        ------
        SettingsError
            Its delta or epsilon doesn't fit them.
        RefusalError
            Earlier runs spent too much of them, or there is no home.
        """
        plan = NoisePlan.of(self.settings, pictures)
        if self.own_table:
            self._ledger.check_room(plan)

    def fit(
        self,
        weights: Weights,
        pictures: ImageSubset,
        steps: SGDOptions,
        *,
        number: int,
        device: str = "cpu",
    ) -> Weights:
        """Train weights further for one round.

        Raises
        ------
        SettingsError, RefusalError
            As `check`; or the network mixes pictures.
        """
        from glean.images.privacy.private_training import fit_privately

        plan = NoisePlan.of(self.settings, len(pictures))
        about = _about(weights, pictures, steps, plan, number, device=device)
        key = derived_key(self._secret(), about)
        spent_rounds = number
        if self.own_table:
            release = hashlib.sha256(about).hexdigest()
            spent_rounds = self._ledger.charge(plan, release)
        fitted = fit_privately(weights, pictures, steps, plan, key=key, device=device)
        self._tell(plan, number, spent_rounds)
        return fitted

    @property
    def _ledger(self) -> PictureLedger:
        if not self.node.home:
            raise RefusalError(
                NO_LEDGER,
                "node config home: found none; wanted a folder where this client counts what runs "
                "with noise spend of its pictures. Nothing is answered",
            )
        return PictureLedger(Path(self.node.home).expanduser(), self.node.epsilon_total)

    def _secret(self) -> bytes:
        if self.own_table:
            return self._ledger.secret()
        return hashlib.sha256(f"{self.settings.seed}\0{self.name}".encode()).digest()

    def _tell(self, plan: NoisePlan, number: int, spent_rounds: int) -> None:
        """Say what is spent; a simulation's first client stands for the others, which are many."""
        if self.own_table or self.node.partition == 0:
            LOG.info(
                "privacy: %s has spent epsilon %.3f of %g after round %d (delta %g, unit: a "
                "training picture; DP-SGD, noise %.3g times clip norm %g, %s steps)",
                self.name,
                min(plan.epsilon, plan.spent_after(spent_rounds)),
                plan.epsilon,
                number,
                plan.delta,
                plan.noise_multiplier,
                plan.clip_norm,
                f"{plan.steps * spent_rounds:,}",
            )


def _about(
    weights: Weights,
    pictures: ImageSubset,
    steps: SGDOptions,
    plan: NoisePlan,
    number: int,
    *,
    device: str,
) -> bytes:
    """Write down all that a release follows from, so that another one has other noise.

    Were the step size left out, say, a server could have two step sizes tried with one noise, and
    take their difference, in which there is none. The run isn't in it: one that goes on after a
    break asks for the same releases.
    """
    told = {
        "round": number,
        "weights": hashlib.sha256(weights.to_npz()).hexdigest(),
        "pictures": _digest(pictures),
        "learning rate": steps.learning_rate,
        "pull": steps.proximal_mu,
        "momentum": steps.local.momentum,
        "plan": asdict(plan),
    }
    if device != "cpu":  # a GPU rounds otherwise
        told["device"] = device.partition(":")[0]
    return json.dumps(told, sort_keys=True).encode()


def _digest(pictures: ImageSubset) -> str:
    """Digest pixels and labels, a few at a time."""
    found = hashlib.sha256(
        json.dumps([list(pictures.classes), str(pictures.pixels.dtype)]).encode()
    )
    found.update(repr(pictures.pixels.shape[1:]).encode())
    for start in range(0, len(pictures), _AT_ONCE):
        places = pictures.places[start : start + _AT_ONCE]
        found.update(pictures.pixels[places].tobytes())
        found.update(pictures.labels[places].astype("<i8").tobytes())
    return found.hexdigest()
