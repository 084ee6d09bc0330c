"""Stamps of tills are counted for the day of the bakery: its time zone, and when its day starts."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import zoneinfo
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.errors import SalesError, SettingsError
from glean.sales.importing.import_sales import Imported, import_sales
from glean.sales.importing.request import Columns, ImportRequest
from glean.sales.reading.checks import Forms
from glean.sales.reading.clock import Clock, read_stamp_times
from glean.sales.reading.sheet import texts_of
from tests.sales.importing.exports import file_of

BERLIN = "Europe/Berlin"
TILL = Columns(date="d", units="u")


def imported(folder: Path, stamps: list[str], timezone: str = "", day_starts: str = "") -> Imported:
    path = file_of(folder, "d;u\n" + "".join(f"{stamp};1\n" for stamp in stamps))
    return import_sales(
        ImportRequest(path, TILL, till_lines=True, timezone=timezone, day_starts=day_starts)
    )


@settings(max_examples=20)
@given(
    minutes=st.integers(0, 48 * 365 * 24 * 60),
    zone=st.sampled_from(["Europe/Berlin", "Australia/Sydney", "America/New_York", "Asia/Kolkata"]),
    starts=st.integers(0, 12 * 60),
)
def test_local_days_are_those_of_the_standard_library(minutes: int, zone: str, starts: int) -> None:
    """With daylight saving, however the same moment is written."""
    utc = dt.datetime(1990, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=minutes)
    local = utc.astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None)
    wanted = (local - dt.timedelta(minutes=starts)).date()
    other = utc.astimezone(dt.timezone(dt.timedelta(hours=-5, minutes=-30)))
    stamps = [
        f"{utc:%Y-%m-%dT%H:%M}Z",
        f"{utc:%Y-%m-%d %I:%M %p}",
        f"{other:%Y-%m-%d %H:%M%z}",
    ]
    found = Forms("ymd", clock=Clock(zone, starts)).days(texts_of(stamps))
    assert found.astype("datetime64[D]").tolist() == [wanted] * 3


def test_time_zones_are_there_without_those_of_the_system() -> None:
    """The package tzdata has them, as on Windows and in slim images."""
    pytest.importorskip("tzdata", reason="the environment is older than pyproject.toml")
    code = (
        "import zoneinfo; from glean.sales.reading.clock import Clock; "
        "assert not zoneinfo.TZPATH; print(Clock('Europe/Berlin'))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONTZPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Europe/Berlin" in found.stdout, found.stderr


@pytest.mark.parametrize(
    ("stamp", "minutes", "offset"),
    [
        ("20.03.2024 19:30", 1170, None),
        ("20.03.2024, 7.30 Uhr", 450, None),
        ("3/20/2024, 7:15:00 AM", 435, None),
        ("3/20/2024 12:05 am", 5, None),
        ("3/20/2024 12:05 p.m.", 725, None),
        ("2024-03-20T19:15:00.123Z", 1155, 0),
        ("2024-03-20 19:15:00+05:30", 1155, 330),
        ("2024-03-20T19:15-0800", 1155, -480),
        ("20 mars 2024 7h15", 435, None),
        ("45371.75", 1080, None),
        ("45371,5", 720, None),
        ("20.03.2024 0.30", 30, None),
        ("20.03.24", None, None),
        ("20.03.2024", None, None),
        ("20.03.2024 25:00", None, None),
    ],
)
def test_times_of_stamps(stamp: str, minutes: float | None, offset: float | None) -> None:
    """In minutes after midnight, with the zone that stands behind; none where there is none."""
    times = read_stamp_times(texts_of([stamp]))
    for found, wanted in ((times.minutes[0], minutes), (times.offsets[0], offset)):
        assert np.isnan(found) if wanted is None else found == wanted


def test_stamps_in_utc_are_named_and_turned_into_local_days(tmp_path: Path) -> None:
    """23:30 in summer is the next day in Berlin, in winter too; 22:30 in summer only."""
    stamps = [f"2024-{day}T{time}:30:00Z" for day in ("01-10", "07-10") for time in ("22", "23")]
    plain = imported(tmp_path, stamps)
    assert "2024-01-10T22:30:00Z are in UTC; --timezone" in dict(plain.notes)["times"]
    assert len(plain.table.rows) == 2
    local = imported(tmp_path, stamps, BERLIN)
    days = dict(
        zip(local.table.rows["date"].dt.strftime("%m-%d"), local.table.rows["units"], strict=True)
    )
    assert days == {"01-10": 1.0, "01-11": 1.0, "07-11": 2.0}
    assert dict(local.notes)["times"].startswith("3 of 4 lines count for another day")


def test_a_night_belongs_to_the_evening_before(tmp_path: Path) -> None:
    """Sales after midnight are named, and counted for the day before if so told."""
    stamps = [
        f"{day:02d}.05.2024 {time}" for day in (1, 2, 3) for time in ("01:15", "19:00", "23:50")
    ]
    plain = imported(tmp_path, stamps)
    assert "3 lines are from after midnight; --day-starts 04:00" in dict(plain.notes)["times"]
    night = imported(tmp_path, stamps, day_starts="04:00").table.rows
    assert night["date"].dt.strftime("%m-%d").tolist() == ["04-30", "05-01", "05-02", "05-03"]
    assert night["units"].tolist() == [1.0, 3.0, 3.0, 2.0]
    assert "times" not in dict(imported(tmp_path, ["01.05.2024 00:00", "02.05.2024 00:00"]).notes)


@pytest.mark.parametrize("clock", [(BERLIN, ""), ("", "4:00")])
def test_days_without_times_are_refused(clock: tuple[str, str], tmp_path: Path) -> None:
    """There is nothing to turn."""
    with pytest.raises(SalesError, match="found no times of day; wanted days with times"):
        imported(tmp_path, ["01.05.2024", "02.05.2024"], *clock)


@pytest.mark.parametrize(
    ("zone", "starts", "said"),
    [
        ("Berlin", 0, "a time zone like Europe/Berlin"),
        ("Europe/Berln", 0, "Europe/Berlin"),
        ("Mars/Crater", 0, "--timezone: found 'Mars/Crater'"),
        ("", 721, "--day-starts: found 12:01; wanted a time up to 12:00"),
    ],
)
def test_clocks_that_there_are_not(zone: str, starts: int, said: str) -> None:
    """An unknown zone is refused with near ones, a day that starts after noon at all."""
    with pytest.raises(SettingsError, match=said):
        Clock(zone, starts)
