"""The final model of a run that has ended, for a client that was away when the others got it.

From the run's folder comes the task of the final test, as the server sent it to those who were
there, and the client answers it; its answer goes nowhere. So its home has the model, the card and
what the client makes of them as if it had been there. The folder may be another machine's: what
doesn't fit together is refused before the client reads any of it.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from pathlib import Path

from flwr.app import Message

from glean.errors import FederationError, GleanError, ModelError
from glean.federation.coordination.exchange import TEST
from glean.federation.grids.carried_grid import node_number
from glean.federation.grids.flower_internals import identity, number_message
from glean.federation.grids.inprocess import SERVER_NODE
from glean.federation.grids.message_codec import decode_message, encode_message
from glean.federation.grids.run_announcement import ANNOUNCEMENT_FILE, RunAnnouncement
from glean.federation.node.hosted_runs import HostedRuns
from glean.federation.wire.final_task_file import FINAL_TASK_FILE, task_from_file
from glean.federation.wire.messages import FinalTask
from glean.regular_files import read_regular, words_of
from glean.runs.client_home import ABOUT
from glean.runs.code_version import code_fingerprint
from glean.runs.index import COMPLETED, read_run
from glean.runs.model_card import CARD_FILE, MODEL_NAMES, ModelCard, digest_of

LOG = logging.getLogger("glean")


def announcement_in(folder: Path) -> RunAnnouncement:
    """Read what clients heard of a run before its first message.

    Parameters
    ----------
    folder : Path
        The run's.

    Raises
    ------
    FederationError
        The folder has none, or it can't be read.
    """
    return RunAnnouncement.from_bytes(_read(folder, ANNOUNCEMENT_FILE))


def take_result(folder: Path, run: RunAnnouncement, hosts: HostedRuns) -> bool:
    """Have a client take the final model of a run that has completed, as in its final test.

    Said again it does nothing. Whoever calls it sees to it that no other run is at work in this
    process meanwhile, and that nobody else calls `hosts`.

    Parameters
    ----------
    folder : Path
        The run's.
    run : RunAnnouncement
        What clients heard of it; see `announcement_in`.
    hosts : HostedRuns
        The client.

    Returns
    -------
    bool
        False where its home has this model already, or that of a run that began later.

    Raises
    ------
    FederationError
        The run hasn't completed, or is of other code; a file is missing, is damaged or is of
        another run; or the client couldn't keep the model.
    """
    home = hosts.home
    if home is None:
        raise FederationError("node config: found no home; wanted a folder to keep a model in")
    task, card = _final_task(folder, run)
    if _is_of_later_run(home, card):
        LOG.info("the model of run %d isn't taken: that of a later run is at home", run.run_id)
        return False
    if _is_at_home(home, task.model, run) and hosts.has_answered(run.run_id, TEST):
        return False
    _answer(task, run, hosts)
    if not _is_at_home(home, task.model, run):
        raise FederationError(
            f"the model of run {run.run_id} isn't at home in {home}: the log says why"
        )
    return True


def _answer(task: FinalTask, run: RunAnnouncement, hosts: HostedRuns) -> None:
    """Have the client answer the final test, by a message of its own."""
    message_id = f"late-result-{run.run_id}"
    # What was answered before without the model being at home counts for nothing.
    hosts.forget(run.run_id, message_id)
    LOG.info(
        "the model of run %d is taken after its end: what is answered goes nowhere", run.run_id
    )
    try:
        with identity(run.run_id, SERVER_NODE):
            record, number = task.to_record(), str(task.round)
            message = Message(record, node_number(hosts.name), TEST, group_id=number)
        number_message(message, message_id)
        body, refused = hosts.answer(run, message_id, encode_message(message))
        if refused:
            raise FederationError(refused)
        reply = decode_message(body)
    except ModelError as error:
        raise FederationError(f"the result can't be taken: {error}") from error
    finally:
        hosts.drop(run.run_id)
    if reply.has_error():
        raise FederationError(f"the result can't be taken: {reply.error.reason}")


def _final_task(folder: Path, run: RunAnnouncement) -> tuple[FinalTask, ModelCard]:
    """Make the task of the final test from a run's folder, checked, and the card in it."""
    _check_run(folder, run)
    model = _model_in(folder)
    try:
        task = task_from_file(_read(folder, FINAL_TASK_FILE), model)
        card = ModelCard.from_bytes(task.card.encode())
    except ModelError as error:
        raise FederationError(f"{folder}: {error}") from error
    if not card.is_of(model):
        raise FederationError(
            f"{folder}: found a model of SHA-256 {digest_of(model)[:12]}; wanted "
            f"{card.digest[:12]!r}, which its card names. Nothing is taken"
        )
    if card.run_id != str(run.run_id):
        raise FederationError(
            f"{folder}: found the model of run {card.run_id!r:.40}; wanted that of {run.run_id}"
        )
    return task, card


def _check_run(folder: Path, run: RunAnnouncement) -> None:
    try:
        found = read_run(folder)
    except GleanError as error:
        raise FederationError(str(error)) from error
    if found.status != COMPLETED:
        raise FederationError(
            f"{folder}: found a run of status {found.status!r:.40}; wanted a completed one: "
            "no other has a final model"
        )
    own = code_fingerprint()
    for code in (run.code, found.facts.get("code")):
        if code != own:
            raise FederationError(
                f"{folder}: found a run of other code of Glean ({code!r:.40}); wanted {own!r}, "
                "which is installed here. Install the Glean that the others have, and start anew"
            )


def _model_in(folder: Path) -> bytes:
    name = next((name for name in MODEL_NAMES if (folder / name).is_file()), MODEL_NAMES[0])
    return _read(folder, name)


def _read(folder: Path, name: str) -> bytes:
    try:
        return read_regular(folder / name)
    except FileNotFoundError as error:
        raise FederationError(
            f"{folder}: found no {name}; wanted the folder of a run that completed, with clients "
            "that have data of their own, as its server left it"
        ) from error
    except OSError as error:
        raise FederationError(words_of(error)) from error


def _is_at_home(home: Path, model: bytes, run: RunAnnouncement) -> bool:
    about = _about(home)
    name = str(about.get("model"))
    wanted = str(run.run_id), digest_of(model)
    if (about.get("run"), about.get("sha256")) != wanted or name not in MODEL_NAMES:
        return False
    try:
        return read_regular(home / name) == model
    except OSError:
        return False


def _is_of_later_run(home: Path, card: ModelCard) -> bool:
    """Whether the home's model is of a run that began after that of a card."""
    try:
        kept = ModelCard.from_bytes(read_regular(home / CARD_FILE))
        return _start(kept) > _start(card)
    except (OSError, ModelError, KeyError, TypeError, ValueError):
        return False


def _start(card: ModelCard) -> dt.datetime:
    return dt.datetime.fromisoformat(card.content["run"]["start"])


def _about(home: Path) -> dict[str, object]:
    """Read `home.json`; empty where there is none, or a damaged one."""
    try:
        found = json.loads(read_regular(home / ABOUT))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
