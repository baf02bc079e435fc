"""A config file is checked before anything runs: ZenML itself ignores unknown keys and unknown step names in silence.

Pure: a config and what the pipeline accepts go in, a sentence comes out.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from zenml.config.pipeline_run_configuration import PipelineRunConfiguration
from zenml.config.step_configurations import StepConfigurationUpdate

from discern.errors import ConfigError


def read_config(path: Path) -> dict[str, Any]:
    """Read a run config.

    Raises:
        ConfigError: it is missing, not YAML, or not a mapping.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}): name an existing config file.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} has no keys: a config holds `parameters:`, `steps:`, `tags:` and so on.")
    return content


def check_config(config: dict[str, Any], path: Path, parameters: Collection[str], steps: Collection[str]) -> None:
    """Refuse what ZenML would ignore.

    Args:
        config: the file's content.
        path: the file, for the message.
        parameters: names that the pipeline accepts.
        steps: names of the pipeline's steps.

    Raises:
        ConfigError: it names the first unknown key, parameter, step or step key, and the nearest that exists.
    """
    _known(config, PipelineRunConfiguration.model_fields, path, "")
    _known(config.get("parameters") or {}, parameters, path, "parameters.")
    _known(config.get("steps") or {}, steps, path, "steps.")
    for name, step in (config.get("steps") or {}).items():
        _known(step or {}, StepConfigurationUpdate.model_fields, path, f"steps.{name}.")
    try:
        PipelineRunConfiguration.model_validate(config)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise ConfigError(f"{path}: {key} does not fit ({problem['msg']}).") from None


def _known(given: Any, allowed: Collection[str], path: Path, prefix: str) -> None:
    if not isinstance(given, dict):
        raise ConfigError(f"{path}: {prefix.rstrip('.')} must hold keys and values.")
    for key in given:
        if key not in allowed:
            near = difflib.get_close_matches(str(key), allowed, n=1)
            mend = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(allowed))}."
            raise ConfigError(f"{path}: unknown key {prefix}{key}; {mend}")
