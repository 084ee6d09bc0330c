"""Damaged updates, names and files, and what reads them: a seeded stream of both.

`python -m tests.fuzzing UPDATES FILES [SEED]` reads as many, one after the other in one process,
and prints what went wrong: any error that isn't one of Glean's own, one that took longer than
`LONGEST_S`, or memory above `MOST_BYTES`. It ends with 1 if anything did.
"""

from __future__ import annotations

import json
import math
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, RecordDict

from glean.aggregation.error_histogram import COUNTS_LENGTH, ErrorDistribution
from glean.errors import GleanError
from glean.evaluation.tables.backtest import rows_from_json, rows_to_json
from glean.evaluation.tables.scores import BakeryScore
from glean.features.definition import FeatureDefinition
from glean.federation.coordination.reply_checks import TreeChecks, check_sum_reply
from glean.federation.wire.client_names import name_objection, shown
from glean.federation.wire.messages import ClientInfo, EvaluateReply, TrainReply, identity_of
from glean.federation.wire.record_form import Flat, Packed, _array
from glean.federation.wire.sum_messages import KeyReply, SumReply, UnmaskResult
from glean.federation.wire.sum_request import SumRequest
from glean.forecasting.forecasters import read_model
from glean.learning.bin_layout import BinLayout
from glean.learning.histogram_request import HistogramRequest
from glean.learning.structure import on_public_edges, structure_of
from glean.learning.weight_models import initial_weights
from glean.metrics import ErrorSums
from glean.privacy.mask_keys import KeyAdvertisement, KeyPair
from glean.privacy.mask_messages import MaskedInput, SeedRequest, UnmaskReply
from glean.privacy.members import new_keys, read_members, write_members
from glean.runs.index import read_run
from glean.sales.products import read_products
from glean.sales.reading.sales_file import read_sales
from glean.settings import RunSettings
from tests.matrices import DEFINITION, random_forest
from tests.tables import random_table

LONGEST_S = 10.0
MOST_BYTES = 2**30

Read = Callable[[bytes], object]
AnyPacked = TypeVar("AnyPacked", bound=Packed)
AnyFlat = TypeVar("AnyFlat", bound=Flat)


@dataclass(frozen=True)
class Target:
    """Something that reads bytes of others: an example that it takes, and the reader."""

    name: str
    example: bytes
    read: Read


TOKENS = (
    b"", b"\x00", b"\xff" * 8, b"-1", b"1e999", b"NaN", b"Infinity", b"9" * 400, b"[" * 3000,
    b'{"a":' * 500, b"null", b'""', b"\n", b"\r\n", b"..", b"/", b"=1+1", b"\x1b[2J",
    b"\xe2\x80\xae", b"\x7f\xff\xff\xff\xff\xff\xff\xff", b"L", b"[$d#L",
)  # fmt: skip


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Change bytes: flipped, cut out, doubled, exchanged for something unusual."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.choice((1, 1, 4, 60, 3000)))
        match chance.randrange(5):
            case 0:
                data[at:end] = bytes(byte ^ (1 << chance.randrange(8)) for byte in data[at:end])
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = data[at:end]
            case 3:
                data[at:end] = chance.choice(TOKENS)
            case _:
                data[at:end] = chance.randbytes(end - at)
    return bytes(data)


def updates() -> list[Target]:
    """What a member sends."""
    settings = RunSettings()
    layout = BinLayout(DEFINITION, settings.boosting.bins)
    checks = TreeChecks(settings, DEFINITION.to_json(), layout)
    identity = identity_of(DEFINITION.to_json())
    forest = random_forest(1).to_bytes()
    weights = initial_weights("poisson", DEFINITION, seed=1).to_npz()
    edged = on_public_edges(random_forest(1), layout).to_bytes()
    shape = structure_of(random_forest(1), layout).to_bytes()
    tree = TrainReply("north", "0" * 16, identity, False, 10.0, "cpu", edged)
    sums = ErrorSums.of([10.0, 20.0], [12.0, 20.0]).as_tuple
    reply = SumReply("north", "0" * 16, identity, False, False, "cpu", sums, shape, bytes(80))
    request = SumRequest(("leaves",), ("leaves",), with_scores=True)
    key = KeyPair.new("north", epoch="run-1").advertisement.to_bytes()
    nobody = bytes(16)
    shares = UnmaskReply(1, SeedRequest.SHARES, (bytes(16),)).to_bytes()
    masked = MaskedInput(1, nobody, nobody, (bytes(16),), np.arange(9, dtype=np.uint64)).to_bytes()
    info = ClientInfo("north", "0" * 16, 1, True, False, "", '{"knows_season": true}')
    scored = rows_to_json(
        [BakeryScore("north", "established", "federated", 9, *(1.0,) * 8, n_rows=9)]
    )
    empty: dict[str, list[int]] = {"node": [], "column": [], "edge": [], "default_left": []}
    wanted = json.dumps(
        {"subsample": 0.5, "trees": [{"seed": 1, "columns": [0, 2], "wanted": [0], **empty}]}
    )

    def summed(found: SumReply) -> None:
        check_sum_reply(found, request, identity=identity, metrics=ErrorSums)
        checks.structure_of(found)

    return [
        Target("trees", forest, read_model),
        Target("weights", weights, read_model),
        _packed("a part of a sum", reply, SumReply, summed),
        _packed("a key", KeyReply("north", "0" * 16, key), KeyReply, _read_key),
        _packed("shares", UnmaskResult("north", "0" * 16, shares), UnmaskResult, _read_shares),
        _flat("trees of a reply", tree, TrainReply, checks.update_of),
        _flat("scores", EvaluateReply("north", "0" * 16, False, sums), EvaluateReply, _scores),
        _flat("an introduction", info, ClientInfo, _introduction),
        Target("a masked vector", masked, MaskedInput.from_bytes),
        Target("the request of a sum", request.to_json().encode(), _text(SumRequest.from_json)),
        Target(
            "a histogram request",
            wanted.encode(),
            _text(lambda text: HistogramRequest.from_json(text, layout=layout)),
        ),
        Target(
            "final rows", scored.encode(), _text(lambda text: rows_from_json(text, bakery="north"))
        ),
    ]


def files(scratch: Path) -> list[Target]:
    """What lies on a disk or is typed, names among it."""
    keys = new_keys("north")
    table = random_table(bakeries=2, days=20).rows.to_csv(index=False).encode()
    errors = ErrorDistribution(1.0, 0.04, (1,) * COUNTS_LENGTH).to_json().encode()
    products = b"product,price,cost\nbun,0.6,0.2\nroll,0.5,0.1\n"
    run = json.dumps({"status": "running", "process": {"pid": 1}, "settings": {}}).encode()

    def beside(name: str, read: Callable[[Path], object]) -> Read:
        def read_file(content: bytes) -> object:
            path = scratch / name
            path.write_bytes(content)
            return read(path)

        return read_file

    return [
        Target("a name", "Bäckerei Müller".encode(), _name),
        Target("a sales table", table, beside("sales.csv", read_sales)),
        Target("members", write_members([keys.member]), read_members),
        Target("run.json", run, beside("run.json", lambda path: read_run(path.parent))),
        Target("a product list", products, beside("products.csv", read_products)),
        Target("a distribution of errors", errors, _text(ErrorDistribution.from_json)),
        Target("a feature definition", DEFINITION.to_json().encode(), _text(_definition)),
        Target("a model file", random_forest(1).to_bytes(), read_model),
    ]


def fuzz(targets: list[Target], count: int, *, seed: int) -> list[str]:
    """Let each read its share of damaged bytes; what went wrong."""
    chance = random.Random(seed)  # noqa: S311 - damage, no secret
    wrong = []
    for number in range(count):
        target = targets[number % len(targets)]
        content = damaged(target.example, chance)
        start = time.monotonic()
        try:
            target.read(content)
        except GleanError:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            wrong.append(f"{target.name}: {error!r:.300} of {content[:80]!r}")
        if time.monotonic() - start > LONGEST_S:
            wrong.append(f"{target.name}: took {time.monotonic() - start:.0f} s: {content[:80]!r}")
    return wrong


def _text(read: Callable[[str], object]) -> Read:
    return lambda content: read(content.decode("utf-8", "replace"))


def _name(content: bytes) -> None:
    name = content.decode("utf-8", "replace")
    for own_table in (False, True):
        assert shown(name).isprintable(), "what is shown has no control characters"
        if not name_objection(name, own_table=own_table):
            assert name.isprintable(), "a name is printable"
            assert len(name) <= 100, "a name is short"


def _definition(text: str) -> FeatureDefinition:
    return FeatureDefinition.from_json(text)


def _read_key(reply: KeyReply) -> None:
    KeyAdvertisement.from_bytes(reply.advertisement).check_key()


def _read_shares(reply: UnmaskResult) -> None:
    UnmaskReply.from_bytes(reply.answer)


def _scores(reply: EvaluateReply) -> None:
    sums = ErrorSums.from_values(reply.sums)
    assert all(map(math.isfinite, sums.as_tuple)), "sums that are taken are finite"


def _introduction(info: ClientInfo) -> None:
    name_objection(info.bakery, own_table=info.own_table)
    shown(info.note)


def _packed(
    name: str, example: Packed, form: type[AnyPacked], check: Callable[[AnyPacked], object]
) -> Target:
    """Damage the bytes that such a message is made of, and those that stand beside them."""
    pieces = example.to_record()["message"]
    assert isinstance(pieces, ConfigRecord), "short ones are in one record"
    names, contents = zip(*pieces.items(), strict=True)
    assert all(isinstance(content, bytes) for content in contents), "all are bytes"

    def read(content: bytes) -> object:
        told = ConfigRecord(dict(zip(names, content.split(_SEAM), strict=False)))
        return check(form.from_record(RecordDict({"message": told})))

    return Target(name, _SEAM.join(contents), read)


def _flat(
    name: str, example: Flat, form: type[AnyFlat], check: Callable[[AnyFlat], object]
) -> Target:
    """Damage the fields of such a message, written as JSON, and its bytes."""
    record = example.to_record()
    fields = record["fields"]
    assert isinstance(fields, ConfigRecord), "plain fields are in one record"
    blobs = [key for key in record if key != "fields"]
    bodies = [getattr(example, key) for key in blobs]

    def read(content: bytes) -> object:
        text, _, blob = content.partition(_SEAM)
        try:
            told = ConfigRecord(json.loads(text))
        except (ValueError, TypeError, RecursionError, AttributeError):
            return None  # Flower itself takes no such record
        made = RecordDict({"fields": told})
        for key in blobs:
            made[key] = ArrayRecord({key: _array(blob)})
        return check(form.from_record(made))

    return Target(name, json.dumps(dict(fields)).encode() + _SEAM + b"".join(bodies), read)


_SEAM = b"\n--\n"


def main() -> int:
    """Print what went wrong; 1 where anything did."""
    count_updates, count_files, *rest = (int(word) for word in sys.argv[1:])
    seed = rest[0] if rest else 1
    with tempfile.TemporaryDirectory() as scratch:
        wrong = fuzz(updates(), count_updates, seed=seed)
        wrong += fuzz(files(Path(scratch)), count_files, seed=seed)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if peak > MOST_BYTES:
        wrong.append(f"found {peak / 2**30:.2f} GiB of memory; wanted at most 1")
    print("\n".join(wrong) or f"nothing went wrong; {peak / 2**20:.0f} MiB at most")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
