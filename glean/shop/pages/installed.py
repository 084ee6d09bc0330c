"""The page as an app: its manifest, and the script that keeps pages for when it is offline."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from glean.shop.web.forms import Parts
from glean.shop.web.rendering import language_for, shop_name
from glean.shop.web.static_files import FILES, OWN

router = APIRouter()

COLOUR = "#faf8f5"


@router.get("/manifest.webmanifest")
def give_manifest(request: Request, shop: Parts) -> Response:
    """Say how the app is called and what it looks like."""
    content = {
        "name": shop_name(shop) or "Glean",
        "short_name": "Glean",
        "lang": language_for(request).code,
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": COLOUR,
        "theme_color": COLOUR,
        "icons": [
            {"src": FILES.url_of("mark.svg"), "sizes": "any", "type": "image/svg+xml"},
            {"src": FILES.url_of("icon-192.png"), "sizes": "192x192", "type": "image/png"},
            {"src": FILES.url_of("icon-512.png"), "sizes": "512x512", "type": "image/png"},
        ],
    }
    return JSONResponse(content, media_type="application/manifest+json")


@router.get("/sw.js")
def give_worker() -> Response:
    """Give the script, from the top, as it looks after all pages; browsers ask for it anew."""
    return Response((OWN / "sw.js").read_bytes(), media_type="text/javascript")


@router.get("/alive")
def tell_alive() -> Response:
    """Answer a page that asks whether it is still connected."""
    return Response(status_code=204)
