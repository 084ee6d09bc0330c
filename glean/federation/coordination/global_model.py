"""The global model as the server holds it, and the part of it that a bakery still lacks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar, Self

from glean.federation.wire.model_state import trees_state, weights_state
from glean.federation.workload.registry import workload_of
from glean.learning.forest import FEATURES_KEY, Forest
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
        return cls(forest, {trees_state("", forest): forest.tree_count})

    @property
    def spec(self) -> str:
        """What its inputs are made of."""
        return self.forest.attributes[FEATURES_KEY]

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
        """Go on to a forest that begins with this one; without new trees the state is the same."""
        news = replace(forest, trees=forest.trees[self.forest.tree_count :])
        name = trees_state(self.state, news)
        return replace(self, forest=forest, states=self.states | {name: forest.tree_count})

    def to_bytes(self) -> bytes:
        """Write the model file."""
        return _tail_bytes(self.forest, 0)


@dataclass(frozen=True)
class WeightModel:
    """Weights, which are always sent whole."""

    weights: Weights
    suffix: ClassVar[str] = ".npz"

    @property
    def spec(self) -> str:
        """What its inputs are made of."""
        return self.weights.spec

    @property
    def state(self) -> str:
        """Name of the present state."""
        return weights_state(self.to_bytes())

    def since(self, _held: str) -> tuple[str, bytes]:
        """Give the whole weights, whatever the bakery holds."""
        return "", self.to_bytes()

    def to_bytes(self) -> bytes:
        """Write the model file."""
        return self.weights.to_npz()


GlobalModel = TreeModel | WeightModel


def global_model_of(model: Forest | Weights) -> GlobalModel:
    """Wrap a workload's model."""
    return WeightModel(model) if isinstance(model, Weights) else TreeModel.of(model)


def read_global_model(content: bytes, settings: RunSettings) -> GlobalModel:
    """Read a model file that a run with these settings can go on from.

    Raises
    ------
    ModelError
        It is none, or of another kind than the run's.
    """
    return global_model_of(workload_of(settings).read_model(content, settings))


@lru_cache(maxsize=8)
def _tail_bytes(forest: Forest, start: int) -> bytes:
    """Write the trees from `start` on, once for all bakeries that lack the same ones."""
    return replace(forest, trees=forest.trees[start:]).to_bytes()
