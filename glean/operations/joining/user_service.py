"""`glean join --as-service`: a systemd unit of the user, which a reboot starts again."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from glean.errors import SettingsError
from glean.operations.joining.joined_home import JoinedHome
from glean.runs.folder import write_whole

Runner = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]

_LIMIT_S = 60.0


@dataclass(frozen=True)
class UserService:
    """The unit of one home.

    Parameters
    ----------
    home : JoinedHome
        The bakery's.
    run : callable
        Runs a command, and gives how it ended.
    page : bool
        Whether the bakery's page is shown too.
    language : str
        Of the page and of what is said.
    """

    home: JoinedHome
    run: Runner
    page: bool = True
    language: str = "en"

    @property
    def name(self) -> str:
        """Name of the unit: two homes of one name in two folders have two."""
        folder = "".join(c if c.isascii() and c.isalnum() else "-" for c in self.home.path.name)
        return f"glean-{folder}-{hashlib.sha256(bytes(self.home.path)).hexdigest()[:6]}.service"

    @property
    def path(self) -> Path:
        """The unit's file."""
        return Path.home() / ".config" / "systemd" / "user" / self.name

    @property
    def text(self) -> str:
        """The unit; restarted by systemd, should the whole of it be killed."""
        words = [sys.executable, "-m", "glean", "join", "--home", str(self.home.path)]
        words += ["--language", self.language, *([] if self.page else ["--no-page"])]
        words.append("--wait")  # or it would be started every few seconds beside a terminal's
        return (
            f"[Unit]\nDescription=Glean at {_escaped(self.home.path.name)}\n"
            "After=network-online.target\n\n"
            f"[Service]\nExecStart={' '.join(map(_quoted, words))}\nRestart=always\n"
            "RestartSec=5\nEnvironment=OMP_NUM_THREADS=1\n\n"
            "[Install]\nWantedBy=default.target\n"
        )

    def start(self) -> bool:
        """Write the unit, enable and start it; whether it also goes on without a login.

        Raises
        ------
        SettingsError
            This machine has no systemd for users, or it refuses.
        """
        if shutil.which("systemctl") is None:
            raise SettingsError(
                "--as-service: found no systemctl on this machine; start `glean join` by what it "
                "has for services, or in a terminal"
            )
        try:
            before = self.path.read_bytes() if self.path.exists() else b""
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.path, self.text.encode())
        except OSError as error:
            raise SettingsError(f"{self.path} can't be written: {error.strerror}") from error
        for words in (("daemon-reload",), ("enable", "--now", self.name)):
            self._systemctl(*words)
        if before and before != self.text.encode():
            self._systemctl("restart", self.name)  # one that goes on has the words of before
        lingers = self.run(("loginctl", "enable-linger"))
        return lingers.returncode == 0

    def stop(self) -> bool:
        """End and remove it; whether there was one.

        Raises
        ------
        SettingsError
            systemd refuses.
        """
        if not self.path.exists():
            return False
        self._systemctl("disable", "--now", self.name)
        self.path.unlink()
        self._systemctl("daemon-reload")
        return True

    def _systemctl(self, *words: str) -> None:
        done = self.run(("systemctl", "--user", *words))
        if done.returncode != 0:
            raise SettingsError(
                f"systemctl --user {' '.join(words)}: {done.stderr.strip() or done.returncode}; is "
                "this a session of this user? (over ssh: a login, not su or sudo)"
            )


def run_command(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command of the system."""
    try:
        return subprocess.run(  # noqa: S603 # nosec B603 # our own words
            list(words), capture_output=True, text=True, check=False, timeout=_LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(list(words), 1, "", str(error))


def _quoted(word: str) -> str:
    """Quote for ExecStart, where %, $ and backslashes mean something."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _escaped(text: str) -> str:
    return text.replace("%", "%%").replace("\n", " ")
