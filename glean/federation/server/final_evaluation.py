"""The final test: whoever is there evaluates a model on its own test window."""

from __future__ import annotations

from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.wire.messages import FinalReply, FinalTask


def request_final_test(
    manager: ClientManager,
    kind: str,
    number: int,
    model: GlobalModel,
    *,
    findings: str = "",
    card: str = "",
) -> dict[str, str]:
    """Have all that are there evaluate a model on their test windows; JSON of their rows.

    What can't be trusted is left out and named.
    """
    manager.gather(number, at_least=1)
    names = sorted(manager.clients.present)
    tasks = {name: manager.task(name, model, number, whole=True) for name in names}
    records = {
        name: FinalTask(**vars(task), findings=findings, card=card).to_record()
        for name, task in tasks.items()
    }
    replies = manager.replies(kind, records, FinalReply, number=number)
    return {name: reply.rows for name, reply in replies.items()}
