"""Flower's entry point at a bakery: decode, compute, encode."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from glean.errors import FederationError
from glean.evaluation.backtest import judge, judge_start, rows_to_json
from glean.evaluation.details import details_of_participant, own_model_of, to_texts
from glean.evaluation.scores import BakeryScore
from glean.federation.disclosure import Reply, disclosed
from glean.federation.home import keep_files, keep_model
from glean.federation.marked_log import log_to
from glean.federation.messages import FinalScores, Question, Task
from glean.federation.participant import SPARE_NODE, Participant, participant_of
from glean.federation.version import code_fingerprint
from glean.forecasting.forecast import Model, definition_of, read_model
from glean.forecasting.own_files import KeptModel, to_files
from glean.forecasting.own_model import OwnModel
from glean.forecasting.rolling import errors_of
from glean.settings import NodeSettings, RunSettings, is_deployed

LOG = logging.getLogger("glean")

app = ClientApp()


@app.query()
def introduce(message: Message, context: Context) -> Message:
    """Say which bakery this node plays."""
    with _said_at_home(context):
        question = Question.from_record(message.content)
        participant = _participant(context, newcomer=question.newcomer)
        introduction = participant.introduce() if participant else SPARE_NODE
        return _reply(introduction, message, context)


@app.train()
def train(message: Message, context: Context) -> Message:
    """Learn from this bakery's rows what the global model leaves unexplained."""
    with _said_at_home(context):
        task = Task.from_record(message.content)
        contribution = _bakery(context, task).train(task, context.state)
        return _reply(contribution, message, context)


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
        task = Task.from_record(message.content)
        bakery = _bakery(context, task)
        model = read_model(task.model)
        own = _own_model(bakery, task)
        _keep(task.model, bakery, own, run_id=context.run_id)
        rows = rows_to_json(_judged(bakery, model, own))
        scores = FinalScores(bakery.sales.name, code_fingerprint(), rows)
        return _reply(scores, message, context)


@app.evaluate("start")
def test_start(message: Message, context: Context) -> Message:
    """Judge the model that the run started from on the same test window, without the rivals."""
    with _said_at_home(context):
        task = Task.from_record(message.content)
        bakery = _bakery(context, task)
        model = read_model(task.model)
        definition = definition_of(model)
        row = judge_start(
            model,
            bakery=bakery.sales.name,
            cohort=bakery.windows.cohort,
            training=bakery.training(definition),
            test=bakery.test(definition),
        )
        scores = FinalScores(bakery.sales.name, code_fingerprint(), rows_to_json([row]))
        return _reply(scores, message, context)


def _own_model(bakery: Participant, task: Task) -> OwnModel | None:
    """Refine the model and choose, where somebody is to forecast by it or to compare."""
    if not bakery.settings.baselines and not bakery.node.home:
        return None
    return own_model_of(bakery, task.model, learning_rate=task.learning_rate)


def _judged(bakery: Participant, model: Model, own: OwnModel | None) -> list[BakeryScore]:
    definition = definition_of(model)
    return judge(
        model,
        own=own if bakery.settings.baselines else None,
        bakery=bakery.sales.name,
        cohort=bakery.windows.cohort,
        training=bakery.training(definition),
        test=bakery.test(definition),
    )


def _keep(model: bytes, bakery: Participant, own: OwnModel | None, *, run_id: int) -> None:
    """Keep the model at home, if there is one, and what the bakery made of it.

    Where that fails, the scores are sent all the same.
    """
    if not bakery.node.home:
        return
    home = Path(bakery.node.home)
    try:
        path = keep_model(home, model, bakery=bakery.sales.name, run_id=run_id)
        if own is not None:
            keep_files(home, to_files(_kept(bakery, own)))
            tables = to_texts(details_of_participant(bakery, own))
            keep_files(home, {name: text.encode() for name, text in tables.items()})
        LOG.info("kept at home: %s, which this bakery forecasts from now on", path)
    except FederationError as error:
        LOG.error("%s", error)  # noqa: TRY400 - the words say it all


def _kept(bakery: Participant, own: OwnModel) -> KeptModel:
    definition = definition_of(own.shared)
    windows = bakery.training(definition), bakery.validation(definition)
    past = own.past_errors(*windows).plus(
        errors_of(
            bakery.test(definition),
            own.forecasts(bakery.test(definition))["chosen"],
            fitted=False,
        )
    )
    last = int(past.days.max(initial=0))
    return KeptModel(own, past.until(last), bakery.sales.region)


def _reply(reply: Reply, message: Message, context: Context) -> Message:
    """Answer the server; a bakery with a table of its own is told what leaves it, and what not."""
    if is_deployed(context.node_config):
        LOG.info("%s", disclosed(reply, round_number=message.metadata.group_id))
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


def _participant(context: Context, *, newcomer: bool) -> Participant | None:
    return participant_of(
        NodeSettings.from_config(context.node_config),
        RunSettings.from_config(context.run_config),
        newcomer=newcomer,
    )


def _bakery(context: Context, task: Task) -> Participant:
    participant = _participant(context, newcomer=task.newcomer)
    if participant is None:
        raise FederationError("this node plays no bakery and can't be given a task")
    return participant
