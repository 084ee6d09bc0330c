"""Opens the two ends from what people have: an address, the environment, keys, a folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from glean.kafka.client_config import KafkaAccess
from glean.kafka.endpoint import MOST_BYTES, EndpointParts
from glean.kafka.envelope import SERVER
from glean.kafka.kafka_carrier import KafkaCarrier
from glean.kafka.kafka_client_carrier import KafkaClientCarrier
from glean.kafka.kafka_url import KafkaUrl
from glean.kafka.topics import Topics, slug
from glean.privacy.envelope_signature import EnvelopeKeys, EnvelopeSigner
from glean.privacy.members import Member
from glean.privacy.model_key import ModelKey, ModelSigner


def open_server(
    url: KafkaUrl,
    environment: Mapping[str, str],
    *,
    signer: ModelSigner,
    members: Iterable[Member],
    folder: Path,
    topics: Topics | None = None,
    most_bytes: int = MOST_BYTES,
) -> KafkaCarrier:
    """Open the server's end.

    Parameters
    ----------
    url : KafkaUrl
        The federation's address.
    environment : mapping
        Has passwords and files of certificates.
    signer : ModelSigner
        The server's private key, by which clients know it.
    members : iterable of Member
        Whose envelopes are taken.
    folder : Path
        For what waits to be sent; of this process alone.
    topics : Topics or None
        Where they have other names than usual.
    most_bytes : int
        Of messages that wait to be acknowledged, and of those that have come, each.

    Raises
    ------
    GleanError
        Something of it can't be used.
    """
    parts = EndpointParts(
        KafkaAccess.of(url, environment, client_id="glean-server"),
        topics or Topics(url.federation),
        EnvelopeSigner(signer.pem, source=signer.source),
        EnvelopeKeys({member.bakery: member.signing_key for member in members}),
        folder,
        most_bytes,
    )
    return KafkaCarrier(parts)


def open_client(
    url: KafkaUrl,
    environment: Mapping[str, str],
    *,
    name: str,
    signing_key: bytes,
    server_key: ModelKey,
    folder: Path,
    topics: Topics | None = None,
    client_id: str = "",
    most_bytes: int = MOST_BYTES,
) -> KafkaClientCarrier:
    """Open a client's end.

    Parameters
    ----------
    url : KafkaUrl
        The federation's address.
    environment : mapping
        Has passwords and files of certificates.
    name : str
        The member's name, as in the list of members.
    signing_key : bytes
        Its private Ed25519 key, PEM.
    server_key : ModelKey
        The server's public key: only what it has signed is taken.
    folder : Path
        For answers that aren't acknowledged; the same each time, of one process at a time.
    topics : Topics or None
        Where they have other names than usual.
    client_id : str
        How brokers name it in their logs; "" for one made of its name.
    most_bytes : int
        Of answers that wait to be acknowledged, and of messages that have come, each.

    Raises
    ------
    GleanError
        Something of it can't be used.
    """
    parts = EndpointParts(
        KafkaAccess.of(url, environment, client_id=client_id or f"glean-{slug(name)}"),
        topics or Topics(url.federation),
        EnvelopeSigner(signing_key, source="signing-key"),
        EnvelopeKeys({SERVER: server_key.line}),
        folder,
        most_bytes,
    )
    return KafkaClientCarrier(parts, name)
