"""The global model as the server holds it, and the part of it that a bakery still lacks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar, Self

from glean.errors import ModelError
from glean.features.definition import FeatureDefinition
from glean.learning.forest import Forest
from glean.learning.model_weights import Weights
from glean.settings import RunSettings


@dataclass(frozen=True)
class TreeModel:
    """A forest and the names of the states that it went through.

    Parameters
    ----------
    forest : Forest
        All trees so far.
    states : dict of str to int
        Name of each state -> number of trees that it had; the last one is the present.
    """

    forest: Forest
    states: dict[str, int]
    suffix: ClassVar[str] = ".ubj"

    @classmethod
    def of(cls, forest: Forest) -> Self:
        """Start from a forest."""
        return cls(forest, {_digest(forest.to_bytes()): forest.tree_count})

    @property
    def definition(self) -> FeatureDefinition:
        """The features that it forecasts from."""
        return self.forest.definition

    @property
    def state(self) -> str:
        """Name of the present state."""
        return next(reversed(self.states))

    def since(self, held: str) -> tuple[str, bytes]:
        """Give what a bakery that holds state `held` lacks: the state continued, and the bytes.

        A state that the model never had gets the whole model, which continues "".
        """
        if held not in self.states:
            return "", _tail_bytes(self.forest, 0)
        return held, _tail_bytes(self.forest, self.states[held])

    def grown(self, forest: Forest) -> Self:
        """Go on to a forest that begins with this one."""
        news = _tail_bytes(forest, self.forest.tree_count)
        name = _digest(self.state.encode() + news)
        return replace(self, forest=forest, states=self.states | {name: forest.tree_count})

    def to_bytes(self) -> bytes:
        """Write the model file."""
        return _tail_bytes(self.forest, 0)


@dataclass(frozen=True)
class WeightModel:
    """Weights of a neural network or a linear model; always sent whole."""

    weights: Weights
    suffix: ClassVar[str] = ".npz"

    @property
    def definition(self) -> FeatureDefinition:
        """The features that it forecasts from."""
        return self.weights.definition

    @property
    def state(self) -> str:
        """Name of the present state."""
        return _digest(self.to_bytes())

    def since(self, _held: str) -> tuple[str, bytes]:
        """Give the whole weights, whatever the bakery holds."""
        return "", self.to_bytes()

    def to_bytes(self) -> bytes:
        """Write the model file."""
        return self.weights.to_npz()


GlobalModel = TreeModel | WeightModel

_ZIP_MAGIC = b"PK"


def read_global_model(content: bytes, settings: RunSettings) -> GlobalModel:
    """Read a model file that a run with these settings can go on from.

    Raises
    ------
    ModelError
        The bytes are no model that this version of Glean made, or it is of another kind or loss, or
        forecasts from other features than the run.
    """
    model: GlobalModel
    if content.startswith(_ZIP_MAGIC):
        model = WeightModel(Weights.from_npz(content))
    else:
        model = TreeModel.of(Forest.from_bytes(content))
    for name, found, wanted in _traits(model, settings):
        if found != wanted:
            raise ModelError(f"the model has {name} {found}; this run's is {wanted}")
    return model


def _traits(model: GlobalModel, settings: RunSettings) -> Iterator[tuple[str, object, object]]:
    """Name, the model's and the run's of whatever has to be the same in both."""
    averaged = settings.rounds.kind.averages_weights
    kind = f"averaged weights ({settings.rounds.fedavg_model})" if averaged else "trees"
    if isinstance(model, WeightModel):
        yield "the kind", f"averaged weights ({model.weights.kind})", kind
    else:
        yield "the kind", "trees", kind
        yield "the objective", model.forest.objective, settings.boosting.objective
    definition = model.definition
    yield "the horizon in days", definition.horizon_days, settings.windows.horizon_days
    yield "the covariates", _listed(definition.covariates), _listed(settings.covariates)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "(none)"


@lru_cache(maxsize=8)
def _tail_bytes(forest: Forest, start: int) -> bytes:
    """Write the trees from `start` on, once for all bakeries that lack the same ones."""
    return replace(forest, trees=forest.trees[start:]).to_bytes()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
