"""What has to be right before a bakery joins, looked at without spending the invitation."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from glean import __version__
from glean.errors import GleanError
from glean.federation.node.member_client import MemberClient
from glean.federation.node.server_facts import ServerFacts, fetch_facts
from glean.languages.language import ENGLISH, Language
from glean.operations.joining.joined_home import JoinedHome
from glean.operations.tables.table_check import check_table
from glean.privacy.invitation import Invitation
from glean.privacy.request_signature import LARGEST_CLOCK_ERROR, RequestSigner
from glean.regular_files import read_regular


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Parameters
    ----------
    name : str
        What, in a word or two.
    ok : bool or None
        Whether it is right; None where it couldn't be looked at.
    text : str
        What was found, and what to do.
    """

    name: str
    ok: bool | None
    text: str


def preflight(
    invitation: Invitation,
    *,
    sales: Path | None,
    home: JoinedHome | None = None,
    language: Language = ENGLISH,
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> tuple[Check, ...]:
    """Look at everything; nothing is written and the invitation stays good.

    Parameters
    ----------
    invitation : Invitation
        From the operator.
    sales : Path or None
        The bakery's table.
    home : JoinedHome, optional
        Of a bakery that has joined already.
    language : Language
        Of what is said; errors are English.
    now : callable
        The clock of this machine.
    """
    server, facts = _server(invitation, language)
    unknown = language.translate("not known, as the server doesn't say")
    return (
        server,
        _clock(facts, now(), unknown, language),
        _version(facts, unknown, language),
        _keys(invitation, home, facts, language),
        _table(sales, language),
    )


def _server(invitation: Invitation, language: Language) -> tuple[Check, ServerFacts | None]:
    name = language.translate("server")
    try:
        facts = fetch_facts(invitation.address, invitation.authority)
        with MemberClient(invitation.address, facts.authority) as client:
            client.check_reachable()
    except GleanError as error:
        return Check(name, False, str(error)), None
    text = language.translate(
        "{address} answers, and is the server that invited (fingerprint {fingerprint}…)",
        address=invitation.address,
        fingerprint=invitation.authority.hex()[:16],
    )
    return Check(name, True, text), facts


def _clock(facts: ServerFacts | None, now: dt.datetime, unknown: str, language: Language) -> Check:
    name = language.translate("clock")
    if facts is None or facts.time is None:
        return Check(name, None, unknown)
    off = abs((now - facts.time).total_seconds())
    ok = off <= LARGEST_CLOCK_ERROR.total_seconds()
    text = language.translate("{seconds} s from the server's", seconds=language.number(off))
    if not ok:
        text += language.translate("; wanted at most 300 s: timedatectl set-ntp true")
    return Check(name, ok, text)


def _version(facts: ServerFacts | None, unknown: str, language: Language) -> Check:
    name = language.translate("version")
    if facts is None or not facts.release:
        return Check(name, None, unknown)
    text = language.translate(
        "Glean {here} here, {there} at the server", here=__version__, there=facts.release
    )
    return Check(name, facts.release == __version__, text)


def _keys(
    invitation: Invitation,
    home: JoinedHome | None,
    facts: ServerFacts | None,
    language: Language,
) -> Check:
    name = language.translate("keys")
    if home is None or not home.joined:
        text = language.translate(
            "none yet: they are made here when you join. The invitation wasn't used by this check"
        )
        return Check(name, True, text)
    if facts is None:
        return Check(name, None, language.translate("not known, as the server can't be asked"))
    signer = RequestSigner(read_regular(home.signing_key))
    try:
        with MemberClient(invitation.address, facts.authority, signer) as client:
            found = client.membership()
    except GleanError as error:
        return Check(name, False, str(error))
    text = language.translate("the server knows them as {bakery}", bakery=found.bakery)
    return Check(name, True, text)


def _table(sales: Path | None, language: Language) -> Check:
    name = language.translate("table")
    if sales is None:
        return Check(name, None, language.translate("none was named: --sales my.csv"))
    try:
        found = check_table(sales, language=language)
    except (GleanError, OSError) as error:
        return Check(name, False, str(error))
    return Check(name, found.report.usable, found.verdict)
