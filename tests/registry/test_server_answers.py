"""What a registry's answers are taken for: away, or a refusal; and what is said of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from glean.registry.registry_address import RegistryDownError, RegistryRefusedError
from glean.registry.server_answers import answers_of

pytest.importorskip("mlflow")

ADDRESS = "http://me:secret@registry.example.org/mlflow"


def of_a_file(status: int) -> Exception:
    """As files are answered, which MLflow leaves to requests."""
    import requests

    answer = requests.Response()
    answer.status_code = status
    # Another path than the registry's, as artifacts have, and a signed one.
    url = "http://me:secret@registry.example.org/artifacts/x?signature=secret"
    return requests.HTTPError(f"{status} Client Error for url: {url}", response=answer)


def of_a_call(status: int) -> Exception:
    """As MLflow tells a proxy's answer that isn't its own."""
    from mlflow.exceptions import MlflowException, get_error_code

    said = f"API request to {ADDRESS}/api failed with error code {status}"
    made: Exception = MlflowException(said, error_code=get_error_code(status))
    return made


@pytest.mark.parametrize(
    ("made", "status", "kind", "said"),
    [
        (of_a_file, 413, RegistryRefusedError, "refuses: 413"),
        (of_a_file, 400, RegistryRefusedError, "refuses: 400"),
        (of_a_file, 503, RegistryDownError, "doesn't answer"),
        (of_a_file, 429, RegistryDownError, "doesn't answer"),
        (of_a_file, 403, RegistryDownError, "MLFLOW_TRACKING_USERNAME"),
        (of_a_call, 401, RegistryDownError, "MLFLOW_TRACKING_USERNAME"),
        (of_a_call, 400, RegistryRefusedError, "refuses"),
        (of_a_call, 404, RegistryRefusedError, "refuses"),
        (of_a_call, 500, RegistryDownError, "doesn't answer"),
    ],
)
def test_away_is_told_from_a_refusal(
    made: Callable[[int], Exception], status: int, kind: type[Exception], said: str
) -> None:
    """What one file is refused for holds up no other run; a wrong password is called one."""
    with pytest.raises(kind) as told, answers_of(ADDRESS):
        raise made(status)
    assert type(told.value) is kind
    assert said in str(told.value)
    assert "secret" not in str(told.value)
