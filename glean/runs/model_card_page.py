"""A model's card to read, as Markdown: made of whatever the card says, section by section."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from glean.runs.log_lines import visible
from glean.runs.model_card import ModelCard

_TITLE = "The card of {file}"
_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*<>[]|#"})


def card_page(card: ModelCard) -> str:
    """Write a card as Markdown. What a stranger wrote in it stays text.

    Examples
    --------
    >>> card = ModelCard.of(b"", file="model.ubj", run_id="7", sections={"use": "Bread."})
    >>> print(card_page(card))
    # The card of model.ubj
    <BLANKLINE>
    ## Model
    <BLANKLINE>
    - file: model.ubj
    - sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    - bytes: 0
    <BLANKLINE>
    ## Use
    <BLANKLINE>
    Bread.
    <BLANKLINE>
    ## Run
    <BLANKLINE>
    - id: 7
    <BLANKLINE>
    """
    lines = [f"# {_TITLE.format(file=_text(card.file))}", ""]
    for name, part in card.content.items():
        if name == "format":
            continue
        lines += [f"## {_title(name)}", "", *_lines(part), ""]
    return "\n".join(lines)


def _lines(part: object) -> Iterator[str]:
    if isinstance(part, Mapping):
        for name, value in _with_noise(part).items():
            if _is_table(value):
                yield from ("", f"{_spaced(name)}:", "", *_lines(value))
            else:
                yield f"- {_spaced(name)}: {_text(value)}"
    elif _is_table(part):
        yield from _table(part)
    elif isinstance(part, list):
        yield from (f"- {_text(each)}" for each in part)
    else:
        yield _text(part)


def _is_table(part: object) -> bool:
    return isinstance(part, list) and bool(part) and all(isinstance(row, dict) for row in part)


def _table(rows: object) -> Iterator[str]:
    assert isinstance(rows, Sequence)
    rows = [_with_noise(row) for row in rows]
    heads = list(dict.fromkeys(name for row in rows for name in row))
    yield _row([_spaced(head) for head in heads])
    yield _row(["---"] * len(heads))
    yield from (_row([_text(row.get(head)) for head in heads]) for row in rows)


def _with_noise(row: Mapping[str, object]) -> dict[str, object]:
    """Put the standard deviation of a score's noise behind the score."""
    shown = {name: value for name, value in row.items() if name != "noise"}
    noise = row.get("noise")
    name = next((name for name, value in shown.items() if isinstance(value, float)), None)
    if isinstance(noise, float) and name is not None:
        shown[name] = f"{shown[name]} ± {noise}"
    return shown


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _title(name: str) -> str:
    words = _spaced(name)
    return words[:1].upper() + words[1:]


def _spaced(name: str) -> str:
    return _text(name.replace("_", " "))


def _text(value: object) -> str:
    match value:
        case None:
            found = "-"
        case bool():
            found = "yes" if value else "no"
        case str():
            found = value
        case list() if not value:
            found = "none"
        case list():
            found = ", ".join(map(_plain, value))
        case dict():
            found = ", ".join(f"{n} {_plain(each)}" for n, each in _with_noise(value).items())
        case _:
            found = _plain(value)
    return visible(found).translate(_SPECIAL)


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
