"""What the pages say of the code is there: modules, test files, folders."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from glean.runs.code_version import PACKAGE

ROOT = PACKAGE.parent
PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "data/README.md")),
]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")

NO_FILES = {"utils.py"}
"""Named as what there shall not be."""

NO_MODULES = {
    "glean.example.org",
    *("glean.events", "glean.dead", "glean.runs.dead"),
    *("glean.run", "glean.run.round_finished"),
}
"""An address; exchanges and queues of a broker; topics."""


def is_there(path: str) -> bool:
    """Whether a path is one below the repository, the package or the tests, or a file's name."""
    tops = (ROOT, PACKAGE, ROOT / "tests")
    if "/" in path or (ROOT / path).exists():
        return any((top / path).exists() for top in tops)
    return any(found for top in tops[1:] for found in top.rglob(path))


def is_module(dotted: str) -> bool:
    """Whether a dotted name is a module's, a package's, or that of something in one."""
    path = ROOT.joinpath(*dotted.split("."))
    return path.is_dir() or any(p.with_suffix(".py").exists() for p in (path, path.parent))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_and_module_that_a_page_names_exists(page: Path) -> None:
    """A page that names what was renamed sends its reader nowhere."""
    text = page.read_text(encoding="utf-8")
    files = set(re.findall(r"[\w./-]*\w\.py\b", text)) - NO_FILES
    modules = set(re.findall(r"(?<![\w./])glean(?:\.[a-z_]+)+", text)) - NO_MODULES
    assert [path for path in sorted(files) if not is_there(path)] == []
    assert [name for name in sorted(modules) if not is_module(name)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_test_that_a_page_names_is_one(page: Path) -> None:
    """What is said to hold by a test that there isn't holds by nothing."""
    for name, test in re.findall(r"(tests/[\w/]+\.py)::(\w+)", page.read_text(encoding="utf-8")):
        tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
        assert test in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}, test


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_page_that_a_page_links_is_there(page: Path) -> None:
    """And where a link names a section, the page has a heading that reads so."""
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors_of(target), link


def anchors_of(page: Path) -> set[str]:
    """Names by which the headings of a page are linked."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_check_of_paths_finds_a_wrong_one() -> None:
    """A folder or a name that isn't there is one, also where the other half is right."""
    assert is_there("settings.py")
    assert is_there("runs/events.py")
    assert is_there("tests/test_docs.py")
    assert not is_there("run/events.py")
    assert not is_there("presence.py")
    assert is_module("glean.sales.synthetic.files.write_synthetic")
    assert not is_module("glean.sales.synthetics.files")


def test_the_architecture_has_every_folder_of_the_package() -> None:
    """Each folder and file at the top of the package, and each room of the federation."""
    federation = PACKAGE / "federation"
    parts = [*PACKAGE.iterdir(), *federation.iterdir()]
    folders = {f"{path.name}/" for path in parts if (path / "__init__.py").exists()}
    files = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py"}
    named = set(re.findall(r"`([\w/]+(?:\.py|/))`", ARCHITECTURE))
    assert folders | files <= named, sorted((folders | files) - named)


def test_the_values_that_cross_borders_are_classes_of_the_package() -> None:
    """By the names that they have now."""
    section = ARCHITECTURE.partition("### Values that cross borders")[2].partition("\n\nA frame")[0]
    named = set(re.findall(r"`([A-Z]\w+)`", section))
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")]
    classes = {n.name for tree in trees for n in tree.body if isinstance(n, ast.ClassDef)}
    assert named
    assert named <= classes, sorted(named - classes)
