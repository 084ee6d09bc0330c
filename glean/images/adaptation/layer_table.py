"""The table of a simulation's networks: which clients train which, and what of it is the run's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from glean.evaluation.pages import html
from glean.images.adaptation.layer_report import LAYERS, layer_rows
from glean.images.adaptation.own_network import matching_of, network_names
from glean.languages.language import Language
from glean.runs.results import Columns, read_table
from glean.settings import RunSettings

_TEXT = ("network", "clients", "layer", "run_shape", "own_shape", "what")
_COLUMNS = Columns((*_TEXT, "weights", "taken"), _TEXT)


def network_rows(settings: RunSettings, spec: str, clients: Sequence[str]) -> list[dict[str, Any]]:
    """Give the rows of all networks but the run's; `clients` in the order of a simulation's."""
    names = network_names(settings)
    by_network: dict[str, list[str]] = {}
    for place, client in enumerate(clients):
        by_network.setdefault(names[place % len(names)], []).append(client)
    by_network.pop(settings.image.image_model, None)
    return [
        {"network": network, "clients": ", ".join(mine), **row}
        for network, mine in by_network.items()
        for row in layer_rows(matching_of(network, spec, settings))
    ]


def networks_section(folder: Path, least: float, language: Language) -> list[str]:
    """Give what a report says of a run's networks; nothing where all clients have the run's.

    Parameters
    ----------
    folder : Path
        The run's.
    least : float
        Share of a network that has to be the run's (`adapt-share`).
    language : Language
        Of the page.
    """
    table = read_table(folder / LAYERS, _COLUMNS)
    if table is None or table.empty:
        return []
    _ = language.translate
    sentences = [
        html.paragraph(_sentence(str(network), rows, least, language))
        for network, rows in table.groupby("network", sort=False)
    ]
    heads = [_("network"), _("layer"), _("shape in the run's"), _("own shape"), _("what it is")]
    rows = [
        [
            str(row["network"]),
            str(row["layer"]),
            str(row["run_shape"]),
            str(row["own_shape"]),
            language.gettext(str(row["what"])),
        ]
        for row in table.fillna("").to_dict("records")
    ]
    shown = html.table(_("Layers of clients' own networks"), heads, rows)
    return [
        html.section(_("Networks of clients' own"), [*sentences, html.folded(_("Layers"), shown)])
    ]


def _sentence(network: str, rows: pd.DataFrame, least: float, language: Language) -> str:
    share = rows["taken"].sum() / max(1, rows["weights"].sum())
    told = {
        "network": network,
        "clients": str(rows["clients"].iloc[0]),
        "share": language.percent(share),
    }
    if share and share >= least:
        return language.translate(
            "{clients}: trained {network}, of which {share} is the run's network.", **told
        )
    return language.translate(
        "{clients}: {network} began afresh and was trained alone, since only {share} of it is the "
        "run's network.",
        **told,
    )
