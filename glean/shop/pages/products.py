"""What is baked: products and categories, chosen once; what is new is asked about."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from glean.shop.parts import Shop
from glean.shop.web.forms import Form, Parts, number_of, see, text_of
from glean.shop.web.rendering import page

router = APIRouter()


@router.get("/products")
def show_products(request: Request, shop: Parts) -> Response:
    """Show the products of late, by category, the new ones first."""
    chosen = shop.assortment.baked()
    products = known_products(shop)
    new = [item for item in products if chosen and item["name"] not in chosen]
    groups: dict[str, list[dict[str, Any]]] = {}
    for item in products:
        if item not in new:
            groups.setdefault(item["category"], []).append(item)
    return page(
        request,
        "products.html",
        new=new,
        groups=sorted(groups.items(), key=lambda group: group[0] == ""),
        chosen=chosen,
        least=float(shop.choices.get("least-units", 0.0)),
    )


@router.post("/products")
def choose(shop: Parts, form: Form) -> Response:
    """Keep what is baked; a category's own button says it of all its products."""
    known = {item["name"]: item["category"] for item in known_products(shop)}
    category = form.get("all", form.get("none"))
    if category is not None:
        of_category = [name for name, its in known.items() if its == category]
        shop.assortment.choose(dict.fromkeys(of_category, "all" in form))
        return see("/products")
    baked = {str(name) for name in form.getlist("baked")}
    shown = {str(name) for name in form.getlist("known")}
    shop.assortment.choose({name: name in baked for name in known if name in shown})
    try:
        least = number_of(text_of(form, "least"))
    except ValueError:
        least = None
    if least is not None:
        shop.choices.put(**{"least-units": least})
    shop.wake.set()
    return see("/products?saved=1")


def known_products(shop: Shop) -> list[dict[str, Any]]:
    """List the products of late, with the category that the owner said."""
    said = shop.assortment.said()
    return [
        {**item, "category": said.get(item["name"], {}).get("category", item["category"])}
        for item in shop.planner.products()
    ]
