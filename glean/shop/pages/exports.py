"""Sales from the till: an export dropped here, or a folder that is watched."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile

from glean.shop.parts import Shop
from glean.shop.plans.told_problems import line_in
from glean.shop.web.forms import MOST_FILES, Form, FormWithFiles, Parts, see, text_of
from glean.shop.web.rendering import language_for, page

router = APIRouter()

USUALLY_SHOWN = 5
"""Exports that the page shows, unless more were handed in at once."""


@router.get("/exports")
def show_exports(request: Request, shop: Parts, read: int = 0) -> Response:
    """Show what was read, and where more may go."""
    return _exports(request, shop, shown=min(max(read, USUALLY_SHOWN), MOST_FILES))


@router.post("/exports")
def hand_in(shop: Parts, form: FormWithFiles) -> Response:
    """Read exports into the table, one after the other in the order of their names.

    Tills put the day into them; of days that two files have, the later file's numbers stay. One
    that can't be read doesn't keep the others from being read.
    """
    files = [one for one in form.getlist("export") if isinstance(one, UploadFile) and one.filename]
    for file in sorted(files, key=lambda one: one.filename or ""):
        shop.till.hand_in(file.filename or "", file.file.read())
    if files:
        shop.wake.set()
    return see(f"/exports?read={len(files)}" if len(files) > USUALLY_SHOWN else "/exports")


@router.post("/exports/folder")
def watch(request: Request, shop: Parts, form: Form) -> Response:
    """Watch a folder, or none."""
    typed = text_of(form, "folder")
    folder = Path(typed).expanduser()
    if typed and not folder.is_dir():
        return _exports(request, shop, typed=typed)
    shop.choices.put(**{"exports-folder": f"{folder.resolve()}" if typed else None})
    shop.wake.set()
    return see("/exports")


def _exports(request: Request, shop: Shop, typed: str = "", shown: int = USUALLY_SHOWN) -> Response:
    return page(
        request,
        "exports.html",
        exports=shop.exports.last(shown),
        said=partial(line_in, speaks=language_for(request)),
        folder=typed or shop.choices.get("exports-folder", ""),
        no_folder=bool(typed),
    )
