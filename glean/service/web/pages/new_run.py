"""The form to start a run: the settings with their meanings, ranges and defaults, in groups."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from glean.errors import GleanError, SettingsError
from glean.federation.launch.deployed_superlink import CONNECTION
from glean.federation.launch.flower_app import app_config
from glean.languages.language import Language
from glean.operations.slurm.job_options import JOB_OPTIONS
from glean.operations.slurm.slurm import why_no_slurm
from glean.service.accounts.access import address_of
from glean.service.accounts.sessions import BrowserSession
from glean.service.api.run_models import NewRun
from glean.service.api.runs import ask_for_run
from glean.service.problems import ProblemError
from glean.service.services import Services
from glean.service.store.tables import RunRow
from glean.service.web.browser_access import Form, PageRoute, Parts, RunningBrowser
from glean.service.web.rendering import page
from glean.service.web.setting_form import setting_groups, text_of
from glean.settings import ConfigValue, parse_text
from glean.web.accepted_language import language_for

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_FIELD, _JOB_FIELD = "s-", "job-"


@router.get("/runs/new")
def show_form(
    request: Request, session: RunningBrowser, services: Parts, like: str = "", dataset: str = ""
) -> Response:
    """Show the form, as another run was set where one is named."""
    if like:
        return _form_like(request, session, services, services.queue.find(like), dataset)
    values = {key: text_of(value) for key, value in services.defaults.all().items()}
    served = services.superlink is not None and not dataset
    engine = "deployment" if served else "inprocess"
    return _form(request, session, services, values, dataset=dataset, engine=engine)


def _form_like(
    request: Request, session: BrowserSession, services: Services, row: RunRow, dataset: str
) -> Response:
    """Show the form as a run was set; what of it can't be chosen here is said."""
    asked = services.queue.request(row)
    dataset = dataset or _dataset_of(services, row.settings)
    bakeries = asked.bakeries if asked else None if row.settings.get("sales") else row.bakeries
    left_out = [key for key in ("products", "start-from") if row.settings.get(key)]
    if row.settings.get("sales") and not dataset:
        left_out.insert(0, "sales")
    return _form(
        request,
        session,
        services,
        {key: text_of(it) for key, it in {**services.defaults.all(), **row.settings}.items()},
        dataset=dataset,
        engine=row.engine or "inprocess",
        bakeries=str(bakeries or ""),
        connection=asked.connection if asked else "",
        job=asked.job if asked else {},
        left_out=left_out,
    )


@router.post("/runs/new")
def start(request: Request, session: RunningBrowser, services: Parts, form: Form) -> Response:
    """Put the run into the queue, or show the form again with all that is wrong."""
    values, job = _typed(form, _FIELD), _typed(form, _JOB_FIELD)
    dataset, engine = str(form.get("dataset", "")), str(form.get("engine", ""))
    bakeries = str(form.get("bakeries", "")).strip()
    connection = str(form.get("connection", "")).strip()
    settings, lines = _parsed(values)
    if not lines:
        try:
            body = NewRun.model_validate(
                {
                    "engine": engine,
                    "connection": connection,
                    "settings": settings,
                    "bakeries": bakeries or None,
                    "dataset": dataset or None,
                    "job": {name: text for name, text in job.items() if text} or None,
                }
            )
            row, _ = ask_for_run(services, body, session.principal.name, with_defaults=False)
        except ProblemError as problem:
            lines = [item.detail for item in problem.errors] or [problem.detail]
        except ValidationError as error:
            lines = [f"{item['loc'][-1]}: {item['msg']}" for item in error.errors()]
        except GleanError as error:
            lines = str(error).splitlines()
        else:
            services.audit_log.note(
                session.principal.name, "run.create", row.id, address=address_of(request)
            )
            return RedirectResponse(f"/runs/{row.id}", HTTPStatus.SEE_OTHER)
    return _form(
        request,
        session,
        services,
        values,
        dataset=dataset,
        engine=engine,
        bakeries=bakeries,
        connection=connection,
        job=job,
        lines=lines,
    )


def _form(
    request: Request,
    session: RunningBrowser,
    services: Services,
    values: Mapping[str, str],
    *,
    dataset: str = "",
    engine: str = "inprocess",
    bakeries: str = "",
    connection: str = "",
    job: Mapping[str, int | str] | None = None,
    lines: list[str] | None = None,
    left_out: list[str] | None = None,
) -> Response:
    return page(
        request,
        "new_run.html",
        session,
        status=HTTPStatus.UNPROCESSABLE_ENTITY if lines else HTTPStatus.OK,
        groups=setting_groups(values, language_for(request)),
        datasets=services.datasets.all(),
        chosen_dataset=dataset,
        engine=engine,
        bakeries=bakeries,
        connection=connection or (CONNECTION if services.superlink is not None else ""),
        job_fields=_job_fields(job or {}, language_for(request)) if not why_no_slurm() else [],
        lines=lines or [],
        left_out=left_out or [],
    )


def _typed(form: Mapping[str, Any], prefix: str) -> dict[str, str]:
    """Give what stands in the fields of a kind."""
    return {
        key.removeprefix(prefix): str(text).strip()
        for key, text in form.items()
        if key.startswith(prefix)
    }


def _job_fields(
    job: Mapping[str, int | str], language: Language
) -> list[tuple[str, str, int | str]]:
    """Give the name of each option of a job, what it means, and what stands there."""
    _ = language.gettext
    meanings = {
        "nodes": _("Nodes"),
        "cpus": _("CPUs on each node"),
        "mem": _("Memory on each node, like 16G"),
        "time": _("Time limit, like 30 (minutes), 2:00:00 or 1-12 (a day and a half)"),
        "partition": _("Partition, or several with commas"),
        "gpus": _("GPUs on each node, like 1 or mi300x:2"),
    }
    return [(name, meanings[name], job.get(name, "")) for name in JOB_OPTIONS]


def _parsed(values: Mapping[str, str]) -> tuple[dict[str, ConfigValue], list[str]]:
    """Read what the form says; settings that stay as they are by default are left out."""
    settings: dict[str, ConfigValue] = {}
    lines: list[str] = []
    defaults = app_config()
    for key, text in values.items():
        try:
            value = parse_text(key, text)
        except SettingsError as error:
            lines += str(error).splitlines()
        else:
            if value != defaults.get(key):
                settings[key] = value
    return settings, lines


def _dataset_of(services: Services, settings: Mapping[str, Any]) -> str:
    """Find the dataset that a run learned from, among those that are there."""
    sales = str(settings.get("sales") or "")
    return next((item.id for item in services.datasets.all() if f"/{item.id}/" in sales), "")
