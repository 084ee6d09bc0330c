"""Names of files that another peer sends: none leads out of the run's folder."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import FederationError
from glean.mesh.runs.manifest import MOST_FILE_BYTES, MOST_FILES, KeptFile, Manifest

DIGEST = "ab" * 32


@pytest.mark.parametrize(
    "name",
    [
        *("../run.json", "models/../../x", "/etc/passwd", "", ".", "..", "a//b", "a/", "/"),
        *(".hidden", "models/.hidden", "a\\b", "C:x", "a\nb", "a\0b", "x" * 201, "a/b/c/d/e"),
        *(" a", "a ", "a.", "\u202ea"),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    """And one that another system would read otherwise."""
    with pytest.raises(FederationError, match="short path within its folder"):
        Manifest.of({name: [DIGEST, 3]})


@pytest.mark.parametrize("names", [("Models", "models"), ("models", "models/a"), ("A/x", "a")])
def test_two_names_for_one_place_are_refused(names: tuple[str, ...]) -> None:
    """Also on drives that don't tell large letters from small ones."""
    with pytest.raises(FederationError, match="two names for one place"):
        Manifest.of({name: [DIGEST, 3] for name in names})


@pytest.mark.parametrize(
    "found",
    [
        *([], {}, [DIGEST], [DIGEST, 3, 4], [DIGEST, -1], [DIGEST, True], [DIGEST, "3"]),
        *(["../" + DIGEST[3:], 3], [DIGEST.upper(), 3], [7, 3], [DIGEST, MOST_FILE_BYTES + 1]),
    ],
)
def test_what_says_nothing_of_a_file_is_refused(found: object) -> None:
    """A digest names a file, too."""
    with pytest.raises(FederationError):
        Manifest.of({"run.json": found})


def test_so_many_and_so_large() -> None:
    """More files than that aren't taken, nor more bytes in all."""
    with pytest.raises(FederationError, match="wanted at most 4096"):
        Manifest.of({f"f{n}": [DIGEST, 1] for n in range(MOST_FILES + 1)})
    with pytest.raises(FederationError, match="bytes in all"):
        Manifest.of({f"f{n}": [DIGEST, MOST_FILE_BYTES] for n in range(100)})
    with pytest.raises(FederationError, match="wanted names"):
        Manifest.of(["run.json"])


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}\.csv", fullmatch=True), st.integers(0, 10**6)))
def test_a_manifest_comes_as_it_was_sent(sizes: dict[str, int]) -> None:
    """Through JSON."""
    manifest = Manifest({name: KeptFile(DIGEST, size) for name, size in sizes.items()})
    assert Manifest.of(json.loads(json.dumps(manifest.to_content()))) == manifest
