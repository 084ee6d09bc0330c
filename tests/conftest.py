"""Sales files that several tests share, and the watch over processes that a test starts."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import processes
from tests.postgres import own_postgres, postgres, postgres_database  # noqa: F401 # fixtures
from tests.rabbitmq import RabbitMQ, rabbitmq, why_not
from tests.tables import random_table

# How long an example takes says more about what else the machine does than about the code.
settings.register_profile("glean", deadline=None)
settings.load_profile("glean")

LONGEST_FILES = (
    "test_slurm.py", "test_deployment_run.py", "test_ray.py", "test_wheel.py", "test_flwr_run.py",
)  # fmt: skip
"""By how long their slow tests take, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, so that none of them runs alone in the end.

    With `--no-loadscope-reorder`: otherwise pytest-xdist takes the files with the most tests first.
    """
    later = len(LONGEST_FILES)
    rank = {name: place for place, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: rank.get(item.path.name, later))


@pytest.fixture(scope="session")
def three_bakeries(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of a table of "bakery 0", "bakery 1" and "bakery 2": two products, 120 days."""
    path = tmp_path_factory.mktemp("sales") / "three.csv"
    random_table(bakeries=3).rows.to_csv(path, index=False)
    return str(path)


@pytest.fixture(scope="session")
def five_bakeries(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of a table of "bakery 0" to "bakery 4": two products, 80 days."""
    path = tmp_path_factory.mktemp("sales") / "five.csv"
    random_table(bakeries=5, days=80).rows.to_csv(path, index=False)
    return str(path)


@pytest.fixture(scope="session")
def _orphans_adopted() -> Iterator[None]:
    """A process whose parent has gone comes to the tests, which would lose sight of it."""
    processes.adopt_orphans(yes=True)
    yield
    processes.adopt_orphans(yes=False)


@pytest.fixture
def nothing_left(_orphans_adopted: None) -> Iterator[None]:
    """Fail a test that leaves a process behind, and end that process."""
    before = processes.descendants()
    yield
    left = processes.survivors(before)
    names = [f"{process.pid} {process.name()}" for process in left]
    processes.end(left)
    assert not names, f"still running: {names}"


@pytest.fixture
def ctrl_c_heard() -> Iterator[None]:
    """A shell's background job, as CI may be, starts with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def _rabbitmq_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    pytest.importorskip("pika", reason="needs pip install 'glean[broker]'")
    with rabbitmq(tmp_path_factory.mktemp("rabbitmq") / "node") as server:
        yield server


@pytest.fixture
def broker(_rabbitmq_node: RabbitMQ) -> RabbitMQ:
    """A real RabbitMQ that runs and knows nothing of Glean yet; one for the tests of a session."""
    _rabbitmq_node.start()
    _rabbitmq_node.forget()
    return _rabbitmq_node
