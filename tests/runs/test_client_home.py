"""A bakery's home: the model of the last run that it took part in, whole, and where it is from."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

import pytest

from glean.errors import FederationError
from glean.evaluation.tables.client_tables import TABLES
from glean.features.calendar import day_numbers
from glean.forecasting.context import read_context, with_client_model
from glean.languages.language import ENGLISH
from glean.runs.client_home import Vouched, keep_model
from glean.runs.folder import write_whole
from glean.runs.model_card import CARD_FILE, KEY_FILE, cards_beside
from glean.sales.reading.sales_file import read_sales
from tests.federation.client.test_disclosure import own_nodes
from tests.federations import federation_of, small_settings


def about(home: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((home / "home.json").read_text(encoding="utf-8"))
    return found


def test_the_final_test_brings_the_model_home(tmp_path: Path, three_bakeries: str) -> None:
    """Every bakery of a deployment then has the bytes that the server has."""
    settings = small_settings("", num_server_rounds=1)
    nodes = own_nodes(tmp_path, three_bakeries)
    found = federation_of(tmp_path / "out", settings, nodes=nodes)
    outcome = found.run()
    assert not any((tmp_path / f"bakery {k}").exists() for k in range(3))
    found.test(outcome)
    for k in range(3):
        home = tmp_path / f"bakery {k}"
        assert (home / "model.ubj").read_bytes() == outcome.model.to_bytes()
        assert about(home)["bakery"] == f"bakery {k}"
        assert about(home)["sha256"] == hashlib.sha256(outcome.model.to_bytes()).hexdigest()
        assert about(home)["run"] == "1"


def test_a_newer_model_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    """Of the same kind or of another: one model is there, and the note is about it."""
    for run, model in enumerate((b"tree", b"more trees", b"PK weights", b"trees again")):
        path = keep_model(tmp_path, model, bakery="Anna", run_id=run)
        assert path.read_bytes() == model
        assert path.name == ("model.npz" if model.startswith(b"PK") else "model.ubj")
        assert {p.name for p in tmp_path.iterdir()} == {path.name, "home.json"}
        assert (about(tmp_path)["model"], about(tmp_path)["run"]) == (path.name, str(run))


def test_a_kill_between_two_files_leaves_whole_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new model with the old note: that they don't fit can be seen by the digest."""
    keep_model(tmp_path, b"old", bakery="Anna", run_id=1)

    def killed(path: Path, content: bytes) -> Path:
        if path.name == "home.json":
            raise KeyboardInterrupt
        return write_whole(path, content)

    monkeypatch.setattr("glean.runs.client_home.write_whole", killed)
    with pytest.raises(KeyboardInterrupt):
        keep_model(tmp_path, b"new", bakery="Anna", run_id=2)
    assert (tmp_path / "model.ubj").read_bytes() == b"new"
    assert about(tmp_path)["sha256"] == hashlib.sha256(b"old").hexdigest()


def test_a_model_is_kept_with_its_card_and_who_must_have_signed(tmp_path: Path) -> None:
    """A later model takes both away that came without."""
    keep_model(tmp_path, b"one", bakery="Anna", run_id=1, vouched=Vouched(b"card", b"key"))
    assert (tmp_path / CARD_FILE).read_bytes() == b"card"
    assert (tmp_path / KEY_FILE).read_bytes() == b"key"
    keep_model(tmp_path, b"two", bakery="Anna", run_id=2, vouched=Vouched(b"its card"))
    assert (tmp_path / CARD_FILE).read_bytes() == b"its card"
    assert {p.name for p in tmp_path.iterdir()} == {"model.ubj", "home.json", CARD_FILE}
    keep_model(tmp_path, b"three", bakery="Anna", run_id=3)
    assert {p.name for p in tmp_path.iterdir()} == {"model.ubj", "home.json"}


@pytest.mark.parametrize("killed_at", ["model.ubj", "home.json"])
def test_a_kill_leaves_no_model_without_its_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: str
) -> None:
    """Whichever of the two models is there: what it came with is beside it."""
    keep_model(tmp_path, b"old", bakery="Anna", run_id=1, vouched=Vouched(b"card of old", b"key"))

    def killed(path: Path, content: bytes) -> Path:
        if path.name == killed_at:
            raise KeyboardInterrupt
        return write_whole(path, content)

    monkeypatch.setattr("glean.runs.client_home.write_whole", killed)
    new = Vouched(b"card of new", b"key")
    with pytest.raises(KeyboardInterrupt):
        keep_model(tmp_path, b"new", bakery="Anna", run_id=2, vouched=new)
    model = (tmp_path / "model.ubj").read_bytes()
    assert model == (b"old" if killed_at == "model.ubj" else b"new")
    assert b"card of " + model in cards_beside(tmp_path / "model.ubj")


def test_a_home_that_can_not_be_written_costs_no_scores(
    tmp_path: Path, three_bakeries: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The bakery's own log says what to do; the server gets the scores all the same."""
    caplog.set_level(logging.INFO, logger="glean")
    nodes = own_nodes(tmp_path, three_bakeries)
    (tmp_path / "bakery 1").write_text("a file, no folder")
    found = federation_of(tmp_path / "out", small_settings("", num_server_rounds=1), nodes=nodes)
    rows = found.test(found.run())
    assert set(rows) == {"bakery 0", "bakery 1", "bakery 2"}
    assert found.failures() == []
    (line,) = (r.message for r in caplog.records if r.levelno == logging.ERROR)
    assert f"the model can't be kept in home {tmp_path / 'bakery 1'}" in line
    assert "Let the SuperNode's user write there, or name another folder" in line
    with pytest.raises(FederationError, match="can't be kept"):
        keep_model(tmp_path / "bakery 1", b"tree", bakery="Anna", run_id=1)


def test_what_a_bakery_made_of_the_model_stays_in_its_home(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Own trees, choice, past errors, days and plans; a plan can be made from the home alone."""
    settings = small_settings("", num_server_rounds=1)
    nodes = own_nodes(tmp_path, three_bakeries)
    found = federation_of(tmp_path / "out", settings, nodes=nodes)
    rows = found.test(found.run())
    assert all('"personalised"' not in text for text in rows.values())
    home = tmp_path / "bakery 1"
    kept = {"personal.model", "alone.model", "own.json", *TABLES}
    assert kept <= {path.name for path in home.iterdir()}
    sales = read_sales(Path(three_bakeries)).of("bakery 1")
    context = with_client_model(read_context(home, sales, bakery="bakery 1", products={}))
    assert context.client_model.selection.reason(ENGLISH)
    assert context.residuals.days.max() == day_numbers(sales.rows["date"]).max()
