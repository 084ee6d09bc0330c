"""Which rows and columns a tree sees: drawn by what a row is, not by where it stands.

A row's key follows from its bakery, product and day alone. So each bakery draws its own rows, and
all together draw those that one table holding every row would have drawn.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.features.calendar import day_numbers

Keys = NDArray[np.uint64]

MOST_SEED = 2**63 - 1

# Constants of SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
# OOPSLA 2014; the golden ratio is its step from one state to the next.
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)


def row_keys(keys: pd.DataFrame) -> Keys:
    """Give each row a number of its own, uint64 of shape (rows,).

    Parameters
    ----------
    keys : DataFrame
        `date`, `bakery` and `product` of each row, as in `FeatureMatrix.keys`.
    """
    series = keys.groupby(["bakery", "product"], sort=False, observed=True)
    number = series.ngroup().to_numpy()
    names = keys[["bakery", "product"]].drop_duplicates().itertuples(index=False)
    hashes = np.array([_hash(str(b), str(p)) for b, p in names], dtype=np.uint64)
    day = day_numbers(keys["date"]).astype(np.uint64)
    return _mixed(hashes[number] + day * GOLDEN)


def sampled(keys: Keys, seed: int, *, share: float) -> NDArray[np.bool_]:
    """Say which rows are drawn, shape (rows,).

    Parameters
    ----------
    keys : uint64 array of shape (rows,)
        From `row_keys`.
    seed : int
        Another one for every tree; 0 to `MOST_SEED`.
    share : float
        Chance of a row; from 1 on all are drawn.
    """
    if share >= 1.0:
        return np.ones(len(keys), dtype=np.bool_)
    return drawn_by(keys, seed_number(seed), share=share)


def drawn_by(keys: Keys, seed: np.uint64, *, share: float) -> NDArray[np.bool_]:
    """Say which rows are drawn by a seed that `seed_number` has scrambled."""
    # The upper 53 bits are a number from 0 to 1 as fine as a float64 can be.
    chance = (_mixed(keys ^ seed) >> np.uint64(11)) * 2.0**-53
    return chance < share


def sampled_columns(columns: int, seed: int, *, share: float) -> NDArray[np.int64]:
    """Draw columns without return, ascending; the count is XGBoost's: rounded down, at least 1."""
    count = max(1, int(share * columns))
    order = np.argsort(sampled_numbers(seed, columns), kind="stable")
    return np.sort(order[:count]).astype(np.int64)


def sampled_numbers(seed: int, count: int) -> Keys:
    """Give `count` numbers that look drawn by chance, uint64; the same on every machine."""
    return _mixed(seed_number(seed) + np.arange(1, count + 1, dtype=np.uint64) * GOLDEN)


def seed_number(seed: int) -> np.uint64:
    """Scramble a seed, 0 to `MOST_SEED`: neighbouring ones have nothing in common then."""
    assert 0 <= seed <= MOST_SEED, seed
    return np.uint64(_mixed(np.array([seed], dtype=np.uint64))[0])


def _mixed(values: Keys) -> Keys:
    """Let every bit depend on every other: SplitMix64's finish; wraps around as it should."""
    z = values + GOLDEN
    z = (z ^ (z >> np.uint64(30))) * FIRST
    z = (z ^ (z >> np.uint64(27))) * SECOND
    return z ^ (z >> np.uint64(31))


def _hash(bakery: str, product: str) -> int:
    # Lengths keep ("a", "bc") and ("ab", "c") apart.
    text = f"{len(bakery)}:{bakery}{product}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
