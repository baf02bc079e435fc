"""JSON schemas and defaults of keys in plain words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

Schema = dict[str, Any]
Link = Callable[[str], str]  # name of a model -> link to the table of its keys
TYPES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false"}
LIMITS = {
    "minimum": "at least {:,}",
    "exclusiveMinimum": "more than {:,}",
    "maximum": "at most {:,}",
    "exclusiveMaximum": "less than {:,}",
    "maxLength": "at most {} characters",
    "pattern": "matching `{}`",
}


def value_words(schema: Schema, link: Link) -> str:
    """Say what a key may hold.

    Args:
        schema: JSON schema of the key.
        link: gives the link to a model.
    """
    choices = [choice for choice in schema.get("anyOf", []) if choice.get("type") != "null"]
    if choices:
        return " or ".join(value_words(choice, link) for choice in choices)
    if "discriminator" in schema:
        schema = schema["oneOf"][0]
    if "oneOf" in schema:
        return _either(value_words(choice, link) for choice in schema["oneOf"])
    if "$ref" in schema:
        return link(schema["$ref"].rpartition("/")[2])
    if "enum" in schema or "const" in schema:
        return _either(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    return _container(schema, link) if schema.get("type") in {"array", "object"} else _scalar(schema)


def default_words(field: FieldInfo) -> str:
    """Say what holds where a key is left out."""
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, BaseModel):
        default = default.model_dump(mode="json", exclude_unset=True)
        return _flow(default) if default else "its defaults"
    if default is None:
        return "none"
    return _flow(list(default) if isinstance(default, tuple) else default)


def _container(schema: Schema, link: Link) -> str:
    if schema["type"] == "array":
        return f"list of: {value_words(schema['items'], link)}"
    values = schema.get("additionalProperties")
    if not isinstance(values, dict):
        return "keys and values"
    return f"{value_words(schema.get('propertyNames', {'type': 'string'}), link)} -> {value_words(values, link)}"


def _scalar(schema: Schema) -> str:
    name = TYPES[schema["type"]] if "type" in schema else "anything"
    if {"minimum", "maximum"} <= schema.keys():
        return f"{name}, {schema['minimum']:,} to {schema['maximum']:,}"
    return ", ".join([name, *(words.format(schema[limit]) for limit, words in LIMITS.items() if limit in schema)])


def _either(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    if isinstance(value, float):
        return f"`{value:g}`"
    text = yaml.safe_dump(value, default_flow_style=True, width=10**9, sort_keys=False)
    return f"`{text.removesuffix(chr(10)).removesuffix(chr(10) + '...')}`"
