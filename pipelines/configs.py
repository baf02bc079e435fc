"""A config file is checked before anything runs: ZenML itself ignores unknown keys and unknown step names in silence.

Pure: a config and what the pipeline accepts go in, a sentence comes out.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError
from zenml.config.pipeline_run_configuration import PipelineRunConfiguration
from zenml.config.step_configurations import StepConfigurationUpdate

from discern.environment import fill_in
from discern.errors import ConfigError


def read_config(path: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Read a run config and fill in `${NAME}` from the environment.

    Raises:
        ConfigError: it is missing, not YAML, not a mapping, or names a variable that is not set.
    """
    try:
        content = yaml.safe_load(fill_in(path.read_text(), environment, str(path)))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}): name an existing config file.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} has no keys: a config holds `parameters:`, `steps:`, `tags:` and so on.")
    return content


def check_config(config: dict[str, Any], path: Path, function: Callable[..., Any], steps: Collection[str]) -> None:
    """Refuse what ZenML would ignore, or would report with a traceback.

    Args:
        config: the file's content.
        path: the file, for the message.
        function: the pipeline's function, whose parameters and their types are known.
        steps: names of the pipeline's steps.

    Raises:
        ConfigError: it names the first unknown key, parameter, step or step key, and the nearest that exists; or the
            first value that does not fit.
    """
    _known(config, PipelineRunConfiguration.model_fields, path, "")
    _check_parameters(config.get("parameters") or {}, path, function)
    _known(config.get("steps") or {}, steps, path, "steps.")
    for name, step in (config.get("steps") or {}).items():
        _known(step or {}, StepConfigurationUpdate.model_fields, path, f"steps.{name}.")
    _fits(TypeAdapter(PipelineRunConfiguration), config, path, "")
    use_case = (config.get("parameters") or {}).get("use_case")
    if use_case is not None and use_case not in (config.get("tags") or []):
        # Later pipelines find a run by its tag: without it they would take another use case's artifacts, or none.
        raise ConfigError(f"{path}: tags must name the use case: write `tags: [{use_case}]`.")


def _check_parameters(given: Any, path: Path, function: Callable[..., Any]) -> None:
    signature = inspect.signature(function).parameters
    _known(given, signature, path, "parameters.")
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in signature.items():
        if name in given:
            _fits(TypeAdapter(hints[name]), given[name], path, f"parameters.{name}")
        elif parameter.default is inspect.Parameter.empty:
            raise ConfigError(f"{path}: parameters.{name} is missing.")


def _fits(adapter: TypeAdapter[Any], value: Any, path: Path, prefix: str) -> None:
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join([*([prefix] if prefix else []), *(str(part) for part in problem["loc"])])
        what = "unknown key" if problem["type"] == "extra_forbidden" else f"does not fit ({problem['msg']})"
        raise ConfigError(f"{path}: {key}: {what}.") from None


def _known(given: Any, allowed: Collection[str], path: Path, prefix: str) -> None:
    if not isinstance(given, dict):
        raise ConfigError(f"{path}: {prefix.rstrip('.')} must hold keys and values.")
    for key in given:
        if key not in allowed:
            near = difflib.get_close_matches(str(key), allowed, n=1)
            mend = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(allowed))}."
            raise ConfigError(f"{path}: unknown key {prefix}{key}; {mend}")
