"""Who trains where not all do: by failures, by waiting, by size; and how even it is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from glean.errors import SettingsError
from glean.federation.coordination.client_selection import (
    ClientSelection,
    rank_by_size,
)
from glean.federation.grids.virtual_clock import drawn_share
from glean.runs.events import BakeryFailed
from glean.runs.folder import RunFolder
from glean.runs.participation import jain_index
from glean.settings import ConfigValue, RunSettings
from tests.federations import federation_of, small_settings

NAMES = tuple("ABCDEF")


def selection(folder: Path, kind: str, **changes: ConfigValue) -> ClientSelection:
    given: dict[str, ConfigValue] = {"client-selection": kind, "fraction-train": 0.5}
    given["privacy"] = "sums"
    settings = RunSettings.from_config({**given, **changes})
    return ClientSelection(settings, RunFolder.create(folder, run_id=1))


def written(folder: Path) -> RunFolder:
    return RunFolder((folder / "latest").resolve())


@pytest.mark.parametrize("kind", ["random", "availability", "staleness", "size"])
def test_nothing_known_it_is_a_draw(kind: str, tmp_path: Path) -> None:
    """Half of them, another half each round, whatever order they come in."""
    chosen = selection(tmp_path, kind)
    drawn = [chosen.share(NAMES, number) for number in range(1, 9)]
    assert all(len(names) == 3 for names in drawn)
    assert len({*drawn}) > 1
    assert chosen.share(NAMES[::-1], 3) == drawn[2]
    assert {name for names in drawn for name in names} == {*NAMES}


def test_who_failed_is_asked_last(tmp_path: Path) -> None:
    """Of rounds before the last one: that may not be written yet."""
    chosen = selection(tmp_path, "availability")
    folder = written(tmp_path)
    for name in "ACE":
        folder.append_event(BakeryFailed(2, name, "no reply"))
    assert chosen.share(NAMES, 4) == ("B", "D", "F")
    assert chosen.share(NAMES, 3) != ("B", "D", "F") or chosen.share(NAMES, 2) != ("B", "D", "F")


def test_who_waited_longest_is_next(tmp_path: Path, five_bakeries: str) -> None:
    """So all take part as often, up to one round; a draw doesn't manage that."""

    def counts(kind: str) -> Counter[str]:
        settings = small_settings(
            five_bakeries,
            aggregation="fedavg",
            fedavg_model="poisson",
            fraction_train=0.4,
            client_selection=kind,
            num_server_rounds=10,
        )
        federation = federation_of(tmp_path / kind, settings, partitions=range(5))
        federation.run()
        return Counter(federation.table("participation.csv")["bakery"])

    waited, drawn = counts("staleness"), counts("random")
    assert sum(waited.values()) == sum(drawn.values()) == 20
    assert jain_index([*waited.values()]) > jain_index([*drawn.values()])
    assert jain_index([*waited.values()]) > 0.95


def test_by_size_the_large_come_more_often() -> None:
    """In proportion where few of many are drawn, as by a loop over draws."""
    sizes = {"A": 8.0, "B": 1.0, "C": 1.0}
    first: Counter[str] = Counter()
    for number in range(2000):
        chances = {name: drawn_share(7, "x", name, number) for name in sizes}
        first[rank_by_size(sizes, chances)[0]] += 1
    assert first["A"] / 2000 == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fraction-train": 1.0}, "client-selection: found 'staleness' with fraction-train=1"),
        (
            {"client-selection": "size", "fraction-train": 0.5, "share-scores": "no"},
            "client-selection: found 'size' where no client's scores are shown",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, ConfigValue], message: str) -> None:
    """Where all train nobody is chosen; sizes that aren't shown can't be gone by."""
    with pytest.raises(SettingsError) as error:
        RunSettings.from_config({"client-selection": "staleness", "privacy": "sums", **changes})
    assert message in str(error.value)
