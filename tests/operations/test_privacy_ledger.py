"""An owner reads what days have spent, in ranges, and what it means."""

from __future__ import annotations

from pathlib import Path

import pytest

from glean.errors import GleanError
from glean.federation.client.ledger_store import FILE, LedgerStore
from glean.federation.wire.noised_parts import release_of
from glean.federation.wire.sum_request import (
    CLIENT_STEPS,
    CLIPPED_SCORE,
    DAY_GRADIENTS,
    DAY_HESSIANS,
)
from glean.languages.language import ENGLISH, language
from glean.operations.reports.privacy_ledger import budget_in_words, report_ledger
from glean.privacy.gaussian_dp import epsilon_of, mu_of
from glean.privacy.privacy_ledger import WHOLE_CLIENT, PrivacyLedger, total_of
from glean.settings import RunSettings
from tests.cli.typed_commands import glean

NOISED = RunSettings.from_config({"privacy": "noise"})
OLD = frozenset({"2026-01-02", "2026-01-03", "2026-01-05"})
NEW = frozenset({"2026-01-06"})
TESTED = frozenset({"2026-01-06", "2026-01-07"})


def kept(home: Path) -> PrivacyLedger:
    """A run over the old days, whose score is of later ones, and half of a run over all."""
    ledger = PrivacyLedger()
    half = [(DAY_HESSIANS, 1), *((DAY_GRADIENTS, number) for number in range(1, 11))]
    whole = [*half, *((DAY_GRADIENTS, number) for number in range(11, 21)), (CLIPPED_SCORE, 20)]
    for run, days, asked in (("7", OLD, whole), ("8", OLD | NEW, half)):
        for part, number in asked:
            release = release_of(part, NOISED, number=number)
            among = TESTED if part == CLIPPED_SCORE else days
            ledger, _ = ledger.charged(release, among, run=run, total=total_of(0.0))
    LedgerStore(home).write(ledger)
    return ledger


def test_days_that_spent_the_same_are_one_line(tmp_path: Path) -> None:
    """By the closed form of each; closed days in between don't part them."""
    kept(tmp_path)
    whole = mu_of(4.0, 1e-6) ** 2
    begun = whole * (0.15 + 0.85 / 2)
    old, new, tested = report_ledger(tmp_path).days
    assert (old.first, old.last, old.count) == ("2026-01-02", "2026-01-05", 3)
    assert (new.first, new.count, tested.first, tested.count) == ("2026-01-06", 1, "2026-01-07", 1)
    for found, spent in ((old, whole + begun), (new, begun), (tested, 0.0)):
        assert found.training == pytest.approx(epsilon_of(spent**0.5, 1e-6), rel=1e-6)
        assert found.left == pytest.approx(epsilon_of((2 * whole - spent) ** 0.5, 1e-6), rel=1e-6)
    assert old.scored == 0.0
    assert new.scored == tested.scored == pytest.approx(epsilon_of((whole / 3) ** 0.5, 1e-6))


def test_an_owner_s_page_says_what_is_spent_and_left(tmp_path: Path) -> None:
    """Of the days that spent the most, by the same closed form; nothing without a ledger."""
    assert budget_in_words(tmp_path, ENGLISH) == ()
    kept(tmp_path)
    whole = mu_of(4.0, 1e-6) ** 2
    most = whole * (1 + 0.15 + 0.85 / 2)
    total, spent = budget_in_words(tmp_path, ENGLISH)
    assert "an epsilon of 5.93" in total
    assert "4 of your days have been" in spent
    assert f"up to {epsilon_of(most**0.5, 1e-6):.2f}".rstrip("0") in spent
    assert f"at least {epsilon_of((2 * whole - most) ** 0.5, 1e-6):.2f}".rstrip("0") in spent
    assert "5,93" in budget_in_words(tmp_path, language("de"))[0]


def test_the_command_shows_both_units_and_what_is_reserved(tmp_path: Path) -> None:
    """In words: a day's records, a day's sales, a product's days; and what isn't listed."""
    kept(tmp_path)
    shown = glean("privacy-ledger", tmp_path)
    assert shown.exit_code == 0, shown.output
    for words in (
        "2026-01-02 to 2026-01-05 ",
        "33 sums with noise so far. A day may spend epsilon 5.93 on training",
        "run 8: 4 days take part, and epsilon 2.48 of what they have left is reserved",
        "they add up in squares: to 5.17 at most",
        "of up to 300 days: for them it is up to ",
        "For all days of one product nothing is promised",
    ):
        assert words in shown.output


@pytest.mark.parametrize("content", [None, "", "{", '{"count": 0}'])
def test_without_a_ledger_the_command_says_so(content: str | None, tmp_path: Path) -> None:
    """One line, and the exit code of bad input; also where there is no such home."""
    if content is not None:
        (tmp_path / FILE).write_text(content, encoding="utf-8")
    with pytest.raises(GleanError, match=FILE):
        report_ledger(tmp_path)
    for home in (tmp_path, tmp_path / FILE, tmp_path / "nowhere"):
        shown = glean("privacy-ledger", home)
        assert shown.exit_code == 2
        assert FILE in shown.stderr
        assert shown.stderr.count("\n") == 1


def test_a_client_as_a_whole_is_told_apart_from_days(tmp_path: Path) -> None:
    """What it has spent in runs that hide whole clients; nothing of days where it has none."""
    settings = RunSettings.from_config({"workload": "images", "privacy": "dp-fedavg"})
    ledger = PrivacyLedger()
    for number in range(1, 21):
        release = release_of(CLIENT_STEPS, settings, number=number)
        whom = frozenset({WHOLE_CLIENT})
        ledger, _ = ledger.charged(release, whom, run="7", total=total_of(0.0))
    LedgerStore(tmp_path).write(ledger)
    found = report_ledger(tmp_path)
    assert [(each.first, each.count) for each in found.days] == [("client", 1)]
    spent = epsilon_of((0.9 * mu_of(4.0, 1e-6) ** 2) ** 0.5, 1e-6)
    assert found.days[0].training == pytest.approx(spent, rel=1e-6)
    (told,) = found.sentences
    assert f"20 sums with noise so far, epsilon {spent:.3g} of 5.93" in told
