"""The language of the pages, remembered in the browser."""

from __future__ import annotations

from fastapi import APIRouter, Response

from glean.languages.language import LANGUAGES
from glean.shop.web.forms import Form, see, text_of
from glean.web.accepted_language import LANGUAGE_COOKIE

router = APIRouter()

_A_YEAR_S = 365 * 24 * 3600


@router.post("/language")
def choose_language(form: Form) -> Response:
    """Remember the language in the browser."""
    answer = see("/more")
    wanted = text_of(form, "language")
    if wanted in LANGUAGES:
        answer.set_cookie(LANGUAGE_COOKIE, wanted, max_age=_A_YEAR_S, httponly=True, samesite="lax")
    return answer
