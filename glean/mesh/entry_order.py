"""Entries of a membership in an order in which each can be checked by those before it."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable

from glean.mesh.membership_entry import MembershipEntry


def in_order(entries: Iterable[MembershipEntry]) -> list[MembershipEntry]:
    """Put entries in the order of their times, each after those of them that it builds on.

    Times alone don't say what comes first in one second. Takes n log n steps for n entries,
    whoever made them and however they came.
    """
    versions: dict[str, list[MembershipEntry]] = {}
    for entry in sorted(entries, key=_of_one_content):
        versions.setdefault(entry.id, []).append(entry)
    missing: dict[str, int] = {}
    following: dict[str, list[str]] = defaultdict(list)
    for key, (first, *_) in versions.items():
        before = {one for one in (first.author, first.previous) if one in versions}
        missing[key] = len(before)
        for one in before:
            following[one].append(key)
    ready = [(versions[key][0].at, key) for key, count in missing.items() if not count]
    heapq.heapify(ready)
    found: list[MembershipEntry] = []
    while ready:
        _, key = heapq.heappop(ready)
        found += versions[key]
        for follower in following[key]:
            missing[follower] -= 1
            if not missing[follower]:
                heapq.heappush(ready, (versions[follower][0].at, follower))
    return found


def _of_one_content(entry: MembershipEntry) -> tuple[str, str]:
    """Order entries of the same content: an RSA key signs the same in many ways."""
    return entry.signature, entry.countersignature
