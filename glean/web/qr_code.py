"""A text as a QR code: as a picture for a page, or as characters for a terminal."""

from __future__ import annotations

import io


def qr_svg(text: str, *, scale: int = 5) -> str:
    """Draw a text as an SVG element, black on white whatever the page's colours are.

    Parameters
    ----------
    text : str
        What a telephone reads.
    scale : int
        Pixels of a square.
    """
    import segno

    code = segno.make(text, error="m", micro=False)
    svg: str = code.svg_inline(scale=scale, border=4, dark="#000", light="#fff", svgclass="qr")
    return svg


def qr_text(text: str) -> str:
    """Draw a text in half blocks, for a terminal with light or dark ground.

    Two rows of squares share a line, so that it fits on a screen.
    """
    import segno

    out = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(out, border=2, compact=True)
    return out.getvalue()
