"""A client whose network isn't the run's: what it takes of the run's weights, and what it gives."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from typing import Any

from glean.errors import RefusalError
from glean.federation.wire.sum_request import WHOLE, SumRequest
from glean.federation.workload.client_state import ClientState
from glean.images.adaptation.layer_report import told
from glean.images.adaptation.matching import Matching
from glean.images.adaptation.own_layers import OwnLayers
from glean.images.image_spec import ImageSpec
from glean.images.image_subset import ImageSubset
from glean.learning.learning_rates import learning_rate_of
from glean.learning.model_weights import Weights
from glean.seeds import derived_seed
from glean.settings import RunSettings

LOG = logging.getLogger("glean")

NOT_ADAPTED = "a network of its own in a run without adapt-weights"
COUNTED = "a count among those that train the whole network"
NOT_PRIVATE = "noise on a network that isn't all of the run's"


class OwnNetwork:
    """One client's network beside the run's.

    Parameters
    ----------
    name : str
        The client's.
    network : str
        Name of its network.
    settings : RunSettings
        The run's.
    home : str
        Folder in which it keeps its own layers besides the node's state; "" for none.

    Raises
    ------
    RefusalError
        The run wants clients with its own network.
    SettingsError
        There is no such network here.
    """

    def __init__(self, name: str, network: str, settings: RunSettings, *, home: str = "") -> None:
        from glean.images.networks.architectures import build_of

        image = settings.image
        if not image.adapt_weights:
            raise RefusalError(
                NOT_ADAPTED,
                f"image-model: this client's network is {network!r:.80}, the run's "
                f"{image.image_model!r:.80}; wanted the same, or a run with adapt-weights=true, in "
                "which clients train what their networks have in common with it. Nothing is "
                "answered",
            )
        build_of(network)
        self.network = network
        self._name = name
        self._settings = settings
        self._home = home
        self._state = ClientState.empty()
        self._layers = OwnLayers()
        self._alone: Weights | None = None
        self._told = ""

    def matching(self, spec: str) -> Matching:
        """Match this network with the run's, both built for a spec."""
        return matching_of(self.network, spec, self._settings)

    def why_afresh(self, facts: Mapping[str, Any]) -> str:
        """Say why nothing of it is trained with the others; "" where something is.

        Parameters
        ----------
        facts : mapping
            Of the client's pictures: size, channels and classes. Of these alone, so that it says
            the same whoever else is there.
        """
        found, least = self._of_facts(facts).share, self._settings.image.adapt_share
        if found and found >= least:
            return ""
        return (
            f"its network {self.network!r:.80} begins afresh and trains alone: {found:.0%} of it "
            f"is the run's, wanted {least:.0%} (adapt-share)"
        )

    def check_private(self, facts: Mapping[str, Any]) -> None:
        """Refuse noise where some of the network would be trained without any.

        Raises
        ------
        RefusalError
            Not all of it is the run's.
        """
        if self.why_afresh(facts) or not self._of_facts(facts).whole:
            raise RefusalError(
                NOT_PRIVATE,
                f"image-model: with noise in clients' steps all of a client's network has to be "
                f"the run's; of {self.network!r:.80} only {self._of_facts(facts).share:.1%} is, "
                "and the rest would be scored as it is. Wanted a network that is cut from it "
                "(adapt-shapes=true), or a run without noise",
            )

    def check_counted(self, request: SumRequest) -> None:
        """Refuse a sum in which this client passes for one that trains all weights.

        Raises
        ------
        RefusalError
            It does: the floor would count it where it adds nothing.
        """
        if WHOLE not in request.parts or WHOLE in request.contributes:
            raise RefusalError(
                COUNTED,
                "found a request that counts this client among those that train the run's whole "
                "network; it trains a part of it, as it said. Nothing is sent",
            )

    def tell(self, spec: str) -> None:
        """Say in the log what of this network is the run's, once a spec."""
        if spec != self._told:
            self._told = spec
            LOG.info("%s", "\n".join(told(self.network, self.matching(spec))))

    def take(self, state: ClientState, *, first: bool) -> bool:
        """Take what was kept of this network's own layers; whether something was.

        Parameters
        ----------
        state : ClientState
            The node's.
        first : bool
            Whether it is the first round: what a home has is of another run then.
        """
        self._state = state
        self._layers = OwnLayers.read(state, "" if first else self._home)
        return bool(self._layers.now)

    def played(
        self, weights: Weights, pictures: ImageSubset, *, afresh: bool, device: str = "cpu"
    ) -> Weights:
        """Give this network as it tells pictures: by the run's weights, or trained alone."""
        if not afresh:
            return self.begun(weights)
        if self._alone is None and len(pictures):
            rate = learning_rate_of(self._settings.rounds)
            self._alone = self._local_weights(weights.spec, pictures, rate, device)
        return self._alone or self._fresh(weights.spec)

    def begun(self, weights: Weights) -> Weights:
        """Give this network with the run's weights in it, and its own where there are none."""
        matching, fresh = self.matching(weights.spec), self._fresh(weights.spec)
        own = matching.silenced(fresh)
        if kept := {} if matching.whole else self._layers.at(_digest(weights)):
            own = Weights(own.kind, own.spec, {**own.arrays, **kept})
        return matching.down(weights, own)

    def keep(self, weights: Weights, begun: Weights, fitted: Weights) -> None:
        """Keep what its own layers came to in training from the run's weights.

        Raises
        ------
        FederationError
            The home can't be written to.
        """
        names = [one.name for one in self.matching(weights.spec).layers if one.taken < one.size]
        if names:
            before, after = ({n: one.arrays[n] for n in names} for one in (begun, fitted))
            self._layers = self._layers.after_training(_digest(weights), before, after)
            self._layers.write(self._state, self._home)

    def given(self, fitted: Weights, weights: Weights) -> Weights:
        """Give the run's weights with what this network came to where both have the same."""
        return self.matching(weights.spec).up(fitted, weights)

    def _local_weights(
        self, spec: str, pictures: ImageSubset, learning_rate: float, device: str
    ) -> Weights:
        """Train it on this client's pictures alone, through as many epochs as a run has."""
        from glean.images.networks.baselines import trained_alone

        return trained_alone(
            pictures,
            ImageSpec.from_json(spec),
            self._settings,
            learning_rate=learning_rate,
            name=self._name,
            network=self.network,
            device=device,
        )

    def _fresh(self, spec: str) -> Weights:
        from glean.images.networks.network import initial_weights

        seed = derived_seed(self._settings.seed, "initial weights")
        return initial_weights(self.network, ImageSpec.from_json(spec), seed=seed)

    def _of_facts(self, facts: Mapping[str, Any]) -> Matching:
        classes = tuple(facts["classes"])
        if len(classes) < 2:
            classes = ("one", "other")
        image = self._settings.image
        spec = ImageSpec(
            classes, facts["size"], facts["channels"], image.image_mean, image.image_std
        )
        return self.matching(spec.to_json())


def matching_of(network: str, spec: str, settings: RunSettings) -> Matching:
    """Match a network with the run's, both built for a spec."""
    from glean.images.networks.network import shapes_of

    image = settings.image
    return Matching.of(
        shapes_of(image.image_model, spec), shapes_of(network, spec), reshape=image.adapt_shapes
    )


def simulated_network(settings: RunSettings, place: int) -> str:
    """Name the network of a simulation's client, counted from 0: `image-models` in turn."""
    names = network_names(settings)
    return names[place % len(names)]


def network_names(settings: RunSettings) -> list[str]:
    """Name the networks of a simulation's clients, in their order."""
    image = settings.image
    names = [name.strip() for name in image.image_models.split(",")]
    return [name for name in names if name] or [image.image_model]


def _digest(weights: Weights) -> str:
    return hashlib.sha256(weights.to_npz()).hexdigest()
