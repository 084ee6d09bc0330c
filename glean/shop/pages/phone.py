"""The page on a phone: the code to scan, how its root is trusted, and how it becomes an app."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from glean.shop.access import ENTER
from glean.shop.lan.token import entry_link
from glean.shop.web.forms import Parts, see
from glean.shop.web.rendering import page
from glean.web.qr_code import qr_svg

router = APIRouter()


@router.get("/phone")
def show_phone(request: Request, shop: Parts) -> Response:
    """Show the code, where the page is open to the shop's network."""
    lan = shop.lan
    link = "" if lan is None else entry_link(lan.origins[0], lan.token())
    return page(
        request,
        "phone.html",
        link=link,
        code=qr_svg(link, scale=6) if link else "",
    )


@router.post("/phone/renew")
def renew(shop: Parts) -> Response:
    """Make another code: all devices but this one have to scan it."""
    if shop.lan is None:
        return see("/phone")
    return see(f"{ENTER}{shop.lan.token.renew()}")


@router.get("/root.crt")
def give_root(shop: Parts) -> Response:
    """Give the root, for a phone to trust."""
    if shop.lan is None:
        return Response(status_code=HTTPStatus.NOT_FOUND)
    return Response(shop.lan.certificate.root.read_bytes(), media_type="application/x-x509-ca-cert")
