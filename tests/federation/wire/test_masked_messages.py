"""What a server sees of masked sums: chance, of which only the sum means anything."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from glean.federation.coordination.sum_rounds import SUM
from glean.federation.wire.sum_messages import SumReply, SumTask
from glean.privacy.mask_messages import MaskedInput
from glean.settings import ConfigValue
from tests.churn import StepLog
from tests.federations import CapturingGrid, federation_of, small_settings
from tests.tables import random_table

NAMES = tuple(f"bakery {k}" for k in range(4))
KINDS: dict[str, dict[str, ConfigValue]] = {
    "histogram": {"aggregation": "histogram"},
    "refit": {"leaf_values": "refit", "max_depth": 6, "min_child_weight": 0.0},
    "network": {"aggregation": "fedavg", "fedavg_model": "neural"},
}
CHANCE = 1e-9
"""A test of chance itself fails as often; a vector of data has a p-value of 0."""

Words = NDArray[np.uint64]
Sent = dict[tuple[int, str], Words]
"""By number of the step and bakery: the vector that the server received."""

_runs = count(1)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Paths of two tables of four bakeries: a small trade and a large one."""
    folder = tmp_path_factory.mktemp("sales")
    for name, mean in (("small", 5.0), ("large", 4000.0)):
        rows = random_table(seed=int(mean), bakeries=4, days=80, mean_units=mean).rows
        rows.to_csv(folder / f"{name}.csv", index=False)
    return str(folder / "small.csv"), str(folder / "large.csv")


def received(out: Path, sales: str, kind: str, *, masked: bool) -> Sent:
    """Every vector that the server received in a run, as words of the ring."""
    settings = small_settings(
        sales, secure_sums=masked, share_scores="no" if masked else "yes", **KINDS[kind]
    )
    out = out / str(next(_runs))
    found = federation_of(out, settings, partitions=range(4), grid_type=CapturingGrid)
    found.run()
    assert isinstance(found.grid, CapturingGrid)
    steps = {
        message.metadata.message_id: SumTask.from_record(message.content).number
        for message in found.grid.captured
        if message.metadata.message_type == SUM and not message.metadata.reply_to_message_id
    }
    sent: Sent = {}
    for message in found.grid.captured:
        number = steps.get(message.metadata.reply_to_message_id)
        if number is not None:
            reply = SumReply.from_record(message.content)
            if reply.vector:
                sent[number, reply.bakery] = words_of(reply.vector, masked=masked)
    return sent


def words_of(vector: bytes, *, masked: bool) -> Words:
    if masked:
        return MaskedInput.from_bytes(vector).vector
    return np.frombuffer(vector, dtype="<u8")


def uniformity(words: Words) -> float:
    """P-value of the words' bytes, each of 256 values being as likely."""
    from scipy.stats import chisquare

    return float(chisquare(np.bincount(words.view(np.uint8), minlength=256)).pvalue)


def likeness(one: Words, other: Words) -> float:
    """P-value of the bytes of both having one distribution."""
    from scipy.stats import chi2_contingency

    counts = [np.bincount(words.view(np.uint8), minlength=256) for words in (one, other)]
    table = np.array(counts)
    return float(chi2_contingency(table[:, table.sum(axis=0) > 0]).pvalue)


def together(sent: Sent, bakery: str) -> Words:
    return np.concatenate([words for (_, name), words in sorted(sent.items()) if name == bakery])


@pytest.mark.parametrize("kind", KINDS)
def test_each_masked_vector_is_uniform_over_the_ring(
    kind: str, tmp_path: Path, tables: tuple[str, str]
) -> None:
    """Chi-square on the bytes of every vector that is long enough, and of each bakery's all."""
    masked = received(tmp_path, tables[0], kind, masked=True)
    long = [words for words in masked.values() if words.nbytes >= 5 * 256]
    assert len(long) >= 2 * len(NAMES)
    assert min(map(uniformity, long)) > CHANCE
    assert min(uniformity(together(masked, name)) for name in NAMES) > CHANCE
    plain = received(tmp_path, tables[0], kind, masked=False)
    assert max(uniformity(words) for words in plain.values() if words.nbytes >= 5 * 256) < CHANCE


@pytest.mark.parametrize("kind", KINDS)
def test_a_masked_vector_does_not_tell_whose_trade_is_large(
    kind: str, tmp_path: Path, tables: tuple[str, str]
) -> None:
    """Two samples, of runs on different tables, have one distribution for each bakery.

    Without masks they haven't; but the weights of networks are much alike whatever the trade.
    """
    for masked in (True, False):
        small, large = (received(tmp_path, path, kind, masked=masked) for path in tables)
        alike = [likeness(together(small, name), together(large, name)) for name in NAMES]
        assert (min(alike) > CHANCE) == (masked or kind == "network"), alike


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_sum_means_anything(
    kind: str, tmp_path: Path, tables: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the server unmasks is the sum of the plain vectors, word by word, in every step."""
    log = StepLog(monkeypatch)
    masked = received(tmp_path, tables[1], kind, masked=True)
    unmasked = [result for _, result in log.results if len(result.total)]
    log.results.clear()
    received(tmp_path, tables[1], kind, masked=False)
    plain = [result for _, result in log.results if len(result.total)]
    # Where scores are hidden a last step sums them alone, and they go along at the end of others.
    assert len(unmasked) == len(plain) + 1
    for hidden, shown in zip(unmasked, plain, strict=False):
        np.testing.assert_array_equal(hidden.total[: len(shown.total)], shown.total)
    sums = {words.view(np.uint64).tobytes() for words in (result.total for result in unmasked)}
    for number in {step for step, _ in masked}:
        still_masked = sum(words for (at, _), words in masked.items() if at == number)
        assert np.asarray(still_masked).tobytes() not in sums


@pytest.mark.parametrize("kind", KINDS)
def test_no_word_is_sent_twice(kind: str, tmp_path: Path, tables: tuple[str, str]) -> None:
    """Not in a run nor in two runs on the same table, where every plain vector is the same."""
    masked = [received(tmp_path, tables[0], kind, masked=True) for _ in range(2)]
    words = np.concatenate([words for sent in masked for words in sent.values()])
    assert len(np.unique(words)) == len(words)
    plain = [received(tmp_path, tables[0], kind, masked=False) for _ in range(2)]
    assert plain[0].keys() == plain[1].keys()
    assert all((plain[0][key] == plain[1][key]).all() for key in plain[0])


def test_nothing_but_vectors_shares_and_keys_comes_in_a_masked_run(
    tmp_path: Path, tables: tuple[str, str]
) -> None:
    """No scores, no proposal: what isn't chance in a reply is who it is from and what it runs."""
    settings = small_settings(
        tables[0], secure_sums=True, share_scores="no", aggregation="histogram"
    )
    found = federation_of(tmp_path, settings, partitions=range(4), grid_type=CapturingGrid)
    found.run()
    assert isinstance(found.grid, CapturingGrid)
    replies = [m for m in found.grid.captured if m.metadata.reply_to_message_id]
    kinds = {m.metadata.message_type for m in replies}
    assert kinds == {"query", "train.keys", "train.sum", "train.unmask"}
    for message in replies:
        if message.metadata.message_type == SUM:
            reply = SumReply.from_record(message.content)
            assert (reply.sums, reply.proposal, reply.device) == ((), b"", "")
            assert reply.vector
