"""What `glean shop` is told, by the command line and by the home, as one frozen value."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glean.errors import SettingsError
from glean.languages.language import Language
from glean.node_settings import NODE_CONFIG
from glean.outgoing.weather import OPEN_METEO, provider
from glean.regular_files import absolute_path, read_regular, words_of

DEFAULT_PORT = 8701


@dataclass(frozen=True)
class ShopSettings:
    """How a shop's page is set up.

    Parameters
    ----------
    home : Path
        Absolute folder of the bakery's home.
    sales : Path
        Absolute path of its table.
    bakery : str
        Its name; "" takes the table's.
    products : Path or None
        Its product list.
    language : Language or None
        Of the pages, unless a browser chose one; None goes by the browser.
    lan : bool
        Whether other machines of the shop's network reach it.
    weather : str
        Address of the provider of the weather; asked only once a place was entered.
    """

    home: Path
    sales: Path
    bakery: str = ""
    products: Path | None = None
    language: Language | None = None
    lan: bool = False
    weather: str = OPEN_METEO

    @property
    def folder(self) -> Path:
        """Folder of what the page keeps, beside its database."""
        return self.home / "shop"

    @property
    def database(self) -> Path:
        """File of what people entered."""
        return self.home / "shop.db"


def shop_settings(
    home: Path,
    *,
    sales: Path | None = None,
    bakery: str = "",
    products: Path | None = None,
    language: Language | None = None,
    lan: bool = False,
    weather: str = "",
) -> ShopSettings:
    """Put together what was typed and what the home says.

    Raises
    ------
    SettingsError
        There is no such folder, no table, or `bakery.toml` can't be read.
    """
    home = absolute_path(home)
    if not home.is_dir():
        raise SettingsError(f"HOME: found no folder {home}; wanted the bakery's home")
    config = node_config(home)
    table = sales or (Path(str(config["sales"])).expanduser() if config.get("sales") else None)
    if table is None:
        raise SettingsError(
            f"found no {NODE_CONFIG} in {home} that names a table; wanted --sales, the bakery's "
            "sales"
        )
    table = absolute_path(home / table)
    if not table.is_file():
        raise SettingsError(f"--sales: found no file {table}; wanted the bakery's sales table")
    return ShopSettings(
        home=home,
        sales=table,
        bakery=bakery or str(config.get("bakery", "")),
        products=None if products is None else absolute_path(products),
        language=language,
        lan=lan,
        weather=provider(weather or OPEN_METEO).url,
    )


def node_config(home: Path) -> dict[str, Any]:
    """Read the home's node config; empty where there is none.

    Raises
    ------
    SettingsError
        It can't be read.
    """
    path = home / NODE_CONFIG
    try:
        return tomllib.loads(read_regular(path).decode("utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{path} can't be read: {words_of(error)}") from None
    except ValueError as error:
        raise SettingsError(f"{path} isn't valid TOML: {error}") from None
