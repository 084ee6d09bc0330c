"""Flower's entry point at a bakery: decode, compute, encode."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from glean.aggregation.error_histogram import ErrorDistribution
from glean.errors import FederationError
from glean.evaluation.tables import backtest
from glean.evaluation.tables.backtest import CLIENT_METHODS, START, evaluate_start, rows_to_json
from glean.evaluation.tables.client_tables import client_model_of, tables_of_client, to_texts
from glean.evaluation.tables.scores import BakeryScore, score_frame
from glean.evaluation.tables.summed_scores import sums_of
from glean.federation.client.client import CACHED_CLIENTS, SPARE_NODE, Client, client_of
from glean.federation.client.disclosure import Reply, disclosed
from glean.federation.client.secagg_client import advertise_key, unmask_reply
from glean.federation.client.sum_responder import SumResponder
from glean.federation.wire.final_test_sums import keep
from glean.federation.wire.messages import FinalReply, FinalTask, InfoRequest, Task
from glean.federation.wire.sum_messages import KeyTask, SumTask, UnmaskTask
from glean.federation.wire.sum_request import SumRequest
from glean.forecasting.client_model import ClientModel
from glean.forecasting.model_store import StoredModel, to_files
from glean.forecasting.predict import Model, definition_of, read_model
from glean.forecasting.rolling_origin import residuals
from glean.runs.client_home import keep_files, keep_model
from glean.runs.code_version import code_fingerprint
from glean.runs.log_lines import log_to
from glean.settings import ConfigValue, NodeSettings, RunSettings, is_deployed

LOG = logging.getLogger("glean")

app = ClientApp()


@app.query()
def introduce(message: Message, context: Context) -> Message:
    """Say which bakery this node plays."""
    with _said_at_home(context):
        question = InfoRequest.from_record(message.content)
        participant = _participant(context, newcomer=question.newcomer)
        introduction = participant.info() if participant else SPARE_NODE
        return _reply(introduction, message, context)


@app.train()
def train(message: Message, context: Context) -> Message:
    """Learn from this bakery's rows what the global model leaves unexplained."""
    with _said_at_home(context):
        task = Task.from_record(message.content)
        contribution = _bakery(context, task).train(task, context.state)
        return _reply(contribution, message, context)


@app.train("step")
def step(message: Message, context: Context) -> Message:
    """Give this bakery's part of a sum."""
    with _said_at_home(context):
        task = SumTask.from_record(message.content)
        work = SumResponder(_bakery(context, task), task, context.state)
        return _reply(work.answer(), message, context, orders=work.orders)


@app.train("keys")
def offer_key(message: Message, context: Context) -> Message:
    """Make a key for the masks of this run, and give the public part of it."""
    with _said_at_home(context):
        task = KeyTask.from_record(message.content)
        return _reply(advertise_key(_bakery(context, task), task, context.state), message, context)


@app.train("open")
def open_sum(message: Message, context: Context) -> Message:
    """Help to open the sum of a step, and nothing but the sum."""
    with _said_at_home(context):
        task = UnmaskTask.from_record(message.content)
        return _reply(unmask_reply(_bakery(context, task), task, context.state), message, context)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Score the global model on this bakery's validation window."""
    with _said_at_home(context):
        task = Task.from_record(message.content)
        score = _bakery(context, task).score(task, context.state)
        return _reply(score, message, context)


@app.evaluate("test")
def test(message: Message, context: Context) -> Message:
    """Keep the final model; judge it, and its rivals, on this bakery's test window."""
    with _said_at_home(context):
        task = FinalTask.from_record(message.content)
        bakery = _bakery(context, task)
        model = read_model(task.model)
        own = _own_model(bakery, task)
        rows = _judged(bakery, model, own)
        _keep(task.model, bakery, own, rows, run_id=context.run_id)
        return _reply(_final(rows, CLIENT_METHODS, bakery, context), message, context)


@app.evaluate("start")
def test_start(message: Message, context: Context) -> Message:
    """Judge the model that the run started from on the same test window, without the rivals."""
    with _said_at_home(context):
        task = Task.from_record(message.content)
        bakery = _bakery(context, task)
        model = read_model(task.model)
        definition = definition_of(model)
        row = evaluate_start(
            model,
            bakery=bakery.sales.name,
            cohort=bakery.windows.cohort,
            training=bakery.training(definition),
            test=bakery.test(definition),
        )
        return _reply(_final([row], (START,), bakery, context), message, context)


def _final(
    rows: Sequence[BakeryScore], methods: Sequence[str], bakery: Client, context: Context
) -> FinalReply:
    """Show the scores, or keep them back for the sum over all bakeries."""
    shown = bakery.settings.shows_scores(deployed=bakery.sales.own_table)
    if not shown:
        keep(sums_of(rows, methods), context.state)
    text = rows_to_json(rows) if shown else ""
    return FinalReply(bakery.sales.name, code_fingerprint(), text)


def _own_model(bakery: Client, task: FinalTask) -> ClientModel | None:
    """Refine the model and choose, where somebody is to forecast by it or to compare."""
    if not bakery.settings.baselines and not bakery.node.home:
        return None
    widths = ErrorDistribution.from_json(task.errors) if task.errors else None
    return client_model_of(bakery, task.model, learning_rate=task.learning_rate, errors=widths)


def _judged(bakery: Client, model: Model, own: ClientModel | None) -> list[BakeryScore]:
    definition = definition_of(model)
    return backtest.evaluate(
        model,
        client_model=own if bakery.settings.baselines else None,
        bakery=bakery.sales.name,
        cohort=bakery.windows.cohort,
        training=bakery.training(definition),
        test=bakery.test(definition),
    )


def _keep(
    model: bytes,
    bakery: Client,
    own: ClientModel | None,
    rows: Sequence[BakeryScore],
    *,
    run_id: int,
) -> None:
    """Keep the model at home, if there is one, what the bakery made of it, and how good that was.

    Where that fails, the scores are sent all the same.
    """
    if not bakery.node.home:
        return
    home = Path(bakery.node.home)
    try:
        path = keep_model(home, model, bakery=bakery.sales.name, run_id=run_id)
        scores = score_frame(rows).to_csv(index=False, lineterminator="\n")
        keep_files(home, {"bakeries.csv": scores.encode()})
        if own is not None:
            keep_files(home, to_files(_kept(bakery, own)))
            tables = to_texts(tables_of_client(bakery, own))
            keep_files(home, {name: text.encode() for name, text in tables.items()})
        LOG.info("kept at home: %s, which this bakery forecasts from now on", path)
    except FederationError as error:
        LOG.error("%s", error)  # noqa: TRY400 - the words say it all


def _kept(bakery: Client, own: ClientModel) -> StoredModel:
    definition = definition_of(own.shared)
    windows = bakery.training(definition), bakery.validation(definition)
    past = own.residuals(*windows)["chosen"].plus(
        residuals(
            bakery.test(definition),
            own.forecasts(bakery.test(definition))["chosen"],
            fitted=False,
        )
    )
    last = int(past.days.max(initial=0))
    return StoredModel(own, past.until(last), bakery.sales.region)


def _reply(
    reply: Reply, message: Message, context: Context, *, orders: SumRequest | None = None
) -> Message:
    """Answer the server; a bakery with a table of its own is told what leaves it, and what not."""
    if is_deployed(context.node_config):
        LOG.info("%s", disclosed(reply, round_number=message.metadata.group_id, orders=orders))
    return Message(reply.to_record(), reply_to=message)


@contextmanager
def _said_at_home(context: Context) -> Iterator[None]:
    """Keep what went wrong at the bakery: an error may quote rows of its table or a path.

    In a simulation, whose table is the operator's own, the error goes to the server as it is.
    """
    deployed = is_deployed(context.node_config)
    if deployed:
        log_to("stderr")
    try:
        yield
    except Exception as error:
        if not deployed:
            raise
        LOG.exception("this bakery can't answer the server")
        kind = type(error).__name__
        raise FederationError(f"{kind} at the bakery; its own log says more") from None


def _participant(context: Context, *, newcomer: bool) -> Client | None:
    node = _node(tuple(context.node_config.items()))
    settings = _settings(tuple(context.run_config.items()))
    return client_of(node, settings, newcomer=newcomer)


@lru_cache(maxsize=CACHED_CLIENTS)
def _node(config: tuple[tuple[str, ConfigValue], ...]) -> NodeSettings:
    """Check a node config, once."""
    return NodeSettings.from_config(dict(config))


@lru_cache(maxsize=4)
def _settings(config: tuple[tuple[str, ConfigValue], ...]) -> RunSettings:
    """Check a run config; each of a run's many messages comes with the same one."""
    return RunSettings.from_config(dict(config))


def _bakery(context: Context, task: Task | KeyTask | UnmaskTask) -> Client:
    participant = _participant(context, newcomer=task.newcomer)
    if participant is None:
        raise FederationError("this node plays no bakery and can't be given a task")
    return participant
