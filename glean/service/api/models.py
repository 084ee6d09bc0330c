"""Versions of the model by REST: listed, looked at, promoted, taken back, downloaded."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from glean.service.accounts.access import Parts, Reader, Runner, address_of
from glean.service.api.file_answers import FILE_PARAMETERS, FILE_RESPONSES, answer_file
from glean.service.data.models import ModelVersion, Promotion
from glean.service.problems import not_found, responses

router = APIRouter(prefix="/api/v1/models", tags=["models"], responses=responses(404, 422, 503))


class Model(BaseModel):
    """A version of the model."""

    id: str = Field(description="Id of the run that made it.")
    in_production: bool
    workload: str
    made_at: str | None
    score: float | None = Field(description="Of the last round, on validation days.")
    score_noise: float | None = Field(
        description="Standard deviation of the noise in the score; null where it has none."
    )
    bakeries: int
    file: str = Field(examples=["model.ubj"])
    bytes: int

    @classmethod
    def of(cls, version: ModelVersion) -> Model:
        """Write a version down."""
        return cls(
            id=version.run.id,
            in_production=version.in_production,
            workload=version.run.workload,
            made_at=version.run.ended_at or None,
            score=version.run.score,
            score_noise=version.run.score_noise,
            bakeries=version.run.bakeries,
            file=version.path.name,
            bytes=version.path.stat().st_size,
        )


class PromotionAnswer(BaseModel):
    """That a version was put into production."""

    model: str
    by: str
    at: str
    back: bool = Field(description="Whether that took the one before back.")

    @classmethod
    def of(cls, promotion: Promotion) -> PromotionAnswer:
        """Write a promotion down."""
        return cls(**vars(promotion))


class Models(BaseModel):
    """All versions, the newest first, and what was in production when."""

    models: list[Model]
    promotions: list[PromotionAnswer]


@router.get("")
def list_models(_: Reader, services: Parts) -> Models:
    """List the versions."""
    return Models(
        models=[Model.of(version) for version in services.models.all()],
        promotions=[PromotionAnswer.of(item) for item in services.models.history()],
    )


@router.post("/roll-back", responses=responses(409))
def roll_back(principal: Runner, services: Parts, request: Request) -> Model:
    """Put the version that was in production before into it again."""
    version = services.models.roll_back(by=principal.name)
    services.audit_log.note(
        principal.name, "model.roll-back", version.run.id, address=address_of(request)
    )
    return Model.of(version)


@router.get("/{model_id}")
def get_model(model_id: str, _: Reader, services: Parts) -> Model:
    """Look at a version; "production" is the one in production."""
    return Model.of(services.models.find(model_id))


@router.get("/{model_id}/card")
def get_card(model_id: str, _: Reader, services: Parts) -> dict[str, Any]:
    """Give a version's card: what it learned from, its scores, its weak points."""
    card = services.models.find(model_id).card
    if card is None:
        raise not_found("card of this model: an earlier version of Glean made it")
    content: dict[str, Any] = json.loads(card.read_bytes())
    return content


@router.get(
    "/{model_id}/file",
    response_class=Response,
    responses=FILE_RESPONSES,
    openapi_extra=FILE_PARAMETERS,
)
def get_model_file(model_id: str, _: Reader, services: Parts, request: Request) -> Response:
    """Download a version, whole or a range of it; with an ETag."""
    return answer_file(request, services.models.find(model_id).path)


@router.post("/{model_id}/promote", status_code=HTTPStatus.OK, responses=responses(409))
def promote(model_id: str, principal: Runner, services: Parts, request: Request) -> Model:
    """Put a version into production."""
    version = services.models.promote(model_id, by=principal.name)
    services.audit_log.note(
        principal.name, "model.promote", version.run.id, address=address_of(request)
    )
    return Model.of(version)
