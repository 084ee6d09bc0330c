"""Whatever is drawn or seeded goes by the bakery's name, never by Flower's random node ids."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

SEED_LIMIT = 2**31 - 1


def derived_seed(seed: int, *purpose: str | int) -> int:
    """Derive a seed of its own for a purpose, say ("train", 3, "Rue Mouffetard")."""
    text = "\0".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % SEED_LIMIT


def draw(names: Sequence[str], count: int, *, seed: int) -> tuple[str, ...]:
    """Draw `count` of the names without replacement; in text order, whatever theirs was."""
    ordered = sorted(names)
    picked = np.random.default_rng(seed).choice(len(ordered), size=count, replace=False)
    return tuple(ordered[i] for i in sorted(picked.tolist()))


def draw_share(names: Sequence[str], fraction: float, *, seed: int) -> tuple[str, ...]:
    """Draw a share of the names, rounded, at least one."""
    if fraction >= 1.0 or not names:
        return tuple(sorted(names))
    return draw(names, max(1, round(fraction * len(names))), seed=seed)
