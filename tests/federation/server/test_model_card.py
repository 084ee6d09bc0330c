"""The card of a run's model: what it says, to whom, and who signs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from glean.errors import CertificateError, SettingsError
from glean.federation.server.model_card import privacy_section
from glean.federation.wire.final_task_file import FINAL_TASK_FILE
from glean.forecasting.model_source import find_model
from glean.privacy.model_key import VARIABLE, ModelKey, new_model_key
from glean.runs.model_card import CARD_FILE, KEY_FILE, ModelCard
from glean.settings import RunSettings
from tests.federation.client.test_disclosure import own_nodes
from tests.inprocess_runs import config_of, facts_of, run


def card_in(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    return found


def key_files(folder: Path) -> tuple[Path, ModelKey]:
    """The server's key as files of a folder."""
    folder.mkdir(exist_ok=True)
    private, public = new_model_key()
    (folder / "model-key").write_bytes(private)
    (folder / KEY_FILE).write_text(public.line)
    return folder / "model-key", public


@pytest.mark.slow
def test_a_simulation_s_card_says_what_was_learned_from_what(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Model, run, members, days, scores; no path. The same again but for when and which run."""
    folder = run(tmp_path / "one", config_of(three_bakeries))
    assert not (folder / FINAL_TASK_FILE).exists()  # nobody of a simulation is away
    card, facts = card_in(folder), facts_of(folder)
    read = ModelCard.from_bytes((folder / CARD_FILE).read_bytes())
    assert read.is_of((folder / "model.ubj").read_bytes())
    assert read.signature is None
    assert [member["name"] for member in card["members"]] == facts["bakeries"]
    assert card["run"]["best_round"] == facts["best_round"]
    assert card["run"]["start"] == facts["start"]
    assert folder.name.endswith(f"-{read.run_id}")
    assert card["data"]["training_days"].startswith("2023-01-0")
    assert card["data"]["product_days"] > 100
    assert card["data"]["products"] == 2
    assert card["scores"]["validation"]["round"] == facts["best_round"]
    assert [row["method"] for row in card["scores"]["test"]][:1] == ["federated"]
    assert card["privacy"]["mode"] == "sums"
    assert any(point.startswith("Few members, 3, trained it") for point in card["weak_points"])
    text = (folder / CARD_FILE).read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert three_bakeries not in text
    assert "# The card of model.ubj" in (folder / "model_card.md").read_text(encoding="utf-8")
    again = card_in(run(tmp_path / "two", config_of(three_bakeries)))
    for each in (card, again):
        del each["run"]["id"], each["run"]["start"]
    assert again == card


@pytest.mark.slow
def test_a_signed_run_between_machines(
    tmp_path: Path, three_bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every home has the model with a card that the server signed, and plans are made of no other.

    What the server alone has opened isn't on the card that members get.
    """
    path, key = key_files(tmp_path / "keys")
    monkeypatch.setenv(VARIABLE, str(path))
    public = str(path.with_name(KEY_FILE))
    nodes = [{**node} | {"model-key": public} for node in own_nodes(tmp_path, three_bakeries)]
    folder = run(tmp_path / "out", config_of(""), nodes=nodes)
    assert find_model(folder, key).content == (folder / "model.ubj").read_bytes()
    card = card_in(folder)
    assert card["run"]["engine"] == "deployment"
    assert card["scores"]["validation"]["value"] > 0
    assert card["scores"]["test"]
    assert "2023" not in json.dumps(card["data"])  # days stay at the bakeries
    for node in nodes:
        home = Path(str(node["home"]))
        assert find_model(home, key).content == (folder / "model.ubj").read_bytes()
        given = card_in(home)
        assert (given["scores"]["validation"], given["scores"]["test"]) == (None, [])
        assert given["members"] == [{"name": f"bakery {k}"} for k in range(3)]
        assert given["model"] == card["model"]
        assert given["run"] == card["run"]


@pytest.mark.slow
def test_a_run_goes_on_from_what_its_server_has_signed_only(
    tmp_path: Path, three_bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused before the first round; without a key a model of any version will do."""
    unsigned = run(tmp_path / "unsigned", config_of(three_bakeries, num_server_rounds=1))
    goes_on = config_of(three_bakeries, num_server_rounds=1, start_from=str(unsigned / "model.ubj"))
    path, key = key_files(tmp_path / "keys")
    monkeypatch.setenv(VARIABLE, str(path))
    with pytest.raises(SettingsError, match=r"start-from: .* isn't signed.*glean model-card"):
        run(tmp_path / "refused", goes_on)
    assert "isn't signed" in facts_of((tmp_path / "refused" / "latest").resolve())["reason"]
    monkeypatch.delenv(VARIABLE)
    before = card_in(unsigned)["model"]["sha256"]
    (unsigned / CARD_FILE).unlink()
    later = run(tmp_path / "later", goes_on)
    assert card_in(later)["run"]["started_from_sha256"] == before
    assert key.line not in (later / CARD_FILE).read_text(encoding="utf-8")


def test_a_key_that_can_not_be_read_ends_a_run_before_it_begins(
    tmp_path: Path, three_bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than in an unsigned model at its end."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(CertificateError, match=r"GLEAN_MODEL_KEY: .*nowhere can't be read"):
        run(tmp_path / "out", config_of(three_bakeries))
    assert facts_of((tmp_path / "out" / "latest").resolve())["status"] == "failed"


def test_what_a_card_says_of_privacy() -> None:
    """With noise the epsilon, of what it is, and beside it what the sales themselves get."""
    noised = RunSettings.from_config({"privacy": "noise", "epsilon": 2.0})
    said = privacy_section(noised, deployed=True)
    assert said["mode"] == "noise"
    assert said["epsilon"] == pytest.approx(2.0)
    assert said["delta"] == 1e-6
    assert said["unit"] == "one bakery's day of training records"
    assert said["epsilon_of_a_days_sales"] > 10 * said["epsilon"]
    assert said["all_of_one_products_days"] == "promises nothing"
    sums = privacy_section(RunSettings.from_config({"secure-sums": False}), deployed=False)
    assert (sums["mode"], sums["epsilon"]) == ("sums", None)
    assert "unmasked" in sums["opened"]
