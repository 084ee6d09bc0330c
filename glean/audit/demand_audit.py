"""The attacks on runs of the demand, as `glean audit` asks for them."""

from __future__ import annotations

from glean.audit.audit_page import audit_page, gist_of
from glean.audit.report import audit_run, auditable
from glean.errors import SettingsError
from glean.federation.grids.inprocess import BakeryApp
from glean.federation.workload.run_audit import AuditPages, Said
from glean.languages.language import Language
from glean.runs.index import StoredRun
from glean.settings import RunSettings


class DemandAudit:
    """Attacks on opened sums of trees."""

    def check(self, stored: StoredRun) -> RunSettings:
        """Give the settings of a run that can be audited."""
        return auditable(stored)

    def attacked(
        self, stored: StoredRun, client_app: BakeryApp, said: Said, language: Language
    ) -> AuditPages:
        """Attack a run; its page is in English.

        Raises
        ------
        SettingsError
            Another language was asked for.
        """
        if language.code != "en":
            raise SettingsError(
                f"--language: found {language.code!r}; an audit of the demand is written in "
                "English: wanted 'en'"
            )
        audit = audit_run(stored.folder, client_app, said)
        return AuditPages(audit_page(audit), audit.to_json(), tuple(gist_of(audit)))


AUDIT = DemandAudit()
