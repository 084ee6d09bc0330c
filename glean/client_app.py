"""Flower's entry point at a client: decode, compute, encode."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from glean.errors import FederationError, RefusalError, SettingsError
from glean.features.bakery_rows import bakery_rows_of
from glean.federation.client.client import (
    CACHED_CLIENTS,
    IDLE_NODE_INFO,
    Client,
    client_of,
    no_tables,
)
from glean.federation.client.disclosure import Reply, disclosed
from glean.federation.client.journal_store import JournalStore
from glean.federation.client.policy import CUT_SHORT
from glean.federation.client.privacy_account import PrivacyAccount
from glean.federation.client.secagg_client import advertise_key, unmask_reply
from glean.federation.client.signed_model import check_announced_key
from glean.federation.client.sum_responder import SumResponder
from glean.federation.grids.client_host import ClientHost
from glean.federation.grids.flower_internals import reply_message
from glean.federation.wire.messages import ClientInfo, FinalTask, InfoRequest, Task
from glean.federation.wire.simulated_tables import TablesRequest
from glean.federation.wire.sum_messages import KeyTask, SumTask, UnmaskTask
from glean.federation.wire.sum_request import SumRequest
from glean.federation.workload.registry import workload_of
from glean.node_settings import NodeSettings, is_deployed
from glean.runs.code_version import code_fingerprint
from glean.runs.log_lines import log_to
from glean.settings import ConfigValue, RunSettings
from glean.workloads import vocabulary_of

LOG = logging.getLogger("glean")

app = ClientApp()


@app.query()
def info(message: Message, context: Context) -> Message:
    """Say which client this node plays."""
    with _errors_kept_here(context):
        request = InfoRequest.from_record(message.content)
        _check_server(context, request)
        client = _client_of(context, newcomer=request.newcomer)
        found = _info(client, context, request) if client else IDLE_NODE_INFO
        return _reply(found, message, context)


@app.query("tables")
def tables(message: Message, context: Context) -> Message:
    """Give the tables of the final test to a simulation's server."""
    with _errors_kept_here(context):
        if is_deployed(context.node_config):
            raise no_tables()
        request = TablesRequest.from_record(message.content)
        reply = _client(context, request).simulated_tables(request, context.state)
        return Message(reply.to_record(), reply_to=message)


@app.train()
def train(message: Message, context: Context) -> Message:
    """Learn from this client's rows what the global model leaves unexplained."""
    with _errors_kept_here(context):
        task = Task.from_record(message.content)
        return _reply(_client(context, task).train(task, context.state), message, context)


@app.train("job")
def begin(message: Message, context: Context) -> Message:
    """Train for a buffer, and keep what came of it until it is wanted in a sum."""
    with _errors_kept_here(context):
        task = Task.from_record(message.content)
        return _reply(_client(context, task).begin(task, context.state), message, context)


@app.train("sum")
def contribute(message: Message, context: Context) -> Message:
    """Give this client's part of a sum."""
    with _errors_kept_here(context):
        task = SumTask.from_record(message.content)
        client = _client(context, task)
        journal = _journal(context, client)
        with journal.locked():
            account = PrivacyAccount.of(client, journal)
            responder = SumResponder(client, task, context.state, journal, account)
            return _reply(responder.answer(), message, context, request=responder.request)


@app.train("keys")
def advertise(message: Message, context: Context) -> Message:
    """Make a key for the masks of this run, and give the public part of it."""
    with _errors_kept_here(context):
        task = KeyTask.from_record(message.content)
        return _reply(advertise_key(_client(context, task), task, context.state), message, context)


@app.train("unmask")
def unmask(message: Message, context: Context) -> Message:
    """Help to take the masks off a sum."""
    with _errors_kept_here(context):
        task = UnmaskTask.from_record(message.content)
        client = _client(context, task)
        journal = _journal(context, client)
        with journal.locked():
            reply = unmask_reply(client, task, context.state, journal)
            return _reply(reply, message, context)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Score the global model on this client's validation rows."""
    with _errors_kept_here(context):
        task = Task.from_record(message.content)
        return _reply(_client(context, task).evaluate(task, context.state), message, context)


@app.evaluate("test")
def final_test(message: Message, context: Context) -> Message:
    """Keep the final model; score it and its baselines on this client's test rows."""
    with _errors_kept_here(context):
        task = FinalTask.from_record(message.content)
        client = _client(context, task)
        reply = client.final_test(task, context.state, run_id=context.run_id)
        return _reply(reply, message, context)


@app.evaluate("start")
def start_test(message: Message, context: Context) -> Message:
    """Score the model that the run started from on the same test rows, without the baselines."""
    with _errors_kept_here(context):
        task = Task.from_record(message.content)
        return _reply(_client(context, task).start_test(task, context.state), message, context)


def _reply(
    reply: Reply, message: Message, context: Context, *, request: SumRequest | None = None
) -> Message:
    """Answer the server; a client with data of its own is told what leaves it, and what not."""
    if is_deployed(context.node_config):
        settings = _settings_of(context)
        said = disclosed(
            reply,
            workload_of(settings).wording,
            round_number=message.metadata.group_id,
            request=request,
            noised=settings.noise.wanted,
            vocabulary=vocabulary_of(settings.workload),
        )
        LOG.info("%s", said)
    return reply_message(reply.to_record(), message)


def _errors_kept_here(context: Context) -> AbstractContextManager[None]:
    """Keep what went wrong at the client: an error may quote rows of its table or a path.

    In a simulation, whose data is the operator's own, the error goes to the server as it is.
    """
    if not is_deployed(context.node_config):
        return nullcontext()
    return _errors_kept(vocabulary_of(context.run_config.get("workload")).one)


@contextmanager
def _errors_kept(one: str) -> Iterator[None]:
    log_to("stderr")
    try:
        yield
    except Exception as error:
        if isinstance(error, RefusalError):
            LOG.warning("refused (%s): %s", error.kind, error)
            raise FederationError(
                f"the {one} refuses: {error.kind}; its own log says more"
            ) from None
        LOG.exception("this %s can't answer the server", one)
        kind = type(error).__name__
        raise FederationError(f"{kind} at the {one}; its own log says more") from None


def answer_apart(message: Message, context: Context) -> tuple[Message, Context]:
    """Answer a message of a simulation in a process of its own, which keeps nothing of the client.

    Returns
    -------
    tuple of Message and Context
        The reply, and the client's context afterwards.
    """
    host = ClientHost.with_context(app, context)
    try:
        return host.answer(message), host.plain_context()
    finally:
        forget_clients()
        bakery_rows_of.cache_clear()


def forget_clients() -> None:
    """Let go of all data: whoever is asked next opens its table anew.

    For a process that outlasts a run, before whose next one the table may have new rows.
    """
    client_of.cache_clear()


def _check_server(context: Context, request: InfoRequest) -> None:
    """Refuse a server of other code, before the table is opened; a simulation's server sees it."""
    if is_deployed(context.node_config) and request.code != code_fingerprint():
        raise RefusalError(
            f"a run of other code of Glean ({request.code}) than this node's "
            f"({code_fingerprint()})",
            f"found a server that runs other code ({request.code}); wanted "
            f"{code_fingerprint()}, as it is installed here. Install the wheel that the operator "
            "has installed, and start this node anew",
        )


def _info(client: Client, context: Context, request: InfoRequest) -> ClientInfo:
    client.policy.check_run()
    check_announced_key(client.node, request.model_key)
    account = PrivacyAccount.of(client, _journal(context, client))
    spent = client.trains and account is not None and not account.has_room()
    return client.info(request.challenge, spent=spent)


def _client_of(context: Context, *, newcomer: bool) -> Client | None:
    if newcomer and is_deployed(context.node_config):
        raise RefusalError(
            CUT_SHORT,
            "found a request to play a newcomer, on a part of the rows here; wanted one for "
            "all of them: only a simulation cuts tables short. Nothing is answered",
        )
    node = _node(tuple(context.node_config.items()))
    settings = _settings_of(context)
    return client_of(node, settings, newcomer=newcomer)


@lru_cache(maxsize=CACHED_CLIENTS)
def _node(config: tuple[tuple[str, ConfigValue], ...]) -> NodeSettings:
    """Check a node config, once."""
    return NodeSettings.from_config(dict(config))


def _settings_of(context: Context) -> RunSettings:
    deployed = is_deployed(context.node_config)
    try:
        return _settings(context.run_config, deployed=deployed)
    except SettingsError as error:
        # They are the server's own words: it may hear what is wrong with them.
        raise RefusalError(f"the run's settings: {error}", str(error)) from error


def _settings(config: Mapping[str, ConfigValue], *, deployed: bool) -> RunSettings:
    """Check a run config; each of a run's many messages comes with the same one."""
    for known, of_deployment, settings in _CHECKED:
        # Compared and not hashed: they are many values, and mostly the very same.
        if of_deployment == deployed and known == config:
            return settings
    settings = RunSettings.from_config(config, deployed=deployed)
    _CHECKED.appendleft((dict(config), deployed, settings))
    return settings


_CHECKED: deque[tuple[dict[str, ConfigValue], bool, RunSettings]] = deque(maxlen=4)


def _journal(context: Context, client: Client) -> JournalStore:
    home = Path(client.node.home) if client.node.home else None
    # A simulation's clients have no home, and their many messages no use for the days.
    newest = client.newest if home else ""
    return JournalStore(context.state, home, str(context.run_id), newest)


def _client(context: Context, task: Task | KeyTask | UnmaskTask | TablesRequest) -> Client:
    client = _client_of(context, newcomer=task.newcomer)
    if client is None:
        raise FederationError("this node plays no client and can't be given a task")
    client.policy.check_run()
    return client
