"""A service's database and its folder of results belong together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from glean.errors import GleanError
from glean.service.services import Services, open_services
from glean.service.serving import rebuild
from glean.service.settings import ServiceSettings
from glean.service.store.tables import RunRow
from tests.service.databases import url_for


@contextmanager
def services_of(settings: ServiceSettings) -> Iterator[Services]:
    """A service whose threads haven't begun."""
    found = open_services(settings)
    try:
        yield found
    finally:
        found.workers.close()
        found.database.close()


def test_the_list_of_another_folder_s_runs_is_not_taken(tmp_path: Path) -> None:
    """They would be forgotten, since no folder of theirs is here; unless that is asked for."""
    url = url_for(tmp_path) or f"sqlite:///{tmp_path}/service.db"
    here = ServiceSettings(results=tmp_path / "here", database=url)
    there = ServiceSettings(results=tmp_path / "there", database=url)
    with services_of(here) as first, first.database.transaction() as session:
        session.add(RunRow(id="r1", folder="", flower_id="7", status="completed", asked_at="2026"))
    with pytest.raises(GleanError, match=r"runs of another folder.*found none.*--rebuild"):
        open_services(there)
    with services_of(here) as again, again.database.transaction() as session:
        assert session.get(RunRow, "r1") is not None
    assert rebuild(there) == 0
    with services_of(there) as moved:
        assert moved.settings == there
