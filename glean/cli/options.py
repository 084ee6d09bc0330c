"""A command whose options are the fields of a dataclass: it takes one value for all of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

Options = TypeVar("Options")


def options_of(
    kind: Callable[..., Options],
) -> Callable[[Callable[[Options], None]], Callable[..., None]]:
    """Let a function of one value be a command with an option for each of its fields.

    Parameters
    ----------
    kind : dataclass
        Its fields are annotated as the parameters of a command are.
    """

    def decorate(command: Callable[[Options], None]) -> Callable[..., None]:
        def called(**typed: Any) -> None:
            command(kind(**typed))

        called.__name__, called.__doc__ = command.__name__, command.__doc__
        called.__annotations__ = get_type_hints(kind, include_extras=True)
        vars(called)["__signature__"] = inspect.signature(kind, eval_str=True)
        return called

    return decorate
