"""A command whose options are the fields of a dataclass: it takes one value for all of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, get_type_hints

Options = TypeVar("Options")


def options_of(
    kind: Callable[..., Options], groups: Mapping[str, Sequence[str]] | None = None
) -> Callable[[Callable[[Options], None]], Callable[..., None]]:
    """Let a function of one value be a command with an option for each of its fields.

    Parameters
    ----------
    kind : dataclass
        Its fields are annotated as the parameters of a command are.
    groups : mapping of str to sequence of str, optional
        Heading in the help -> fields below it; the others stand under "Options".
    """
    headings = {name: heading for heading, names in (groups or {}).items() for name in names}

    def decorate(command: Callable[[Options], None]) -> Callable[..., None]:
        def called(**typed: Any) -> None:
            command(kind(**typed))

        called.__name__, called.__doc__ = command.__name__, command.__doc__
        called.__annotations__ = get_type_hints(kind, include_extras=True)
        signature = inspect.signature(kind, eval_str=True)
        for name, heading in headings.items():
            for option in signature.parameters[name].annotation.__metadata__:
                option.rich_help_panel = heading
        vars(called)["__signature__"] = signature
        return called

    return decorate
