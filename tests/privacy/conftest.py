"""Tables of bakeries, and what in them must not leave."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import or_
from pathlib import Path

import pandas as pd
import pytest

from tests.leaks import Secrets, secrets_of
from tests.privacy.captured_runs import BAKERIES, sales_of


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A table file for each bakery, and one of all."""
    folder = tmp_path_factory.mktemp("hidden-shelf")
    found = {}
    for bakery in BAKERIES:
        found[bakery] = folder / f"till-of-{bakery.lower()}.csv"
        sales_of(bakery).rows.to_csv(found[bakery], index=False)
    found["all"] = folder / "tills-of-all.csv"
    pd.concat([sales_of(b).rows for b in BAKERIES]).to_csv(found["all"], index=False)
    return found


@pytest.fixture(scope="module")
def secrets(tables: Mapping[str, Path]) -> Secrets:
    """What all bakeries together keep."""
    return reduce(or_, (secrets_of(sales_of(b), [tables[b], tables["all"]]) for b in BAKERIES))
