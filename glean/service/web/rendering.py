"""Templates become pages, in the language of whoever asked."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from glean.languages.vocabulary import BAKERIES
from glean.runs.folder import INTERRUPTED
from glean.service.accounts.scopes import Scope
from glean.service.accounts.sessions import BrowserSession
from glean.service.runs.status import ENDED, RunStatus
from glean.service.services import services_of
from glean.service.web.labels import score_text
from glean.service.web.static_files import url_of
from glean.web.accepted_language import language_for
from glean.web.templates import template_environment
from glean.workloads import DEFAULT_WORKLOAD, vocabulary_of

TEMPLATES = Path(__file__).parent / "templates"


_ENVIRONMENT = template_environment(
    TEMPLATES,
    {
        "static": url_of,
        "Scope": Scope,
        "ended_statuses": ENDED,
        "stopped_reason": INTERRUPTED,
        "demand": DEFAULT_WORKLOAD,
        "of_bakeries": lambda run: vocabulary_of(run.workload) == BAKERIES,
        "all_of_bakeries": lambda runs: all(
            vocabulary_of(run.workload) == BAKERIES for run in runs
        ),
    },
)


def page(
    request: Request,
    template: str,
    session: BrowserSession | None,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    **values: Any,
) -> HTMLResponse:
    """Make a page.

    Parameters
    ----------
    request : Request
        Who asks, by whose language.
    template : str
        Its file.
    session : BrowserSession or None
        Who is signed in.
    status : HTTPStatus
        Of the answer.
    **values
        What the template names.
    """
    speaks = language_for(request)
    services = services_of(request)
    content = _ENVIRONMENT.get_template(template).render(
        **values,
        session=session,
        path=request.url.path,
        federation=services.members is not None,
        mesh=services.settings.mesh is not None,
        demand_only=session is None or services.bakeries.vocabulary == BAKERIES,
        language=speaks,
        gettext=speaks.gettext,
        ngettext=speaks.ngettext,
        _=speaks.gettext,
        score_text=lambda run: score_text(run, speaks),
        status_word=lambda word: speaks.gettext(STATUS_WORDS[RunStatus(word)]),
    )
    headers = {"Vary": "Cookie, Accept-Language"}
    return HTMLResponse(content, status, headers)


def _(text: str) -> str:
    """Mark a text for the catalogues."""
    return text


STATUS_WORDS = {
    RunStatus.QUEUED: _("waiting"),
    RunStatus.STARTING: _("starting"),
    RunStatus.RUNNING: _("running"),
    RunStatus.COMPLETED: _("completed"),
    RunStatus.FAILED: _("failed"),
    RunStatus.CANCELLED: _("taken back"),
}
"""How a run stands, as pages say it."""
