"""The model: trees whose sum is the forecast, relative to the product's level.

Bytes from anyone become a `Forest` by a strict reader, and only what a `Forest` writes itself
reaches XGBoost. A forest's file is a genuine XGBoost model, with the feature definition inside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from glean.errors import ModelError
from glean.features.definition import FeatureDefinition
from glean.learning.model_file import ModelFile, decode, encode
from glean.learning.tree import Nodes, Tree

FEATURES_KEY = "glean_features"
"""Attribute of the model file that holds the feature definition as JSON."""


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees of an XGBoost model, summed from a base score of 1.0 (the level).

    Parameters
    ----------
    objective : str
        XGBoost's name of the loss; with "count:poisson" and "reg:tweedie" the sum is a logarithm.
    feature_names : tuple of str
        Columns that `Tree.split_feature` counts.
    trees : tuple of Tree
        In the order in which they are summed, which moves a forecast by less than 1e-6.
    attributes : mapping of str to str
        Travels inside the model file; `FEATURES_KEY` holds the feature definition.
    """

    objective: str
    feature_names: tuple[str, ...]
    trees: tuple[Tree, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def empty(cls, definition: FeatureDefinition, *, objective: str) -> Forest:
        """Make the model that forecasts the level."""
        return cls(objective, definition.names, (), {FEATURES_KEY: definition.to_json()})

    @classmethod
    def from_bytes(cls, data: bytes, *, feature_names: Sequence[str] | None = None) -> Forest:
        """Read a model file that may come from anyone.

        Parameters
        ----------
        data : bytes
            A file in the UBJSON format of XGBoost 3.2.
        feature_names : sequence of str, optional
            The columns that it must have.

        Raises
        ------
        ModelError
            The bytes are damaged, cut short or no model of Glean's kind, or its columns differ.
        """
        model = decode(data)
        if feature_names is not None and model.feature_names != tuple(feature_names):
            raise ModelError(
                f"the model has columns {', '.join(model.feature_names):.200}; "
                f"wanted {', '.join(feature_names):.200}"
            )
        return cls(model.objective, model.feature_names, model.nodes.trees(), model.attributes)

    def to_bytes(self) -> bytes:
        """Write a file that `xgboost.Booster.load_model` reads; row counts aren't in it."""
        return encode(
            ModelFile(Nodes.of(self.trees), self.objective, self.feature_names, self.attributes)
        )

    @property
    def tree_count(self) -> int:
        """Number of trees."""
        return len(self.trees)

    @cached_property
    def definition(self) -> FeatureDefinition:
        """The feature definition inside the model.

        Raises
        ------
        ModelError
            There is none, it can't be read, or it doesn't name this model's columns.
        """
        if FEATURES_KEY not in self.attributes:
            raise ModelError("the model holds no feature definition; wanted one made by Glean")
        definition = FeatureDefinition.from_json(self.attributes[FEATURES_KEY])
        if definition.names != self.feature_names:
            raise ModelError("the model's columns aren't those of its feature definition")
        return definition

    def scaled(self, factor: float) -> Forest:
        """Multiply every leaf by `factor`, and so what the trees add to the base score."""
        return replace(self, trees=tuple(tree.scaled(factor) for tree in self.trees))

    def plus(self, trees: Sequence[Tree]) -> Forest:
        """Put further trees behind these; costs no more than a list of them."""
        return replace(self, trees=(*self.trees, *trees))

    def first(self, count: int) -> Forest:
        """Keep the first `count` trees: the model as it was then."""
        return replace(self, trees=self.trees[:count])
