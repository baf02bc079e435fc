"""What the models of a config say of themselves: their keys, and what each means. Pure.

A key's meaning is its `description`, or its entry under `Args:` or `Attributes:` in the docstring of its model or of a
model that this one extends. A pipeline's function counts as a model: its parameters are the keys.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import BaseModel, create_model

Model = type[BaseModel]
_ENTRY = re.compile(r"    (?P<name>\w+): (?P<meaning>.+)")


def as_model(function: Callable[..., Any]) -> Model:
    """Return a model whose keys are the parameters of a pipeline's function."""
    hints = get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters.values()
    fields: dict[str, Any] = {
        parameter.name: (hints[parameter.name], ... if parameter.default is parameter.empty else parameter.default)
        for parameter in parameters
    }
    return create_model(function.__name__, __doc__=function.__doc__, **fields)


def held_models(model: Model) -> Iterator[tuple[str, Model]]:
    """Yield the models inside a model, each with the key that holds it; one that several keys hold comes so often."""
    for name, field in model.model_fields.items():
        for held in _models_in(field.annotation):
            yield name, held


def kind_of(model: Model) -> str | None:
    """Return the one value that the key `kind` of a model may have; None for a model that is not chosen by its kind."""
    field = model.model_fields.get("kind")
    choices = get_args(field.annotation) if field and get_origin(field.annotation) is Literal else ()
    return choices[0] if len(choices) == 1 else None


def meanings(model: Model) -> dict[str, str]:
    """Return what each key of a model means; nothing for a key of which nobody says it."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found |= _entries(inspect.cleandoc(base.__doc__ or ""))
    described = {name: field.description for name, field in model.model_fields.items() if field.description}
    return {name: (found | described).get(name, "") for name in model.model_fields}


def summary(model: Model) -> str:
    """Return what a docstring says before its entries, with the line breaks of a paragraph gone."""
    text = re.split(r"\n\n(?:Args|Attributes|Raises):\n", inspect.cleandoc(model.__doc__ or ""))[0]
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _models_in(annotation: Any) -> Iterator[Model]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _entries(docstring: str) -> dict[str, str]:
    """Return the entries under `Args:` and `Attributes:`."""
    entries: dict[str, str] = {}
    name, inside = None, False
    for line in docstring.splitlines():
        if line and not line.startswith(" "):
            inside = line in {"Args:", "Attributes:"}
        elif inside and (entry := _ENTRY.fullmatch(line)):
            name = entry["name"]
            entries[name] = entry["meaning"]
        elif inside and name and line.strip():
            entries[name] += f" {line.strip()}"
    return entries
