"""`glean model-card`, and `--model-key` of the commands that use a model, as typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from glean.cli.app import app
from glean.forecasting import model_source
from glean.privacy.model_key import new_model_key
from glean.runs.model_card import CARD_FILE, KEY_FILE, ModelCard
from tests.forecasting.test_recursive_forecast import MODEL
from tests.tables import random_table

CONTENT = MODEL.to_bytes()


def glean(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run's model with its unsigned card, keys, and sales."""
    private, public = new_model_key()
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "model-key").write_bytes(private)
    (tmp_path / "keys" / KEY_FILE).write_text(public.line)
    (tmp_path / "model.ubj").write_bytes(CONTENT)
    card = ModelCard.of(CONTENT, file="model.ubj", run_id="7", sections={"use": "Bread."})
    (tmp_path / CARD_FILE).write_bytes(card.to_bytes())
    random_table(days=120, seed=4).rows.to_csv(tmp_path / "sales.csv", index=False)
    return tmp_path


def test_a_card_is_shown_with_what_its_signature_is_worth(folder: Path) -> None:
    """Unsigned, signed by a key that nobody gave, and by the one that is given."""
    keys = folder / "keys"
    shown = glean("model-card", folder)
    assert shown.exit_code == 0, shown.output
    assert "## Use\n\nBread." in shown.output
    assert "Nobody signed the card" in shown.output
    refused = glean("model-card", folder, "--model-key", keys / KEY_FILE)
    assert refused.exit_code == 2
    assert "isn't signed" in refused.stderr
    signed = glean("model-card", folder, "--sign", keys / "model-key")
    assert f"signed: {folder / CARD_FILE}" in signed.output
    assert "--model-key FILE tells" in signed.output
    checked = glean("model-card", folder, "--model-key", keys / KEY_FILE)
    assert checked.exit_code == 0, checked.output
    assert f"The card is signed by {keys / KEY_FILE}" in checked.output
    (folder / KEY_FILE).write_bytes((keys / KEY_FILE).read_bytes())
    assert "protects from damage alone" in glean("model-card", folder / "model.ubj").output


@pytest.mark.parametrize("command", ["model-card", "plan", "forecast"])
def test_a_model_of_another_is_refused_before_it_is_read(
    folder: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a line and exit code 2, and no byte of it reaches what reads models."""
    other, _ = new_model_key()
    (folder / "keys" / "other").write_bytes(other)
    assert glean("model-card", folder, "--sign", folder / "keys" / "other").exit_code == 0
    monkeypatch.setattr(model_source, "read_model", None)
    model = [folder] if command == "model-card" else ["--model", folder]
    refused = glean(command, *model, "--model-key", folder / "keys" / KEY_FILE)
    assert refused.exit_code == 2
    assert "is signed by another key" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    (folder / "model.ubj").write_bytes(CONTENT[:-1] + b"x")
    damaged = glean(command, *model)
    assert damaged.exit_code == 2
    assert "isn't the model that its card names" in damaged.stderr


def test_a_plan_of_a_signed_model(folder: Path) -> None:
    """The same as without a key, once the key is the right one."""
    keys = folder / "keys"
    assert glean("model-card", folder, "--sign", keys / "model-key").exit_code == 0
    sales = ("--sales", folder / "sales.csv", "--out", folder / "plan.html")
    made = glean("plan", "--model", folder, "--model-key", keys / KEY_FILE, *sales)
    assert made.exit_code == 0, made.output
    first = (folder / "plan.csv").read_bytes()
    assert glean("plan", "--model", folder, *sales).exit_code == 0
    assert (folder / "plan.csv").read_bytes() == first


def test_a_model_of_an_earlier_version_is_signed_by_hand(folder: Path) -> None:
    """It has no card: a short one is written, which says so."""
    (folder / CARD_FILE).unlink()
    none = glean("model-card", folder)
    assert none.exit_code == 2
    assert f"found no {CARD_FILE} of it beside it" in none.stderr
    signed = glean("model-card", folder / "model.ubj", "--sign", folder / "keys" / "model-key")
    assert signed.exit_code == 0, signed.output
    assert "how it was made isn't on record" in signed.output
    assert glean("model-card", folder, "--model-key", folder / "keys" / KEY_FILE).exit_code == 0
    (folder / "model.ubj").write_bytes(b"another")
    again = glean("model-card", folder, "--sign", folder / "keys" / "model-key")
    assert again.exit_code == 2
    assert "isn't the model that the card beside it names" in again.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "found no model (model.ubj or model.npz)"),
        ((".", "--model-key", "nowhere.pub"), "nowhere.pub can't be read"),
        ((".", "--model-key", "keys/model-key"), "found a private key; wanted model-key.pub"),
        ((".", "--sign", "keys/model-key.pub"), "is no private key; wanted model-key"),
    ],
)
def test_bad_words_end_with_2(
    folder: Path, words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a line."""
    monkeypatch.chdir(folder)
    done = glean("model-card", *words)
    assert done.exit_code == 2
    assert said in done.stderr
