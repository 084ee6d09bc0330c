"""What a token may do: three scopes, each with all that the one before may."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """What somebody may do."""

    READ = "read"
    RUN = "run"
    ADMIN = "admin"

    @property
    def meaning(self) -> str:
        """In words for people."""
        return _MEANINGS[self]

    def covers(self, needed: Scope) -> bool:
        """Whether whoever has this scope may do what needs the other."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)


_MEANINGS = {
    Scope.READ: "look at everything, change nothing",
    Scope.RUN: "also start and stop runs, upload tables, choose models",
    Scope.ADMIN: "also delete, and say who may do what",
}
