"""Schemas and defaults in plain words."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, create_model

from cli.config_page.words import default_words, value_words


class Inner(BaseModel):
    size: int = 3


class Round(BaseModel):
    kind: Literal["round"] = "round"


class Square(BaseModel):
    kind: Literal["square"] = "square"


def said(hint: Any, default: Any = ...) -> tuple[str, str]:
    """What is said of the value and of the default of a key."""
    model = create_model("Holder", key=(hint, default))
    schema = model.model_json_schema()["properties"]["key"]
    return value_words(schema, lambda name: f"<{name}>"), default_words(model.model_fields["key"])


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (str, "text"),
        (bool, "true or false"),
        (Any, "anything"),
        (int | None, "whole number"),
        (Annotated[int, Field(ge=1, lt=2**32)], "whole number, at least 1, less than 4,294,967,296"),
        (Annotated[float, Field(ge=0, le=0.5)], "number, 0 to 0.5"),
        (Annotated[float, Field(gt=0)], "number, more than 0"),
        (Annotated[str, Field(min_length=1, max_length=9, pattern="^a")], "text, at most 9 characters, matching `^a`"),
        (Literal["a", "b", "c"], "`a`, `b` or `c`"),
        (tuple[Literal["a"], ...], "list of: `a`"),
        (dict[Literal["a", "b"], float], "`a` or `b` -> number"),
        (dict[str, Any], "keys and values"),
        (Inner | None, "<Inner>"),
        (Annotated[Round | Square, Field(discriminator="kind")], "<Round>"),
    ],
)
def test_a_value_in_words(hint: Any, words: str) -> None:
    assert said(hint)[0] == words


@pytest.mark.parametrize(
    ("hint", "default", "words"),
    [
        (int, ..., "required"),
        (int | None, None, "none"),
        (float, 0.002, "`0.002`"),
        (float, 180.0, "`180`"),
        (bool, False, "`false`"),
        (str, "letterbox", "`letterbox`"),
        (tuple[str, ...], ("train", "test"), "`[train, test]`"),
        (dict[str, int], Field(default_factory=dict), "`{}`"),
        (Inner, Inner(), "its defaults"),
        (Inner, Inner(size=4), "`{size: 4}`"),
    ],
)
def test_a_default_in_words(hint: Any, default: Any, words: str) -> None:
    assert said(hint, default)[1] == words
