"""Nobody speaks to the page by another site's hand; other machines only with a token."""

from __future__ import annotations

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from glean.shop.access import COOKIE
from glean.shop.app import PAGES, create_app
from glean.shop.parts import Shop
from tests.shop.conftest import NOW, ORIGIN

DAY = f"/day/{NOW:%Y-%m-%d}"
LAN = "https://192.0.2.7:8701"
TOKEN = "a-token-of-128-bits"  # noqa: S105 # a test's

PATHS = (
    "/", DAY, "/more", "/static/x/shop.css", "/language", "/enter/", "/enter/wrong",
    f"/enter/{TOKEN}x", "/enter/../", "/%2e%2e/", "/manifest.webmanifest", "/sw.js", "/docs",
    "/openapi.json", "/exports", "//", "/closing", "/products", "/members",
)  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE")


@pytest.fixture
def stranger(shop: Shop) -> TestClient:
    """On the shop's network, without a token."""
    return TestClient(create_app(shop, origins=[LAN], token=lambda: TOKEN), base_url=LAN)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:1", "127.0.0.1", "", "localhost.evil"])
def test_another_name_for_this_machine_is_refused(client: TestClient, host: str) -> None:
    """A site that has its own name lead to 127.0.0.1 reads nothing."""
    answer = client.get("/", headers={"Host": host})
    assert (answer.status_code, answer.content) == (421, b"")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ORIGIN.replace("8701", "8702")},
        {"Origin": "", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "", "Sec-Fetch-Site": "same-site"},
        {"Origin": ""},
    ],
)
def test_another_site_s_form_changes_nothing(
    client: TestClient, shop: Shop, headers: dict[str, str]
) -> None:
    answer = client.post(DAY, data={"tick": "Brötchen"}, headers=headers)
    assert (answer.status_code, answer.content) == (403, b"")
    assert shop.baking.ticked(NOW.date()) == frozenset()


def test_our_own_form_is_known_by_either_header(client: TestClient, shop: Shop) -> None:
    headers = {"Origin": "", "Sec-Fetch-Site": "same-origin"}
    assert client.post(DAY, data={"tick": "Brötchen"}, headers=headers).status_code == 200
    assert shop.baking.ticked(NOW.date()) == {"Brötchen"}


@pytest.mark.parametrize("path", PATHS)
def test_without_the_token_nothing_answers(stranger: TestClient, path: str) -> None:
    """Whatever the path and the method: no words, no hint, nothing that a page has."""
    for method in METHODS:
        answer = stranger.request(method, path, headers={"Origin": LAN}, follow_redirects=False)
        assert (answer.status_code, answer.content) == (404, b""), method
        assert "set-cookie" not in answer.headers


def test_no_page_answers_a_stranger(shop: Shop) -> None:
    """Each that the application has, whatever its method."""
    stranger = TestClient(create_app(shop, origins=[LAN], token=lambda: TOKEN), base_url=LAN)
    routes = [route for module in PAGES for route in module.router.routes]
    paths = {route.path for route in routes if isinstance(route, APIRoute)}
    assert len(paths) > 15
    for path in paths:
        for method in METHODS:
            answer = stranger.request(method, path, headers={"Origin": LAN})
            assert (answer.status_code, answer.content) == (404, b""), (method, path)


@pytest.mark.parametrize("cookie", ["", TOKEN, "x" * 64, "ä"])
def test_a_made_up_cookie_opens_nothing(stranger: TestClient, cookie: str) -> None:
    header = {b"Cookie": f"{COOKIE}={cookie}".encode()}
    assert stranger.get("/", headers=header).status_code == 404


def test_the_token_opens_and_is_forgotten(stranger: TestClient, shop: Shop) -> None:
    """The browser keeps a cookie that doesn't tell it, for nobody's script and by TLS only."""
    answer = stranger.get(f"/enter/{TOKEN}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert TOKEN not in cookie
    for word in ("HttpOnly", "Secure", "SameSite=lax"):
        assert word in cookie
    assert stranger.get("/").status_code == 200
    assert stranger.post(DAY, data={"tick": "Brötchen"}).status_code == 403
    sent = stranger.post(DAY, data={"tick": "Brötchen"}, headers={"Origin": LAN})
    assert sent.status_code == 200
    assert shop.baking.ticked(NOW.date()) == {"Brötchen"}
    assert stranger.get("/", headers={"Host": "evil.example"}).status_code == 421


def test_another_token_ends_what_the_old_one_opened(stranger: TestClient, shop: Shop) -> None:
    stranger.get(f"/enter/{TOKEN}", follow_redirects=False)
    anew = TestClient(create_app(shop, origins=[LAN], token=lambda: "another"), base_url=LAN)
    anew.cookies = stranger.cookies
    assert anew.get("/").status_code == 404


def test_on_this_machine_no_token_opens_anything(client: TestClient) -> None:
    assert client.get("/enter/", follow_redirects=False).status_code == 404


def test_a_large_body_is_refused(client: TestClient) -> None:
    answer = client.post(DAY, content=b"tick=" + b"x" * 2**21)
    assert (answer.status_code, answer.content) == (413, b"")


def test_pages_load_nothing_from_elsewhere(client: TestClient) -> None:
    headers = client.get("/").headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
