"""A config file is checked before anything runs: ZenML itself ignores unknown keys and unknown step names in silence.

Pure: a config and what the pipeline accepts go in, one sentence for each problem comes out.
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
from discern.use_cases.config_files import folder_of, folder_parameters, name_problem
from orchestration.former_keys import DROPPED_KEYS, FORMER_KEYS

Problems = dict[str, str]  # the key in dots -> one sentence


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


def complete_config(config: dict[str, Any], path: Path, function: Callable[..., Any]) -> dict[str, Any]:
    """Return a config with the parameters that its folder says, where it does not say them itself.

    Args:
        config: the file's content.
        path: the file.
        function: the pipeline's function.
    """
    stated = _mapping(config, "parameters")
    if not isinstance(stated, dict):
        return config
    known = inspect.signature(function).parameters
    said = {name: value for name, value in folder_parameters(path).items() if name in known}
    return {**config, "parameters": {**said, **stated}}


def check_config(config: dict[str, Any], path: Path, function: Callable[..., Any], steps: Collection[str]) -> None:
    """Refuse what ZenML would ignore, or would report with a traceback.

    Args:
        config: the file's content.
        path: the file, for the message.
        function: the pipeline's function, whose parameters and their types are known.
        steps: names of the pipeline's steps.

    Raises:
        ConfigError: keys, parameters, steps or values are unknown, missing or do not fit: one sentence each, on lines
            of their own, with the nearest name that exists.
    """
    problems = _unknown_keys(config, PipelineRunConfiguration.model_fields, "")
    problems |= _check_parameters(_mapping(config, "parameters"), path, function)
    problems |= _check_steps(_mapping(config, "steps"), steps)
    for key, sentence in _check_value(TypeAdapter(PipelineRunConfiguration), config, "").items():
        problems.setdefault(key, sentence)
    if problems:
        raise ConfigError("\n".join(f"{path}: {sentence}" for sentence in problems.values()))


def _mapping(config: dict[str, Any], key: str) -> Any:
    """Return what stands under a key; a key with nothing under it counts as empty."""
    content = config.get(key)
    return {} if content is None else content


def _check_steps(given: Any, steps: Collection[str]) -> Problems:
    problems = _unknown_keys(given, steps, "steps.")
    if isinstance(given, dict):
        for name, step in given.items():
            problems |= _unknown_keys(step or {}, StepConfigurationUpdate.model_fields, f"steps.{name}.")
    return problems


def _check_parameters(given: Any, path: Path, function: Callable[..., Any]) -> Problems:
    signature = inspect.signature(function).parameters
    problems = _unknown_keys(given, signature, "parameters.")
    if not isinstance(given, dict):
        return problems
    hints = get_type_hints(function, include_extras=True)
    for key, value in given.items():
        # What stands under a former key is checked too, so that all is said at once.
        name = key if key in signature else FORMER_KEYS.get(key)
        if name is not None and name in signature:
            problems |= _check_value(TypeAdapter(hints[name]), value, f"parameters.{key}")
    known = {*given, *(FORMER_KEYS.get(key) for key in given)}
    for name, parameter in signature.items():
        if parameter.default is inspect.Parameter.empty and name not in known:
            problems[f"parameters.{name}"] = _missing(name, path)
    return problems


def _missing(name: str, path: Path) -> str:
    if name == "use_case" and (problem := name_problem(folder_of(path))):
        return f"parameters.use_case is missing, and the folder's name does not do: {problem}"
    return f"parameters.{name} is missing: docs/configs.md says what it holds."


def _check_value(adapter: TypeAdapter[Any], value: Any, prefix: str) -> Problems:
    """Return one sentence for each key of `value` that does not fit."""
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        errors = error.errors()
        if any(problem["type"] == "extra_forbidden" for problem in errors):
            # A key that is not known explains another that is missing.
            errors = [problem for problem in errors if problem["type"] != "missing"]
        errors = [problem for problem in errors if not _explained(problem["loc"], errors)]
        problems: Problems = {}
        for problem in errors:
            key = ".".join([*([prefix] if prefix else []), *_keys(value, problem["loc"])])
            problems.setdefault(key, _complaint(adapter, problem, key))
        return problems
    return {}


def _explained(loc: tuple[int | str, ...], errors: Sequence[Mapping[str, Any]]) -> bool:
    """Return True if a problem further inside is told as well: a list counts as empty where its items do not fit."""
    return any(len(problem["loc"]) > len(loc) and problem["loc"][: len(loc)] == loc for problem in errors)


def _complaint(adapter: TypeAdapter[Any], problem: Mapping[str, Any], key: str) -> str:
    if problem["type"] == "extra_forbidden":
        name, allowed = str(problem["loc"][-1]), _keys_beside(adapter, problem["loc"])
        return _former(name, allowed, key) or f"{key}: unknown key; {_suggestion(name, allowed)}"
    if problem["type"] == "union_tag_invalid":
        name, allowed = problem["ctx"]["tag"], problem["ctx"]["expected_tags"].replace("'", "").split(", ")
        return f"{key}: there is no {name!r}; {_suggestion(name, allowed)}"
    if problem["type"] == "literal_error":
        name = str(problem["input"])
        allowed = str(problem["ctx"]["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        return _former(name, allowed, key) or f"{key}: there is no {name!r}; {_suggestion(name, allowed)}"
    return f"{key}: does not fit ({problem['msg']})."


def _former(name: str, allowed: Collection[str], key: str) -> str | None:
    """Return what became of a key of earlier configs, None where nothing is known."""
    if FORMER_KEYS.get(name) in allowed:
        return f"{key} was renamed to {FORMER_KEYS[name]!r}."
    if name in DROPPED_KEYS:
        return f"{key} is no key any more: delete it, for {DROPPED_KEYS[name]}."
    return None


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


def _unknown_keys(given: Any, allowed: Collection[str], prefix: str) -> Problems:
    if not isinstance(given, dict):
        key = prefix.rstrip(".")
        return {key: f"{key} must hold keys and values."}
    return {f"{prefix}{key}": _unknown(str(key), allowed, f"{prefix}{key}") for key in given if key not in allowed}


def _unknown(name: str, allowed: Collection[str], key: str) -> str:
    return _former(name, allowed, key) or f"unknown key {key}; {_suggestion(name, allowed)}"
