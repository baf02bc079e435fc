"""A config file is checked before anything runs: ZenML itself ignores unknown keys and unknown step names in silence.

Pure: a config and what the pipeline accepts go in, a sentence comes out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError
from zenml.config.pipeline_run_configuration import PipelineRunConfiguration
from zenml.config.step_configurations import StepConfigurationUpdate

from discern.environment import fill_in
from discern.errors import ConfigError
from discern.suggestions import suggest


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
        told = " ".join(str(error).replace('in "<unicode string>", ', "at ").replace("^", "").split())
        raise ConfigError(f"{path} is not YAML: {told}.") from None
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
        problems = error.errors()
        # A key that is not known explains another that is missing.
        problem = next((one for one in problems if one["type"] == "extra_forbidden"), problems[0])
        key = ".".join([*([prefix] if prefix else []), *_keys(value, problem["loc"])])
        raise ConfigError(f"{path}: {key}: {_complaint(adapter, problem)}") from None


def _complaint(adapter: TypeAdapter[Any], problem: Mapping[str, Any]) -> str:
    if problem["type"] == "extra_forbidden":
        return f"unknown key; {_suggestion(str(problem['loc'][-1]), _keys_beside(adapter, problem['loc']))}"
    if problem["type"] == "union_tag_invalid":
        tags = problem["ctx"]["expected_tags"].replace("'", "").split(", ")
        return f"there is no {problem['ctx']['tag']!r}; {_suggestion(problem['ctx']['tag'], tags)}"
    if problem["type"] == "literal_error":
        allowed = str(problem["ctx"]["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        return f"there is no {problem['input']!r}; {_suggestion(str(problem['input']), allowed)}"
    return f"does not fit ({problem['msg']})."


def _keys(value: Any, loc: Sequence[int | str]) -> Iterator[str]:
    """The keys of a place, without the tags that pydantic puts between them for the members of a union."""
    for number, part in enumerate(loc):
        last = number == len(loc) - 1
        if isinstance(value, dict) and (part in value or last) and part != "[key]":
            yield str(part)
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int):
            yield str(part)
            value = value[part]


def _keys_beside(adapter: TypeAdapter[Any], loc: Sequence[int | str]) -> list[str]:
    """The keys that a model knows where an unknown one was found."""
    whole = adapter.json_schema()
    schemas = [whole]
    for part in loc[:-1]:
        schemas = [inner for schema in schemas for inner in _inside(schema, part, whole)] or schemas
    return sorted({key for schema in schemas for one in _members(schema, whole) for key in one.get("properties", {})})


def _inside(schema: dict[str, Any], part: int | str, whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    members = list(_members(schema, whole))
    tagged = [one for one in members if one.get("properties", {}).get("kind", {}).get("const") == part]
    if tagged and len(members) > 1:
        yield tagged[0]
        return
    for one in members:
        if part in one.get("properties", {}):
            yield one["properties"][part]
        elif isinstance(part, int) and "items" in one:
            yield one["items"]


def _members(schema: dict[str, Any], whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema, or those that it refers to or chooses from."""
    if "$ref" in schema:
        schema = whole["$defs"][schema["$ref"].rpartition("/")[2]]
    choices = schema.get("oneOf", []) + schema.get("anyOf", [])
    if not choices:
        yield schema
    for choice in choices:
        yield from _members(choice, whole)


def _suggestion(name: str, allowed: Collection[str]) -> str:
    return suggest(name, allowed, otherwise=f"known are {', '.join(sorted(allowed))}.")


def _known(given: Any, allowed: Collection[str], path: Path, prefix: str) -> None:
    if not isinstance(given, dict):
        raise ConfigError(f"{path}: {prefix.rstrip('.')} must hold keys and values.")
    for key in given:
        if key not in allowed:
            raise ConfigError(f"{path}: unknown key {prefix}{key}; {_suggestion(str(key), allowed)}")
