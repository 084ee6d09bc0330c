"""Registration: a node that comes is asked who it is, and let in or turned away.

The request goes out as soon as a node is seen; its reply is picked up when it comes, and counts
when bakeries are let in, which is between two rounds.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace

from flwr.app import Message, MessageType

from glean.errors import FederationError, ModelError, SecureSumError
from glean.federation.coordination.client_registry import ClientRegistry
from glean.federation.coordination.grid_messenger import GridMessenger
from glean.federation.coordination.member_list import MemberList
from glean.federation.wire.client_names import name_objection, shown
from glean.federation.wire.flower_errors import reason_of_reply
from glean.federation.wire.messages import ClientInfo, InfoRequest
from glean.runs.code_version import check_code

INFO = MessageType.QUERY
RETRY_S = 60.0
"""After so long a node that was turned away is asked again: what was wrong may be mended."""

_MOST_CONTRIBUTORS = 1_000_000

_ADVICE = "give each its own (node config bakery)"


Claims = list[tuple[int, ClientInfo]]
"""Nodes that say that they are one and the same client."""


@dataclass(frozen=True)
class RegistrationResult:
    """What came of letting bakeries in.

    Parameters
    ----------
    infos : dict of str to ClientInfo
        Bakeries let in, in text order of their names.
    away : dict of str to float
        Those of them that were here before -> for how many seconds they were missing.
    refused : list of (str, str)
        Who was turned away, and why.
    """

    infos: dict[str, ClientInfo] = field(default_factory=dict)
    away: dict[str, float] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)


class Registration:
    """Asks nodes who they are and lets bakeries in.

    Parameters
    ----------
    messenger : GridMessenger
        The way to nodes.
    registry : ClientRegistry
        Who is there.
    members : MemberList, optional
        Those who may be let in; each has to prove its name then.
    model_key : str
        Fingerprint of the key that the final model will be signed by; "" where it won't be.
    """

    def __init__(
        self,
        messenger: GridMessenger,
        registry: ClientRegistry,
        *,
        members: MemberList | None = None,
        model_key: str = "",
    ) -> None:
        self._messenger = messenger
        self._registry = registry
        self._members = members
        self._challenge = secrets.token_hex(16) if members else ""
        self._request = InfoRequest(False, self._challenge, model_key)
        self._asked: dict[str, int] = {}
        self._replies: dict[int, Message] = {}
        self._reported: set[str] = set()

    @property
    def awaits(self) -> bool:
        """Whether a node that is connected may still say who it is; not one that took too long."""
        return any(
            node in self._registry.connected
            for message, node in self._asked.items()
            if message not in self._reported
        )

    def request_info(self, *, round_number: int) -> None:
        """Ask every node that nobody knows who it is, once for each time that it comes."""
        self._forget_gone()
        waiting = {*self._asked.values(), *self._replies}
        unregistered = [node for node in self._registry.unregistered() if node not in waiting]
        records = dict.fromkeys(unregistered, self._request.to_record())
        self._asked |= self._messenger.send(INFO, records, round_number=round_number)

    def receive(self) -> bool:
        """Pick up replies; whether there was one."""
        replies = self._messenger.fetch(self._asked)
        for message, reply in replies.items():
            self._replies[self._asked.pop(message)] = reply
        return bool(replies)

    def unanswered(self) -> list[int]:
        """Nodes that haven't replied, each named once."""
        late = [message for message in self._asked if message not in self._reported]
        self._reported.update(late)
        return sorted(self._asked[message] for message in late)

    def register(self) -> RegistrationResult:
        """Let those in that have replied and may take part."""
        result = RegistrationResult()
        for name, every_claim in sorted(self._claims(result).items()):
            claims = self._without_impostors(name, every_claim, result)
            reason = self._objection(name, [node for node, _ in claims])
            if reason:
                result.refused.append((name, reason))
                for node, _ in claims:
                    self._registry.back_off(node, for_s=RETRY_S)
            elif name:
                self._register(name, *claims[0], result)
            else:
                for node, _ in claims:
                    self._registry.back_off(node)
        return result

    def _without_impostors(self, name: str, claims: Claims, result: RegistrationResult) -> Claims:
        """Keep the node that had a name before, if it claims it again; turn others away."""
        known = [claim for claim in claims if self._registry.had(name, claim[0])]
        if not name or not known:
            return claims
        for node, _ in claims:
            if node != known[0][0]:
                self._registry.back_off(node, for_s=RETRY_S)
                result.refused.append((f"node {node}", f"{shown(name)} is another node: {_ADVICE}"))
        return known

    def _register(self, name: str, node: int, info: ClientInfo, result: RegistrationResult) -> None:
        result.infos[name] = info
        away = self._registry.register(name, node)
        if away is not None:
            result.away[name] = away

    def _forget_gone(self) -> None:
        connected = self._registry.connected
        self._asked = {i: node for i, node in self._asked.items() if node in connected}
        self._replies = {node: a for node, a in self._replies.items() if node in connected}

    def _claims(self, result: RegistrationResult) -> dict[str, Claims]:
        """Read the replies: name -> who claims it; what can't be read is refused."""
        self._forget_gone()
        claims: dict[str, Claims] = {}
        for node, reply in sorted(self._replies.items()):
            try:
                info = _read(reply)
                self._check_name(info)
            except (ModelError, FederationError, SecureSumError) as error:
                self._registry.back_off(node, for_s=RETRY_S)
                result.refused.append((f"node {node}", shown(str(error))))
            else:
                claims.setdefault(info.bakery, []).append((node, info))
        self._replies.clear()
        return claims

    def _check_name(self, info: ClientInfo) -> None:
        """Refuse a name that isn't proved, where the server knows the members."""
        if self._members is not None and info.own_table:
            objection = self._members.objection(info.bakery, info.proof, self._challenge)
            if objection:
                raise FederationError(
                    f"found the name {shown(info.bakery, most=40)!r}: {objection}"
                )

    def _objection(self, name: str, nodes: list[int]) -> str:
        """Say why a name can't be let in: which of two newcomers is the right one isn't known."""
        if name and len(nodes) > 1:
            return f"{len(nodes)} nodes have this name: {_ADVICE}"
        if name and self._registry.taken(name, by_other_than=nodes[0]):
            return f"another node that is connected has this name: {_ADVICE}"
        return ""


def _read(reply: Message) -> ClientInfo:
    if reply.has_error():
        raise FederationError(reason_of_reply(reply.error.reason or ""))
    info = ClientInfo.from_record(reply.content)
    objection = name_objection(info.bakery, own_table=info.own_table)
    if objection:
        raise FederationError(objection)
    check_code(info.code)
    if not 0 <= info.min_contributors <= _MOST_CONTRIBUTORS:
        raise FederationError(
            f"found min-contributors {info.min_contributors}; wanted one from 0 to "
            f"{_MOST_CONTRIBUTORS:,}"
        )
    return replace(info, note=shown(info.note))
