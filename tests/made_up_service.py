"""The operator's side as a bakery that joins sees it: invitations, log of keys, members' calls."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from glean.federation.node.member_paths import RELEASE_HEADER
from glean.privacy.certificates import authority_fingerprint
from glean.privacy.invitation import Invitation, new_invitation, secret_hash
from glean.privacy.key_log import JOINED, REPLACED, SHUT_OUT, KeyLog
from glean.privacy.members import Member
from glean.privacy.model_key import ModelSigner
from glean.privacy.registration import RegistrationError, read_registration
from glean.privacy.request_signature import RequestRefusedError, SeenRequests, read_signed
from tests.https_server import Came, HttpResponse, HttpsServer

AT = "2026-11-30T05:00:00+00:00"


@dataclass
class MadeUpService:
    """What `glean serve --public` answers to bakeries, in a hundred lines."""

    folder: Path
    release: str = "0.1.0"
    log: KeyLog = field(default_factory=KeyLog)
    invited: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    drops_next: bool = False
    """Whether the next registration counts, and its answer is lost."""
    cut_next: bool = False
    """Whether it is cut off besides before the invitation is noted as used."""

    def __post_init__(self) -> None:
        self.server = HttpsServer(self.folder, self.answer)
        self.signer = ModelSigner.read(self.folder / "model-key")
        self.seen = SeenRequests()

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return self.server.address

    def invite(self, bakery: str) -> Invitation:
        """Invite a bakery."""
        fingerprint = authority_fingerprint(self.server.authority)
        assert fingerprint is not None
        invitation = new_invitation(self.address, fingerprint)
        self.invited[invitation.secret_hash] = bakery
        return invitation

    def add(self, event: str, member: Member) -> None:
        """Add to the log."""
        self.log = self.log.with_entry(event, member, self.signer, at=AT)

    def close(self) -> None:
        """End it."""
        self.server.close()

    def answer(self, came: Came) -> HttpResponse:
        """HttpResponse a request."""
        path = urlsplit(came.target).path
        if (came.method, path) == ("GET", "/join/ca.crt"):
            headers = {RELEASE_HEADER: self.release}
            return HttpResponse(body=self.server.authority, headers=headers)
        if (came.method, path) == ("POST", "/join"):
            return self._join(came)
        try:
            request = read_signed(came.headers, came.method, came.target, came.body)
            self.seen.check(request)
        except RequestRefusedError as error:
            return _problem(409 if error.reason == "replay" else 401, str(error))
        return self._member(came, request.signing_key)

    def _join(self, came: Came) -> HttpResponse:
        try:
            found = read_registration(json.loads(came.body))
        except RegistrationError as error:
            return _problem(422, str(error))
        digest = secret_hash(found.secret)
        if digest not in self.invited:
            return _problem(404, "there is no such invitation")
        if digest in self.used:
            return _problem(409, "this invitation was used already")
        bakery = self.invited[digest]
        known = {key for entry in self.log.entries for key in (entry.signing_key, entry.node_key)}
        if not known.isdisjoint({found.signing_key, found.node_key}):
            return _problem(403, "these keys are a member's already, or were")
        event = REPLACED if self.log.member(bakery) else JOINED
        self.add(event, Member(bakery, found.signing_key, found.node_key))
        if not self.cut_next:
            self.used.add(digest)
        if self.drops_next or self.cut_next:
            self.drops_next = self.cut_next = False
            return HttpResponse(dropped=True)
        return _json(201, {**self._welcome(bakery), "key_log": self._entries(1)})

    def _member(self, came: Came, line: str) -> HttpResponse:
        by_key = {member.signing_key: member for member in self.log.members}
        if line not in by_key:
            out = {member.signing_key for member in self.log.shut_out}
            return _problem(403, "shut out") if line in out else _problem(401, "not a member")
        url = urlsplit(came.target)
        match came.method, url.path:
            case "GET", "/v1/members/self":
                return _json(200, self._welcome(by_key[line].bakery))
            case "GET", "/v1/members/key-log":
                since = int(parse_qs(url.query)["since"][0])
                return _json(200, {"key_log": self._entries(since)})
            case "POST", "/v1/members/leave":
                self.add(SHUT_OUT, by_key[line])
                return _json(200, {})
        return _problem(404, "nothing here")

    def _welcome(self, bakery: str) -> dict[str, Any]:
        key = (self.folder / "model-key.pub").read_text("utf-8")
        facts = {"federation": "Seine", "release": self.release, "model_key": key}
        return {"bakery": bakery, **facts}

    def _entries(self, since: int) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self.log.entries[since - 1 :]]


def _json(status: int, found: object) -> HttpResponse:
    return HttpResponse(status, json.dumps(found).encode(), {"content-type": "application/json"})


def _problem(status: int, detail: str) -> HttpResponse:
    return _json(status, {"status": status, "detail": detail})
