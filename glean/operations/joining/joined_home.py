"""The home of a bakery that joined by an invitation: its files, and what joining noted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from glean.errors import SettingsError
from glean.node_settings import NODE_CONFIG, NodeSettings
from glean.privacy.members import folder_name
from glean.regular_files import read_regular
from glean.runs.folder import write_whole
from glean.setting_fields import ConfigValue

FACTS_FILE = "join.json"


@dataclass(frozen=True)
class JoinFacts:
    """What a bakery noted when it joined.

    Parameters
    ----------
    bakery, federation : str
        Its name there, and the federation's.
    address : str
        HOST:PORT of the server.
    invitation : str
        Hash of the secret that it joined by.
    left : bool
        Whether it has left since.
    """

    bakery: str
    federation: str
    address: str
    invitation: str
    left: bool = False


@dataclass(frozen=True)
class JoinedHome:
    """Paths in a home.

    Parameters
    ----------
    path : Path
        The folder, absolute.
    """

    path: Path

    @property
    def node_key(self) -> Path:
        """The bakery's private key for the server."""
        return self.path / "node-key"

    @property
    def signing_key(self) -> Path:
        """Its private key for the other bakeries, and for its requests."""
        return self.path / "signing-key"

    @property
    def authority(self) -> Path:
        """By it the server is known."""
        return self.path / "ca.crt"

    @property
    def model_key(self) -> Path:
        """By it models and the log of keys are known."""
        return self.path / "model-key.pub"

    @property
    def key_log(self) -> Path:
        """The log of members' keys, as far as it is known here."""
        return self.path / "key-log.jsonl"

    @property
    def members(self) -> Path:
        """The list of members that follows from it."""
        return self.path / "members.json"

    @property
    def trusted(self) -> Path:
        """Members whom the owner has confirmed."""
        return self.path / "trusted-members.json"

    @property
    def config(self) -> Path:
        """The node config."""
        return self.path / NODE_CONFIG

    @property
    def joined(self) -> bool:
        """Whether a bakery has joined from here."""
        return (self.path / FACTS_FILE).is_file()

    def facts(self) -> JoinFacts:
        """Read what was noted.

        Raises
        ------
        SettingsError
            Nothing was, or it can't be read.
        """
        path = self.path / FACTS_FILE
        try:
            return JoinFacts(**json.loads(read_regular(path)))
        except FileNotFoundError:
            raise SettingsError(
                f"{self.path}: found no bakery that joined from here; wanted the home that "
                "`glean join INVITATION` made"
            ) from None
        except (OSError, ValueError, TypeError) as error:
            raise SettingsError(f"{path} can't be read: {error}") from error

    def note(self, facts: JoinFacts) -> None:
        """Note how it joined; from then on it has."""
        content = json.dumps(asdict(facts), indent=2, ensure_ascii=False) + "\n"
        write_whole(self.path / FACTS_FILE, content.encode())

    def write_config(self, sales: Path, bakery: str, policy: Mapping[str, ConfigValue]) -> None:
        """Write the node config.

        Parameters
        ----------
        sales : Path
            The bakery's table, absolute.
        bakery : str
            Its name in the federation.
        policy : mapping
            What its owner wants of runs, by keys of the node config.

        Raises
        ------
        SettingsError
            The policy has a value that can't be.
        """
        config: dict[str, ConfigValue] = {
            "sales": str(sales),
            "bakery": bakery,
            "home": str(self.path),
            "signing-key": str(self.signing_key),
            "members": str(self.members),
            "key-log": str(self.key_log),
            "model-key": str(self.model_key),
            **policy,
        }
        NodeSettings.from_config(config)
        # A JSON text is a basic string of TOML, as long as it is printable.
        lines = [
            f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in config.items()
        ]
        write_whole(self.config, "".join(lines).encode())


def homes_folder() -> Path:
    """Give the folder of this user's homes."""
    return Path.home() / "glean"


def default_home(bakery: str) -> JoinedHome:
    """Give the home of a bakery by its name."""
    return JoinedHome(homes_folder() / folder_name(bakery))


def joined_homes() -> tuple[JoinedHome, ...]:
    """List the homes of this user from which a bakery has joined, by name."""
    folder = homes_folder()
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return tuple(home for home in map(JoinedHome, found) if home.joined)


def home_of(path: Path | None) -> JoinedHome:
    """Find the home that is meant: the one that is named, else the only one there is.

    Raises
    ------
    SettingsError
        There is none, or several.
    """
    if path is not None:
        home = JoinedHome(path.expanduser().absolute())
        home.facts()
        return home
    homes = joined_homes()
    if len(homes) != 1:
        found = ", ".join(str(home.path) for home in homes) or "none"
        raise SettingsError(
            f"homes in {homes_folder()}: found {found}; wanted one, or --home with the one that is "
            "meant. To join, give the invitation: glean join INVITATION --sales my.csv"
        )
    return homes[0]
