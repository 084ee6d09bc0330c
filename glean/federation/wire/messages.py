"""What travels between server and clients in a round that isn't summed, and before and after."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache

from glean.federation.wire.record_form import Flat
from glean.runs.code_version import code_fingerprint

OWN_NETWORK = "network"
"""Fact of a client whose network isn't the run's, so that it trains some weights only."""


@lru_cache(maxsize=4)
def identity_of(spec: str) -> str:
    """SHA-256 of a spec, hex: what replies name it by."""
    return hashlib.sha256(spec.encode()).hexdigest()


@dataclass(frozen=True)
class InfoRequest(Flat):
    """The server's first request to a node: who it is.

    Parameters
    ----------
    newcomer : bool
        Whether the bakery shall play a newcomer, and answer as one (simulation only).
    challenge : str
        What a bakery with a signing key signs together with its name; "" asks for no signature.
    model_key : str
        Fingerprint of the key that the final model will be signed by; "" where it won't be.
    code : str
        Fingerprint of the code that the server runs.
    """

    newcomer: bool
    challenge: str = ""
    model_key: str = ""
    code: str = field(default_factory=code_fingerprint)


@dataclass(frozen=True)
class ClientInfo(Flat):
    """A node's reply to an `InfoRequest`: who it is and whether it can take part.

    Parameters
    ----------
    bakery : str
        Name of the bakery; "" for a node without one (an idle node of a simulation).
    code : str
        Fingerprint of the code it runs.
    partition : int
        Which bakery of a simulation it plays.
    trains : bool
        Whether it has enough to learn from.
    own_table : bool
        Whether it reads a table of its own (a deployment) and not the run's (a simulation).
    note : str
        A sentence for the operator, "" if all is well.
    facts : str
        JSON of what the workload's server has to know to agree on a spec.
    min_contributors : int
        So many bakeries it wants in each sum; 0 where it asks for none.
    proof : str
        Its signature over name and challenge, hexadecimal; "" without a signing key.
    """

    bakery: str
    code: str
    partition: int
    trains: bool
    own_table: bool
    note: str
    facts: str = "{}"
    min_contributors: int = 0
    proof: str = ""

    @property
    def in_part(self) -> bool:
        """Whether it trains some of the model's weights only, as its facts say."""
        try:
            found = json.loads(self.facts)
        except (ValueError, RecursionError):
            return False
        return isinstance(found, dict) and OWN_NETWORK in found


@dataclass(frozen=True)
class Task(Flat):
    """What the server asks of a bakery in a train, evaluate or test phase.

    Parameters
    ----------
    round : int
        Number of the round; 0 for the model that a run starts from.
    spec : str
        What the model's inputs are made of, as the workload writes it.
    base : str
        State of the model that `model` continues; "" where `model` is whole.
    state : str
        State of the model once `model` is added.
    learning_rate : float
        Step size of new trees or of an epoch.
    newcomer : bool
        Whether this bakery plays a newcomer (simulation only).
    model : bytes
        The trees since `base`, or the whole model.
    """

    round: int
    spec: str
    base: str
    state: str
    learning_rate: float
    newcomer: bool
    model: bytes


@dataclass(frozen=True)
class FinalTask(Task):
    """What the server asks of a bakery in a test phase.

    Parameters
    ----------
    findings : str
        What the workload's server found out about the model and clients may use; "" for nothing.
    card : str
        The model's card as its file has it, signed where the server has a key; "" for none.
    """

    findings: str
    card: str = ""


@dataclass(frozen=True)
class TrainReply(Flat):
    """A bakery's reply in the train phase.

    Parameters
    ----------
    bakery, code, spec : str
        Who, running what, for which spec (its identity, see `identity_of`).
    lacks_model : bool
        True: the bakery doesn't hold the state that the task continued; send the whole model.
    weight : float
        Its total training weight, to two significant digits.
    device : str
        Where it learned, in XGBoost's words, like "cpu" or "cuda:0".
    model : bytes
        New trees or weights; empty where `lacks_model`.
    """

    bakery: str
    code: str
    spec: str
    lacks_model: bool
    weight: float
    device: str
    model: bytes


@dataclass(frozen=True)
class JobReply(Flat):
    """A client's reply once it has trained for a buffer, and keeps what came of it.

    Parameters
    ----------
    bakery, code : str
        Who, running what.
    lacks_model : bool
        True: it doesn't hold the state that the task continued; send the whole model.
    """

    bakery: str
    code: str
    lacks_model: bool


@dataclass(frozen=True)
class EvaluateReply(Flat):
    """A bakery's reply in the evaluate phase: sums over its validation window.

    Parameters
    ----------
    sums : tuple of float
        The fields of the workload's `MetricSums` in their order.
    """

    bakery: str
    code: str
    lacks_model: bool
    sums: tuple[float, ...]


@dataclass(frozen=True)
class FinalReply(Flat):
    """A bakery's reply in the test phase.

    Parameters
    ----------
    rows : str
        JSON list of its rows of `bakeries.csv`.
    """

    bakery: str
    code: str
    rows: str
