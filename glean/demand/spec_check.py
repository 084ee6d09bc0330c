"""What a client's rows are described by: no more than the run's settings say, whoever sends it."""

from __future__ import annotations

from glean.errors import RefusalError
from glean.features.definition import FeatureDefinition, check_covariates
from glean.settings import RunSettings

OTHER_FEATURES = "features beyond the settings"


def checked_definition(definition: FeatureDefinition, settings: RunSettings) -> FeatureDefinition:
    """Give a definition back that is of the run's settings; only the season is the server's word.

    Raises
    ------
    RefusalError
        Another horizon, or columns of the client's table that the settings don't name.
    SettingsError
        The settings name a column that would tell the day's sales.
    """
    check_covariates(definition.covariates)
    wanted = settings.windows.horizon_days, settings.covariates
    if (definition.horizon_days, definition.covariates) != wanted:
        raise RefusalError(
            OTHER_FEATURES,
            f"found features for {definition.horizon_days} days ahead with the covariates "
            f"{definition.covariates!r:.200}; wanted {wanted[0]} and {wanted[1]!r:.200}, as the "
            "run's settings say. Nothing is answered",
        )
    return definition
