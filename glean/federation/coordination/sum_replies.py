"""Which replies to a sum's request can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from glean.errors import ImpossibleSumError, ModelError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.reply_checks import check_sum_reply
from glean.federation.coordination.secagg_server import SecAggServer
from glean.federation.coordination.wanted_sum import WantedSum
from glean.federation.wire.messages import identity_of
from glean.federation.wire.packed_words import WORD_BITS, unpack_end
from glean.federation.wire.sum_messages import SumReply
from glean.federation.workload.registry import workload_of


def trusted_replies(
    manager: ClientManager,
    wanted: WantedSum,
    replies: Mapping[str, SumReply],
    *,
    secagg: SecAggServer | None,
) -> dict[str, SumReply]:
    """Leave out replies that can't be what was asked for, which is written down.

    Parameters
    ----------
    manager : ClientManager
        The bakeries.
    wanted : WantedSum
        The sum.
    replies : mapping of str to SumReply
        What came.
    secagg : SecAggServer or None
        Where vectors are masked; who lost its keys is noted there and left out too.
    """
    found: dict[str, SumReply] = {}
    identity, metrics = identity_of(manager.spec), workload_of(manager.settings).metrics
    for name, given in replies.items():
        reply = given
        try:
            bits = wanted.requests[name].word_bits
            if reply.vector and bits < WORD_BITS:
                reply = replace(reply, vector=unpack_end(reply.vector, bits, wanted.length))
            check_sum_reply(reply, wanted.requests[name], identity=identity, metrics=metrics)
            if secagg is None:
                wanted.check_plain(reply.vector)
        except (ModelError, ImpossibleSumError) as error:
            manager.clients.report_failure(name, str(error), round_number=wanted.number)
        else:
            if secagg is not None and reply.lacks_keys:
                secagg.forget_keys_of(name, wanted.number)
            else:
                found[name] = reply
    return found
