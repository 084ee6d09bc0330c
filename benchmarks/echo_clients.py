"""Many clients in one process, a thread each, that give back what they are sent."""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from glean.federation.grids.flower_internals import reply_message
from glean.federation.grids.message_codec import decode_message, encode_message
from glean.federation.node.flower_fleet import FlowerFleet
from glean.federation.node.pace import Pace
from glean.federation.node.server_errors import UnreachableError
from glean.kafka.carriers import open_client
from glean.kafka.kafka_url import KafkaUrl
from glean.privacy.model_key import ModelKey
from glean.privacy.node_key import read_node_key

_LOOK_S = 0.5
_BEAT_S = 10.0
_ENDING_S = 60.0

Stopped = Callable[[], bool]
Value = TypeVar("Value")


def on_superlink(
    address: str, authority: Path, node_key: bytes, folder: Path, stopped: Stopped
) -> None:
    """Answer at a SuperLink, as often looking for messages as `glean node` does."""
    key = folder / "node-key"
    key.write_bytes(node_key)
    key.chmod(0o600)
    fleet, pace = FlowerFleet(address, authority, read_node_key(key)), Pace()
    node = _insist(fleet.activate)
    beats = threading.Thread(target=_beat, args=(fleet, node, stopped))
    beats.start()
    replied = time.monotonic()
    while not stopped():
        head = _insist(lambda: fleet.pull(node))
        waited = time.monotonic() - replied
        if head is None:
            time.sleep(pace.pause_s(waited))
            continue
        pace.found(waited)
        message = _insist(partial(fleet.fetch, head))
        reply = fleet.pack(reply_message(message.content, message))
        try:
            fleet.send(reply, seconds=0.0)
        except UnreachableError:
            _insist(partial(fleet.send, reply, seconds=0.0, again=True))
        replied = time.monotonic()
    beats.join()
    fleet.close()


def _beat(fleet: FlowerFleet, node: int, stopped: Stopped) -> None:
    while not stopped():
        _insist(lambda: fleet.heartbeat(node))
        until = time.monotonic() + _BEAT_S
        while time.monotonic() < until and not stopped():
            time.sleep(_LOOK_S)


def _insist(call: Callable[[], Value]) -> Value:
    """Try until the server answers, as a lasting node does."""
    until = time.monotonic() + _ENDING_S
    while True:
        try:
            return call()
        except UnreachableError:
            if time.monotonic() > until:
                raise
            time.sleep(_LOOK_S)


def on_kafka(
    url: str, server_key: ModelKey, signing_key: bytes, folder: Path, stopped: Stopped
) -> None:
    """Answer on Kafka."""
    carrier = open_client(
        KafkaUrl.read(url),
        {},
        name=folder.name,
        signing_key=signing_key,
        server_key=server_key,
        folder=folder,
    )
    while not stopped():
        for run, message_id, body in carrier.receive(_LOOK_S):
            message = decode_message(body)
            carrier.reply(run, message_id, encode_message(reply_message(message.content, message)))
    carrier.close()


@contextmanager
def clients(ways: Mapping[str, tuple[object, ...]], folder: Path, serve: object) -> Iterator[None]:
    """Have clients answer while the body goes on.

    Parameters
    ----------
    ways : mapping
        A client's name -> the first arguments of `serve` for it.
    folder : Path
        For a folder a client.
    serve : callable
        `on_superlink` or `on_kafka`.
    """
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    process = context.Process(target=_serve_all, args=(ways, folder, serve, stop), daemon=True)
    process.start()
    try:
        yield
    finally:
        stop.set()
        process.join(_ENDING_S)
        if process.is_alive():
            process.kill()
            process.join()


def _serve_all(
    ways: Mapping[str, tuple[object, ...]], folder: Path, serve: object, stop: threading.Event
) -> None:
    assert callable(serve)
    logging.getLogger("glean").setLevel(logging.ERROR)
    threads = []
    for name, given in ways.items():
        own = folder / name
        own.mkdir(parents=True)
        threads.append(threading.Thread(target=serve, args=(*given, own, stop.is_set)))
        threads[-1].start()
    for thread in threads:
        thread.join()
