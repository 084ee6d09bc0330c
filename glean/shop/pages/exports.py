"""Sales from the till: an export dropped here, or a folder that is watched."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile

from glean.shop.parts import Shop
from glean.shop.web.forms import Form, Parts, see, text_of
from glean.shop.web.rendering import page

router = APIRouter()


@router.get("/exports")
def show_exports(request: Request, shop: Parts) -> Response:
    """Show what was read, and where more may go."""
    return _exports(request, shop)


@router.post("/exports")
def hand_in(shop: Parts, form: Form) -> Response:
    """Read an export into the table."""
    file = form.get("export")
    if isinstance(file, UploadFile) and file.filename:
        shop.till.hand_in(file.filename, file.file.read())
        shop.wake.set()
    return see("/exports")


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


def _exports(request: Request, shop: Shop, typed: str = "") -> Response:
    return page(
        request,
        "exports.html",
        exports=shop.exports.last(),
        folder=typed or shop.choices.get("exports-folder", ""),
        no_folder=bool(typed),
    )
