"""Members and privacy: how the node stands, who else takes part, and what leaves the shop."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from glean.errors import GleanError
from glean.languages.catalogues import translatable
from glean.languages.language import Language
from glean.node_settings import NodeSettings
from glean.operations.joining.joined_home import JoinedHome, JoinFacts
from glean.operations.joining.node_status import read_standing
from glean.operations.joining.policy_words import policy_sentences, what_leaves
from glean.operations.joining.trusted_members import (
    KnownMember,
    confirm_members,
    distrust_members,
    known_members,
)
from glean.shop.parts import Shop
from glean.shop.plans.planner import lines_of
from glean.shop.settings import node_config
from glean.shop.web.forms import Form, Parts, see, text_of
from glean.shop.web.rendering import language_for, page

router = APIRouter()

STATES = {
    "own": translatable("your bakery"),
    "confirmed": translatable("confirmed"),
    "new": translatable("new: not confirmed by you"),
    "key_changed": translatable("has another key now: confirm it anew"),
    "shut_out": translatable("shut out by the operator"),
}
STANDINGS = {
    "connected": translatable("Connected with the federation."),
    "waiting": translatable("Waiting for the federation's server."),
    "stopped": translatable("This bakery's part in the federation isn't at work."),
}


@dataclass(frozen=True)
class FederationView:
    """What an owner sees of a federation.

    Parameters
    ----------
    facts : JoinFacts
        Where the bakery joined.
    standing, since, text : str
        How its node stands, since when, and why.
    members : tuple of KnownMember
        All of them.
    leaves, policy : tuple of str
        What leaves the shop, and what its own program refuses.
    """

    facts: JoinFacts
    standing: str
    since: str
    text: str
    members: tuple[KnownMember, ...]
    leaves: tuple[str, ...]
    policy: tuple[str, ...]

    @property
    def to_confirm(self) -> tuple[KnownMember, ...]:
        """Members that don't count yet."""
        return tuple(one for one in self.members if one.state in ("new", "key_changed"))


@router.get("/members")
def show_members(request: Request, shop: Parts) -> Response:
    """Show them."""
    if not JoinedHome(shop.settings.home).joined:
        return page(request, "members.html", view=None, failed=(), states=STATES)
    try:
        view, failed = _view(shop, language_for(request)), ()
    except GleanError as error:
        return page(request, "members.html", view=None, failed=lines_of(error), states=STATES)
    return page(request, "members.html", view=view, failed=failed, states=STATES)


@router.post("/members")
def confirm(request: Request, shop: Parts, form: Form) -> Response:
    """Confirm a member with the key that was shown, or take that back."""
    name, shown = text_of(form, "name"), text_of(form, "fingerprint")
    home = shop.settings.home
    try:
        if "distrust" in form:
            distrust_members(home, [name])
        else:
            # What was compared is confirmed, not a key that came between the page and the tap.
            confirm_members(home, {name: shown})
    except GleanError as error:
        return page(request, "members.html", view=None, failed=lines_of(error), states=STATES)
    return see("/members")


def _view(shop: Shop, speaks: Language) -> FederationView:
    home = shop.settings.home
    node, standing = NodeSettings.from_config(node_config(home)), read_standing(home)
    return FederationView(
        facts=JoinedHome(home).facts(),
        standing=speaks.translate(STANDINGS.get(standing.state, STANDINGS["stopped"])),
        since=_since(standing.since, speaks),
        text=standing.text,
        members=known_members(home),
        leaves=what_leaves(node, speaks),
        policy=policy_sentences(node, speaks),
    )


def _since(text: str, speaks: Language) -> str:
    """Write since when a node stands so, in local time; "" where that isn't known."""
    try:
        moment = dt.datetime.fromisoformat(text).astimezone()
    except ValueError:
        return ""
    return f"{speaks.long_day(moment.date(), year=False)}, {moment:%H:%M}"
