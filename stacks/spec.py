"""Reading a stack file: ZenML's export schema, with `${ENV}` filled in. Pure, but for the file and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from discern.environment import fill_in, needed
from discern.errors import ConfigError

FOLDER = Path(__file__).parent


class Component(BaseModel):
    """One component of a stack, as `zenml stack export` writes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    type: str
    flavor: str
    configuration: dict[str, Any]


class StackSpec(BaseModel):
    """One stack, as `zenml stack export` writes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zenml_version: str
    stack_name: str
    components: dict[str, list[Component]]


def available() -> list[str]:
    """Names of the stacks that have a file here."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def variables_of(name: str) -> list[str]:
    """Return the variables of the environment that a stack's file needs, sorted.

    Raises:
        ConfigError: there is no such file.
    """
    return needed(_file(name).read_text())


def read_spec(name: str, environment: Mapping[str, str]) -> StackSpec:
    """Read `stacks/NAME.yaml`.

    Raises:
        ConfigError: there is no such file, a variable is not set, or the file does not fit the schema.
    """
    path = _file(name)
    text = fill_in(path.read_text(), environment, f"stacks/{path.name}")
    try:
        return StackSpec.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"stacks/{path.name} does not fit ZenML's export schema: {_first(error)}.") from None


def _file(name: str) -> Path:
    path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise ConfigError(f"There is no stack {name!r}: choose one of {', '.join(available())}.")
    return path


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        problem = error.errors()[0]
        return f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
    return str(error).replace("\n", " ")
