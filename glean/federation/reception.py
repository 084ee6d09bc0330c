"""The door: a node that comes is asked who it is, and let in or turned away.

The question goes out as soon as a node is seen; its answer is picked up when it comes, and counts
when bakeries are let in, which is between two rounds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flwr.app import Message, MessageType

from glean.errors import FederationError, ModelError
from glean.federation.failure_text import reason_of_reply
from glean.federation.messages import Introduction, Question
from glean.federation.post import Post
from glean.federation.presence import Presence
from glean.federation.version import check_code

INTRODUCE = MessageType.QUERY
AGAIN_S = 60.0
"""After so long a node that was turned away is asked again: what was wrong may be mended."""

_ADVICE = "give each its own (node config bakery)"


@dataclass(frozen=True)
class Admission:
    """What came of letting bakeries in.

    Parameters
    ----------
    introductions : dict of str to Introduction
        Bakeries let in, in text order of their names.
    away : dict of str to float
        Those of them that were here before -> for how many seconds they were missing.
    refused : list of (str, str)
        Who was turned away, and why.
    """

    introductions: dict[str, Introduction] = field(default_factory=dict)
    away: dict[str, float] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)


class Reception:
    """Greets nodes and lets bakeries in.

    Parameters
    ----------
    post : Post
        The way to nodes.
    presence : Presence
        Who is there.
    """

    def __init__(self, post: Post, presence: Presence) -> None:
        self._post = post
        self._presence = presence
        self._asked: dict[str, int] = {}
        self._answers: dict[int, Message] = {}
        self._complained: set[str] = set()

    @property
    def awaits(self) -> bool:
        """Whether a node that is connected may still say who it is; not one that took too long."""
        return any(
            node in self._presence.connected
            for message, node in self._asked.items()
            if message not in self._complained
        )

    def greet(self, *, round_number: int) -> None:
        """Ask every node that nobody knows who it is, once for each time that it comes."""
        self._forget_gone()
        waiting = {*self._asked.values(), *self._answers}
        strangers = [node for node in self._presence.strangers() if node not in waiting]
        question = Question(newcomer=False).to_record()
        self._asked |= self._post.send(
            INTRODUCE, dict.fromkeys(strangers, question), round_number=round_number
        )

    def listen(self) -> bool:
        """Pick up answers; whether there was one."""
        answers = self._post.fetch(self._asked)
        for message, answer in answers.items():
            self._answers[self._asked.pop(message)] = answer
        return bool(answers)

    def silent(self) -> list[int]:
        """Nodes that haven't answered, each named once."""
        late = [message for message in self._asked if message not in self._complained]
        self._complained.update(late)
        return sorted(self._asked[message] for message in late)

    def admit(self) -> Admission:
        """Let those in that have answered and may take part."""
        admission = Admission()
        for name, claims in sorted(self._claims(admission).items()):
            reason = self._objection(name, [node for node, _ in claims])
            if reason:
                admission.refused.append((name, reason))
                for node, _ in claims:
                    self._presence.set_aside(node, for_s=AGAIN_S)
            elif name:
                self._let_in(name, *claims[0], admission)
            else:
                for node, _ in claims:
                    self._presence.set_aside(node)
        return admission

    def _let_in(
        self, name: str, node: int, introduction: Introduction, admission: Admission
    ) -> None:
        admission.introductions[name] = introduction
        away = self._presence.admit(name, node)
        if away is not None:
            admission.away[name] = away

    def _forget_gone(self) -> None:
        connected = self._presence.connected
        self._asked = {i: node for i, node in self._asked.items() if node in connected}
        self._answers = {node: a for node, a in self._answers.items() if node in connected}

    def _claims(self, admission: Admission) -> dict[str, list[tuple[int, Introduction]]]:
        """Read the answers: name -> who claims it; what can't be read is refused."""
        self._forget_gone()
        claims: dict[str, list[tuple[int, Introduction]]] = {}
        for node, answer in sorted(self._answers.items()):
            try:
                introduction = _read(answer)
            except (ModelError, FederationError) as error:
                self._presence.set_aside(node, for_s=AGAIN_S)
                admission.refused.append((f"node {node}", str(error)))
            else:
                claims.setdefault(introduction.bakery, []).append((node, introduction))
        self._answers.clear()
        return claims

    def _objection(self, name: str, nodes: list[int]) -> str:
        """Say why a name can't be let in: which of two is the right one can't be known."""
        if name and len(nodes) > 1:
            return f"{len(nodes)} nodes have this name: {_ADVICE}"
        if name and self._presence.taken(name, by_other_than=nodes[0]):
            return f"another node that is connected has this name: {_ADVICE}"
        return ""


def _read(answer: Message) -> Introduction:
    if answer.has_error():
        raise FederationError(reason_of_reply(answer.error.reason or ""))
    introduction = Introduction.from_record(answer.content)
    check_code(introduction.code)
    return introduction
