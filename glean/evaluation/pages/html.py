"""The page: a few building blocks of HTML, and the frame with its style around them.

One file that works offline: pictures inside, nothing fetched, no script. Whatever comes from a run
is escaped here, since names of bakeries and products are the users' own.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from glean.evaluation.figures.plot_style import Picture
from glean.languages.language import ENGLISH, Language


def paragraph(text: str, *, kind: str = "") -> str:
    """One paragraph of plain text; "" makes none."""
    if not text:
        return ""
    attribute = f' class="{escape(kind)}"' if kind else ""
    return f"<p{attribute}>{escape(text)}</p>"


def section(title: str, blocks: Iterable[str]) -> str:
    """Put blocks of HTML beneath a heading; "" where there are none."""
    body = "\n".join(block for block in blocks if block)
    return f"<section>\n<h2>{escape(title)}</h2>\n{body}\n</section>" if body else ""


def bullets(texts: Iterable[str]) -> str:
    """List plain texts."""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<ul>{items}</ul>" if items else ""


def definitions(pairs: Iterable[tuple[str, str]]) -> str:
    """List terms with their meanings, plain texts."""
    items = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in pairs)
    return f"<dl>{items}</dl>" if items else ""


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay plain texts out as a table; the first column names the rows, the others are numbers."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(_row(row) for row in rows)
    return (
        f'<div class="wide"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def folded(title: str, block: str) -> str:
    """Fold a block of HTML that opens on a click, without script."""
    return f"<details><summary>{escape(title)}</summary>{block}</details>" if block else ""


def figure(picture: Picture) -> str:
    """Put a picture with its caption into the page."""
    data = base64.b64encode(picture.png).decode("ascii")
    alt = f"{picture.title} {picture.alt}"
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{escape(alt)}">'
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
    )


def whole_page(title: str, blocks: Iterable[str], language: Language = ENGLISH) -> str:
    """Frame blocks of HTML as a complete page, in the language that they are in."""
    body = "\n".join(block for block in blocks if block)
    frame = _FRAME.replace("{code}", language.code).replace("{style}", _STYLE)
    return frame.replace("{title}", escape(title)).replace("{body}", body)


def _row(cells: Sequence[str]) -> str:
    first, *others = cells
    numbers = "".join(f"<td>{escape(text)}</td>" for text in others)
    return f'<tr><th scope="row">{escape(first)}</th>{numbers}</tr>'


_FRAME = """<!DOCTYPE html>
<html lang="{code}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""

_STYLE = """
body { margin: 0; background: #faf8f5; color: #222; font: 17px/1.5 system-ui, sans-serif; }
main { max-width: 56rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0.5rem 0 1rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 0.75rem; border-bottom: 2px solid #d9c9a8; }
p { max-width: 44rem; overflow-wrap: anywhere; }
.headline { font-size: 1.2rem; }
.verdict { font-weight: 600; }
.warning { background: #fff3d6; border-left: 4px solid #e69f00; padding: 0.6rem 0.9rem; }
.failure { background: #fde8e4; border-left: 4px solid #b3261e; padding: 0.6rem 0.9rem;
  white-space: pre-wrap; }
.small, figcaption, caption { color: #555; font-size: 0.9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; background: #fff; font-variant-numeric: tabular-nums;
  margin: 0.5rem 0; }
caption { text-align: left; padding-bottom: 0.3rem; }
th, td { padding: 0.3rem 0.8rem; border-bottom: 1px solid #e4ddd0; }
thead th { text-align: right; vertical-align: bottom; }
thead th:first-child, tbody th { text-align: left; }
tbody th { font-weight: 500; max-width: 16rem; overflow-wrap: break-word; }
td { text-align: right; }
figure { margin: 1.5rem 0 2rem; background: #fff; border: 1px solid #e4ddd0; padding: 1rem; }
img { display: block; max-width: 100%; height: auto; }
figcaption { margin-top: 0.5rem; max-width: 44rem; overflow-wrap: anywhere; }
dt { font-weight: 600; }
dd { margin: 0 0 0.5rem 1.2rem; }
details { margin: 1rem 0; }
summary { cursor: pointer; font-weight: 600; }
@media print {
  body { background: #fff; font-size: 11pt; }
  main { max-width: none; padding: 0; }
  figure, table, section > p { break-inside: avoid; }
}
"""
