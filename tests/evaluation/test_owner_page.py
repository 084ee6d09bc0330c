"""The owner's page, from a run or a home: its habit, weak products, no talk of joining alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glean.errors import GleanError
from glean.evaluation.pages.owner_page import owner_page
from glean.evaluation.tables.client_tables import to_texts
from glean.evaluation.tables.own_results import OwnResults, own_results_of_home
from glean.evaluation.tables.plan_savings import HABITS, plan_savings
from glean.evaluation.tables.weak_spots import better_habit, weak_products, weekdays
from glean.languages.language import ENGLISH, LanguageCode, language
from glean.runs.model_card import CARD_FILE, ModelCard
from tests.cli.typed_commands import glean
from tests.evaluation.made_runs import Page
from tests.evaluation.test_plan_backtest import DETAILS

OWN = OwnResults(
    "north",
    DETAILS["days.csv"],
    DETAILS["plan.csv"],
    alone=DETAILS["alone.csv"],
    choices=DETAILS["choice.csv"],
    members=3,
)
NOISE = {"mode": "noise", "epsilon": 4.0}


def home_of(folder: Path, *, members: int = 3, privacy: object = None) -> Path:
    """A home as a deployment leaves it, as far as the page reads it."""
    folder.mkdir(parents=True)
    (folder / "home.json").write_text(json.dumps({"bakery": "north"}), encoding="utf-8")
    for name, text in to_texts(DETAILS).items():
        (folder / name).write_text(text, encoding="utf-8")
    sections = {
        "members": [{"name": f"bakery {k}"} for k in range(members)],
        "privacy": privacy or {"mode": "sums"},
        "settings": {"units-label": "units"},
    }
    card = ModelCard.of(b"model", file="model.ubj", run_id="7", sections=sections)
    (folder / CARD_FILE).write_bytes(card.to_bytes())
    return folder


def many_products(count: int) -> pd.DataFrame:
    """Days of so many products, each off by a different number of units."""
    days = pd.date_range("2026-03-02", periods=14)
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "date": np.tile(days, count),
            "product": np.repeat([f"product {k:03d}" for k in range(count)], len(days)),
            "units": rng.integers(0, 40, count * len(days)).astype(float),
            "chosen": rng.uniform(0, 40, count * len(days)),
            "weekday-mean": rng.uniform(0, 40, count * len(days)),
            "last-week": rng.uniform(0, 40, count * len(days)),
        }
    )


def test_weak_products_are_those_that_lost_the_most_units() -> None:
    """Against a plain loop, ten of 150, in falling order."""
    days = many_products(150)
    lost: dict[str, float] = {}
    for name, chosen, units in days[["product", "chosen", "units"]].to_numpy().tolist():
        lost[name] = lost.get(name, 0.0) + abs(chosen - units)
    wanted = sorted(lost, key=lambda name: -lost[name])[:10]
    found = weak_products(days)
    assert [spot.name for spot in found] == wanted
    assert [spot.lost for spot in found] == pytest.approx([lost[name] for name in wanted])


def test_a_product_that_never_sold_has_no_share() -> None:
    """Nothing is divided by nothing."""
    days = many_products(2)
    days.loc[days["product"] == "product 001", "units"] = 0.0
    spot = next(spot for spot in weak_products(days) if spot.name == "product 001")
    assert (spot.wape, spot.bias) == (None, None)
    assert spot.lost > 0


def test_weekdays_are_in_their_order_and_hold_all_that_was_lost() -> None:
    """Monday first; together as much as the products."""
    days = many_products(5)
    found = weekdays(days)
    assert len(found) == 7
    assert sum(spot.lost for spot in found) == pytest.approx(
        sum(spot.lost for spot in weak_products(days))
    )


@pytest.mark.parametrize("better", HABITS)
def test_the_habit_is_the_one_that_is_hardest_to_beat(better: str) -> None:
    """Not the worst one, and it is named; unless the owner says which."""
    days = OWN.days.assign(**{better: OWN.days["units"]})
    worse = next(habit for habit in HABITS if habit != better)
    assert better_habit(days, HABITS) == better
    words = {"weekday-mean": "the mean of the last four", "last-week": "the sales of the last"}
    page = Page(owner_page(replace(OWN, days=days), ENGLISH)).text
    assert f"baking {words[better]}" in page
    assert f"your habit: {words[worse]}" not in page
    told = Page(owner_page(replace(OWN, days=days), ENGLISH, habit=worse)).text
    assert f"Your habit, as you said: baking {words[worse]}" in told
    assert f"your habit: {words[better]}" not in told


@pytest.mark.parametrize("habit", HABITS)
def test_all_is_compared_where_it_misses_as_much_as_the_habit(habit: str) -> None:
    """The plan made alone as well."""
    first, alone, *_ = plan_savings(OWN.plans, OWN.alone, habit=habit)
    assert (first.policy, alone.policy) == (habit, "alone")
    assert first.unmet == alone.unmet
    assert first.planned == pytest.approx(alone.planned)


@pytest.mark.parametrize("code", ["en", "de", "fr"])
def test_alone_nobody_speaks_of_joining(code: LanguageCode) -> None:
    """A federation of one has nobody to join; two have."""
    words = {
        "en": ("join", "in the federation", "federation's forecast", "alone"),
        "de": ("Mitmachen", "Föderation wirft", "in der Föderation", "allein gemacht"),
        "fr": ("participer", "dans la fédération", "un plan fait seule"),
    }[code]
    speaks = language(code)
    one, two = (owner_page(replace(OWN, members=n, choices=None), speaks) for n in (1, 2))
    assert not [text for text in words if text in one]
    assert [text for text in words if text in two]


def test_a_home_has_the_page_of_the_same_tables(tmp_path: Path) -> None:
    """Read back from its files, with the members of its card."""
    own = own_results_of_home(home_of(tmp_path / "home"))
    assert (own.bakery, own.members, own.deployed) == ("north", 3, True)
    assert own.days["chosen"].to_numpy() == pytest.approx(OWN.days["chosen"], rel=1e-5)
    text = Page(owner_page(own, ENGLISH)).text
    assert "north: what joining brings" in text
    assert "A simulation" not in text
    assert "in the mean, with noise" not in text


def test_with_noise_the_page_says_so(tmp_path: Path) -> None:
    """What left is said by the mode of the run."""
    own = own_results_of_home(home_of(tmp_path / "home", privacy=NOISE))
    text = Page(owner_page(own, ENGLISH, budget=("the budget",))).text
    assert "with noise added at your shop" in text
    assert "how much you weigh" not in text
    assert "the budget" in text


def test_the_command_writes_a_home_s_report(tmp_path: Path) -> None:
    """In the home, in the language that was asked for, and says what it leads with."""
    home = home_of(tmp_path / "home")
    shown = glean("report", home, "--language", "de", "--habit", "last-week")
    assert shown.exit_code == 0, shown.output
    assert "Mit dem Plan werfen Sie" in shown.output
    page = (home / "report.html").read_text(encoding="utf-8")
    assert '<html lang="de">' in page
    assert "Ihre Gewohnheit, wie Sie angegeben haben" in page


def test_what_is_no_home_is_refused_in_words(tmp_path: Path) -> None:
    """A folder of neither kind; a home before its first run's end; a damaged one; another's."""
    shown = glean("report", tmp_path)
    assert shown.exit_code == 2
    assert "neither run.json nor home.json" in shown.output
    home = home_of(tmp_path / "home")
    shown = glean("report", home, "--bakery", "south")
    assert "is the home of 'north'" in shown.output.replace("\n", " ")
    (home / "days.csv").unlink()
    with pytest.raises(GleanError, match=r"found no days\.csv"):
        own_results_of_home(home)
    (home / "home.json").write_text("[]", encoding="utf-8")
    with pytest.raises(GleanError, match="damaged"):
        own_results_of_home(home)
