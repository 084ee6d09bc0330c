"""Which language a browser is spoken to in."""

from __future__ import annotations

from starlette.requests import Request

from glean.languages.language import LANGUAGES, Language, best_language, language

LANGUAGE_COOKIE = "glean-language"


def language_for(request: Request, usual: Language | None = None) -> Language:
    """Choose the language of the one who asks.

    Parameters
    ----------
    request : Request
        With its cookies and headers.
    usual : Language, optional
        Beats the header, and not the cookie.
    """
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if usual is not None and chosen not in LANGUAGES:
        return usual
    return language_of(chosen, request.headers.get("accept-language", ""))


def language_of(chosen: str | None, accepted: str) -> Language:
    """Choose the language of a page.

    Parameters
    ----------
    chosen : str or None
        What the browser's cookie says.
    accepted : str
        Its header `Accept-Language`.
    """
    for code in LANGUAGES:
        if code == chosen:
            return language(code)
    return best_language(_in_order(accepted))


def _in_order(accepted: str) -> list[str]:
    """Give the languages of an `Accept-Language`, the most wanted first, refused ones left out."""
    wanted: list[tuple[float, str]] = []
    for part in accepted.split(","):
        name, _, quality = part.replace(" ", "").partition(";q=")
        try:
            weight = float(quality or 1)
        except ValueError:
            weight = 0.0
        if name and weight > 0:
            wanted.append((weight, name.replace("-", "_")))
    return [name for _, name in sorted(wanted, key=lambda pair: -pair[0])]
