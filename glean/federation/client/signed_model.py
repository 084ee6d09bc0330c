"""The final model at a bakery: whoever sent it, the server's owner must have signed its card."""

from __future__ import annotations

from pathlib import Path

from glean.errors import CertificateError, ModelError, RefusalError, SettingsError
from glean.federation.wire.messages import FinalTask
from glean.node_settings import NodeSettings
from glean.privacy.model_key import ModelKey, check_signature
from glean.runs.client_home import NOBODY, Vouched
from glean.runs.model_card import ModelCard

REFUSED = "the final model isn't signed as its owner wants"
WRONG_KEY = "the server doesn't sign models as its owner wants"


def model_key_of(node: NodeSettings) -> ModelKey | None:
    """Read the key that a bakery's owner wants the final model to be signed by; None for none.

    Raises
    ------
    SettingsError
        The node config names one that can't be read.
    """
    if not node.model_key:
        return None
    try:
        return ModelKey.read(Path(node.model_key).expanduser())
    except CertificateError as error:
        raise SettingsError(f"node config model-key: {error}") from error


def check_announced_key(node: NodeSettings, announced: str) -> None:
    """Check by which key the server says that it will sign: before the run, and not at its end.

    Parameters
    ----------
    node : NodeSettings
        The bakery's node.
    announced : str
        Fingerprint of the server's key; "" where it has none.

    Raises
    ------
    RefusalError
        It isn't the owner's.
    SettingsError
        The owner's key can't be read.
    """
    key = model_key_of(node)
    if key is not None and announced != key.fingerprint:
        found = f"signs by another key, {announced:.60}" if announced else "doesn't sign"
        raise RefusalError(
            WRONG_KEY, f"the server {found}; wanted {key.fingerprint} (node config model-key)"
        )


def check_final_model(node: NodeSettings, task: FinalTask, *, run_id: int) -> Vouched:
    """Check a final model before anything reads what is in it.

    Parameters
    ----------
    node : NodeSettings
        The bakery's node; its `model_key` says whose signature is wanted.
    task : FinalTask
        With the model and its card.
    run_id : int
        The run that the message is of: a signed model of another run isn't this one's.

    Returns
    -------
    Vouched
        What is kept beside the model.

    Raises
    ------
    RefusalError
        It isn't signed as it must be, or isn't what its card names.
    SettingsError
        The owner's key can't be read.
    """
    key = model_key_of(node)
    if not task.card and key is None:
        return NOBODY
    try:
        _check(task, key, run_id=run_id)
    except ModelError as error:
        raise RefusalError(
            REFUSED, f"{error}. The model that was here before stays, and with it the plans"
        ) from error
    return Vouched(task.card.encode(), f"{key.line}\n".encode() if key else b"")


def _check(task: FinalTask, key: ModelKey | None, *, run_id: int) -> None:
    if not task.card:
        raise ModelError("the final model came without a card (node config model-key wants one)")
    card = ModelCard.from_bytes(task.card.encode())
    if not card.is_of(task.model):
        raise ModelError("the final model isn't the one that its card names")
    if card.run_id != str(run_id):
        raise ModelError(f"the final model is of run {card.run_id!r:.40}; wanted one of {run_id}")
    check_signature(card, key, what="the final model")
