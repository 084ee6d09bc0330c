"""`glean shop`: the bakery's own page, on its own machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glean.cli.errors import friendly_errors
from glean.cli.typed_language import language_of

if TYPE_CHECKING:
    from glean.shop.serving import Address

PORT = 8701


@friendly_errors()
def shop(
    home: Annotated[Path, typer.Argument(help="The bakery's home, a folder.")],
    sales: Annotated[
        Path | None, typer.Option(help="Its sales table; by default what bakery.toml names.")
    ] = None,
    bakery: Annotated[str, typer.Option(help="Which bakery of the table.")] = "",
    products: Annotated[
        Path | None, typer.Option(help="Product list: price, cost, batch_size, ...")
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port; the next free one where it is busy.")
    ] = PORT,
    weather: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Who is asked for the weather once a place is entered on the page, in "
            "Open-Meteo's format; by default Open-Meteo itself.",
        ),
    ] = "",
    lan: Annotated[
        bool,
        typer.Option("--lan", help="Open it to the shop's own network, by HTTPS and a QR code."),
    ] = False,
    language: Annotated[
        str, typer.Option(metavar="en|de|fr", help="Of the page; else the browser's.")
    ] = "",
) -> None:
    """Show what to bake, in a browser: today and tomorrow, and what came of it.

    Only this machine reaches it, unless --lan opens it to devices that scanned its code.
    """
    from glean.shop.serving import serve
    from glean.shop.settings import shop_settings

    settings = shop_settings(
        home,
        sales=sales,
        bakery=bakery,
        products=products,
        language=language_of(language) if language else None,
        weather=weather,
        lan=lan,
    )
    serve(settings, port, _say_address)


def _say_address(address: Address) -> None:
    typer.echo(f"the bakery's page: {address.link}", err=True)
    if address.code:
        typer.echo(f"{address.code}\nScan it with a phone on the same network.", err=True)
