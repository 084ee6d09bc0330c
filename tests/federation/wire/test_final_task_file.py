"""The task of the final test as a file says the same, and anything else is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import ModelError
from glean.federation.wire.final_task_file import task_from_file, task_to_file
from glean.federation.wire.messages import FinalTask

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
TASKS = st.builds(
    FinalTask,
    round=st.integers(0, 10**6),
    spec=TEXT,
    base=TEXT,
    state=TEXT,
    learning_rate=st.floats(allow_nan=False, allow_infinity=False),
    newcomer=st.just(value=False),
    model=st.binary(),
    findings=TEXT,
    card=TEXT,
)


@given(TASKS)
def test_a_task_comes_back_as_it_was(task: FinalTask) -> None:
    """With a model that lies elsewhere."""
    assert task_from_file(task_to_file(task), task.model) == task


@given(st.binary(max_size=60) | TEXT.map(str.encode))
def test_other_bytes_are_no_task(content: bytes) -> None:
    """They come from another machine: whatever they are, a `ModelError` says so."""
    with pytest.raises(ModelError, match=r"final_task\.json"):
        task_from_file(content, b"")


@given(
    st.sampled_from(["format", "round", "spec", "base", "state", "learning_rate", "card"]),
    st.none() | st.lists(st.integers()) | st.just("\ud800") | st.just(10**400) | st.booleans(),
)
def test_a_field_of_another_kind_is_refused(name: str, value: object) -> None:
    """Also text that can't be written, and numbers beyond any."""
    task = FinalTask(1, "", "", "", 0.1, newcomer=False, model=b"", findings="", card="")
    content = json.loads(task_to_file(task)) | {name: value}
    if name == "format" and value is True:
        return  # JSON's true is Python's 1
    with pytest.raises(ModelError):
        task_from_file(json.dumps(content).encode(), b"")


def test_a_missing_field_and_too_large_a_file_are_refused() -> None:
    """A file of an earlier version, or one without end."""
    task = FinalTask(1, "", "", "", 0.1, newcomer=False, model=b"", findings="", card="")
    content = json.loads(task_to_file(task))
    del content["findings"]
    with pytest.raises(ModelError, match="lacks 'findings'"):
        task_from_file(json.dumps(content).encode(), b"")
    with pytest.raises(ModelError, match="wanted at most 16,777,216"):
        task_from_file(b" " * (2**24 + 1), b"")
