"""The design's table, held by reading import statements: who may import whom, and which library."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import glean

PACKAGE = Path(glean.__file__).parent

FLOW: tuple[frozenset[str], ...] = (
    frozenset({"languages"}),
    frozenset(
        {
            "aggregation_kinds",
            "asynchronous_settings",
            "boosting_settings",
            "class_scores",
            "classification",
            "environment_names",
            "errors",
            "federation_folder",
            "image_settings",
            "installed_packages",
            "local_training_settings",
            "memory_limit",
            "metric_sums",
            "metrics",
            "node_settings",
            "noise_settings",
            "process_pool",
            "regular_files",
            "round_settings",
            "seeds",
            "setting_fields",
            "settings",
            "spill_file",
            "table_settings",
            "workloads",
        }
    ),
    frozenset({"runs"}),
    frozenset({"outgoing"}),
    frozenset({"observability"}),
    frozenset({"broker"}),
    frozenset({"storage"}),
    frozenset({"sales"}),
    frozenset({"features"}),
    frozenset({"learning"}),
    frozenset({"aggregation"}),
    frozenset({"privacy"}),
    frozenset({"outbox"}),
    frozenset({"consensus"}),
    frozenset({"kafka"}),
    frozenset({"mesh"}),
    frozenset({"federation"}),
    frozenset({"forecasting"}),
    frozenset({"evaluation"}),
    frozenset({"demand", "images", "iris"}),
    frozenset({"audit"}),
    frozenset({"server_app", "client_app"}),
    frozenset({"registry"}),
    frozenset({"operations"}),
    frozenset({"web"}),
    frozenset({"service", "shop"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)
"""A folder (or file) imports what stands above it, and itself."""

ROOT_FILES = FLOW[1]
"""Files that also import each other."""

ROOMS: tuple[frozenset[str], ...] = (
    frozenset({"wire", "grids"}),
    frozenset({"workload"}),
    frozenset({"client", "coordination"}),
    frozenset({"server"}),
    frozenset({"launch", "node"}),
)
"""The same for the rooms of `federation/`."""

KNOW_NO_WORKLOAD = (
    "federation",
    "aggregation",
    "privacy",
    "runs",
    "outbox",
    "consensus",
    "kafka",
    "mesh",
)
OF_A_WORKLOAD = {"sales", "features", "forecasting", "evaluation", "demand", "images", "iris"}

ONLY_IMPORTERS = {
    "holidays": {"sales"},
    "python_calamine": {"sales"},
    "xgboost": {"learning"},
    "sklearn": {"learning", "iris"},
    "cryptography": {"privacy"},
    "pika": {"broker"},
    "confluent_kafka": {"kafka"},
    "numba": {"learning"},
    "opacus": {"images"},
    "safetensors": {"images"},
    "torch": {"images"},
    "flwr": {"federation", "server_app", "client_app"},
    "matplotlib": {"evaluation"},
    "PIL": {"images"},
    "prometheus_client": {"observability"},
    "structlog": {"observability"},
    "fastapi": {"service", "shop", "web"},
    "starlette": {"service", "shop", "web"},
    "uvicorn": {"service", "shop", "web"},
    "sqlalchemy": {"service"},
    "alembic": {"service"},
    "pg8000": {"service"},
    "argon2": {"service"},
    "babel": {"languages"},
    "jinja2": {"web"},
    "segno": {"web"},
    "fsspec": {"storage"},
    "webdav4": {"storage"},
    "mlflow": {"registry"},
    "typer": {"cli"},
    "rich": {"cli"},
}
NOT_OF_A_RUNS_FOLDER = {
    "flwr",
    "glean.sales",
    "glean.features",
    "glean.learning",
    "glean.aggregation",
    "glean.privacy",
    "glean.federation",
    "glean.forecasting",
    "glean.evaluation",
}
"""A run's folder is read and written without knowing what was learned, or how."""

SLOW_TO_IMPORT = {
    "xgboost", "sklearn", "matplotlib", "holidays", "pyarrow", "python_calamine", "PIL",
}  # fmt: skip


def part_of(path: Path) -> str:
    """Folder of the package, or file at its top, that a module belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE) + [
        path for path in sorted(PACKAGE.glob("*.py")) if path.name != "__init__.py"
    ]


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names of everything that is imported, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written out, not relative"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def names_in(path: Path) -> frozenset[str]:
    return frozenset(imported(tree_of(path)))


def depth(part: str) -> int:
    return next(level for level, parts in enumerate(FLOW) if part in parts)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_folder_imports_only_what_stands_above_it(path: Path) -> None:
    """The flow goes one way; inside a folder, and among the first three, anything goes."""
    mine = part_of(path)
    parts = {name.split(".")[1] for name in names_in(path) if name.startswith("glean.")}
    for part in parts - {"__version__"}:
        assert part == mine or depth(part) < depth(mine) or {part, mine} <= ROOT_FILES, (
            f"{path.name} imports glean.{part}, which stands below {mine}"
        )


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_whatever_serves_every_workload_imports_none(path: Path) -> None:
    """Rounds, sums, masks and run folders know no sales, features or forecasts."""
    if part_of(path) in KNOW_NO_WORKLOAD:
        parts = {name.split(".")[1] for name in names_in(path) if name.startswith("glean.")}
        assert not parts & OF_A_WORKLOAD


def room_of(name: str) -> str:
    """Room of `federation/` that a dotted name belongs to; "" for other names."""
    parts = name.split(".")
    return parts[2] if parts[:2] == ["glean", "federation"] and len(parts) > 2 else ""


@pytest.mark.parametrize(
    "path",
    sorted((PACKAGE / "federation").rglob("*.py")),
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_a_room_of_the_federation_imports_only_what_stands_above_it(path: Path) -> None:
    """And every module of it lies in a room."""
    mine = path.relative_to(PACKAGE / "federation").parts[0]
    if mine == "__init__.py":
        return
    floor = next(level for level, rooms in enumerate(ROOMS) if mine in rooms)
    for room in {room_of(name) for name in names_in(path)} - {"", mine}:
        assert next(level for level, rooms in enumerate(ROOMS) if room in rooms) < floor, (
            f"{path.name} imports federation.{room}, which stands below {mine}"
        )


def test_no_module_imports_itself_by_a_detour() -> None:
    """A circle of imports has no order in which it can be read."""
    known = {".".join(p.relative_to(PACKAGE.parent).with_suffix("").parts): p for p in modules()}
    edges = {name: names_in(path) & known.keys() for name, path in known.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for other in edges[name]:
                visit(other, (*trail, name))
            done.add(name)

    for name in known:
        visit(name, ())


def test_no_room_of_operations_imports_itself_by_a_detour() -> None:
    """Files beside the rooms count as rooms of their own."""
    edges: dict[str, set[str]] = {}
    for path in (PACKAGE / "operations").rglob("*.py"):
        mine = path.relative_to(PACKAGE / "operations").parts[0].removesuffix(".py")
        parts = [name.split(".") for name in names_in(path)]
        there = {name[2] for name in parts if name[:2] == ["glean", "operations"] and name[2:]}
        edges[mine] = edges.get(mine, set()) | there - {mine}
    while edges:
        free = {room for room, others in edges.items() if not others & edges.keys()}
        assert free, f"these import each other: {edges}"
        edges = {room: others for room, others in edges.items() if room not in free}


def test_a_run_s_folder_knows_no_flower_and_no_bakery() -> None:
    """`glean/runs/` serves every workload and every engine."""
    for path in (PACKAGE / "runs").glob("*.py"):
        roots = {".".join(name.split(".")[:k]) for name in names_in(path) for k in (1, 2)}
        assert not roots & NOT_OF_A_RUNS_FOLDER, path


def test_one_module_reads_run_json() -> None:
    """Others ask `runs/index.py`; `runs/folder.py` writes it."""
    named = {
        str(path.relative_to(PACKAGE))
        for path in modules()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant) and node.value == "run.json"
    }
    assert named == {"runs/index.py", "runs/folder.py"}


def test_every_part_has_its_place_in_the_flow() -> None:
    """A new folder belongs into the picture before it is imported."""
    parts = {part_of(path) for path in modules()}
    assert parts == set().union(*FLOW)


@pytest.mark.parametrize(("library", "importers"), ONLY_IMPORTERS.items(), ids=ONLY_IMPORTERS)
def test_a_library_has_only_its_importer(library: str, importers: set[str]) -> None:
    """Who owns a library is the only one to import it, lazily or not, for types or not."""
    found = {
        part_of(path)
        for path in modules()
        if any(name.split(".")[0] == library for name in names_in(path))
    }
    assert found
    assert found <= importers


def test_pictures_are_opened_in_one_room() -> None:
    """Whoever decodes a file that a person named looks at its header first."""
    for path in modules():
        if any(name.split(".")[0] == "PIL" for name in names_in(path)):
            assert path.parent == PACKAGE / "images" / "reading", path


def test_slow_libraries_are_imported_where_they_are_used() -> None:
    """At the top of a module they would slow down the start of every process."""
    for path in modules():
        tree = tree_of(path)
        at_top = ast.Module(
            [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)], []
        )
        roots = {name.split(".")[0] for name in imported(at_top)}
        assert not roots & SLOW_TO_IMPORT, path


def test_only_the_command_line_prints_and_exits() -> None:
    """No `print`, no `sys.exit`, no `typer.Exit` below it."""
    for path in modules():
        if part_of(path) in ("cli", "__main__"):
            continue
        tree = tree_of(path)
        called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert not called & {"print", "exit", "quit", "sys.exit", "os._exit"}, path


def test_the_package_does_not_import_its_tests() -> None:
    """Nor its benchmarks: a wheel has neither."""
    for path in modules():
        roots = {name.split(".")[0] for name in names_in(path)}
        assert not roots & {"tests", "benchmarks"}, path
