"""The door: a node that comes is asked who it is, and let in or turned away.

The question goes out as soon as a node is seen; its answer is picked up when it comes, and counts
when bakeries are let in, which is between two rounds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flwr.app import Message, MessageType

from glean.errors import FederationError, ModelError
from glean.federation.coordination.client_registry import ClientRegistry
from glean.federation.coordination.grid_messenger import GridMessenger
from glean.federation.wire.flower_errors import reason_of_reply
from glean.federation.wire.messages import ClientInfo, InfoRequest
from glean.runs.code_version import check_code

INFO = MessageType.QUERY
RETRY_S = 60.0
"""After so long a node that was turned away is asked again: what was wrong may be mended."""

_ADVICE = "give each its own (node config bakery)"


@dataclass(frozen=True)
class RegistrationResult:
    """What came of letting bakeries in.

    Parameters
    ----------
    introductions : dict of str to ClientInfo
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
    """Greets nodes and lets bakeries in.

    Parameters
    ----------
    post : GridMessenger
        The way to nodes.
    presence : ClientRegistry
        Who is there.
    """

    def __init__(self, messenger: GridMessenger, registry: ClientRegistry) -> None:
        self._messenger = messenger
        self._registry = registry
        self._asked: dict[str, int] = {}
        self._answers: dict[int, Message] = {}
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
        waiting = {*self._asked.values(), *self._answers}
        strangers = [node for node in self._registry.unregistered() if node not in waiting]
        question = InfoRequest(newcomer=False).to_record()
        self._asked |= self._messenger.send(
            INFO, dict.fromkeys(strangers, question), round_number=round_number
        )

    def receive(self) -> bool:
        """Pick up answers; whether there was one."""
        answers = self._messenger.fetch(self._asked)
        for message, answer in answers.items():
            self._answers[self._asked.pop(message)] = answer
        return bool(answers)

    def unanswered(self) -> list[int]:
        """Nodes that haven't answered, each named once."""
        late = [message for message in self._asked if message not in self._reported]
        self._reported.update(late)
        return sorted(self._asked[message] for message in late)

    def register(self) -> RegistrationResult:
        """Let those in that have answered and may take part."""
        admission = RegistrationResult()
        for name, claims in sorted(self._claims(admission).items()):
            reason = self._objection(name, [node for node, _ in claims])
            if reason:
                admission.refused.append((name, reason))
                for node, _ in claims:
                    self._registry.back_off(node, for_s=RETRY_S)
            elif name:
                self._register(name, *claims[0], admission)
            else:
                for node, _ in claims:
                    self._registry.back_off(node)
        return admission

    def _register(
        self, name: str, node: int, introduction: ClientInfo, admission: RegistrationResult
    ) -> None:
        admission.infos[name] = introduction
        away = self._registry.register(name, node)
        if away is not None:
            admission.away[name] = away

    def _forget_gone(self) -> None:
        connected = self._registry.connected
        self._asked = {i: node for i, node in self._asked.items() if node in connected}
        self._answers = {node: a for node, a in self._answers.items() if node in connected}

    def _claims(self, admission: RegistrationResult) -> dict[str, list[tuple[int, ClientInfo]]]:
        """Read the answers: name -> who claims it; what can't be read is refused."""
        self._forget_gone()
        claims: dict[str, list[tuple[int, ClientInfo]]] = {}
        for node, answer in sorted(self._answers.items()):
            try:
                introduction = _read(answer)
            except (ModelError, FederationError) as error:
                self._registry.back_off(node, for_s=RETRY_S)
                admission.refused.append((f"node {node}", str(error)))
            else:
                claims.setdefault(introduction.bakery, []).append((node, introduction))
        self._answers.clear()
        return claims

    def _objection(self, name: str, nodes: list[int]) -> str:
        """Say why a name can't be let in: which of two is the right one can't be known."""
        if name and len(nodes) > 1:
            return f"{len(nodes)} nodes have this name: {_ADVICE}"
        if name and self._registry.taken(name, by_other_than=nodes[0]):
            return f"another node that is connected has this name: {_ADVICE}"
        return ""


def _read(answer: Message) -> ClientInfo:
    if answer.has_error():
        raise FederationError(reason_of_reply(answer.error.reason or ""))
    introduction = ClientInfo.from_record(answer.content)
    check_code(introduction.code)
    return introduction
