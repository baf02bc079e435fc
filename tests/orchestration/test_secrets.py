"""Keys come from ZenML's secret store, or from the environment, and from nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from discern.errors import ConfigError
from orchestration.secrets import provide

VARIABLE = "LABELBOX_API_KEY"


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")  # so that it is put back afterwards
    monkeypatch.delenv(VARIABLE)


@pytest.fixture
def secret() -> Iterator[str]:
    """A secret of ZenML's own store; returns its name."""
    from zenml.client import Client

    Client().create_secret("labelbox-tests", {"api_key": " from-zenml\n", "other": "x"})
    yield "labelbox-tests"
    Client().delete_secret("labelbox-tests")


def test_a_secret_is_put_into_the_environment(secret: str) -> None:
    provide(secret)
    assert os.environ[VARIABLE] == "from-zenml"


def test_a_variable_that_is_set_wins(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "from-the-shell")
    provide(secret)
    assert os.environ[VARIABLE] == "from-the-shell"


def test_without_either_it_is_said_how_to_make_one(secret: str) -> None:
    for name in ("nothing", secret[:-1]):  # no secret of a longer name is taken for it
        with pytest.raises(
            ConfigError, match=rf"no ZenML secret '{name}' .*`zenml secret create {name} --api_key=\.\.\.`"
        ):
            provide(name)
    assert VARIABLE not in os.environ


def test_a_secret_without_the_value_is_none() -> None:
    from zenml.client import Client

    Client().create_secret("labelbox-other", {"key": "secret-value"})
    try:
        with pytest.raises(ConfigError, match=r"with a value 'api_key'.* or set LABELBOX_API_KEY\.$") as caught:
            provide("labelbox-other")
    finally:
        Client().delete_secret("labelbox-other")
    assert "secret-value" not in str(caught.value)
