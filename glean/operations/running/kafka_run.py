"""A run whose clients are reached by Kafka: checked as a whole, then run in this process."""

from __future__ import annotations

import fcntl
import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from glean.environment_names import kafka_address, kafka_topics
from glean.errors import FederationError, SettingsError
from glean.federation.coordination.member_list import VARIABLE as MEMBERS
from glean.federation.launch.flower_app import app_config
from glean.installed_packages import check_installed
from glean.kafka.brokers_check import check_brokers
from glean.kafka.client_config import KafkaAccess
from glean.kafka.kafka_url import KafkaUrl
from glean.kafka.topics import Topics
from glean.languages.language import ENGLISH, Language
from glean.operations.registry.start_model import with_fetched_model
from glean.operations.running.run_config import deployment_overrides
from glean.privacy.members import Member, read_members
from glean.privacy.model_key import VARIABLE as MODEL_KEY
from glean.privacy.model_key import ModelSigner
from glean.regular_files import absolute_path, read_regular
from glean.settings import ConfigValue, RunSettings
from glean.workloads import vocabulary_of

OUTBOXES, _LOCK = ".kafka", ".lock"
"""Folder among the runs, and the lock in it: what was sent and not acknowledged yet."""


@dataclass(frozen=True)
class PreparedKafkaRun:
    """A run over Kafka that can be started.

    Parameters
    ----------
    access : KafkaAccess
        How the brokers are reached.
    topics : Topics
        The federation's topics.
    run_config : mapping
        The whole run config.
    results : Path
        Absolute folder for run folders.
    signer : ModelSigner
        The server's private key, by which all that it sends is signed.
    members : tuple of Member
        Who may answer.
    environment : mapping
        Of the process.
    rounds : int
        Number of rounds.
    """

    access: KafkaAccess
    topics: Topics
    run_config: Mapping[str, ConfigValue]
    results: Path
    signer: ModelSigner = field(repr=False)
    members: tuple[Member, ...]
    environment: Mapping[str, str] = field(repr=False)
    rounds: int

    @property
    def url(self) -> KafkaUrl:
        """Where the federation is."""
        return self.access.url

    @property
    def language(self) -> Language:
        """What the terminal says of it with."""
        return ENGLISH.in_words_of(vocabulary_of(self.run_config["workload"]))

    def resumed_by(self, folder: Path) -> str:
        """Say by which command the run is gone on with."""
        return shlex.join(["glean", "run", str(self.url), "--resume", str(folder)])


def prepare_kafka_run(
    address: str, given: Mapping[str, ConfigValue], environment: Mapping[str, str]
) -> PreparedKafkaRun:
    """Check everything that can be checked before brokers are spoken to.

    Parameters
    ----------
    address : str
        Like kafka://HOST:PORT/FEDERATION.
    given : mapping
        Run config that differs from the app's; with `resume`, of a run to continue.
    environment : mapping
        Of the process: names the server's key and its list of members.

    Raises
    ------
    GleanError
        It can't be run so.
    """
    check_installed("matplotlib")
    url = KafkaUrl.read(kafka_address(address, environment))
    topics = Topics(url.federation, *kafka_topics(environment))
    access = KafkaAccess.of(url, environment, client_id="glean-server")
    folder = Path(str(given.get("output-dir") or "results"))
    overrides = deployment_overrides(with_fetched_model(given, folder))
    config = app_config() | overrides
    settings = RunSettings.from_config(config)
    results = absolute_path(Path(settings.output_dir or "results"))
    signer = ModelSigner.of(environment)
    if signer is None:
        raise _nothing_in(MODEL_KEY, "the server's model-key, by which it signs what it sends")
    if not environment.get(MEMBERS):
        raise _nothing_in(MEMBERS, "members.json, by which clients' signatures are checked")
    members = Path(environment[MEMBERS]).expanduser()
    return PreparedKafkaRun(
        access,
        topics,
        config,
        results,
        signer,
        read_members(read_regular(members), str(members)),
        environment,
        settings.rounds.num_server_rounds,
    )


def reach_brokers(prepared: PreparedKafkaRun) -> None:
    """Have the brokers answer, and the topics made where they are missing.

    Raises
    ------
    FederationError
        They don't; says what to do.
    """
    check_brokers(prepared.access, prepared.topics)


def run_over_kafka(prepared: PreparedKafkaRun, started: Callable[[int], None]) -> Path:
    """Run, and wait for the end.

    Parameters
    ----------
    prepared : PreparedKafkaRun
        From `prepare_kafka_run`.
    started : callable
        Told the id of the run once it is known.

    Returns
    -------
    Path
        The run's folder, whether it succeeded or not.

    Raises
    ------
    FederationError
        Another run of the federation goes on here, or it ended without a word.
    """
    from glean.federation.launch.run_carried import run_on_carrier
    from glean.kafka.carriers import open_server
    from glean.server_app import app

    folder = prepared.results / OUTBOXES / prepared.url.federation
    with _to_itself(folder):
        carrier = open_server(
            prepared.url,
            prepared.environment,
            signer=prepared.signer,
            members=prepared.members,
            folder=folder,
            topics=prepared.topics,
        )
        with closing(carrier):
            return run_on_carrier(app, carrier, prepared.run_config, started=started)


def _nothing_in(variable: str, what: str) -> SettingsError:
    return SettingsError(
        f"the environment variable {variable}: found nothing; wanted the path of {what}: all may "
        "write to a topic who can reach the broker. `glean certificates` makes it"
    )


@contextmanager
def _to_itself(folder: Path) -> Iterator[None]:
    """Have a federation's outbox to this process; a kill gives it free."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise FederationError(f"{folder} can't be used: {error.strerror or error}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FederationError(
                f"{folder}: another run of this federation goes on in these results; wanted one at "
                "a time: its clients answer one server"
            ) from None
        yield
    finally:
        os.close(descriptor)
