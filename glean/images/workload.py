"""Pictures of classes, as a workload of the federation: a network, averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from glean.class_scores import ClassScores
from glean.classification import ClassificationSums
from glean.errors import ModelError, SettingsError
from glean.federation.workload.protocols import Wording
from glean.images.adaptation.own_network import OwnNetwork, network_names, simulated_network
from glean.images.client_images import own_images, simulated_images
from glean.images.image_spec import ImageSpec, agreed
from glean.images.image_subset import joined
from glean.images.partition import METHODS, ImagePartition
from glean.images.privacy.private_client import PrivateClient
from glean.images.reading_weights import read_weights
from glean.installed_packages import check_installed
from glean.learning.model_weights import Weights
from glean.node_settings import NodeSettings
from glean.seeds import derived_seed
from glean.settings import RunSettings

DEFAULT_CLIENTS = 5


class ImageWorkload:
    """Pictures by class, networks, log loss."""

    metrics = ClassificationSums
    wording = Wording(kept="pictures, file names, how many there are of a class")
    purpose = "To tell classes of pictures that can't leave their owners."
    final_methods = METHODS

    def final_unit_powers(self, spec: str) -> Sequence[int]:
        """Count everything in rows."""
        return (0,) * ClassScores.length(len(ImageSpec.from_json(spec).classes))

    def check(self, settings: RunSettings) -> None:
        """Refuse a sales table, or a network that there isn't.

        Raises
        ------
        GleanError
            There is one, or PyTorch is missing.
        """
        check_installed("torch", "PIL", "safetensors", extra="images")
        from glean.images.networks.architectures import build_of

        if settings.table.sales:
            raise SettingsError(
                f"sales: found {settings.table.sales!r}; workload=images learns from pictures: "
                "wanted images='/path/of/them'"
            )
        for network in {settings.image.image_model, *network_names(settings)}:
            build_of(network)
        _check_networks(settings)
        if settings.noise.in_steps:
            check_installed("opacus", extra="images")

    def count_clients(self, settings: RunSettings, wanted: int | None) -> int:
        """As many clients as are wanted, if there are pictures for them."""
        clients = wanted or DEFAULT_CLIENTS
        simulated_images(settings.image, settings.seed, clients)
        return clients

    def open_partition(
        self, node: NodeSettings, settings: RunSettings, *, newcomer: bool
    ) -> ImagePartition:
        """Open the pictures of the client that a node plays.

        Raises
        ------
        SettingsError
            As `check`; or they can't be read, there is no GPU where one is wanted, or the node
            isn't told among how many clients a simulation's are split.
        """
        self.check(settings)
        from glean.images.networks.device import device_of

        device = device_of(settings.device)
        if node.images:
            name = node.bakery
            own = _own(name, node.image_model, settings, home=node.home)
            found = own_images(node.images, settings.image)
            private = _private(name, node, settings, own_table=True)
            return ImagePartition(
                name,
                found,
                settings,
                own_table=True,
                home=node.home,
                private=private,
                device=device,
                own=own,
            )
        if node.partition >= node.partitions:
            raise SettingsError(
                f"node config num-partitions: found {node.partitions}; wanted the number of "
                f"clients, above partition-id={node.partition}, or images='/path/of/its/pictures'"
            )
        shares = simulated_images(settings.image, settings.seed, node.partitions)
        name = f"client {node.partition + 1}"
        mine = shares[node.partition]
        own = _own(name, simulated_network(settings, node.partition), settings)
        private = _private(name, node, settings, own_table=False)
        return ImagePartition(
            name,
            mine,
            settings,
            own_table=False,
            newcomer=newcomer,
            private=private,
            device=device,
            own=own,
            test_of_all=joined([share.test for share in shares]),
        )

    def negotiate(self, facts: Sequence[Mapping[str, Any]], settings: RunSettings) -> str:
        """Agree on size, channels and classes.

        Raises
        ------
        SettingsError
            Clients' pictures aren't alike.
        """
        return agreed(facts, settings.image).to_json()

    def first_model(self, spec: str, settings: RunSettings) -> Weights:
        """Draw the weights before the first round by the run's seed."""
        from glean.images.networks.network import initial_weights

        seed = derived_seed(settings.seed, "initial weights")
        return initial_weights(settings.image.image_model, ImageSpec.from_json(spec), seed=seed)

    def read_model(self, content: bytes, settings: RunSettings) -> Weights:
        """Read a model file that a run can go on from.

        Raises
        ------
        ModelError
            It is none, or of another network.
        """
        weights = read_weights(content)
        if weights.kind != settings.image.image_model:
            raise ModelError(
                f"the model is a network {weights.kind!r:.80}; this run's image-model is "
                f"{settings.image.image_model!r}"
            )
        return weights


def _check_networks(settings: RunSettings) -> None:
    """Refuse several networks in a run that isn't for them."""
    image = settings.image
    if image.image_models and not image.adapt_weights:
        raise SettingsError(
            f"image-models: found {image.image_models!r:.200}; in a run of several networks "
            "clients train what these have in common: wanted adapt-weights=true"
        )
    if image.adapt_weights and settings.noise.by_client:
        raise SettingsError(
            "adapt-weights: found true with privacy-unit=client, whose noise is made for updates "
            "of one network; wanted false, or privacy-unit=picture"
        )


def _private(
    name: str, node: NodeSettings, settings: RunSettings, *, own_table: bool
) -> PrivateClient | None:
    """Give what trains with noise; None where the run wants none."""
    if not settings.noise.in_steps:
        return None
    return PrivateClient(name, node, settings, own_table)


def _own(name: str, network: str, settings: RunSettings, *, home: str = "") -> OwnNetwork | None:
    """Give a client's own network; None where it has the run's."""
    if network in ("", settings.image.image_model):
        return None
    return OwnNetwork(name, network, settings, home=home)


IMAGES = ImageWorkload()
