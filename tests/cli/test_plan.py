"""`glean forecast`, `glean plan` and the owner's page, as a baker types them; without a network."""

from __future__ import annotations

import datetime as dt
import os
import re
import socket
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

from glean.cli.app import app
from glean.evaluation.pages.bake_plan_page import bake_page
from glean.evaluation.pages.wall_words import number
from glean.forecasting.drivers import Driver
from glean.forecasting.plan import BakePlan, PlannedProduct
from glean.languages.language import ENGLISH
from tests.forecasting.test_future_rows import MODEL as EVENTFUL
from tests.forecasting.test_future_rows import eventful_table
from tests.forecasting.test_recursive_forecast import MODEL
from tests.inprocess_runs import config_of, run
from tests.tables import random_table

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file, a bakery's sales and its product list."""
    path = tmp_path_factory.mktemp("bakery")
    (path / "model.ubj").write_bytes(MODEL.to_bytes())
    random_table(days=200, seed=4).rows.to_csv(path / "sales.csv", index=False)
    text = "product,price,cost,batch_size,expected_units\nproduct 0,2,0.5,6,\nnew bun,3,1,,20\n"
    (path / "products.csv").write_text(text, encoding="utf-8")
    return path


def glean(folder: Path, *words: str) -> Result:
    paths = {"MODEL": "model.ubj", "SALES": "sales.csv", "LIST": "products.csv"}
    typed = [str(folder / paths[word]) if word in paths else word for word in words]
    return RUNNER.invoke(app, typed, catch_exceptions=False)


def test_a_plan_is_a_table_a_csv_and_a_page(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of the same quantities; made without opening a socket."""

    def refuse(*_: object) -> None:
        raise AssertionError("a plan needs no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    page = tmp_path / "plan.html"
    result = glean(
        folder, "plan", "--model", "MODEL", "--sales", "SALES", "--products", "LIST",
        "--date", "2023-07-25", "--out", str(page),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    table = pd.read_csv(page.with_suffix(".csv"))
    assert set(table["product"]) == {"product 0", "product 1", "new bun"}
    assert (table.set_index("product")["bake"] % 1 == 0).all()
    assert table.set_index("product")["bake"]["product 0"] % 6 == 0
    html = page.read_text(encoding="utf-8")
    for name, bake in zip(table["product"], table["bake"], strict=True):
        assert f'{name}</th><td class="bake">{number(bake, ENGLISH)}</td>' in html
        assert name in result.output
    assert "Tuesday" in html
    assert "http" not in html


def test_a_plan_speaks_the_language_that_is_asked_for(folder: Path, tmp_path: Path) -> None:
    """In the terminal, on the page and in the table's reasons; its numbers stay a program's."""
    page = tmp_path / "plan.html"
    words = ("--sales", "SALES", "--date", "2023-07-25", "--out", str(page))
    result = glean(folder, "plan", "--model", "MODEL", *words, "--language", "de")
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "backen für Dienstag, 25. Juli 2023" in said
    assert "zum Drucken: " in said
    html = page.read_text(encoding="utf-8")
    assert '<html lang="de">' in html
    assert "<h1>Dienstag</h1>" in html
    table = pd.read_csv(page.with_suffix(".csv"))
    assert {"product", "bake", "likely_low", "why"} <= set(table)
    assert table["expected"].dtype == "float64"
    refused = glean(folder, "plan", "--model", "MODEL", *words, "--language", "it")
    assert refused.exit_code == 2
    assert "found 'it'; wanted one of en, de, fr" in " ".join(refused.output.split())


def test_a_plan_never_takes_the_place_of_the_sales(folder: Path, tmp_path: Path) -> None:
    """Its table lies beside its page, by the same name."""
    sales = tmp_path / "mine.csv"
    sales.write_bytes((folder / "sales.csv").read_bytes())
    before = sales.read_bytes()
    words = ("--sales", str(sales), "--out", str(tmp_path / "mine.html"))
    result = glean(folder, "plan", "--model", "MODEL", *words)
    assert result.exit_code == 2
    assert "would take the place of the sales" in " ".join(result.output.split())
    assert sales.read_bytes() == before


def test_a_forecast_speaks_the_language_that_is_asked_for(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And none that the computer is set to."""
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    out = str(tmp_path / "forecast.csv")
    words = ("forecast", "--model", "MODEL", "--sales", "SALES", "--out", out)
    french, plain = glean(folder, *words, "--language", "fr"), glean(folder, *words)
    assert "le modèle de la fédération" in " ".join(french.output.split())
    assert "les jours à venir" in french.output
    assert "the federation's model" in " ".join(plain.output.split())


def test_a_mistyped_product_of_the_list_is_named(folder: Path, tmp_path: Path) -> None:
    """On stderr, with the near name; a new product that has expected units isn't."""
    (tmp_path / "list.csv").write_text("product,expected_units\nProduct 0,\nnew bun,20\n")
    result = glean(
        folder, "plan", "--model", "MODEL", "--sales", "SALES", "--date", "2023-07-25",
        "--products", str(tmp_path / "list.csv"), "--out", str(tmp_path / "plan.html"),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "found 'Product 0' (perhaps 'product 0'), which nobody has bought" in result.stderr
    assert "new bun" not in result.stderr
    german = glean(
        folder, "plan", "--model", "MODEL", "--sales", "SALES", "--date", "2023-07-25",
        "--products", str(tmp_path / "list.csv"), "--out", str(tmp_path / "plan.html"),
        "--language", "de",
    )  # fmt: skip
    assert "'Product 0' (vielleicht 'product 0'), was niemand gekauft hat" in german.stderr


@pytest.mark.parametrize(
    ("words", "products", "said"),
    [
        (("product 1\n", "0"), {"product 1"}, "Left out: 2 products that"),
        (("buns\n", "0"), {"product 0", "new bun"}, "Left out: 1 product that"),
        (("", "30"), {"product 0", "product 1"}, "Left out, below 30 units a day: new bun."),
        (("prodct 1\n", "0"), set(), "like product 1"),
        (("", "99999"), set(), "wanted at least one"),
    ],
)
def test_a_plan_may_be_for_some_products_only(
    words: tuple[str, str], products: set[str], said: str, folder: Path, tmp_path: Path
) -> None:
    """Named, by their category, or by how many are expected; what is left out is said."""
    text = "product,category,expected_units\nproduct 0,buns,\nnew bun,buns,20\n"
    (tmp_path / "list.csv").write_text(text)
    (tmp_path / "only.txt").write_text(words[0])
    only = ("--only", str(tmp_path / "only.txt")) if words[0] else ()
    page = tmp_path / "plan.html"
    result = glean(
        folder, "plan", "--model", "MODEL", "--sales", "SALES", "--date", "2023-07-25", *only,
        "--products", str(tmp_path / "list.csv"), "--min-units-a-day", words[1], "--out", str(page),
    )  # fmt: skip
    assert said in result.output
    assert result.exit_code == (0 if products else 2)
    if products:
        assert set(pd.read_csv(page.with_suffix(".csv"))["product"]) == products
        assert said in page.read_text(encoding="utf-8")


def test_without_a_date_it_is_the_next_open_day(folder: Path, tmp_path: Path) -> None:
    """The table ends on a Thursday."""
    out = tmp_path / "plan.html"
    result = glean(folder, "plan", "--model", "MODEL", "--sales", "SALES", "--out", str(out))
    assert result.exit_code == 0, result.output
    assert "Friday 21 July 2023" in result.output


def test_a_forecast_has_quantiles_a_row_a_day_and_product(folder: Path, tmp_path: Path) -> None:
    """Seven days by default, without the closed Sunday; what it is made of is said."""
    out = tmp_path / "forecast.csv"
    result = glean(folder, "forecast", "--model", "MODEL", "--sales", "SALES", "--out", str(out))
    assert result.exit_code == 0, result.output
    table = pd.read_csv(out)
    assert len(table) == 6 * 2
    assert (table["q_0.1"] <= table["q_0.9"]).all()
    assert "% " in result.output


def test_a_bakery_without_sales_states_its_days(folder: Path, tmp_path: Path) -> None:
    """Open on two weekdays, with one product of known size."""
    out = tmp_path / "forecast.csv"
    result = glean(
        folder, "forecast", "--model", "MODEL", "--products", "LIST", "--bakery", "Anna",
        "--start", "2024-05-06", "--open", "fri,sat", "--out", str(out),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert set(pd.read_csv(out)["date"]) == {"2024-05-10", "2024-05-11"}


@pytest.fixture(scope="module")
def eventful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows promotions, and the sales of a bakery that has them."""
    path = tmp_path_factory.mktemp("eventful")
    (path / "model.ubj").write_bytes(EVENTFUL.to_bytes())
    eventful_table().rows.to_csv(path / "sales.csv", index=False)
    (path / "products.csv").write_text("product,expected_units\nbun,60\n", encoding="utf-8")
    return path


def planned(folder: Path, coming: str, *words: str) -> tuple[Result, Path]:
    """Plan with a file of coming days; the result and the page."""
    (folder / "coming.csv").write_text(coming, encoding="utf-8")
    page = folder / "plan.html"
    sales = () if "--open" in words else ("--sales", "SALES")
    told = ("--coming", str(folder / "coming.csv")) if coming else ()
    return glean(
        folder, "plan", "--model", "MODEL", *sales, *told, "--out", str(page), *words
    ), page


def bakes(page: Path) -> pd.Series[float]:
    return pd.read_csv(page.with_suffix(".csv")).set_index("product")["bake"]


def test_a_told_promotion_is_planned_and_stands_on_the_page(
    eventful: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of that product, the same of the other, with the reason; without a network."""
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("no network"))
    _, page = planned(eventful, "")
    plain = bakes(page)
    result, _ = planned(eventful, "date;product;promotion\n21.07.2023;product 0;yes\n")
    assert result.exit_code == 0, result.output
    assert bakes(page)["product 0"] > 1.2 * plain["product 0"]
    assert bakes(page)["product 1"] == plain["product 1"]
    html = page.read_text(encoding="utf-8")
    assert len(re.findall(r"promotion: (much )?more", html)) == 1
    assert "promotion" not in result.stderr


def test_inputs_that_are_not_told_are_named_in_one_sentence(folder: Path, eventful: Path) -> None:
    """Beside the plan, on stderr; nothing where the model goes by none of them."""
    said = planned(eventful, "")[0].stderr
    assert "promotion (taken as none)" in said
    assert said.count("\n") == 1
    assert "promotion" not in planned(eventful, "date,promotion\n2023-07-29,1\n")[0].stderr
    assert "--coming" not in planned(folder, "")[0].stderr


def test_days_told_as_closed_are_passed_over(eventful: Path) -> None:
    """By a plan without a date, by a forecast; and a plan for such a day is refused."""
    away = "date,open\n" + "".join(f"2023-07-{day},no\n" for day in range(21, 30))
    result, _ = planned(eventful, away)
    assert "Monday 31 July 2023" in result.output
    refused, _ = planned(eventful, away, "--date", "2023-07-24")
    assert (refused.exit_code, "told as closed" in refused.output) == (2, True)
    words = ("--model", "MODEL", "--sales", "SALES", "--coming", str(eventful / "coming.csv"))
    out = eventful / "forecast.csv"
    result = glean(eventful, "forecast", *words, "--days", "12", "--out", str(out))
    assert set(pd.read_csv(out)["date"]) == {"2023-07-31", "2023-08-01"}
    result = glean(eventful, "forecast", *words, "--out", str(out))
    assert (result.exit_code, "closed up to 2023-07-27" in result.output) == (2, True)


def test_a_bakery_without_sales_tells_of_its_days(eventful: Path) -> None:
    """It is open on a day that it isn't usually, with a promotion."""
    words = ("--open", "fri,sat", "--products", "LIST", "--date", "2024-05-06")
    _, page = planned(eventful, "", *words)
    plain = bakes(page)
    result, _ = planned(eventful, "date,promotion\n2024-05-06,1\n", *words)
    assert result.exit_code == 0, result.output
    assert bakes(page)["bun"] > plain["bun"]
    assert "promotion: " in page.read_text(encoding="utf-8")


def test_a_bad_file_of_coming_days_is_refused(eventful: Path) -> None:
    """With all that is wrong, by line, and exit code 2."""
    result, _ = planned(eventful, "date,product,promotion\n2023-07-20,Rolls,often\n")
    assert result.exit_code == 2
    assert [line.partition("found")[2].split("'")[1] for line in result.stderr.splitlines()] == [
        "2023-07-20", "Rolls", "often",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["plan", "--model", "SALES", "--sales", "SALES"], "damaged"),
        (["plan", "--model", "MODEL", "--sales", "SALES", "--date", "2022-01-01"], "the sales end"),
        (["plan", "--model", "MODEL", "--sales", "SALES", "--bakery", "Bob"], "found 'Bob'"),
        (["plan", "--model", "MODEL"], "wanted the day"),
        (["plan", "--model", "MODEL", "--products", "LIST", "--date", "2024-05-06", "--open", "x"],
         "wanted some of mon"),
    ],
)  # fmt: skip
def test_what_can_not_be_planned_is_refused(folder: Path, words: list[str], said: str) -> None:
    """In words, with exit code 2 and no traceback."""
    result = glean(folder, *words)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


class _Rows(HTMLParser):
    """Counts the rows of the table's body."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = 0

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        self.rows += tag == "tr"


@pytest.mark.parametrize(("count", "size"), [(3, "27.0"), (20, "15.0")])
def test_a_page_has_a_line_a_product_and_type_to_fit(count: int, size: str) -> None:
    """Names are escaped; more products make smaller type."""
    why = (Driver("weather", 0.2, "rain"),)
    line = PlannedProduct("<b>roll", 12.0, 10.0, 7.2, 13.1, 0.8, 3.0, 0.4, 1.5, 0.3, 0.2, why)
    day = pd.Timestamp("2026-12-24")
    plan = BakePlan("Anna & Sons", day, (line,) * count, ((day, 120.0), (day, 60.0)))
    html = bake_page(plan, ENGLISH, units_label="units", known_until=dt.date(2026, 12, 23))
    parser = _Rows()
    parser.feed(html)
    assert parser.rows == count + 1
    assert f'<body style="--bake:{size}pt;' in html
    assert "Thursday" in html
    assert "&lt;b&gt;roll" in html
    assert "7 to 14" in html
    assert "24 December 2026" in html
    assert "Sales known up to 23 December 2026." in html
    assert "rain: more" in html


@pytest.mark.slow
def test_a_plan_takes_less_than_five_seconds(folder: Path, tmp_path: Path) -> None:
    """As a process of its own, of processor time; the first run compiles what it imports."""
    words = [
        "plan", "--model", str(folder / "model.ubj"), "--sales", str(folder / "sales.csv"),
        "--out", str(tmp_path / "plan.html"),
    ]  # fmt: skip
    command = [sys.executable, "-m", "glean", *words]
    subprocess.run(command, check=True, capture_output=True)
    before = os.times()
    subprocess.run(command, check=True, capture_output=True)
    after = os.times()
    spent = after.children_user + after.children_system
    assert spent - before.children_user - before.children_system < 5


def test_an_owner_has_a_page_of_the_own_bakery(tmp_path: Path, three_bakeries: str) -> None:
    """With what the habit and the plan throw away, and without the other bakeries."""
    path = run(tmp_path, config_of(three_bakeries, baselines=True))
    result = RUNNER.invoke(app, ["report", str(path), "--bakery", "bakery 1"])
    assert result.exit_code == 0, result.output
    html = (path / "bakery-bakery-1.html").read_text(encoding="utf-8")
    assert "your habit and 20%" in html
    assert "product 1" in html
    columns = re.findall(r"<th[^>]*>(a plan of your own alone|the plan in the federation)", html)
    assert columns == ["a plan of your own alone", "the plan in the federation"]
    assert "bakery 0" not in html
    french = ["report", str(path), "--bakery", "bakery 1", "--language", "fr"]
    assert RUNNER.invoke(app, french).exit_code == 0
    html = (path / "bakery-bakery-1.html").read_text(encoding="utf-8")
    assert '<html lang="fr">' in html
    assert "votre habitude plus 20\N{NO-BREAK SPACE}%" in html
    assert "samedi" in html
    refused = RUNNER.invoke(app, ["report", str(path), "--bakery", "nobody"])
    assert refused.exit_code == 2
    assert "bakery 0, bakery 1, bakery 2" in " ".join(refused.output.split())
