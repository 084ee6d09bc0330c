"""What is registered: MLflow loads it, and it answers as Glean does; no code, no path in it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glean.iris.species import LENGTHS, SPECIES, classify
from glean.iris.workload import IRIS
from glean.operations.registry.served_model import ServedIris, _load_pyfunc
from glean.registry.fetched_model import fetch, pin
from glean.registry.input_examples import iris_example, sales_example
from glean.registry.model_package import write_package
from glean.registry.model_uri import RegisteredModel
from glean.registry.run_content import FETCHED_FOLDER
from glean.registry.tracking_server import FoundVersion
from glean.runs.index import read_run

pytest.importorskip("mlflow")


@pytest.fixture(scope="module")
def package(iris_results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of a run of irises as MLflow has it."""
    folder = tmp_path_factory.mktemp("package") / "model"
    write_package(read_run(next(iris_results.glob("2*"))), folder)
    return folder


def test_it_says_what_goes_in_and_comes_out(package: Path) -> None:
    """Signature, example and requirements; read by Glean's own module, without a pickle."""
    described = (package / "MLmodel").read_text()
    assert "loader_module: glean.operations.registry.served_model" in described
    assert all(name in described for name in (*LENGTHS, *SPECIES))
    example = json.loads((package / "serving_input_example.json").read_text())
    assert example["dataframe_split"]["data"] == iris_example().to_numpy().tolist()
    assert "glean[mlflow]==" in (package / "requirements.txt").read_text()
    assert {path.suffix for path in package.rglob("*") if path.is_file()} <= {
        "", ".json", ".md", ".npz", ".txt", ".yaml",
    }  # fmt: skip


def test_no_path_and_no_machine_is_in_it(package: Path, iris_results: Path) -> None:
    """The run's record is there as far as a forecast goes by it."""
    facts = json.loads((package / "data" / "files" / "run.json").read_text())
    assert facts.keys() == {"settings", "status", "engine"}
    assert "output-dir" not in facts["settings"]
    for path in package.rglob("*"):
        if path.is_file():
            assert str(iris_results).encode() not in path.read_bytes()


def test_what_it_answers_is_what_the_run_s_model_says(package: Path, iris_results: Path) -> None:
    """By the loader that MLflow calls."""
    model = _load_pyfunc(str(package / "data" / "files"))
    assert isinstance(model, ServedIris)
    found = model.predict(iris_example())
    weights = IRIS.read((iris_results / "latest" / "model.npz").read_bytes())
    expected = classify(weights, iris_example().to_numpy())
    np.testing.assert_array_equal(found[list(SPECIES)].to_numpy(), expected)
    assert list(found["species"]) == list(SPECIES)


def test_examples_are_of_nobody_and_long_enough() -> None:
    """Twelve weeks without Sundays, with a column for what the model wants besides."""
    table = sales_example(["footfall"])
    assert list(table) == ["date", "product", "units", "footfall"]
    assert table["date"].nunique() == 72
    assert (table["units"] > 0).all()


class OneVersion:
    """A registry whose alias means version 3, and which gives out a package."""

    def __init__(self, package: Path, address: str = "http://registry.example.org") -> None:
        self.package = package
        self.address = address
        self.fetched = 0

    def version_at(self, _name: str, alias: str) -> FoundVersion | None:
        return FoundVersion(3, "1") if alias == "production" else None

    def fetch_version(self, _name: str, _version: str, folder: Path) -> Path:
        self.fetched += 1
        return Path(shutil.copytree(self.package, folder / "m"))


def test_a_version_is_downloaded_once(package: Path, tmp_path: Path, iris_results: Path) -> None:
    """Below the results, with its card beside it; an alias is looked up."""
    server: Any = OneVersion(package)
    model = RegisteredModel.parse("models:/glean@production")
    assert str(pin(model, server)) == "models:/glean/3"
    for asked in (model, RegisteredModel.parse("models:/glean/3")):
        path = fetch(asked, tmp_path, server)
    assert path.parts[-3:] == ("glean", "3", "model.npz")
    assert path.parents[3] == tmp_path / FETCHED_FOLDER
    assert path.read_bytes() == (iris_results / "latest" / "model.npz").read_bytes()
    assert path.with_name("model_card.json").is_file()
    assert server.fetched == 1


def test_another_registry_has_another_model_by_the_same_name(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It isn't taken for the one that was downloaded before, which needs no registry to be up."""
    other = Path(shutil.copytree(package, tmp_path / "other"))
    (other / "data" / "files" / "model.npz").write_bytes(b"another")
    model = RegisteredModel.parse("models:/glean/3")
    server: Any = OneVersion(package)
    first = fetch(model, tmp_path, server)
    second: Any = OneVersion(other, "http://me:secret@other.example.org")
    assert fetch(model, tmp_path, second).read_bytes() == b"another"
    assert first.read_bytes() == (package / "data" / "files" / "model.npz").read_bytes()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://registry.example.org/")
    assert fetch(model, tmp_path) == first
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with pytest.raises(Exception, match="no registry; wanted --mlflow URI"):
        fetch(model, tmp_path)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("models:/glean@elsewhere", "no alias 'elsewhere'"),
        ("models:/glean", "wanted models:/NAME/VERSION"),
        ("models:/../3", "wanted models:/NAME/VERSION"),
        ("models:/a/b/3", "wanted models:/NAME/VERSION"),
        ("models:/glean/latest", "wanted models:/NAME/VERSION"),
    ],
)
def test_what_names_no_version_is_refused(package: Path, uri: str, said: str) -> None:
    """With what was wanted; a name can't leave its folder."""
    server: Any = OneVersion(package)
    with pytest.raises(Exception, match=said):
        pin(RegisteredModel.parse(uri), server)


def test_a_stranger_s_model_is_refused(tmp_path: Path) -> None:
    """One that no run of Glean's registered has no files that it reads."""
    (tmp_path / "stranger" / "data").mkdir(parents=True)
    server: Any = OneVersion(tmp_path / "stranger")
    with pytest.raises(Exception, match="isn't a model that a run of Glean registered"):
        fetch(RegisteredModel("glean", "3"), tmp_path / "results", server)
    assert not list((tmp_path / "results").rglob("*3*"))
