"""The attacks on runs on pictures, as `glean audit` asks for them."""

from __future__ import annotations

from glean.errors import GleanError
from glean.federation.coordination.groups import FILE as GROUPS_FILE
from glean.federation.grids.inprocess import BakeryApp
from glean.federation.workload.run_audit import AuditPages, Said, check_repeatable
from glean.images.inversion.audit_page import gist_of, page_of, strips_of
from glean.images.inversion.experiments import experiments, whole_round
from glean.images.inversion.first_round import Arrays, FirstRound, changed, mean_update
from glean.images.inversion.inversions import Inversions
from glean.installed_packages import check_installed
from glean.languages.language import Language
from glean.noise_settings import DP_SGD
from glean.runs.index import StoredRun
from glean.settings import RunSettings


class ImageAudit:
    """Gradient inversion of updates of the first round."""

    def check(self, stored: StoredRun) -> RunSettings:
        """Give the settings of a run that can be attacked.

        Raises
        ------
        GleanError
            It can't be made again, or a package is missing.
        """
        check_repeatable(stored)
        check_installed("torch", "PIL", "opacus", extra="images")
        settings = RunSettings.from_config(stored.settings)
        if settings.noise.by_client:
            raise GleanError(
                f"{stored.folder}: found privacy={settings.noise.privacy}, whose sums of clipped "
                "updates carry noise; the attacks are on updates without noise, or with noise in "
                f"clients' steps: wanted a run with privacy=sums or {DP_SGD}"
            )
        if settings.image.image_models:
            raise GleanError(
                f"{stored.folder}: found image-models={settings.image.image_models!r:.200}; the "
                "attacks are on updates of one network: wanted a run whose clients all have it"
            )
        return settings

    def attacked(
        self, stored: StoredRun, client_app: BakeryApp, said: Said, language: Language
    ) -> AuditPages:
        """Attack a run."""
        del client_app  # a client's training is asked for itself, which sends no message
        audit = inversions_of(stored, self.check(stored), said)
        drawn = strips_of(audit.found, language)
        return AuditPages(
            page_of(audit, drawn, language),
            audit.to_json(),
            tuple(gist_of(audit, language)),
            {f"{one.name}.png": one.png for one in drawn},
        )


def inversions_of(stored: StoredRun, settings: RunSettings, said: Said) -> Inversions:
    """Make the first round again and attack it.

    Raises
    ------
    GleanError
        The run isn't the one that its settings give now.
    """
    said("the first round once more")
    first = FirstRound.of(stored, settings)
    whole = whole_round(first)
    comparable = is_comparable(first, stored)
    if comparable:
        first.check_same(stored, _as_it_trained(first) if settings.noise.in_steps else whole)
    found = tuple(experiments(first, whole, said))
    return Inversions(stored.folder.name, first, comparable, found)


def is_comparable(first: FirstRound, stored: StoredRun) -> bool:
    """Say whether the first round's model is the mean of all clients that train."""
    grouped = (stored.folder / GROUPS_FILE).is_file()
    return first.settings.rounds.fraction_train == 1.0 and not grouped


def _as_it_trained(first: FirstRound) -> Arrays:
    """Give what the round changed in the mean over all clients, as the run's settings say."""
    return mean_update(
        (one.weight, changed(first.weights, first.fitted(one, first.settings)))
        for one in first.learners
    )


AUDIT = ImageAudit()
