"""Whether a run is one of the Glean that is installed here, which is all that a node runs."""

from __future__ import annotations

from dataclasses import dataclass

from glean.errors import RefusalError
from glean.federation.node.fleet import RunFacts
from glean.runs.code_version import code_fingerprint, installed_fingerprint

OTHER_APP, OTHER_RELEASE = "a run of another app", "a run of another version of Glean"
INSTALLED_ANEW = "Glean was installed anew since this node started"


@dataclass(frozen=True)
class InstalledApp:
    """The app that is installed here.

    Parameters
    ----------
    name : str
        Flower's name of it, like "glean/glean".
    release : str
        Its version.
    """

    name: str
    release: str

    def check(self, run: RunFacts) -> None:
        """Refuse a run of anything else. Nothing of the run is fetched or started before that.

        Raises
        ------
        RefusalError
            Says what is wanted and how to get it.
        """
        if run.app != self.name:
            words = f"{OTHER_APP} ({run.app!r}); this node runs {self.name!r} only"
            raise RefusalError(words, f"found {words}")
        if run.release != self.release:
            raise RefusalError(
                f"{OTHER_RELEASE}: the server has {run.release}, this node {self.release}",
                f"found a run of Glean {run.release}; wanted {self.release}, which is installed "
                "here: code that arrives isn't run. To take part: get the wheel of "
                f"{run.release} and its constraints.txt from the operator or the release, "
                f"`pip install -c constraints.txt 'glean-{run.release}-py3-none-any.whl[shop]'`, "
                "and start `glean node` anew",
            )
        if installed_fingerprint() != code_fingerprint():
            raise RefusalError(
                INSTALLED_ANEW,
                "Glean's files were changed since this node started: start `glean node` anew, so "
                "that it runs what is installed",
            )
