"""What a rehearsal says while it goes on, so that a page says it in its reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from glean.languages.catalogues import translatable
from glean.languages.language import Language

BEGINS = translatable("The service starts, with a SuperLink of its own.")
SERVES = translatable("The service is up at {address}.")
INVITES = translatable("{bakeries} are invited, and each joins as a shop would, with its own keys.")
JOINED = translatable("{bakery} has joined: {present} of {count} are there.")
RUN_BEGINS = translatable("A run begins. Rounds: {rounds}.")
ROUND = translatable("Round {round} of {rounds} is finished.")
COMPLETED = translatable(
    "The run completed, {seconds} s after it was asked for. Off by {score} on validation days."
)
READY = translatable("All of it stays up until it is ended. Sign in at {address} with {token}")
TAKEN_DOWN = translatable("All of it was taken down.")


@dataclass(frozen=True)
class RehearsalStep:
    """Something that happened.

    Parameters
    ----------
    text : str
        A sentence with names in braces.
    values : mapping of str to str
        What they stand for.
    """

    text: str
    values: Mapping[str, str] = field(default_factory=dict)

    def said(self, language: Language) -> str:
        """Say it in a language."""
        return language.translate(self.text, **self.values)
