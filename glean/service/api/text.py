"""Text in bodies of requests: what can be written down as UTF-8, and nothing else."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator


def _writable(text: str) -> str:
    """Refuse half of a pair of surrogates, which JSON lets through as an escape."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("wanted text; half of a pair of surrogates is none") from None
    return text


Text = Annotated[str, AfterValidator(_writable)]
"""Needed in unions: pydantic refuses such text by itself, but not where it tries several types."""
