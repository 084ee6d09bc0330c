"""How a simulation splits labelled pictures over clients: evenly, or as they lie in the world.

A partitioner says for the training pictures who has which; test pictures follow the clients' shares
of each class, so that a client is tested on what it sees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glean.errors import SettingsError

Labels = NDArray[np.int64]
Places = NDArray[np.int64]
Shares = NDArray[np.float64]

FEWEST = 10
"""Pictures that a client has at least; of a draw that leaves one fewer another is made, as in
Li et al. 2022, "Federated learning on non-IID data silos"."""

SHARDS = 2
"""Pieces of the sorted pictures that a client has, as in McMahan et al. 2017."""

_DRAWS = 200


def partition(
    labels: Labels, clients: int, *, kind: str, alpha: float, rng: np.random.Generator
) -> list[Places]:
    """Say which pictures each client has; each is one client's.

    Parameters
    ----------
    labels : int64 array of shape (pictures,)
        Classes.
    clients : int
        How many there are.
    kind : str
        "iid": alike. "dirichlet": of each class by Dirichlet draws (Hsu et al. 2019). "quantity":
        alike but for their number, which goes by a Dirichlet draw. "shard": sorted by class, each
        has two pieces.
    alpha : float
        Of the Dirichlet distribution.
    rng : Generator
        Draws.

    Returns
    -------
    list of int64 arrays
        Places, by client, sorted.

    Raises
    ------
    SettingsError
        There are too few pictures, or draws go on leaving a client too few.
    """
    fewest = min(FEWEST, len(labels) // clients)
    if not fewest:
        raise SettingsError(
            f"images: found {len(labels)} training pictures for {clients} clients; wanted one each"
        )
    make = {"iid": _iid, "dirichlet": _dirichlet, "quantity": _quantity, "shard": _shards}[kind]
    for _ in range(_DRAWS):
        parts = make(labels, clients, alpha, rng)
        if min(map(len, parts)) >= fewest:
            return [np.sort(part) for part in parts]
    raise SettingsError(
        f"alpha: found {alpha:g}; {_DRAWS} draws each left one of {clients} clients fewer than "
        f"{fewest} of {len(labels)} pictures: wanted a larger alpha, or fewer clients"
    )


def like(parts: list[Labels], labels: Labels, rng: np.random.Generator) -> list[Places]:
    """Split other pictures by the shares of each class that clients have.

    Parameters
    ----------
    parts : list of int64 arrays
        Labels of each client's training pictures.
    labels : int64 array of shape (pictures,)
        Of the others; those of a class that nobody has go to all alike.
    rng : Generator
        Draws.
    """
    found: list[list[Places]] = [[] for _ in parts]
    for label in np.unique(labels):
        counts = np.array([(part == label).sum() for part in parts], dtype=np.float64)
        shares = counts / counts.sum() if counts.sum() else np.full(len(parts), 1 / len(parts))
        for mine, piece in zip(
            found, _cut(np.flatnonzero(labels == label), shares, rng), strict=True
        ):
            mine.append(piece)
    return [np.sort(np.concatenate(mine)) for mine in found]


def _cut(places: Places, shares: Shares, rng: np.random.Generator) -> list[Places]:
    """Deal shuffled places out by shares that sum up to one."""
    ends = np.rint(np.cumsum(shares) * len(places)).astype(np.int64)
    return np.split(rng.permutation(places), ends[:-1])


def _iid(labels: Labels, clients: int, _alpha: float, rng: np.random.Generator) -> list[Places]:
    return np.array_split(rng.permutation(len(labels)), clients)


def _dirichlet(
    labels: Labels, clients: int, alpha: float, rng: np.random.Generator
) -> list[Places]:
    found: list[list[Places]] = [[] for _ in range(clients)]
    for label in np.unique(labels):
        shares = rng.dirichlet(np.full(clients, alpha))
        for mine, piece in zip(
            found, _cut(np.flatnonzero(labels == label), shares, rng), strict=True
        ):
            mine.append(piece)
    return [np.concatenate(mine) for mine in found]


def _quantity(labels: Labels, clients: int, alpha: float, rng: np.random.Generator) -> list[Places]:
    return _cut(np.arange(len(labels)), rng.dirichlet(np.full(clients, alpha)), rng)


def _shards(labels: Labels, clients: int, _alpha: float, rng: np.random.Generator) -> list[Places]:
    by_class = np.argsort(labels, kind="stable")
    pieces = np.array_split(by_class, clients * SHARDS)
    order = rng.permutation(len(pieces)).reshape(clients, SHARDS)
    return [np.concatenate([pieces[place] for place in mine]) for mine in order]
