"""Two networks matched layer by layer: what of one's weights the other takes, and gives back.

Arrays are matched by name. Where shapes are the same, all values are; where they differ, and only
if that is asked for, those at places that both have (the sub-networks of HeteroFL: Diao, Ding and
Tarokh, ICLR 2021). Everything else is the client's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from glean.languages.catalogues import translatable as _
from glean.learning.model_weights import Weights

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]
Places = tuple[slice, ...]

TAKEN, PADDED, CUT, OWN = _("taken"), _("padded"), _("cut"), _("own")
PADDED_AND_CUT = _("padded and cut")


@dataclass(frozen=True)
class LayerMatch:
    """One array of a client's own network.

    Parameters
    ----------
    name : str
        As in the network's `named_parameters`.
    global_shape : tuple of int or None
        Shape in the run's network; None where it has no array of this name.
    own_shape : tuple of int
        Shape in the client's.
    reshape : bool
        Whether a difference in shape is padded or cut.
    """

    name: str
    global_shape: Shape | None
    own_shape: Shape
    reshape: bool

    @property
    def shared(self) -> Places | None:
        """Places of values that both have; None where there are none."""
        theirs = self.global_shape
        if theirs == self.own_shape:
            return tuple(slice(0, length) for length in self.own_shape)
        if theirs is None or not self.reshape or len(theirs) != len(self.own_shape):
            return None
        return tuple(slice(0, min(pair)) for pair in zip(theirs, self.own_shape, strict=True))

    @property
    def how(self) -> str:
        """What becomes of it: taken, padded, cut, both of these, or own."""
        if self.shared is None or self.global_shape is None:
            return OWN
        pairs = [*zip(self.global_shape, self.own_shape, strict=True)]
        padded, cut = any(a < b for a, b in pairs), any(a > b for a, b in pairs)
        if padded and cut:
            return PADDED_AND_CUT
        return PADDED if padded else CUT if cut else TAKEN

    @property
    def scale(self) -> float:
        """By what values that both have are multiplied in the client's network.

        Where it has fewer inputs than the run's, each counts for more, as after dropout: else what
        the layer says would be as much too small (the scaler of HeteroFL). It is 1 elsewhere.
        """
        theirs = self.global_shape
        if self.shared is None or theirs is None or len(theirs) < 2:
            return 1.0
        return max(1.0, theirs[1] / self.own_shape[1])

    @property
    def size(self) -> int:
        """Values of it."""
        return int(np.prod(self.own_shape))

    @property
    def taken(self) -> int:
        """Values of it that are the run's."""
        shared = self.shared
        return 0 if shared is None else int(np.prod([one.stop for one in shared]))


@dataclass(frozen=True)
class Matching:
    """All arrays of a client's own network beside those of the run's.

    Parameters
    ----------
    layers : tuple of LayerMatch
        In the order of the client's network.
    """

    layers: tuple[LayerMatch, ...]

    @classmethod
    def of(cls, global_shapes: Shapes, own_shapes: Shapes, *, reshape: bool) -> Matching:
        """Match two networks.

        Examples
        --------
        >>> found = Matching.of({"0.bias": (4,)}, {"0.bias": (2,)}, reshape=True)
        >>> found.layers[0].how, found.share
        ('cut', 1.0)
        """
        return cls(
            tuple(
                LayerMatch(name, global_shapes.get(name), shape, reshape)
                for name, shape in own_shapes.items()
            )
        )

    @property
    def share(self) -> float:
        """Share of the client's own weights that are the run's."""
        return self.taken / max(1, self.size)

    @property
    def size(self) -> int:
        """Weights of the client's network."""
        return sum(layer.size for layer in self.layers)

    @property
    def taken(self) -> int:
        """Those of them that are the run's."""
        return sum(layer.taken for layer in self.layers)

    @property
    def whole(self) -> bool:
        """Whether all of the client's network is the run's, so that nothing of it is its own."""
        return self.taken == self.size

    @cached_property
    def _scales(self) -> Mapping[str, float]:
        return {one.name: one.scale for one in self.layers}

    @cached_property
    def shared(self) -> Mapping[str, Places]:
        """By array the places of values that both have; without those that have none."""
        return {one.name: one.shared for one in self.layers if one.shared is not None}

    def down(self, theirs: Weights, own: Weights) -> Weights:
        """Put the run's weights into a client's own network.

        Parameters
        ----------
        theirs : Weights
            The run's.
        own : Weights
            Of the client's network: what it has where the run's says nothing.
        """
        arrays = dict(own.arrays)
        for name, shared in self.shared.items():
            arrays[name] = arrays[name].copy()
            arrays[name][shared] = theirs.arrays[name][shared] * np.float32(self._scales[name])
        return Weights(own.kind, own.spec, arrays)

    def silenced(self, fresh: Weights) -> Weights:
        """Give fresh weights of a client's network as they are where arrays are padded.

        New outputs (the first axis) are fresh; what the others are told by new inputs begins with
        zero, so that what was learned isn't disturbed.
        """
        arrays = dict(fresh.arrays)
        for name, shared in self.shared.items():
            if shared:
                arrays[name] = arrays[name].copy()
                arrays[name][: shared[0].stop] = 0.0
        return Weights(fresh.kind, fresh.spec, arrays)

    def up(self, fitted: Weights, theirs: Weights) -> Weights:
        """Put what a client's network came to into the run's; all else stays as it was."""
        arrays = dict(theirs.arrays)
        for name, shared in self.shared.items():
            arrays[name] = arrays[name].copy()
            found, known = fitted.arrays[name][shared], theirs.arrays[name][shared]
            if (scale := self._scales[name]) != 1.0:
                # By what changed, so that what didn't has the same bits.
                arrays[name][shared] = known + (found - known * scale) / scale
            else:
                arrays[name][shared] = found
        return Weights(theirs.kind, theirs.spec, arrays)
