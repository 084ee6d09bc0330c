"""Flower's own commands, spoken to one SuperLink: start a run, hear of it, stop it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glean.errors import FederationError
from glean.settings import ConfigValue


class SuperLinkGoneError(FederationError):
    """Nobody answers at the SuperLink's address."""


class UnknownRunError(FederationError):
    """The SuperLink knows no such run."""


_KINDS = {
    "Connection to the SuperLink is unavailable": SuperLinkGoneError,
    "Run ID not found": UnknownRunError,
}
"""By Flower's words for them."""


@dataclass(frozen=True)
class FlwrCli:
    """Speaks to a SuperLink that Flower's configuration names.

    Parameters
    ----------
    connection : str
        Its name there.
    scratch : Path
        Folder for files that the commands read.
    environment : dict of str to str
        What the commands need in their environment.
    """

    connection: str
    scratch: Path
    environment: dict[str, str]

    def submit(
        self,
        app: Path,
        *,
        run_config: Mapping[str, ConfigValue],
        profile: Mapping[str, ConfigValue] | None = None,
    ) -> int:
        """Start a run.

        Parameters
        ----------
        app : Path
            Folder of the Flower app.
        run_config : mapping
            Overrides of the app's run config.
        profile : mapping, optional
            Resources of a simulation (flat keys).

        Returns
        -------
        int
            Id of the run.

        Raises
        ------
        FederationError
            Flower refused it; with Flower's words. `SuperLinkGoneError` where nobody answers, by
            the others too.
        """
        options = ["--run-config", self._file("run-config.toml", run_config)]
        if profile is not None:
            options += ["--federation-config", self._file("profile.toml", profile)]
        answer = self._answer("run", str(app), self.connection, *options, "--format", "json")
        if not answer.get("run-id"):
            raise FederationError(f"Flower didn't start the run: {answer}")
        return int(answer["run-id"])

    def status(self, run_id: int) -> str:
        """Flower's word on a run, like "finished:failed". Costs seconds: ask sparingly.

        Raises
        ------
        FederationError
            The SuperLink doesn't answer, or knows no such run (`UnknownRunError`).
        """
        words = ("list", self.connection, "--run-id", str(run_id), "--format", "json")
        return str(self._answer(*words)["runs"][0]["status"])

    def stop(self, run_id: int) -> None:
        """End a run.

        Raises
        ------
        FederationError
            The SuperLink doesn't answer, or the run has ended.
        """
        self._answer("stop", str(run_id), self.connection, "--format", "json")

    def log(self, run_id: int) -> str:
        """Give what Flower logged of a run. Costs seconds."""
        command = self._command("log", str(run_id), self.connection, "--show")
        return self._done(command).stdout

    def follow_log(self, run_id: int) -> subprocess.Popen[str]:
        """Start a command whose output is all that a run has logged and will log, until it ends."""
        return subprocess.Popen(  # noqa: S603 # nosec B603 # our own words to Flower's own command
            self._command("log", str(run_id), self.connection, "--stream"),
            env={**self.environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )

    def _file(self, name: str, content: Mapping[str, ConfigValue]) -> str:
        path = self.scratch / name
        path.write_text(_toml(content), encoding="utf-8")
        return str(path)

    def _answer(self, *words: str) -> dict[str, Any]:
        done = self._done(self._command(*words))
        start = done.stdout.find("{")
        try:
            answer: dict[str, Any] = json.loads(done.stdout[start:])
        except ValueError:
            raise FederationError(
                f"flwr {words[0]} failed: {(done.stderr or done.stdout).strip()}"
            ) from None
        if not answer.get("success"):
            said = str(answer.get("error-message", answer)).splitlines()
            lines = [line for line in said if line and not line.startswith("Using SuperLink:")]
            text = "\n".join([f"flwr {words[0]} failed:", *lines])
            kinds = [kind for known, kind in _KINDS.items() if known in text]
            raise (kinds or [FederationError])[0](text)
        return answer

    def _command(self, *words: str) -> list[str]:
        return [str(Path(sys.executable).with_name("flwr")), *words]

    def _done(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 # nosec B603 # our own words to Flower's own command
            command,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def _toml(flat: Mapping[str, ConfigValue]) -> str:
    """Write flat keys as TOML; JSON's strings, numbers and booleans are TOML's."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in flat.items())
